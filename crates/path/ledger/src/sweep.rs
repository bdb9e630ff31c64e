//! The sweep by time: what is owed to senders and operators at a moment, whatever the state and whatever the hop does.

use std::sync::Arc;

use ground_store::{Row, Sql, StoreError, Unit, Value};
use wire_message::{ReversePath, Time};

use crate::accept::NewMessage;
use crate::body::BodyRef;
use crate::columns::Columns;
use crate::deadline::{Waiting, deadline};
use crate::envelope::{Message, message_columns};
use crate::event::{Doer, EventKind};
use crate::hop::hop_columns;
use crate::recipient::{Recipient, recipient_columns};
use crate::{Envelope, Guarded, HopStatus, Ledger, LedgerError, RecipientId, State};

#[cfg(test)]
mod tests;

/// A recipient whose deadline has passed, with what a report on it needs.
#[derive(Debug, Clone)]
pub struct DueRow {
    /// Its row as read; the sweep is guarded by it.
    pub recipient: Recipient,
    /// Its message's envelope.
    pub envelope: Arc<Envelope>,
    /// Octets of the body.
    pub size: u64,
    /// The body, for reports that quote it.
    pub body: Option<BodyRef>,
    /// How its next hop is, if anything is known.
    pub hop: Option<HopStatus>,
}

/// What a query found.
#[derive(Debug, Default)]
struct DueRows {
    readable: Vec<DueRow>,
    /// Damaged rows that are held now, or past their lifetime, and will not be found again.
    held: u64,
}

/// What the watch does about a due row.
#[derive(Debug)]
pub enum Sweep {
    /// Its lifetime has ended: returned with these reports (none when the sender asked for none), or a dead letter when
    /// there is no sender.
    Expire {
        /// In words, with the last thing that was said.
        cause: String,
        /// The reports.
        notices: Vec<NewMessage>,
    },
    /// The late policy sends it back, before its lifetime has ended.
    ReturnLate {
        /// In words.
        cause: String,
        /// The reports.
        notices: Vec<NewMessage>,
    },
    /// The sender is told that it still waits.
    DelayNotice {
        /// The reports.
        notices: Vec<NewMessage>,
        /// When the next is owed.
        next_notify_at: Option<Time>,
    },
    /// Kept back, by the late policy.
    Hold {
        /// Why.
        reason: String,
        /// By which rule.
        by: String,
    },
    /// A hold has reached its alarm time.
    HoldAlarm {
        /// When it rings again.
        next: Time,
    },
    /// Nothing is to be done before this moment; at most the end of its lifetime.
    Postpone {
        /// When to look again.
        deadline: Time,
    },
}

/// What became of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// It is in the book.
    Done,
    /// A row is not as it was read: nothing was stored; it is found again when it is due.
    Escaped,
}

/// A live claim is not the watch's business, except that a notice is owed by time; the node that has it is told by its lease.
const DUE: &str = concat!(
    "SELECT ",
    recipient_columns!(),
    ", ",
    message_columns!(),
    ", ",
    hop_columns!(),
    " FROM recipient JOIN message ON message.id = recipient.message \
     LEFT JOIN next_hop ON next_hop.key = recipient.next_hop \
     WHERE recipient.deadline_at IS NOT NULL AND recipient.deadline_at <= $1 \
       AND (recipient.state <> 'in_flight' OR (recipient.notify_at <= $1 AND recipient.expires_at > $1)) \
     ORDER BY recipient.deadline_at LIMIT $2"
);

/// What waits for a hop or the directory, in the order of acceptance, but for those whose senders were told since `$4`.
const WAITING: &str = concat!(
    "SELECT ",
    recipient_columns!(),
    ", ",
    message_columns!(),
    ", ",
    hop_columns!(),
    " FROM recipient JOIN message ON message.id = recipient.message \
     LEFT JOIN next_hop ON next_hop.key = recipient.next_hop \
     WHERE recipient.id > $1 AND recipient.state IN ('queued', 'categorizing') AND recipient.accepted_at < $2 \
       AND NOT EXISTS (SELECT 1 FROM event WHERE event.message = recipient.message AND event.recipient = recipient.id \
         AND event.kind = 'delay_noticed' AND event.at >= $4) \
     ORDER BY recipient.id LIMIT $3"
);

const ONE: &str = concat!(
    "SELECT ",
    recipient_columns!(),
    ", ",
    message_columns!(),
    ", ",
    hop_columns!(),
    " FROM recipient JOIN message ON message.id = recipient.message \
     LEFT JOIN next_hop ON next_hop.key = recipient.next_hop \
     WHERE recipient.id = $1 AND recipient.finished_at IS NULL"
);

const END: Sql = Sql::new(
    "UPDATE recipient SET state = $5, finished_at = $6, cause = $7, actor = $8, deadline_at = NULL, notify_at = NULL, \
     claimed_by = NULL, claimed_until = NULL, begun_at = NULL, hold_reason = NULL, held_by = NULL, hold_alarm_at = NULL \
     WHERE id = $1 AND state = $2 AND coalesce(claimed_by, 0) = $3 AND deadline_at = $4",
);

const NOTICED: Sql = Sql::new(
    "UPDATE recipient SET notify_at = $5, deadline_at = $6 \
     WHERE id = $1 AND state = $2 AND coalesce(claimed_by, 0) = $3 AND deadline_at = $4",
);

const HOLD: Sql = Sql::new(
    "UPDATE recipient SET state = 'held', hold_reason = $5, held_by = $6, hold_alarm_at = $7, deadline_at = $8 \
     WHERE id = $1 AND state = $2 AND coalesce(claimed_by, 0) = $3 AND deadline_at = $4 AND state <> 'in_flight'",
);

const ALARM: Sql = Sql::new(
    "UPDATE recipient SET hold_alarm_at = $5, deadline_at = $6 \
     WHERE id = $1 AND state = $2 AND coalesce(claimed_by, 0) = $3 AND deadline_at = $4 AND state = 'held'",
);

const POSTPONE: Sql = Sql::new(
    "UPDATE recipient SET deadline_at = CASE WHEN $5 < expires_at THEN $5 ELSE expires_at END \
     WHERE id = $1 AND state = $2 AND coalesce(claimed_by, 0) = $3 AND deadline_at = $4",
);

impl Ledger {
    /// Recipients with something owed at `now`, longest due first. Claims that are alive are left to their node; those that
    /// ended are found by [`Ledger::lost_claims`], which is run before. What cannot be read is held, with the reason, and does
    /// not stand in the way.
    ///
    /// # Errors
    /// The store's.
    pub async fn due(&self, now: Time, limit: u32) -> Result<Vec<DueRow>, LedgerError> {
        let values = vec![now.as_millis().into(), limit.into()];
        Ok(self.due_rows(DUE, values).await?.readable)
    }

    /// Recipients accepted before `before` that wait for a hop or the directory, those after the recipient `after`, in the
    /// order of their ids: what a late policy looks at after a downtime. A start that crashed meanwhile may have told some
    /// senders already; those are left out. What cannot be read is held.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting_since(
        &self,
        before: Time,
        after: Option<RecipientId>,
        limit: u32,
    ) -> Result<Vec<DueRow>, LedgerError> {
        let after = after.map_or(0, RecipientId::key);
        let told_since = self.book.back_at.as_millis();
        loop {
            let values: [Value; 4] = [
                after.into(),
                before.as_millis().into(),
                limit.into(),
                told_since.into(),
            ];
            let found = self.due_rows(WAITING, values.to_vec()).await?;
            // A page of damage alone is not the end: it is held now, and waits no more.
            if !found.readable.is_empty() || found.held == 0 {
                return Ok(found.readable);
            }
        }
    }

    /// One recipient that is not final, with its envelope: what a report on a person's act tells of. `None` when it is final.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting_recipient(&self, id: RecipientId) -> Result<Option<DueRow>, LedgerError> {
        let found = self.due_rows(ONE, vec![id.into()]).await?;
        Ok(found.readable.into_iter().next())
    }

    async fn due_rows(
        &self,
        text: &'static str,
        values: Vec<Value>,
    ) -> Result<DueRows, LedgerError> {
        let rows = self.read(text, values).await?;
        let mut due = DueRows::default();
        for row in &rows {
            match self.due_row(row) {
                Ok(one) => due.readable.push(one),
                Err(error) => {
                    let id = RecipientId::from_key(row.int(0)?);
                    due.held += self.damaged(id, &error).await;
                }
            }
        }
        Ok(due)
    }

    fn due_row(&self, row: &Row) -> Result<DueRow, StoreError> {
        let mut columns = Columns::of(row);
        let recipient = Recipient::from_columns(&mut columns)?;
        let message = Message::from_columns(&mut columns)?;
        Ok(DueRow {
            recipient,
            size: message.size,
            body: message
                .body
                .map(|body| BodyRef::new(body, message.size, self.book.fresh_bodies.get(body))),
            envelope: message.envelope,
            hop: HopStatus::from_columns(&mut columns)?,
        })
    }

    /// Treats due rows of one message together, with the reports they owe: all of it or nothing.
    ///
    /// # Errors
    /// [`LedgerError::Mixed`] for rows of several messages, or final ones: the caller's defect; otherwise the store's.
    pub async fn sweep(&self, rows: &[DueRow], sweep: Sweep) -> Result<Swept, LedgerError> {
        let mut messages = rows.iter().map(|row| row.recipient.message);
        let first = messages
            .next()
            .ok_or(LedgerError::Mixed("nothing to sweep"))?;
        if messages.any(|other| other != first) {
            return Err(LedgerError::Mixed(
                "rows of several messages cannot be swept together",
            ));
        }
        let mut unit = Unit::new();
        for row in rows {
            self.sweep_row(row, &sweep, &mut unit)?;
        }
        let ends = matches!(sweep, Sweep::Expire { .. } | Sweep::ReturnLate { .. });
        let notices = match sweep {
            Sweep::Expire { notices, .. }
            | Sweep::ReturnLate { notices, .. }
            | Sweep::DelayNotice { notices, .. } => notices,
            Sweep::Hold { .. } | Sweep::HoldAlarm { .. } | Sweep::Postpone { .. } => Vec::new(),
        };
        self.join_notices(&notices, &mut unit)?;
        match self.write_guarded(unit).await? {
            Guarded::Escaped => Ok(Swept::Escaped),
            Guarded::Done => {
                self.notices_stored(&notices);
                for row in rows.iter().filter(|_| ends) {
                    self.count_end(row.recipient.message, end_of(row));
                }
                Ok(Swept::Done)
            }
        }
    }

    fn sweep_row(&self, row: &DueRow, sweep: &Sweep, unit: &mut Unit) -> Result<(), LedgerError> {
        let recipient = &row.recipient;
        let (Some(waiting), Some(expires_at)) = (recipient.waiting(), recipient.expires_at) else {
            return Err(LedgerError::Mixed("a final recipient has no deadline"));
        };
        let guard = guard_of(recipient);
        let mut write = |sql, rest: Vec<Value>| {
            unit.write_exactly(1, sql, guard.iter().cloned().chain(rest).collect());
        };
        let notify_at = recipient.notify_at;
        let (kind, detail) = match sweep {
            Sweep::Expire { cause, .. } => {
                write(END, self.end_of(row, cause));
                (EventKind::Expired, cause.clone())
            }
            Sweep::ReturnLate { cause, .. } => {
                write(END, self.end_of(row, cause));
                (EventKind::LatePolicy, cause.clone())
            }
            Sweep::DelayNotice { next_notify_at, .. } => {
                let due = deadline(waiting, *next_notify_at, expires_at).as_millis();
                let next = next_notify_at.map(Time::as_millis);
                write(NOTICED, vec![next.into(), due.into()]);
                (
                    EventKind::DelayNoticed,
                    "the sender was told that it still waits".to_owned(),
                )
            }
            Sweep::Hold { reason, by } => {
                let alarm_at = self.now() + self.options().hold_alarm;
                let due = deadline(Waiting::Held { alarm_at }, notify_at, expires_at).as_millis();
                let alarm_at = alarm_at.as_millis();
                write(
                    HOLD,
                    vec![reason.into(), by.into(), alarm_at.into(), due.into()],
                );
                (EventKind::Held, format!("{by}: {reason}"))
            }
            Sweep::HoldAlarm { next } => {
                let due = deadline(Waiting::Held { alarm_at: *next }, notify_at, expires_at);
                write(ALARM, vec![next.as_millis().into(), due.as_millis().into()]);
                let hold = recipient.hold.as_ref();
                let owner = hold.map(|hold| format!("{}: {}", hold.by, hold.reason));
                let owner = owner.unwrap_or_default();
                (EventKind::HoldForgotten, format!("still held by {owner}"))
            }
            Sweep::Postpone { deadline } => {
                write(POSTPONE, vec![deadline.as_millis().into()]);
                return Ok(());
            }
        };
        let mut event = self.event(kind, Doer::Program, "watch", detail);
        event.message = Some(recipient.message);
        event.recipient = Some(recipient.id);
        event.write(self.new_key(), unit);
        Ok(())
    }

    fn end_of(&self, row: &DueRow, cause: &str) -> Vec<Value> {
        let at = self.now().as_millis();
        vec![end_of(row).into(), at.into(), cause.into(), "watch".into()]
    }
}

/// Where a lifetime ends: somebody can be told, or nobody.
fn end_of(row: &DueRow) -> State {
    match row.envelope.sender {
        ReversePath::Null => State::DeadLetter,
        ReversePath::Address(_) => State::Returned,
    }
}

/// The row as it was read: id, state, who has it, when it was due.
fn guard_of(recipient: &Recipient) -> [Value; 4] {
    [
        recipient.id.into(),
        recipient.state.into(),
        recipient.claim.map_or(0, |claim| claim.epoch).into(),
        recipient.deadline_at.map(Time::as_millis).into(),
    ]
}
