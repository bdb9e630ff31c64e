//! The one place where the queue writes what became of an attempt: until it is in the book, or the claim is over.

use std::sync::Arc;
use std::time::Duration;

use ground_store::{StoreError, Unit};
use path_deliver::Facts;
use path_ledger::{
    AttemptOutcome, Job, Ledger, LedgerError, NewMessage, RecipientId, Settled, Settlement, Step,
};
use path_notify::{About, Action, Content, Fate, Reporter, Stamp, extent_for};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::decide::Decision;
use crate::lists::Ready;

/// Settlements under way at one time: several group commits' worth. A worker that finds no room waits with its next job.
pub const SETTLES_MAX: usize = 1024;

/// The first pause after a settlement failed, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How long a settlement keeps its claim while the store does not take it.
pub(crate) const SETTLE_MAX: Duration = Duration::from_secs(10 * 60);

/// Writes settlements. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Settler {
    ledger: Ledger,
    room: Arc<Semaphore>,
}

/// The end of an attempt at one job.
pub(crate) struct Settling {
    pub(crate) ready: Ready,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) facts: Facts,
    /// For each recipient what is stored in front of its step; empty when nothing is.
    pub(crate) units: Vec<Unit>,
    pub(crate) reporter: Option<Reporter>,
}

/// How a settlement went.
pub(crate) enum Outcome {
    /// Nothing is left to do.
    Over,
    /// What was to be stored with it met a conflict: look and decide again about these recipients.
    Conflict(Box<Ready>),
}

impl Settler {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            room: Arc::new(Semaphore::new(SETTLES_MAX)),
        }
    }

    /// Room for one settlement. `None` never happens: the room is not closed.
    pub(crate) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().acquire_owned().await.ok()
    }

    /// Settles; recipients whose outcome nobody knows in a unit of their own, so that the others' history stays exact.
    pub(crate) async fn settle(&self, mut settling: Settling) -> Outcome {
        settling.ready.held.work_for(SETTLE_MAX);
        let all = std::mem::take(&mut settling.decisions);
        for alarm in all.iter().filter_map(|one| one.alarm.as_deref()) {
            let job = &settling.ready.job;
            self.ledger.fault_of_ours(&job.next_hop, alarm);
            tracing::error!(message = %job.message, alarm, "an attempt failed by our own fault");
        }
        let (unknown, known): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|one| one.outcome == AttemptOutcome::Unknown);
        for mut decisions in [unknown, known] {
            if decisions.is_empty() {
                continue;
            }
            if let Part::Conflict = self.part(&settling, &mut decisions).await {
                let left: Vec<RecipientId> = decisions.iter().map(|one| one.id).collect();
                settling
                    .ready
                    .job
                    .recipients
                    .retain(|one| left.contains(&one.id));
                return Outcome::Conflict(Box::new(settling.ready));
            }
        }
        Outcome::Over
    }

    /// Tries until it is written or not ours any more.
    async fn part(&self, settling: &Settling, decisions: &mut Vec<Decision>) -> Part {
        let message = settling.ready.job.message;
        let mut pause = PAUSES.0;
        loop {
            let settlement = self.compose(settling, decisions).await;
            let trouble = match self.ledger.settle(settlement).await {
                Ok(Settled::Done) => {
                    log(settling, decisions);
                    return Part::Over;
                }
                Ok(Settled::ClaimLost { lost }) => {
                    tracing::warn!(%message, ?lost, "claims were lost before the attempt could be settled");
                    decisions.retain(|one| !lost.contains(&one.id));
                    if decisions.is_empty() {
                        return Part::Over;
                    }
                    continue;
                }
                Err(LedgerError::Store(StoreError::Conflict(_))) => return Part::Conflict,
                Err(error) => error,
            };
            if !settling.ready.held.is_live() {
                tracing::error!(%message, error = %trouble, "an attempt could not be settled before its lease ended; its outcome will be shown as unknown");
                return Part::Over;
            }
            tracing::warn!(%message, error = %trouble, "an attempt cannot be settled yet; trying again");
            self.ledger.world().clock.sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// The settlement of these decisions, with the reports they owe.
    async fn compose(&self, settling: &Settling, decisions: &[Decision]) -> Settlement {
        let job = &settling.ready.job;
        let mut extra = Unit::new();
        for unit in decisions
            .iter()
            .filter_map(|one| settling.units.get(one.place))
        {
            extra.join(unit.clone());
        }
        let outcome = decisions
            .first()
            .map_or(AttemptOutcome::Failed, |one| one.outcome);
        Settlement {
            message: job.message,
            next_hop: job.next_hop.clone(),
            steps: decisions
                .iter()
                .map(|one| (one.id, one.step.clone()))
                .collect(),
            attempt: Some(settling.facts.clone().into_attempt(outcome)),
            notices: self.notices(settling, decisions).await,
            extra,
        }
    }

    /// One report for each kind of news.
    async fn notices(&self, settling: &Settling, decisions: &[Decision]) -> Vec<NewMessage> {
        let mut notices = Vec::new();
        let Some(reporter) = &settling.reporter else {
            return notices;
        };
        for action in [Action::Failed, Action::Delivered, Action::Relayed] {
            let fates = fates(&settling.ready.job, decisions, action, &settling.facts);
            if fates.is_empty() {
                continue;
            }
            let job = &settling.ready.job;
            let extent = extent_for(action, &job.envelope, job.size);
            let content = Content::read(&self.ledger, Some(&job.body), extent).await;
            let about = About {
                id: job.message,
                envelope: &job.envelope,
                size: job.size,
                content: &content,
            };
            let stamp = Stamp {
                id: self.ledger.new_id(),
                at: self.ledger.now(),
            };
            let notice = reporter.report(action, &about, &fates, stamp);
            notices.extend(notice.into_messages());
        }
        notices
    }
}

/// One line for each recipient, for whoever reads logs.
fn log(settling: &Settling, decisions: &[Decision]) {
    let (job, peer) = (&settling.ready.job, &settling.facts.address);
    for one in decisions {
        let (became, words) = match &one.step {
            Step::Delivered { reply } => ("delivered", reply.as_str()),
            Step::Relayed { reply } => ("relayed", reply.as_str()),
            Step::Deferred { reply, .. } => ("deferred", reply.as_str()),
            Step::BackToQueue => ("queued again", settling.facts.reply.as_str()),
            Step::Returned { cause } => ("returned", cause.as_str()),
            Step::DeadLetter { cause } => ("dead_letter", cause.as_str()),
            Step::Held { reason, .. } => ("held", reason.as_str()),
            Step::Discarded { cause, .. } => ("discarded", cause.as_str()),
        };
        tracing::info!(message = %job.message, recipient = %one.id, hop = %job.next_hop, peer, words, "{became}");
    }
}

enum Part {
    Over,
    Conflict,
}

/// Those of a kind, as the report tells of them.
fn fates(job: &Job, decisions: &[Decision], action: Action, facts: &Facts) -> Vec<Fate> {
    let each = decisions.iter().filter_map(|one| {
        let (owed, said) = one.owed.as_ref()?;
        let recipient = job
            .recipients
            .iter()
            .find(|recipient| recipient.id == one.id)?;
        (*owed == action).then(|| Fate::of_job(recipient, facts.ended_at, said.clone()))
    });
    each.collect()
}
