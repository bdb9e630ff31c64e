//! Rows of a story that cannot be read: each is told by what is left of it, with what is wrong, so that the rest is told too.
//!
//! The numbers are the places of the columns in the queries of the parent.

use ground_store::{Row, StoreError};

use super::{Story, StoryAttempt, StoryRecipient};
use crate::columns::Remains;
use crate::{Doer, Event, EventKind, MessageId, Origin, RecipientId, State};

/// The places of `message_columns`.
pub(super) fn message(row: &Row, error: &StoreError) -> Story {
    let left = Remains(row);
    Story {
        id: MessageId::from_key(left.int(0).unwrap_or(0)),
        damaged: Some(error.to_string()),
        received_at: left.time_or_epoch(1),
        sender: left.text(2),
        size: left.count(3),
        origin: Origin::from_word(&left.text(5)),
        listener: left.text(6),
        peer: left.text(7),
        helo: left.text(8),
        tls: left.text(9),
        auth: left.text(10),
        envid: left.maybe_text(14).filter(|envid| !envid.is_empty()),
        message_id: left.text(15),
        subject: left.text(16),
        cause: left.int(17).map(MessageId::from_key),
        body_kept: left.int(4).is_some(),
        recipients: Vec::new(),
        events: Vec::new(),
        reports: Vec::new(),
    }
}

/// The places of `recipient_columns`.
pub(super) fn recipient(row: &Row, error: &StoreError) -> StoryRecipient {
    let left = Remains(row);
    StoryRecipient {
        id: RecipientId::from_key(left.int(0).unwrap_or(0)),
        damaged: Some(error.to_string()),
        parent: left.int(2).map(RecipientId::from_key),
        address: left.text(3),
        // As it is listed: the watch holds what it cannot read.
        state: State::from_word(&left.text(6)).unwrap_or(State::Held),
        orcpt: left.maybe_text(4).filter(|orcpt| !orcpt.is_empty()),
        next_hop: left.text(7),
        tries: u32::try_from(left.count(8)).unwrap_or(0),
        suspicion: left.int(9).and_then(|count| u32::try_from(count).ok()),
        claimed_by: left.int(15),
        claimed_until: left.time(16),
        retry_at: left.time_or_epoch(11),
        notify_at: left.time(12),
        deadline_at: left.time(13),
        expires_at: left.time(14),
        hold_reason: left.maybe_text(17),
        held_by: left.maybe_text(18),
        hold_alarm_at: left.time(19),
        last_reply: left.text(20),
        last_peer: left.text(21),
        finished_at: left.time(22),
        cause: left.maybe_text(23),
        actor: left.maybe_text(24),
        attempts: Vec::new(),
    }
}

/// The places of `ATTEMPTS`.
pub(super) fn attempt(row: &Row, error: &StoreError) -> (RecipientId, StoryAttempt) {
    let left = Remains(row);
    let attempt = StoryAttempt {
        damaged: Some(error.to_string()),
        node: left.text(1),
        started_at: left.time_or_epoch(2),
        ended_at: left.time_or_epoch(3),
        next_hop: left.text(4),
        peer: left.text(5),
        address: left.text(6),
        tls: left.text(7),
        last_command: left.text(8),
        reply: left.text(9),
        bytes: left.count(10),
        outcome: crate::AttemptOutcome::from_word(&left.text(11)),
        transcript: left.text(12),
    };
    (RecipientId::from_key(left.int(0).unwrap_or(0)), attempt)
}

/// An attempt at nobody of this message.
pub(super) fn astray(of: RecipientId, attempt: StoryAttempt) -> Event {
    Event {
        at: attempt.started_at,
        message: None,
        recipient: Some(of),
        kind: EventKind::Damaged,
        doer: Doer::Program,
        actor: attempt.node,
        detail: format!(
            "an attempt at a recipient that this message does not have; its reply: {}",
            attempt.reply
        ),
    }
}
