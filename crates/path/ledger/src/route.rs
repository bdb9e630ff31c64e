//! Recipients that wait for the directory, and what becomes of them when it has spoken.

use std::sync::Arc;

use ground_store::{Sql, Unit, Value};
use wire_message::{Address, Time};

use crate::accept::{NewMessage, NewRecipient, Terms};
use crate::body::BodyRef;
use crate::deadline::{deadline_of_queued, deadline_with};
use crate::event::{Doer, EventKind};
use crate::recipient::{Recipient, recipient_columns};
use crate::{Envelope, Guarded, HopKey, Ledger, LedgerError, State};

#[cfg(test)]
mod tests;

/// A recipient that waits to be categorized.
#[derive(Debug, Clone)]
pub struct Unrouted {
    /// Its row as read.
    pub recipient: Recipient,
    /// Its message's envelope.
    pub envelope: Arc<Envelope>,
    /// Octets of the body.
    pub size: u64,
    /// The body, for reports that quote it.
    pub body: Option<BodyRef>,
}

/// What categorizer and router decided.
#[derive(Debug, Clone)]
pub enum Routed {
    /// It goes this way.
    Queued {
        /// Which.
        next_hop: HopKey,
    },
    /// The directory could not say; to be asked again.
    Later {
        /// Not before.
        retry_at: Time,
        /// Why.
        reason: String,
    },
    /// Kept back.
    Held {
        /// Why.
        reason: String,
        /// By which rule.
        by: String,
    },
    /// Replaced by these.
    Expanded {
        /// By which alias or group.
        cause: String,
        /// Their parents are places in this list, or this recipient. None: whoever it stands for has the message already.
        children: Vec<NewRecipient>,
    },
    /// Nobody by that name; the report is among the notices.
    Returned {
        /// Why.
        cause: String,
    },
    /// Nobody by that name, and nobody can be told.
    DeadLetter {
        /// Why.
        cause: String,
    },
    /// Dropped by a rule.
    Discarded {
        /// Why.
        cause: String,
        /// Which rule.
        actor: String,
    },
}

/// What became of a routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteResult {
    /// It is in the book.
    Done,
    /// The recipient was not waiting for it any more; nothing was stored.
    Escaped,
}

const DUE: &str = concat!(
    "SELECT ",
    recipient_columns!(),
    " FROM recipient WHERE state = 'categorizing' AND retry_at <= $1 AND expires_at > $1 ORDER BY retry_at LIMIT $2"
);

/// What waits for the directory itself stands for nobody yet, and what was expanded for nobody any more.
const OTHERS: &str = "SELECT address FROM recipient WHERE message = $1 AND id <> $2 AND state <> 'categorizing' AND state <> 'expanded'";

const QUEUE: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'queued', next_hop = $2, last_reply = '', deadline_at = ",
    deadline_of_queued!(),
    " WHERE id = $1 AND state = 'categorizing'"
));

const LATER: Sql = Sql::new(concat!(
    "UPDATE recipient SET retry_at = $2, last_reply = $3, deadline_at = ",
    deadline_with!("$2"),
    " WHERE id = $1 AND state = 'categorizing'"
));

const HOLD: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'held', hold_reason = $2, held_by = $3, hold_alarm_at = $4, deadline_at = ",
    deadline_with!("$4"),
    " WHERE id = $1 AND state = 'categorizing'"
));

const END: Sql = Sql::new(
    "UPDATE recipient SET state = $2, finished_at = $3, cause = $4, actor = $5, deadline_at = NULL, notify_at = NULL \
     WHERE id = $1 AND state = 'categorizing'",
);

/// The body is needed by more now; before the parent ends, so that it never counts as unneeded in between. Of a parent that
/// has ended meanwhile there may be no body any more, so this is guarded like all else.
const MORE_PENDING: Sql = Sql::new(
    "UPDATE message SET pending = pending + $2 WHERE id = $1 \
     AND EXISTS (SELECT 1 FROM recipient WHERE id = $3 AND state = 'categorizing')",
);

impl Ledger {
    /// Recipients whose categorization is due now, longest waiting first.
    ///
    /// # Errors
    /// The store's.
    pub async fn categorizing_due(&self, limit: u32) -> Result<Vec<Unrouted>, LedgerError> {
        let values = vec![self.now().as_millis().into(), limit.into()];
        let rows = self.read(DUE, values).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            match Recipient::from_row(row) {
                Ok(recipient) => found.push(recipient),
                // It stays listed as damaged, and must not stand in the way of the others.
                Err(error) => {
                    tracing::error!(recipient = row.int(0).unwrap_or(0), %error, "it cannot be read");
                }
            }
        }
        let mut ids: Vec<_> = found.iter().map(|one| one.message).collect();
        ids.dedup();
        let messages = self.messages(&ids).await?;
        let mut due = Vec::with_capacity(found.len());
        for recipient in found {
            let Some(Ok(message)) = messages.get(&recipient.message) else {
                tracing::error!(message = %recipient.message, "its message row cannot be read");
                continue;
            };
            due.push(Unrouted {
                envelope: message.envelope.clone(),
                size: message.size,
                body: message
                    .body
                    .map(|body| BodyRef::new(body, message.size, self.book.fresh_bodies.get(body))),
                recipient,
            });
        }
        Ok(due)
    }

    /// Addresses that the message of a waiting recipient goes to already, by its other recipients.
    ///
    /// # Errors
    /// The store's.
    pub async fn others_of(&self, waiting: &Recipient) -> Result<Vec<Address>, LedgerError> {
        let values = vec![waiting.message.into(), waiting.id.into()];
        let rows = self.read(OTHERS, values).await?;
        let mut others = Vec::with_capacity(rows.len());
        for row in &rows {
            // One that cannot be read is nobody's double.
            others.extend(Address::parse(row.text(0)?));
        }
        Ok(others)
    }

    /// Records what categorizer and router decided, with the reports it owes.
    ///
    /// # Errors
    /// The store's.
    pub async fn route(
        &self,
        unrouted: &Unrouted,
        routed: Routed,
        notices: Vec<NewMessage>,
    ) -> Result<RouteResult, LedgerError> {
        let mut unit = Unit::new();
        self.decide(unrouted, &routed, &mut unit)?;
        self.join_notices(&notices, &mut unit)?;
        match self.write_guarded(unit).await? {
            Guarded::Escaped => Ok(RouteResult::Escaped),
            Guarded::Done => {
                self.routed(&unrouted.recipient, &routed);
                self.notices_stored(&notices);
                Ok(RouteResult::Done)
            }
        }
    }

    fn decide(
        &self,
        unrouted: &Unrouted,
        routed: &Routed,
        unit: &mut Unit,
    ) -> Result<(), LedgerError> {
        let recipient = &unrouted.recipient;
        let id: Value = recipient.id.into();
        let now = self.now();
        match routed {
            Routed::Queued { next_hop } => unit.write_exactly(1, QUEUE, vec![id, next_hop.value()]),
            Routed::Later { retry_at, reason } => {
                let values = vec![id, retry_at.as_millis().into(), reason.into()];
                unit.write_exactly(1, LATER, values);
            }
            Routed::Held { reason, by } => {
                let alarm_at = (now + self.options().hold_alarm).as_millis();
                let values = vec![id, reason.into(), by.into(), alarm_at.into()];
                unit.write_exactly(1, HOLD, values);
                self.routing_event(EventKind::Held, recipient, by, reason, unit);
            }
            Routed::Expanded { cause, children } => {
                self.expand(unrouted, children, unit)?;
                self.end_routing(recipient, State::Expanded, cause, "categorizer", unit);
            }
            Routed::Returned { cause } => {
                self.end_routing(recipient, State::Returned, cause, "categorizer", unit);
                self.routing_event(EventKind::Returned, recipient, "categorizer", cause, unit);
            }
            Routed::DeadLetter { cause } => {
                self.end_routing(recipient, State::DeadLetter, cause, "categorizer", unit);
                self.routing_event(EventKind::DeadLetter, recipient, "categorizer", cause, unit);
            }
            Routed::Discarded { cause, actor } => {
                self.end_routing(recipient, State::Discarded, cause, actor, unit);
                self.routing_event(EventKind::Discarded, recipient, actor, cause, unit);
            }
        }
        Ok(())
    }

    fn expand(
        &self,
        unrouted: &Unrouted,
        children: &[NewRecipient],
        unit: &mut Unit,
    ) -> Result<(), LedgerError> {
        if children.is_empty() {
            return Ok(());
        }
        let parent = &unrouted.recipient;
        let terms = Terms {
            message: parent.message,
            envelope: &unrouted.envelope,
            accepted_at: parent.accepted_at,
            now: self.now(),
        };
        let born = self.children(children, parent.id, &terms)?;
        let pending = born.iter().filter(|one| !one.state.is_final()).count();
        let pending = i64::try_from(pending).unwrap_or(i64::MAX);
        let more = vec![parent.message.into(), pending.into(), parent.id.into()];
        unit.write_exactly(1, MORE_PENDING, more);
        for child in &born {
            child.insert(unit);
        }
        Ok(())
    }

    fn end_routing(
        &self,
        recipient: &Recipient,
        state: State,
        cause: &str,
        actor: &str,
        unit: &mut Unit,
    ) {
        let at = self.now().as_millis();
        let values = vec![
            recipient.id.into(),
            state.into(),
            at.into(),
            cause.into(),
            actor.into(),
        ];
        unit.write_exactly(1, END, values);
    }

    fn routing_event(
        &self,
        kind: EventKind,
        recipient: &Recipient,
        actor: &str,
        detail: &str,
        unit: &mut Unit,
    ) {
        let mut event = self.event(kind, Doer::Program, actor, detail.to_owned());
        event.message = Some(recipient.message);
        event.recipient = Some(recipient.id);
        event.write(self.new_key(), unit);
    }

    fn routed(&self, recipient: &Recipient, routed: &Routed) {
        let end = |state| self.count_end(recipient.message, state);
        match routed {
            Routed::Queued { next_hop } => self.wake_for(next_hop),
            Routed::Expanded { children, .. } => {
                end(State::Expanded);
                self.recipients_stored(children);
            }
            Routed::Later { .. } | Routed::Held { .. } => {}
            Routed::Returned { .. } => end(State::Returned),
            Routed::DeadLetter { .. } => end(State::DeadLetter),
            Routed::Discarded { .. } => end(State::Discarded),
        }
    }
}
