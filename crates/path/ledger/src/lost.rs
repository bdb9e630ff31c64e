//! Claims that ended without being settled: their recipients are queued again, and the history says what is known.
//!
//! The same sweep runs at a start (old epochs) and all the time (hung or crashed tasks, dead nodes).
//!
//! **Suspects.** The happy path writes nothing when an attempt begins, so the first loss of a claim proves nothing: the mail
//! may have waited in memory only. It makes the recipient a suspect. From then on each attempt at it is written, with a
//! count, before it begins ([`Ledger::begin`]), and only an attempt that began and never ended speaks against it. The next
//! waits as long as a lease lasts, so that everything else flows meanwhile. One that does so again and again is held with the
//! reason: one poisonous message stops nobody else. Whatever comes to an end, as an answer, a delay or a failure, is no
//! suspect any more.
//!
//! **What is in doubt.** Only mail for another server. The insert into a mailbox and the final state are one commit, so what
//! is not in its final state was not delivered; and nothing was sent of a suspect whose attempt had not begun.

use ground_store::{Query, Row, Sql, StoreError, Unit, Value};
use wire_message::Time;

use crate::deadline::{deadline_of_queued, deadline_with};
use crate::event::EventKind;
use crate::settle::AttemptOutcome;
use crate::{HopKey, HopKind, Ledger, LedgerError, LiveClaim, RecipientId};

#[cfg(test)]
mod tests;

/// How the reason of a hold begins that attempts which never ended have brought about: the stage, and what is wrong.
pub const POISONED: &str = "deliver: ";

/// Claims treated in one unit.
const A_UNIT: i64 = 500;

/// Claims looked up by one query.
const A_QUERY: usize = 100;

/// Characters kept of what a crash said.
const ERROR_MAX: usize = 300;

macro_rules! seen_columns {
    () => {
        "SELECT id, next_hop, claimed_by, claimed_until, suspicion, begun_at, retry_at FROM recipient \
         WHERE state = 'in_flight' AND "
    };
}

/// This node's own claims are compared with the clock that counted them. Another's are lost with its epoch alone: when it
/// has stopped, started anew or was fenced. No other machine's clock is asked.
const LOST: &str = concat!(
    seen_columns!(),
    "((claimed_by = $1 AND claimed_until <= $2) \
       OR (claimed_by <> $1 AND claimed_by NOT IN (SELECT epoch FROM node WHERE state = 'up'))) \
     ORDER BY claimed_until LIMIT $3"
);

const OURS: &str = concat!(seen_columns!(), "claimed_by = $1 AND id IN (");

/// The row is as it was seen; every write of this file is guarded by it. `$1` to `$4`.
macro_rules! as_seen {
    () => {
        " WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2 AND claimed_until = $3 AND coalesce(begun_at, 0) = $4"
    };
}

/// The attempt nobody saw the end of.
const ATTEMPT: Sql = Sql::new(concat!(
    "INSERT INTO attempt (id, message, recipient, node, started_at, ended_at, next_hop, peer, address, tls, last_command, \
     reply, bytes, outcome, transcript) \
     SELECT $5, message, id, $6, $7, $8, next_hop, '', '', '', '', $9, 0, $10, '' FROM recipient",
    as_seen!()
));

const EVENT: Sql = Sql::new(concat!(
    "INSERT INTO event (id, at, message, recipient, kind, actor, detail) \
     SELECT $5, $6, message, id, $7, $8, $9 FROM recipient",
    as_seen!()
));

const QUEUE: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'queued', suspicion = $5, attempts = attempts + $6, retry_at = $7, \
     begun_at = NULL, claimed_by = NULL, claimed_until = NULL, deadline_at = ",
    deadline_of_queued!(),
    as_seen!()
));

const HOLD: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'held', suspicion = $5, attempts = attempts + $6, hold_reason = $7, held_by = 'watch', \
     hold_alarm_at = $8, begun_at = NULL, claimed_by = NULL, claimed_until = NULL, deadline_at = ",
    deadline_with!("$8"),
    as_seen!()
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
    suspicion: Option<i64>,
    begun_at: Option<i64>,
    retry_at: i64,
}

/// How a claim came to its end.
#[derive(Debug, Clone, Copy)]
enum End<'a> {
    /// Its time ran out, or its epoch did: whoever had it is gone.
    Lost,
    /// Its attempt crashed in a process that lives and says how.
    Crashed { error: &'a str },
    /// It is live, and nothing in the memory of its node accounts for it.
    Unaccounted,
}

/// Whether an attempt had begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Yes,
    No,
    /// Nothing was written, for nobody was suspected of anything.
    NobodyKnows,
}

/// What the history says of a lost claim.
struct Verdict {
    /// Attempts in a row that began and never ended.
    suspicion: i64,
    words: String,
    /// `None` when no attempt was made.
    outcome: Option<AttemptOutcome>,
}

impl Ledger {
    /// Treats claims that have ended, or whose epoch is no node's any more: at most some hundreds at a time, until none is
    /// found.
    ///
    /// # Errors
    /// The store's.
    pub async fn lost_claims(&self) -> Result<LostClaims, LedgerError> {
        let steady = self.lease_now().as_millis();
        let values = vec![self.epoch().into(), steady.into(), A_UNIT.into()];
        self.bring_back(Query::new(LOST, values), End::Lost).await
    }

    /// An attempt of this node at these recipients has crashed, and nobody holds their claims any more: each may be tried
    /// again after the time of a lease, or is held when its attempts crash again and again.
    ///
    /// # Errors
    /// The store's: the leases bring them back.
    pub async fn attempt_crashed(
        &self,
        recipients: &[RecipientId],
        error: &str,
    ) -> Result<LostClaims, LedgerError> {
        let text = format!("{OURS}{})", crate::places(2, recipients.len()));
        let ids = recipients.iter().map(|id| Value::from(*id));
        let values = std::iter::once(self.epoch().into()).chain(ids).collect();
        let line = error.lines().next().unwrap_or_default();
        let error: String = line.chars().take(ERROR_MAX).collect();
        self.bring_back(Query::new(text, values), End::Crashed { error: &error })
            .await
    }

    /// Brings back live claims of this node that nothing in its memory accounts for, if they still are as they were seen. How
    /// many, in sum.
    ///
    /// # Errors
    /// The store's: the leases bring them back.
    pub async fn unaccounted(&self, claims: &[LiveClaim]) -> Result<LostClaims, LedgerError> {
        let mut sum = LostClaims::default();
        for some in claims.chunks(A_QUERY) {
            let text = format!("{OURS}{})", crate::places(2, some.len()));
            let ids = some.iter().map(|claim| Value::from(claim.id));
            let values = std::iter::once(self.epoch().into()).chain(ids).collect();
            let rows = self.store().read(Query::new(text, values)).await?;
            let now = rows.iter().map(Seen::of).collect::<Result<Vec<_>, _>>()?;
            let as_seen = |seen: &Seen| {
                let same = some.iter().find(|claim| claim.id.key() == seen.id);
                same.is_some_and(|claim| claim.until.as_millis() == seen.until)
            };
            let lost: Vec<Seen> = now.into_iter().filter(as_seen).collect();
            let part = self.bring_back_seen(&lost, End::Unaccounted).await?;
            sum.found += part.found;
            sum.queued += part.queued;
            sum.held += part.held;
        }
        Ok(sum)
    }

    async fn bring_back(&self, which: Query, end: End<'_>) -> Result<LostClaims, LedgerError> {
        let rows = self.store().read(which).await?;
        let lost = rows.iter().map(Seen::of).collect::<Result<Vec<_>, _>>()?;
        self.bring_back_seen(&lost, end).await
    }

    async fn bring_back_seen(
        &self,
        lost: &[Seen],
        end: End<'_>,
    ) -> Result<LostClaims, LedgerError> {
        if lost.is_empty() {
            return Ok(LostClaims::default());
        }
        let mut unit = Unit::new();
        let treated = lost.iter().map(|claim| self.treat(claim, end, &mut unit));
        let treated: Vec<Treated> = treated.collect();
        let done = self.store().write(unit).await?;
        let mut sum = LostClaims {
            found: lost.len() as u64,
            ..LostClaims::default()
        };
        for (claim, treated) in lost.iter().zip(treated) {
            let moved = done.changed.get(treated.place).copied().unwrap_or(0);
            let next_hop = claim.next_hop.parse::<HopKey>();
            if let (1.., Some(outcome), Ok(hop)) = (moved, treated.outcome, &next_hop) {
                self.book.counts.attempt(hop.way(), outcome);
            }
            match treated.becomes {
                Becomes::Held => sum.held += moved,
                Becomes::Queued => {
                    sum.queued += moved;
                    if let Ok(next_hop) = next_hop {
                        self.wake_for(&next_hop);
                    }
                }
            }
        }
        tracing::warn!(queued = sum.queued, held = sum.held, "claims were lost");
        Ok(sum)
    }

    fn treat(&self, claim: &Seen, end: End<'_>, unit: &mut Unit) -> Treated {
        let verdict = claim.verdict(end);
        let poison = i64::from(self.options().poison_attempts);
        let becomes = match verdict.suspicion >= poison {
            true => Becomes::Held,
            false => Becomes::Queued,
        };
        if let Some(outcome) = verdict.outcome {
            self.keep_lost_attempt(claim, &verdict.words, outcome, unit);
        }
        let (kind, detail) = match becomes {
            Becomes::Held => (EventKind::Held, verdict.hold_reason()),
            Becomes::Queued => (end.event(), verdict.words.clone()),
        };
        let (at, node) = (self.now().as_millis(), self.node_name());
        let event: [Value; 5] = [
            self.new_key().into(),
            at.into(),
            kind.word().into(),
            node.into(),
            (&detail).into(),
        ];
        unit.write(EVENT, claim.guarding(event));
        let made = Value::Int(i64::from(verdict.outcome.is_some()));
        match becomes {
            Becomes::Held => {
                tracing::error!(recipient = %RecipientId::from_key(claim.id), detail, "held");
                let alarm_at = (self.now() + self.options().hold_alarm).as_millis();
                let hold: [Value; 4] = [
                    verdict.suspicion.into(),
                    made,
                    detail.into(),
                    alarm_at.into(),
                ];
                unit.write(HOLD, claim.guarding(hold));
            }
            Becomes::Queued => {
                let retry_at = self.tried_again_at(claim, end);
                let queue: [Value; 3] = [verdict.suspicion.into(), made, retry_at.into()];
                unit.write(QUEUE, claim.guarding(queue));
            }
        }
        Treated {
            becomes,
            place: unit.statements().len() - 1,
            outcome: verdict.outcome,
        }
    }

    /// A loss changes nobody's time. An attempt that began and never ended costs a lease, whoever saw it: crashes do not
    /// follow on themselves, and a node that is killed again and again does not meet the same suspect each time.
    fn tried_again_at(&self, claim: &Seen, end: End<'_>) -> i64 {
        match claim.begun(end) {
            Begun::No | Begun::NobodyKnows => claim.retry_at,
            Begun::Yes => {
                let after = self.now() + self.options().lease;
                claim.retry_at.max(after.as_millis())
            }
        }
    }

    fn keep_lost_attempt(
        &self,
        claim: &Seen,
        words: &str,
        outcome: AttemptOutcome,
        unit: &mut Unit,
    ) {
        let now = self.now().as_millis();
        let attempt: [Value; 6] = [
            self.new_key().into(),
            self.node_name().into(),
            claim.begun_at.unwrap_or(now).into(),
            now.into(),
            words.into(),
            outcome.word().into(),
        ];
        unit.write(ATTEMPT, claim.guarding(attempt));
    }
}

impl End<'_> {
    /// What the history calls it.
    fn event(self) -> EventKind {
        match self {
            End::Lost | End::Crashed { .. } => EventKind::ClaimLost,
            End::Unaccounted => EventKind::Reconciled,
        }
    }
}

/// What becomes of a lost claim's recipient, and the place of the statement that says so.
struct Treated {
    becomes: Becomes,
    place: usize,
    /// Of the attempt nobody saw the end of.
    outcome: Option<AttemptOutcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    Queued,
    Held,
}

impl Verdict {
    fn hold_reason(&self) -> String {
        format!(
            "{POISONED}{} attempts in a row began and never ended; the last: {}",
            self.suspicion, self.words
        )
    }
}

impl Seen {
    fn of(row: &Row) -> Result<Seen, StoreError> {
        Ok(Seen {
            id: row.int(0)?,
            next_hop: row.text(1)?.to_owned(),
            epoch: row.int(2)?,
            until: row.int(3)?,
            suspicion: row.optional_int(4)?,
            begun_at: row.optional_int(5)?,
            retry_at: row.int(6)?,
        })
    }

    /// The values of [`as_seen`], and those that come after them.
    fn guarding<const N: usize>(&self, rest: [Value; N]) -> Vec<Value> {
        let begun_at = self.begun_at.unwrap_or(0);
        let guard: [Value; 4] = [
            self.id.into(),
            self.epoch.into(),
            self.until.into(),
            begun_at.into(),
        ];
        guard.into_iter().chain(rest).collect()
    }

    fn begun(&self, end: End<'_>) -> Begun {
        match (end, self.begun_at, self.suspicion) {
            (End::Crashed { .. }, _, _) | (End::Lost | End::Unaccounted, Some(_), _) => Begun::Yes,
            (End::Lost | End::Unaccounted, None, Some(_)) => Begun::No,
            (End::Lost | End::Unaccounted, None, None) => Begun::NobodyKnows,
        }
    }

    fn verdict(&self, end: End<'_>) -> Verdict {
        let begun = self.begun(end);
        let before = self.suspicion.unwrap_or(0);
        let suspicion = match (begun, self.begun_at) {
            // Counted when it was written.
            (Begun::Yes, Some(_)) | (Begun::No | Begun::NobodyKnows, _) => before,
            (Begun::Yes, None) => before + 1,
        };
        let epoch = self.epoch;
        let lost = match end {
            End::Lost | End::Crashed { .. } => format!("the claim of epoch {epoch} was lost"),
            End::Unaccounted => {
                format!("nothing in memory accounted for the claim of epoch {epoch}")
            }
        };
        let what = match (end, begun) {
            (End::Crashed { error }, _) => format!("the attempt crashed: {error}"),
            (End::Lost | End::Unaccounted, Begun::Yes) => {
                let at = Time::from_millis(self.begun_at.unwrap_or_default());
                format!("the attempt that began at {at} never ended: {lost}")
            }
            (End::Lost | End::Unaccounted, Begun::No) => {
                format!("{lost} before an attempt began")
            }
            (End::Lost | End::Unaccounted, Begun::NobodyKnows) => {
                format!("{lost}, and nobody knows whether an attempt had begun")
            }
        };
        let (outcome, result) = match (begun, self.is_for_a_mailbox()) {
            (Begun::No, _) => (None, "nothing was sent"),
            (Begun::Yes | Begun::NobodyKnows, true) => {
                (Some(AttemptOutcome::Deferred), "nothing was delivered")
            }
            (Begun::Yes | Begun::NobodyKnows, false) => (
                Some(AttemptOutcome::Unknown),
                "whether the message got through is unknown",
            ),
        };
        Verdict {
            suspicion,
            words: format!("{what}; {result}"),
            outcome,
        }
    }

    fn is_for_a_mailbox(&self) -> bool {
        let next_hop = self.next_hop.parse::<HopKey>();
        next_hop.is_ok_and(|hop| hop.kind() == HopKind::Mailbox)
    }
}
