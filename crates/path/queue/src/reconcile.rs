//! Memory and book, compared both ways, again and again.
//!
//! ```text
//!   look --- nothing odd --> rest
//!     | odd: a claim nobody here knows · a job whose claim is not ours · a due hop without a task · a count that is off
//!     '--> a moment later, look again: what is odd still, and was not just under way, is put right, with an event
//! ```
//!
//! Between two questions anything may happen, so nothing is believed that was seen once; and what was claimed or accepted
//! while the first look was taken is left to the next pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ground_world::supervise::Pulse;
use path_ledger::{Doer, EventKind, HopKey, LedgerError, LiveClaim, Mark, RecipientId};
use tokio::time::Instant;

use crate::Shared;
use crate::hops::Start;
use crate::leases::{InMemory, Stage};

/// Claims read by one query: few milliseconds.
const A_SLICE: u32 = 1000;

/// Between the two looks: long enough for what was under way to be over, nearly always.
const AGAIN: Duration = Duration::from_secs(2);

/// The reconciler shows that it lives within this time of each pass.
pub(crate) const PULSE: Duration = Duration::from_secs(300);

pub(crate) async fn run(shared: Arc<Shared>, pulse: Pulse) {
    loop {
        let interval = shared.settings().watch.reconcile_interval;
        pulse.sleep(interval.saturating_sub(again(interval))).await;
        if shared.stopping.is_cancelled() {
            continue;
        }
        if let Err(error) = pass(&shared).await {
            tracing::warn!(%error, "memory could not be compared with the book");
        }
    }
}

/// Within one interval it is found and put right, so a short one has less time between its looks.
fn again(interval: Duration) -> Duration {
    AGAIN.min(interval / 2)
}

/// One look.
struct Sight {
    at: Instant,
    leases: u64,
    handoff: Mark,
    memory: Vec<InMemory>,
    known: BTreeSet<RecipientId>,
    claims: BTreeMap<RecipientId, LiveClaim>,
    due: BTreeSet<HopKey>,
    counts: Counts,
}

/// What is counted, less what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counts {
    permits: usize,
    workers: BTreeMap<HopKey, usize>,
    ready: usize,
    waiting: usize,
    handoff: i64,
}

async fn pass(shared: &Arc<Shared>) -> Result<(), LedgerError> {
    let first = look(shared).await?;
    if !first.is_odd() {
        return Ok(());
    }
    let interval = shared.settings().watch.reconcile_interval;
    let clock = &shared.ledger.world().clock;
    clock.sleep(again(interval)).await;
    let second = look(shared).await?;
    bring_back(shared, &first, &second).await?;
    disown(shared, &first, &second).await?;
    start(shared, &first, &second).await?;
    recount(shared, &first, &second).await
}

async fn look(shared: &Shared) -> Result<Sight, LedgerError> {
    let (leases, handoff) = (shared.leases.mark(), shared.handoff.mark());
    let at = Instant::now();
    let memory = shared.leases.in_memory();
    let in_memory = memory.iter().flat_map(|job| job.recipients.iter().copied());
    let known = in_memory.chain(shared.handoff.on_the_way()).collect();
    let mut claims = BTreeMap::new();
    let mut after = None;
    loop {
        let slice = shared.ledger.claims_here(after, A_SLICE).await?;
        let Some(last) = slice.last() else { break };
        after = Some(last.id);
        claims.extend(slice.into_iter().map(|claim| (claim.id, claim)));
    }
    let due = shared.ledger.ready_hops(shared.ledger.now()).await?;
    let due = due.into_iter().map(|hop| hop.key);
    let due = due.filter(|key| !shared.hops.has_worked_since(key, at));
    Ok(Sight {
        at,
        leases,
        handoff,
        memory,
        known,
        claims,
        due: due.collect(),
        counts: count(shared),
    })
}

fn count(shared: &Shared) -> Counts {
    let hops = shared.hops.at_work();
    let workers = hops
        .iter()
        .map(|hop| (hop.key.clone(), hop.workers.load(Ordering::Relaxed)));
    let memory = shared.leases.in_memory();
    Counts {
        permits: shared.permits.used(),
        workers: workers.collect(),
        ready: shared.ready.load(Ordering::Relaxed),
        waiting: memory.iter().map(|job| job.recipients.len()).sum(),
        handoff: shared.handoff.miscounted(),
    }
}

impl Counts {
    fn permits_are_right(&self) -> bool {
        self.permits == self.workers.values().sum::<usize>()
    }
}

impl Sight {
    fn is_odd(&self) -> bool {
        let unknown = self.claims.keys().any(|id| !self.known.contains(id));
        let counts = &self.counts;
        let miscounted =
            !counts.permits_are_right() || counts.ready != counts.waiting || counts.handoff != 0;
        unknown
            || self.memory.iter().any(|job| !self.is_ours(job))
            || !self.due.is_empty()
            || miscounted
    }

    fn is_ours(&self, job: &InMemory) -> bool {
        job.recipients.iter().all(|id| self.claims.contains_key(id))
    }
}

/// Claims that nothing here accounts for, at both looks, and that nobody has touched between them.
async fn bring_back(shared: &Shared, first: &Sight, second: &Sight) -> Result<(), LedgerError> {
    let claiming = shared.leases.claiming_before(first.leases);
    let reserved = shared.handoff.reserved_before(first.handoff);
    let under_way: BTreeSet<HopKey> = claiming.into_iter().chain(reserved).collect();
    let unknown = second.claims.values().filter(|claim| {
        let as_before = first.claims.get(&claim.id) == Some(*claim);
        let known = first.known.contains(&claim.id) || second.known.contains(&claim.id);
        as_before && !known && !under_way.contains(&claim.next_hop)
    });
    let unknown: Vec<LiveClaim> = unknown.cloned().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let done = shared.ledger.unaccounted(&unknown).await?;
    tracing::error!(
        ?done,
        "claims that nothing in memory accounted for were brought back"
    );
    Ok(())
}

/// Jobs that wait here and whose claims are not ours any more: no attempt at them begins. What is in a worker's hand learns
/// it when it settles.
async fn disown(shared: &Shared, first: &Sight, second: &Sight) -> Result<(), LedgerError> {
    for job in &second.memory {
        let gone = job.stage == Stage::Waiting && !second.is_ours(job);
        let before = first.memory.iter().find(|one| one.key == job.key);
        if !gone || before.is_none_or(|before| first.is_ours(before)) {
            continue;
        }
        shared.leases.disown(job.key);
        let ours = job.recipients.iter().copied();
        let ours: Vec<_> = ours.filter(|id| second.claims.contains_key(id)).collect();
        shared.ledger.release(&ours).await?;
        let detail = format!(
            "a job of message {} waited in memory, and its claim was not ours; it is dropped",
            job.message
        );
        record(shared, &detail).await?;
    }
    for hop in shared.hops.at_work() {
        hop.prune(None);
    }
    Ok(())
}

/// Hops that are open and have due mail, and for which nobody worked from one look to the other.
async fn start(shared: &Arc<Shared>, first: &Sight, second: &Sight) -> Result<(), LedgerError> {
    for key in first.due.intersection(&second.due) {
        if shared.hops.has_worked_since(key, first.at) {
            continue;
        }
        if shared.hops.start(shared, key) == Start::Started {
            let detail =
                format!("mail for {key} was due, and nobody worked for it; it is tried now");
            record(shared, &detail).await?;
        }
    }
    Ok(())
}

/// Counts that are off in the same way at both looks.
async fn recount(shared: &Shared, first: &Sight, second: &Sight) -> Result<(), LedgerError> {
    let (before, now) = (&first.counts, &second.counts);
    if !now.permits_are_right() && before == now {
        shared.permits.recount(&now.workers);
        let real: usize = now.workers.values().sum();
        record(
            shared,
            &format!(
                "{} permits were counted as used, and {real} are",
                now.permits
            ),
        )
        .await?;
    }
    let off = |counts: &Counts| counts.ready != counts.waiting;
    if off(now) && (before.ready, before.waiting) == (now.ready, now.waiting) {
        shared.ready.store(now.waiting, Ordering::Relaxed);
        record(
            shared,
            &format!(
                "{} recipients were counted as in memory, and {} are",
                now.ready, now.waiting
            ),
        )
        .await?;
    }
    if now.handoff != 0 && before.handoff == now.handoff {
        shared.handoff.recount();
        record(
            shared,
            &format!(
                "the places of jobs on their way were counted wrong by {}",
                now.handoff
            ),
        )
        .await?;
    }
    Ok(())
}

async fn record(shared: &Shared, detail: &str) -> Result<(), LedgerError> {
    tracing::error!(detail, "memory was put right");
    let node = shared.ledger.node_name();
    shared
        .ledger
        .record(EventKind::Reconciled, Doer::Program, &node, detail)
        .await
}
