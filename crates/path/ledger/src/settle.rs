//! An attempt ends: each recipient takes its step, and what is owed for it is stored with it.
//!
//! Nothing is read. Every step proves by its own `WHERE` that the claim is still ours; when one is not, nothing of the
//! settlement happens and the answer names who escaped, so that the rest can be settled again.

use ground_store::{Sql, StoreError, Unit, Value};
use wire_message::Time;

use crate::accept::NewMessage;
use crate::deadline::{deadline_of_queued, deadline_with};
use crate::event::{Doer, EventKind};
use crate::{HopKey, Ledger, LedgerError, MessageId, RecipientId, State};

#[cfg(test)]
mod tests;

/// The end of an attempt at one message by one way.
#[derive(Debug)]
pub struct Settlement {
    /// The message.
    pub message: MessageId,
    /// The way.
    pub next_hop: HopKey,
    /// What becomes of each recipient.
    pub steps: Vec<(RecipientId, Step)>,
    /// How the attempt went; a row of history for each recipient. `None` when none was made.
    pub attempt: Option<Attempt>,
    /// Reports owed for it.
    pub notices: Vec<NewMessage>,
    /// What must be stored with it, such as the copy in a mailbox.
    pub extra: Unit,
}

/// What becomes of a claimed recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// In a mailbox here.
    Delivered {
        /// What is shown for it.
        reply: String,
    },
    /// Another server took it.
    Relayed {
        /// Its words.
        reply: String,
    },
    /// To be tried again, for a reason of its own.
    Deferred {
        /// Not before.
        retry_at: Time,
        /// The reason in the peer's words.
        reply: String,
    },
    /// The hop failed, not the recipient: queued, its own time unchanged.
    BackToQueue,
    /// Failed; the report is among the notices, unless the sender asked for none.
    Returned {
        /// Why, in the peer's words if it spoke.
        cause: String,
    },
    /// Failed, and nobody can be told.
    DeadLetter {
        /// Why.
        cause: String,
    },
    /// Kept back for a person.
    Held {
        /// Why.
        reason: String,
        /// By which check or rule.
        by: String,
    },
    /// Dropped.
    Discarded {
        /// Why.
        cause: String,
        /// By which rule or person.
        actor: String,
    },
}

crate::words! {
    /// How an attempt at a recipient ended.
    pub enum AttemptOutcome {
        /// In a mailbox here.
        Delivered = "delivered",
        /// Another server took it.
        Relayed = "relayed",
        /// To be tried again.
        Deferred = "deferred",
        /// Failed for good.
        Failed = "failed",
        /// Nobody knows whether the peer took it.
        Unknown = "unknown",
    }
}

/// How an attempt went, for all its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// The host name that was dialled.
    pub peer: String,
    /// `ip:port`.
    pub address: String,
    /// Version and cipher; empty without TLS.
    pub tls: String,
    /// The last command sent.
    pub last_command: String,
    /// The last reply, verbatim; a recipient's own words go before it.
    pub reply: String,
    /// Octets sent.
    pub bytes: u64,
    /// How the conversation ended. A recipient's step says more, except that nothing outranks `Unknown` but success.
    pub outcome: AttemptOutcome,
    /// What was said; empty on success.
    pub transcript: String,
}

/// What became of a settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It is in the book, flushed.
    Done,
    /// Nothing of it is in the book: the claims of these were lost meanwhile. The others are still ours to settle.
    ClaimLost {
        /// Whose.
        lost: Vec<RecipientId>,
    },
}

const END: Sql = Sql::new(
    "UPDATE recipient SET state = $3, finished_at = $4, cause = $5, actor = $6, \
     last_reply = CASE WHEN $7 = '' THEN last_reply ELSE $7 END, \
     last_peer = CASE WHEN $8 = '' THEN last_peer ELSE $8 END, \
     attempts = attempts + $9, deadline_at = NULL, notify_at = NULL, claimed_by = NULL, claimed_until = NULL, \
     suspicion = NULL, begun_at = NULL WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2",
);

const DEFER: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'queued', retry_at = $3, suspicion = NULL, begun_at = NULL, last_reply = $4, \
     last_peer = CASE WHEN $5 = '' THEN last_peer ELSE $5 END, \
     attempts = attempts + $6, claimed_by = NULL, claimed_until = NULL, deadline_at = ",
    deadline_of_queued!(),
    " WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2"
));

const BACK: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'queued', suspicion = NULL, begun_at = NULL, \
     last_reply = CASE WHEN $3 = '' THEN last_reply ELSE $3 END, \
     last_peer = CASE WHEN $4 = '' THEN last_peer ELSE $4 END, \
     attempts = attempts + $5, claimed_by = NULL, claimed_until = NULL, deadline_at = ",
    deadline_of_queued!(),
    " WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2"
));

const HOLD: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'held', hold_reason = $3, held_by = $4, hold_alarm_at = $5, suspicion = NULL, begun_at = NULL, \
     last_reply = CASE WHEN $6 = '' THEN last_reply ELSE $6 END, \
     last_peer = CASE WHEN $7 = '' THEN last_peer ELSE $7 END, \
     attempts = attempts + $8, claimed_by = NULL, claimed_until = NULL, deadline_at = ",
    deadline_with!("$5"),
    " WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2"
));

const ATTEMPT: Sql = Sql::new(
    "INSERT INTO attempt (id, message, recipient, node, started_at, ended_at, next_hop, peer, address, tls, last_command, \
     reply, bytes, outcome, transcript) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
);

/// Recipients asked about by one query when a settlement was refused.
const OURS: &str =
    "SELECT id FROM recipient WHERE state = 'in_flight' AND claimed_by = $1 AND id IN (";

impl Ledger {
    /// Settles an attempt: every step, the attempt's rows, the reports and `extra` in one unit, or nothing.
    ///
    /// # Errors
    /// The store's: [`StoreError::Conflict`] when an expectation of `extra` was not met although every claim is ours; after
    /// [`StoreError::Unavailable`] it is not known whether it is in the book, and settling again tells.
    pub async fn settle(&self, settlement: Settlement) -> Result<Settled, LedgerError> {
        let unit = self.settlement_unit(&settlement)?;
        let written = self.store().write(unit).await;
        match written {
            Ok(_) => {
                self.settled(&settlement);
                Ok(Settled::Done)
            }
            Err(StoreError::Conflict(expectation)) => {
                let lost = self.not_ours(&settlement.steps).await?;
                if lost.is_empty() {
                    return Err(StoreError::Conflict(expectation).into());
                }
                Ok(Settled::ClaimLost { lost })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn settlement_unit(&self, settlement: &Settlement) -> Result<Unit, LedgerError> {
        // First, for a final step may give up the last other reference to the body it needs. Copied, not moved: the
        // caller's settlement is whole if this fails.
        let mut unit = settlement.extra.clone();
        for (id, step) in &settlement.steps {
            self.take_step(*id, step, settlement, &mut unit);
            if let Some(attempt) = &settlement.attempt {
                self.keep_attempt(*id, step, attempt, settlement, &mut unit);
            }
        }
        self.join_notices(&settlement.notices, &mut unit)?;
        Ok(unit)
    }

    fn take_step(&self, id: RecipientId, step: &Step, settlement: &Settlement, unit: &mut Unit) {
        let attempt = settlement.attempt.as_ref();
        let said = attempt.map(|one| one.reply.as_str()).unwrap_or_default();
        let peer = attempt.map(|one| one.peer.as_str()).unwrap_or_default();
        let made = Value::Int(i64::from(attempt.is_some()));
        let us: [Value; 2] = [id.into(), self.epoch().into()];
        let mut write = |sql, rest: Vec<Value>| {
            unit.write_exactly(1, sql, us.iter().cloned().chain(rest).collect());
        };
        let end = |state: State, cause: &str, actor: &str, reply: &str| {
            let at = self.now().as_millis();
            let who: [Value; 4] = [state.into(), at.into(), cause.into(), actor.into()];
            let spoke: [Value; 3] = [reply.into(), peer.into(), made.clone()];
            who.into_iter().chain(spoke).collect::<Vec<Value>>()
        };
        match step {
            Step::Delivered { reply } => {
                write(END, end(State::Delivered, "delivered", "deliver", reply));
            }
            Step::Relayed { reply } => write(END, end(State::Relayed, reply, "deliver", reply)),
            Step::Returned { cause } => write(END, end(State::Returned, cause, "deliver", cause)),
            Step::DeadLetter { cause } => {
                write(END, end(State::DeadLetter, cause, "deliver", cause));
                self.recipient_event(
                    EventKind::DeadLetter,
                    id,
                    "deliver",
                    cause,
                    settlement,
                    unit,
                );
            }
            Step::Discarded { cause, actor } => {
                write(END, end(State::Discarded, cause, actor, said));
                self.recipient_event(EventKind::Discarded, id, actor, cause, settlement, unit);
            }
            Step::Deferred { retry_at, reply } => {
                let retry_at = retry_at.as_millis();
                write(
                    DEFER,
                    vec![retry_at.into(), reply.into(), peer.into(), made],
                );
            }
            Step::BackToQueue => write(BACK, vec![said.into(), peer.into(), made]),
            Step::Held { reason, by } => {
                let alarm_at = (self.now() + self.options().hold_alarm).as_millis();
                let why: [Value; 3] = [reason.into(), by.into(), alarm_at.into()];
                let spoke: [Value; 3] = [said.into(), peer.into(), made];
                write(HOLD, why.into_iter().chain(spoke).collect());
                self.recipient_event(EventKind::Held, id, by, reason, settlement, unit);
            }
        }
    }

    fn recipient_event(
        &self,
        kind: EventKind,
        id: RecipientId,
        actor: &str,
        detail: &str,
        settlement: &Settlement,
        unit: &mut Unit,
    ) {
        let mut event = self.event(kind, Doer::Program, actor, detail.to_owned());
        event.message = Some(settlement.message);
        event.recipient = Some(id);
        event.write(self.new_key(), unit);
    }

    fn keep_attempt(
        &self,
        id: RecipientId,
        step: &Step,
        attempt: &Attempt,
        settlement: &Settlement,
        unit: &mut Unit,
    ) {
        let (outcome, own_words) = told(step, attempt.outcome);
        let reply = if own_words.is_empty() {
            &attempt.reply
        } else {
            own_words
        };
        unit.write_exactly(
            1,
            ATTEMPT,
            vec![
                self.new_key().into(),
                settlement.message.into(),
                id.into(),
                self.node_name().into(),
                attempt.started_at.as_millis().into(),
                attempt.ended_at.as_millis().into(),
                settlement.next_hop.value(),
                (&attempt.peer).into(),
                (&attempt.address).into(),
                (&attempt.tls).into(),
                (&attempt.last_command).into(),
                reply.into(),
                i64::try_from(attempt.bytes).unwrap_or(i64::MAX).into(),
                outcome.word().into(),
                (&attempt.transcript).into(),
            ],
        );
    }

    /// Tells whoever waits what can be done now, and counts.
    fn settled(&self, settlement: &Settlement) {
        self.notices_stored(&settlement.notices);
        for (_, step) in &settlement.steps {
            if let Some(state) = step.end() {
                self.count_end(settlement.message, state);
            }
            if let Some(attempt) = &settlement.attempt {
                let (outcome, _) = told(step, attempt.outcome);
                self.book.counts.attempt(settlement.next_hop.way(), outcome);
            }
        }
    }

    async fn not_ours(
        &self,
        steps: &[(RecipientId, Step)],
    ) -> Result<Vec<RecipientId>, LedgerError> {
        let text = format!("{OURS}{})", crate::places(2, steps.len()));
        let epoch = Value::Int(self.epoch());
        let ids = steps.iter().map(|(id, _)| Value::from(*id));
        let values = std::iter::once(epoch).chain(ids).collect();
        let found = self
            .store()
            .read(ground_store::Query::new(text, values))
            .await?;
        let ours = found
            .iter()
            .map(|row| row.int(0).map(RecipientId::from_key))
            .collect::<Result<std::collections::HashSet<_>, _>>()?;
        let lost = steps
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| !ours.contains(id));
        Ok(lost.collect())
    }
}

impl Step {
    /// The final state it leads to, if it does.
    const fn end(&self) -> Option<State> {
        match self {
            Step::Delivered { .. } => Some(State::Delivered),
            Step::Relayed { .. } => Some(State::Relayed),
            Step::Returned { .. } => Some(State::Returned),
            Step::DeadLetter { .. } => Some(State::DeadLetter),
            Step::Discarded { .. } => Some(State::Discarded),
            Step::Deferred { .. } | Step::BackToQueue | Step::Held { .. } => None,
        }
    }
}

/// A recipient's own outcome of a shared attempt, and the words that were about it alone.
fn told(step: &Step, shared: AttemptOutcome) -> (AttemptOutcome, &str) {
    let unless_unknown = |own| match shared {
        AttemptOutcome::Unknown => AttemptOutcome::Unknown,
        AttemptOutcome::Delivered
        | AttemptOutcome::Relayed
        | AttemptOutcome::Deferred
        | AttemptOutcome::Failed => own,
    };
    match step {
        Step::Delivered { reply } => (AttemptOutcome::Delivered, reply),
        Step::Relayed { reply } => (AttemptOutcome::Relayed, reply),
        Step::Deferred { reply, .. } => (unless_unknown(AttemptOutcome::Deferred), reply),
        Step::BackToQueue => (unless_unknown(AttemptOutcome::Deferred), ""),
        Step::Returned { cause } | Step::DeadLetter { cause } => {
            (unless_unknown(AttemptOutcome::Failed), cause)
        }
        Step::Held { .. } | Step::Discarded { .. } => (unless_unknown(AttemptOutcome::Failed), ""),
    }
}
