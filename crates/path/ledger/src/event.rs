//! What happens to messages, hops and nodes apart from acceptance and attempts: its closed vocabulary, and its rows.

use serde::{Deserialize, Serialize};
use wire_message::Time;

use ground_store::{Row, Sql, StoreError, Unit};

use crate::columns::{Columns, Remains};
use crate::{MessageId, RecipientId};

mod page;
#[cfg(test)]
mod tests;

pub use page::{EVENTS_PAGE, EVENTS_PAGE_MAX, EventFilter, ListedEvent};

crate::words! {
    /// What happened to a message, a recipient, a next hop or a node, apart from acceptance and attempts.
    pub enum EventKind {
        /// A node took a new epoch.
        NodeStarted = "node_started",
        /// A node gave no sign of life; what it had claimed comes back.
        NodeFenced = "node_fenced",
        /// A person told a node to take no new work.
        NodeDrained = "node_drained",
        /// A person told a node to take work again.
        NodeResumed = "node_resumed",
        /// A claim ended without being settled; the detail says what is known of it.
        ClaimLost = "claim_lost",
        /// A recipient was held.
        Held = "held",
        /// A hold was ended.
        Released = "released",
        /// A person asked for an attempt now.
        Retried = "retried",
        /// A recipient was returned to its sender otherwise than by an attempt.
        Returned = "returned",
        /// A recipient was discarded.
        Discarded = "discarded",
        /// A recipient was sent another way.
        Rerouted = "rerouted",
        /// A recipient's lifetime ended.
        Expired = "expired",
        /// The sender was told that the message still waits.
        DelayNoticed = "delay_noticed",
        /// A report to the sender was stored.
        NoticeOwed = "notice_owed",
        /// A recipient failed and nobody can be told.
        DeadLetter = "dead_letter",
        /// A hold reached its alarm time.
        HoldForgotten = "hold_forgotten",
        /// A next hop does not answer.
        HopDown = "hop_down",
        /// A next hop answers again.
        HopUp = "hop_up",
        /// A person paused a next hop.
        HopPaused = "hop_paused",
        /// A pause was ended by a person.
        HopResumed = "hop_resumed",
        /// A message was exported.
        Exported = "exported",
        /// A row or body could not be read.
        Damaged = "damaged",
        /// History was removed by age.
        Pruned = "pruned",
        /// Settings were loaded.
        SettingsLoaded = "settings_loaded",
        /// Accounts, aliases, domains, operators or tokens were changed.
        DirectoryChanged = "directory_changed",
        /// What waited because we were away was treated by the late policy.
        LatePolicy = "late_policy",
        /// A node's wall clock was stepped; ages and deadlines go on as if it had not been.
        ClockStepped = "clock_stepped",
        /// A watch corrected or reported a difference.
        Reconciled = "reconciled",
    }
}

crate::words! {
    /// Whose doing it was.
    pub enum Doer {
        /// A person's: an act of an operator.
        Person = "person",
        /// A program's: a node did it by its rules and settings.
        Program = "program",
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Event {
    /// When.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::rfc3339::Moment")]
    pub at: Time,
    /// Of which message, if of one.
    pub message: Option<MessageId>,
    /// Of which recipient, if of one.
    pub recipient: Option<RecipientId>,
    /// What.
    pub kind: EventKind,
    /// Whose doing it was.
    pub doer: Doer,
    /// Who or what did it, by name.
    pub actor: String,
    /// In words.
    pub detail: String,
}

/// The columns [`Event::of_row`] reads.
macro_rules! columns {
    () => {
        "at, message, recipient, kind, actor, detail, doer"
    };
}
pub(crate) use columns;

const INSERT: Sql = Sql::new(
    "INSERT INTO event (id, at, message, recipient, kind, doer, actor, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
);

impl Event {
    /// Adds the event to what is written.
    pub(crate) fn write(&self, id: i64, unit: &mut Unit) {
        unit.write(
            INSERT,
            vec![
                id.into(),
                self.at.as_millis().into(),
                self.message.into(),
                self.recipient.into(),
                self.kind.word().into(),
                self.doer.word().into(),
                (&self.actor).into(),
                (&self.detail).into(),
            ],
        );
    }

    /// One that cannot be read is told by what is left of it.
    pub(crate) fn of_row(row: &Row) -> Event {
        Self::read(row).unwrap_or_else(|error| Self::remains(row, &error))
    }

    fn read(row: &Row) -> Result<Event, StoreError> {
        let mut columns = Columns::of(row);
        Ok(Event {
            at: columns.time()?,
            message: columns.maybe_int()?.map(MessageId::from_key),
            recipient: columns.maybe_int()?.map(RecipientId::from_key),
            kind: columns.word("an event", EventKind::from_word)?,
            actor: columns.string()?,
            detail: columns.string()?,
            doer: columns.word("a doer", Doer::from_word)?,
        })
    }

    fn remains(row: &Row, error: &StoreError) -> Event {
        let left = Remains(row);
        Event {
            at: left.time_or_epoch(0),
            message: left.int(1).map(MessageId::from_key),
            recipient: left.int(2).map(RecipientId::from_key),
            kind: EventKind::Damaged,
            doer: Doer::Program,
            actor: left.text(4),
            detail: format!("this event cannot be read ({error}): {}", left.text(5)),
        }
    }
}
