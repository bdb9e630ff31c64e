//! From a story to what its sender may know of it.

use std::collections::BTreeSet;

use path_ledger::{
    HopKey, HopKind, HopState, HopStatus, RecipientId, State, Story, StoryRecipient,
};
use wire_message::{EnhancedStatus, Time};

use super::{Hops, Said, Status, StatusRecipient, Told};

/// The longest answer that is quoted, in characters: as much as a report quotes.
const QUOTE_MAX: usize = 500;

/// In the place of an address that cannot be read, and may be of somebody whom the sender did not name.
const UNREADABLE: &str = "(an address that cannot be read)";

/// What the sender of a message may know of it.
#[must_use]
pub fn status(story: &Story, hops: &Hops, now: Time) -> Status {
    let named = story.recipients.iter().filter(|one| one.parent.is_none());
    let recipients = named.map(|one| match one.state {
        State::Expanded => for_others(one, &behind(story, one.id), hops, now),
        State::Categorizing
        | State::Queued
        | State::InFlight
        | State::Held
        | State::Delivered
        | State::Relayed
        | State::Returned
        | State::Discarded
        | State::DeadLetter => itself(one, hops, now),
    });
    Status {
        id: story.id,
        received_at: story.received_at,
        recipients: recipients.collect(),
    }
}

/// Those who came in the place of a recipient, to the last: whoever did not give way to others again.
fn behind(story: &Story, id: RecipientId) -> Vec<&StoryRecipient> {
    let mut ends = Vec::new();
    let mut seen = BTreeSet::from([id]);
    let mut waiting = vec![id];
    while let Some(parent) = waiting.pop() {
        let all = story.recipients.iter();
        for child in all.filter(|one| one.parent == Some(parent)) {
            if child.state != State::Expanded {
                ends.push(child);
            } else if seen.insert(child.id) {
                waiting.push(child.id);
            }
        }
    }
    ends
}

/// Somebody who stands for himself.
fn itself(one: &StoryRecipient, hops: &Hops, now: Time) -> StatusRecipient {
    let hop = hops.get(&one.next_hop);
    let tried = one.attempts.iter().rev();
    let tried = tried.filter(|attempt| attempt.damaged.is_none());
    // What is held, or was ended here, is not the other side's doing.
    let theirs = match one.state {
        State::Held | State::Discarded => false,
        State::Categorizing
        | State::Queued
        | State::InFlight
        | State::Delivered
        | State::Relayed
        | State::Expanded
        | State::Returned
        | State::DeadLetter => true,
    };
    StatusRecipient {
        address: address(one),
        told: told(one.state),
        tried_at: tried.map(|attempt| attempt.ended_at).next(),
        said: theirs.then(|| said(one, hop)).flatten(),
        next_try_at: next_try(one, hop, now),
        notice_at: notice(one),
        expires_at: expiry(one),
        ended_at: one.finished_at,
    }
}

/// Somebody who stands for others: how all of them are, and nothing about one.
fn for_others(
    one: &StoryRecipient,
    behind: &[&StoryRecipient],
    hops: &Hops,
    now: Time,
) -> StatusRecipient {
    let waiting = || behind.iter().filter(|other| !other.state.is_final());
    let reached = |other: &&StoryRecipient| match other.state {
        State::Delivered | State::Relayed | State::Expanded => true,
        State::Categorizing
        | State::Queued
        | State::InFlight
        | State::Held
        | State::Returned
        | State::Discarded
        | State::DeadLetter => false,
    };
    let told = if waiting().next().is_some() {
        Told::PassingOn
    } else if behind.iter().all(reached) {
        Told::PassedOn
    } else if behind.iter().any(reached) {
        Told::InPart
    } else {
        Told::GivenUp
    };
    let next_try = waiting().filter_map(|other| next_try(other, hops.get(&other.next_hop), now));
    let ended = behind.iter().filter_map(|other| other.finished_at).max();
    StatusRecipient {
        address: address(one),
        told,
        tried_at: None,
        said: None,
        next_try_at: next_try.min(),
        notice_at: waiting().filter_map(|other| notice(other)).min(),
        expires_at: waiting().filter_map(|other| expiry(other)).max(),
        ended_at: ended
            .or(one.finished_at)
            .filter(|_| told != Told::PassingOn),
    }
}

fn address(one: &StoryRecipient) -> String {
    match one.damaged {
        None => one.address.clone(),
        Some(_) => UNREADABLE.to_owned(),
    }
}

const fn told(state: State) -> Told {
    match state {
        State::Categorizing => Told::LookedUp,
        State::Queued => Told::Waiting,
        State::InFlight => Told::UnderWay,
        State::Held => Told::Held,
        State::Delivered => Told::Delivered,
        State::Relayed => Told::HandedOver,
        State::Expanded => Told::PassedOn,
        State::Returned | State::DeadLetter => Told::GivenUp,
        State::Discarded => Told::Ended,
    }
}

/// When it is tried next, if it is before its end.
fn next_try(one: &StoryRecipient, hop: Option<&HopStatus>, now: Time) -> Option<Time> {
    let own = one.retry_at.max(now);
    let at = match one.state {
        State::Categorizing => own,
        State::Queued => hop.map_or(own, |hop| own.max(hop.opens_at())),
        State::InFlight
        | State::Held
        | State::Delivered
        | State::Relayed
        | State::Expanded
        | State::Returned
        | State::Discarded
        | State::DeadLetter => return None,
    };
    let ends = one.expires_at.is_some_and(|end| end <= at);
    (!ends).then_some(at)
}

fn notice(one: &StoryRecipient) -> Option<Time> {
    one.notify_at.filter(|_| !one.state.is_final())
}

fn expiry(one: &StoryRecipient) -> Option<Time> {
    one.expires_at.filter(|_| !one.state.is_final())
}

/// The last answer about it. A hop that is down speaks for all that waits for it, as in a report.
fn said(one: &StoryRecipient, hop: Option<&HopStatus>) -> Option<Said> {
    let down = hop.filter(|hop| hop.state == HopState::Down && !hop.last_reply.is_empty());
    let text = down.map_or(&one.last_reply, |hop| &hop.last_reply);
    if text.is_empty() || one.state == State::Delivered {
        return None;
    }
    let quoted = match down {
        None => quoted(one, text),
        Some(_) => None,
    };
    Some(quoted.unwrap_or_else(|| Said {
        by: None,
        text: code(text).unwrap_or_else(|| "none, for good or ill".to_owned()),
    }))
}

/// Whose words these are, and the words: when a public server of the recipient's domain has said them. Ours look like a server's
/// and may name what is nobody's business (an address here, a file), so the record of the conversation must have them from the
/// other side. Of success there is none; then they are always the other side's.
fn quoted(one: &StoryRecipient, text: &str) -> Option<Said> {
    let hop: HopKey = one.next_hop.parse().ok()?;
    let HopKind::Mx(_) = hop.kind() else {
        return None;
    };
    let by = match text.starts_with('2') {
        true => &one.last_peer,
        false => {
            let first = text.lines().next()?.trim_end();
            let has = |line: &str| line.strip_prefix("S: ").map(str::trim_end) == Some(first);
            let mut attempts = one.attempts.iter().rev();
            &attempts.find(|one| one.transcript.lines().any(has))?.peer
        }
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(Said {
        by: Some(by.clone()).filter(|by| !by.is_empty()),
        text: words.join(" ").chars().take(QUOTE_MAX).collect(),
    })
}

/// The code an answer begins with (RFC 5321 s4.2), the enhanced one with it (RFC 2034), and what they mean; none of words without.
fn code(text: &str) -> Option<String> {
    let (digits, rest) = text.split_at_checked(3)?;
    let basic: u16 = digits.parse().ok()?;
    let parted = rest.is_empty() || rest.starts_with([' ', '-', '\r', '\n']);
    if !parted || !(200..600).contains(&basic) {
        return None;
    }
    let line = rest.lines().next().unwrap_or_default();
    let enhanced = EnhancedStatus::split(line.trim_start_matches([' ', '-']));
    let enhanced = enhanced.map(|(status, _)| status);
    let meaning = enhanced
        .or(EnhancedStatus::from_reply_code(basic))
        .and_then(EnhancedStatus::meaning);
    let mut code = digits.to_owned();
    if let Some(enhanced) = enhanced {
        code.push_str(&format!(" {enhanced}"));
    }
    if let Some(meaning) = meaning {
        code.push_str(&format!(" ({meaning})"));
    }
    Some(code)
}
