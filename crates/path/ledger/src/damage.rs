//! A recipient whose row, or whose message's, cannot be read: held with the reason, rung for, and ended in time.
//!
//! Nothing here reads the row into types: each statement says by its own `WHERE` what the row must be like, in the plain
//! columns that the schema itself keeps whole (state and times). A state that is no word any more is treated as a wait. Nobody can be told of it by a report, for a report needs
//! what cannot be read; so its end is a dead letter, which is listed and keeps its body.

use ground_store::{Sql, StoreError, Unit, Value};

use crate::event::EventKind;
use crate::{Ledger, LedgerError, MessageId, RecipientId, State};

#[cfg(test)]
mod tests;

/// How the reason of a hold begins that a row or body which cannot be read has brought about.
pub const DAMAGED: &str = "damaged: ";

/// Rows of one unreadable hop treated at a time.
const A_TIME: i64 = 200;

macro_rules! ended {
    () => {
        " WHERE id = $1 AND finished_at IS NULL AND state <> 'in_flight' AND expires_at <= $2"
    };
}
macro_rules! waits {
    () => {
        " WHERE id = $1 AND finished_at IS NULL AND state NOT IN ('held', 'in_flight') AND expires_at > $2"
    };
}
macro_rules! rings {
    () => {
        " WHERE id = $1 AND state = 'held' AND hold_alarm_at <= $2 AND expires_at > $2"
    };
}
macro_rules! event {
    ($when:expr) => {
        Sql::new(concat!(
            "INSERT INTO event (id, at, message, recipient, kind, actor, detail) \
             SELECT $3, $2, message, id, $4, 'watch', $5 FROM recipient",
            $when
        ))
    };
}

const EVENT_ENDED: Sql = event!(ended!());
const EVENT_WAITS: Sql = event!(waits!());
const EVENT_RINGS: Sql = event!(rings!());

const END: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'dead_letter', finished_at = $2, cause = $3, actor = 'watch', deadline_at = NULL, \
     notify_at = NULL, hold_reason = NULL, held_by = NULL, hold_alarm_at = NULL, claimed_by = NULL, claimed_until = NULL, \
     begun_at = NULL",
    ended!()
));

const HOLD: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'held', hold_reason = $3, held_by = 'watch', hold_alarm_at = $4, notify_at = NULL, \
     claimed_by = NULL, claimed_until = NULL, begun_at = NULL, deadline_at = CASE WHEN $4 < expires_at THEN $4 ELSE expires_at END",
    waits!()
));

const RING: Sql = Sql::new(concat!(
    "UPDATE recipient SET hold_alarm_at = $3, notify_at = NULL, \
     deadline_at = CASE WHEN $3 < expires_at THEN $3 ELSE expires_at END",
    rings!()
));

/// No notice can be sent, so its time is none, and the row is due when the rest of it is.
const NO_NOTICE: Sql = Sql::new(
    "UPDATE recipient SET notify_at = NULL, deadline_at = CASE \
       WHEN state = 'held' AND hold_alarm_at < expires_at THEN hold_alarm_at \
       WHEN state = 'in_flight' AND claimed_until < expires_at THEN claimed_until \
       ELSE expires_at END \
     WHERE id = $1 AND state IN ('held', 'in_flight') AND notify_at IS NOT NULL",
);

const OF_HOP: &str =
    "SELECT id FROM recipient WHERE state = 'queued' AND next_hop = $1 ORDER BY id LIMIT $2";

/// The place of [`END`] in the unit that treats a row.
const ENDED: usize = 1;

impl Ledger {
    /// Treats a row that cannot be read. Says how many were: 0 when the book did not take it; it is found again then.
    pub(crate) async fn damaged(&self, id: RecipientId, error: &StoreError) -> u64 {
        tracing::error!(recipient = %id, %error, "it cannot be read");
        match self.store().write(self.damage_unit(id, error)).await {
            Ok(done) => {
                if let Some(1..) = done.changed.get(ENDED) {
                    self.count_end(MessageId::from_key(id.key()), State::DeadLetter);
                }
                1
            }
            Err(error) => {
                tracing::error!(recipient = %id, %error, "it cannot be held either; trying again");
                0
            }
        }
    }

    /// Treats what is queued for a hop whose key cannot be read: nobody would ever work for it.
    pub(crate) async fn damaged_hop(
        &self,
        key: &str,
        error: &StoreError,
    ) -> Result<(), LedgerError> {
        let rows = self.read(OF_HOP, vec![key.into(), A_TIME.into()]).await?;
        for row in &rows {
            self.damaged(RecipientId::from_key(row.int(0)?), error)
                .await;
        }
        Ok(())
    }

    fn damage_unit(&self, id: RecipientId, error: &StoreError) -> Unit {
        let (now, hold_alarm) = (self.now(), self.options().hold_alarm);
        let (at, alarm_at) = (now.as_millis(), (now + hold_alarm).as_millis());
        let reason = match error {
            StoreError::Damaged(why) => format!("{DAMAGED}{why}"),
            StoreError::Conflict(_)
            | StoreError::Full(_)
            | StoreError::Unavailable(_)
            | StoreError::Refused(_)
            | StoreError::Elsewhere(_)
            | StoreError::Unfit(_) => format!("{DAMAGED}{error}"),
        };
        let cause = format!("{reason}; its lifetime has ended, and nobody can be told");
        let still = format!("still held: {reason}");
        let mut unit = Unit::new();
        let mut treat =
            |[event, sql]: [Sql; 2], kind: EventKind, detail: &str, rest: Vec<Value>| {
                let row: [Value; 2] = [id.into(), at.into()];
                let told: [Value; 3] = [self.new_key().into(), kind.word().into(), detail.into()];
                unit.write(event, row.iter().cloned().chain(told).collect());
                unit.write(sql, row.into_iter().chain(rest).collect());
            };
        let end = vec![(&cause).into()];
        treat([EVENT_ENDED, END], EventKind::DeadLetter, &cause, end);
        let hold = vec![(&reason).into(), alarm_at.into()];
        treat([EVENT_WAITS, HOLD], EventKind::Damaged, &reason, hold);
        let ring = vec![alarm_at.into()];
        treat([EVENT_RINGS, RING], EventKind::HoldForgotten, &still, ring);
        unit.write(NO_NOTICE, vec![id.into()]);
        unit
    }
}
