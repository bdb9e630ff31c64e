//! Claims that ended without being settled: their recipients are queued again, and the attempt's outcome is unknown.
//!
//! The same sweep runs at a start (old epochs) and all the time (hung or crashed tasks, dead nodes). A recipient that loses
//! claim after claim is held with the reason: one poisonous message stops nobody else.

use ground_store::{Sql, Unit, Value};

use crate::deadline::{deadline_of_queued, deadline_with};
use crate::event::EventKind;
use crate::{Ledger, LedgerError, RecipientId};

#[cfg(test)]
mod tests;

/// Claims treated in one unit.
const A_UNIT: i64 = 500;

/// This node's own claims are compared with the clock that counted them; another's with the wall clock, unless its epoch is
/// no node's any more.
const LOST: &str = "SELECT id, message, next_hop, claimed_by, claimed_until, crashes FROM recipient \
     WHERE state = 'in_flight' AND ((claimed_by = $1 AND claimed_until <= $2) \
       OR (claimed_by <> $1 AND (claimed_until <= $3 OR claimed_by NOT IN (SELECT epoch FROM node)))) \
     ORDER BY claimed_until LIMIT $4";

/// The attempt nobody saw the end of; written only while the claim is as it was read.
const ATTEMPT: Sql = Sql::new(
    "INSERT INTO attempt (id, message, recipient, node, started_at, ended_at, next_hop, peer, address, tls, last_command, \
     reply, bytes, outcome, transcript) \
     SELECT $1, message, id, $2, $3, $3, next_hop, '', '', '', '', $4, 0, 'unknown', '' FROM recipient \
     WHERE id = $5 AND state = 'in_flight' AND claimed_by = $6 AND claimed_until = $7",
);

const EVENT: Sql = Sql::new(
    "INSERT INTO event (id, at, message, recipient, kind, actor, detail) \
     SELECT $1, $2, message, id, $3, $4, $5 FROM recipient \
     WHERE id = $6 AND state = 'in_flight' AND claimed_by = $7 AND claimed_until = $8",
);

const QUEUE: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'queued', crashes = crashes + 1, attempts = attempts + 1, \
     claimed_by = NULL, claimed_until = NULL, deadline_at = ",
    deadline_of_queued!(),
    " WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2 AND claimed_until = $3"
));

const HOLD: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'held', crashes = crashes + 1, attempts = attempts + 1, hold_reason = $4, \
     held_by = 'watch', hold_alarm_at = $5, claimed_by = NULL, claimed_until = NULL, deadline_at = ",
    deadline_with!("$5"),
    " WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2 AND claimed_until = $3"
));

/// What a sweep for lost claims did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LostClaims {
    /// Lost claims seen; more may wait when this is not 0.
    pub found: u64,
    /// Queued again.
    pub queued: u64,
    /// Held as poison.
    pub held: u64,
}

/// A claim as it was seen.
struct Seen {
    id: i64,
    next_hop: String,
    epoch: i64,
    until: i64,
    crashes: i64,
}

impl Ledger {
    /// Treats claims that have ended, or whose epoch is no node's any more: at most some hundreds at a time, until none is
    /// found.
    ///
    /// # Errors
    /// The store's.
    pub async fn lost_claims(&self) -> Result<LostClaims, LedgerError> {
        let lost = self.seen().await?;
        if lost.is_empty() {
            return Ok(LostClaims::default());
        }
        let mut unit = Unit::new();
        for claim in &lost {
            self.treat(claim, &mut unit);
        }
        let held = |claim: &Seen| self.is_poison(claim.crashes);
        let done = self.book.store.write(unit).await?;
        // Each claim's third statement moves its recipient.
        let moved = done.changed.iter().skip(2).step_by(3);
        let mut sum = LostClaims {
            found: lost.len() as u64,
            ..LostClaims::default()
        };
        for (claim, moved) in lost.iter().zip(moved) {
            if held(claim) {
                sum.held += moved;
            } else {
                sum.queued += moved;
                if let Ok(next_hop) = claim.next_hop.parse() {
                    self.wakeups().queued(&next_hop);
                }
            }
        }
        tracing::warn!(queued = sum.queued, held = sum.held, "claims were lost");
        Ok(sum)
    }

    /// Whether a recipient that crashed `crashes` times before has crashed once too often.
    fn is_poison(&self, crashes: i64) -> bool {
        crashes.saturating_add(1) >= i64::from(self.options().poison_attempts)
    }

    async fn seen(&self) -> Result<Vec<Seen>, LedgerError> {
        let (steady, wall) = (self.lease_now().as_millis(), self.now().as_millis());
        let values = vec![
            self.epoch().into(),
            steady.into(),
            wall.into(),
            A_UNIT.into(),
        ];
        let rows = self.read(LOST, values).await?;
        let mut seen = Vec::with_capacity(rows.len());
        for row in &rows {
            seen.push(Seen {
                id: row.int(0)?,
                next_hop: row.text(2)?.to_owned(),
                epoch: row.int(3)?,
                until: row.int(4)?,
                crashes: row.int(5)?,
            });
        }
        Ok(seen)
    }

    fn treat(&self, claim: &Seen, unit: &mut Unit) {
        let now = self.now();
        let guard: [Value; 3] = [claim.id.into(), claim.epoch.into(), claim.until.into()];
        let guarded = |first: Vec<Value>| first.into_iter().chain(guard.iter().cloned()).collect();
        let what = format!(
            "the claim of epoch {} was lost; whether the message got through is unknown",
            claim.epoch
        );
        let (key, node, at) = (self.new_key(), self.node_name(), now.as_millis());
        let attempt = vec![key.into(), (&node).into(), at.into(), (&what).into()];
        unit.write(ATTEMPT, guarded(attempt));
        let crashes = claim.crashes + 1;
        let (kind, detail) = if self.is_poison(claim.crashes) {
            (
                EventKind::Held,
                format!("deliver: {crashes} claims in a row were lost while it was in flight"),
            )
        } else {
            (EventKind::ClaimLost, what)
        };
        let event = vec![
            self.new_key().into(),
            at.into(),
            kind.word().into(),
            node.into(),
            (&detail).into(),
        ];
        unit.write(EVENT, guarded(event));
        if self.is_poison(claim.crashes) {
            tracing::error!(recipient = %RecipientId::from_key(claim.id), crashes, "held: its claims are lost again and again");
            let alarm_at = (now + self.options().hold_alarm).as_millis();
            let [id, epoch, until] = guard;
            unit.write(HOLD, vec![id, epoch, until, detail.into(), alarm_at.into()]);
        } else {
            unit.write(QUEUE, guard.to_vec());
        }
    }
}
