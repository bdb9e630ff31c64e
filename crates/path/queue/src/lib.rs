//! When? One queue for each next hop: readiness, pace, retry, fairness.
//!
//! **For what.** What is queued in the book is tried when its time has come, over as few connections as do the work, and
//! what follows from each attempt is written in one place.
//!
//! **The way through.**
//!
//! ```text
//!  scheduler ── asks the book which hops are ready, every poll interval; hints and handed-over jobs only come sooner
//!     └─ hop (one task for each next hop with something to do) ── claims in batches, oldest first, two lines
//!          └─ worker (one for each connection) ── opens a session, takes job after job, deliver::attempt
//!               └─ settle (beside the next job) ── decide ── path-notify ── ledger.settle, until it is in the book
//!  leases ── renews what is claimed and lives; whoever dies only loses a lease
//!  reconcile ── compares memory with the book, both ways
//! ```
//!
//! **Whoever panics or hangs is replaced** (`crew.rs` for workers, `settlements.rs`, `hops.rs`, a guard for the scheduler and the others); what it had
//! in hand counts as an attempt that began and never ended, so that a message that does it again and again is held.
//!
//! **A dead hop** is dialled first and claimed from only when a session stands, so each try changes one row whatever waits.
//! It counts as up again when it has answered about a message.
//!
//! **A suspect** (see `suspects.rs`) is mail of which a claim was lost: each attempt at it is in the book before it begins.
//!
//! **Never.** Nothing in memory decides what is due, and nothing is lost with it: a job that is dropped here was claimed in
//! the book, and its claim ends. Failures that are ours return no mail before its lifetime ends. No settlement is dropped
//! silently.
//!
//! **Limits.** `[queue]`: `max_concurrent_attempts`, `hop_initial_concurrency`, `hop_max_concurrency`, `ready_limit`;
//! [`SETTLES_MAX`], [`TROUBLES_MAX`]. Each stage of a worker has a longest time (`post.rs`).

mod crew;
mod decide;
mod hop;
mod hops;
mod leases;
mod lists;
mod pace;
mod permits;
mod post;
mod reconcile;
mod retry;
mod scheduler;
mod settle;
mod settlements;
mod suspects;
mod way;
mod worker;

pub use hop::TROUBLES_MAX;
pub use settle::SETTLES_MAX;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use ground_directory::Directory;
use ground_settings::Settings;
use ground_world::supervise::{Kept, Pulse, Supervisor};
use path_deliver::mailbox::Door;
use path_ledger::{Handoff, HandoffLimits, Handovers, Ledger, MessageId};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use hops::Hops;
use leases::Leases;
use permits::Permits;
use settle::Settler;
use settlements::Settlements;
use suspects::Stand;

/// What a queue works with.
#[derive(Clone)]
pub struct QueueParts {
    /// The book.
    pub ledger: Ledger,
    /// Who has a mailbox here.
    pub directory: Directory,
    /// The settings of each moment.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The folder that relative paths in the settings start from.
    pub config_folder: PathBuf,
    /// Who replaces what fails.
    pub supervisor: Supervisor,
}

/// A running queue. Dropping it ends its tasks at once, as a crash would.
pub struct Queue {
    shared: Arc<Shared>,
    handoff: Handoff,
    scheduler: Kept,
    #[expect(dead_code, reason = "held for their drop")]
    others: [Kept; 2],
}

/// What all tasks of a queue share.
pub(crate) struct Shared {
    pub(crate) ledger: Ledger,
    pub(crate) door: Door,
    pub(crate) settings: watch::Receiver<Arc<Settings>>,
    pub(crate) config_folder: PathBuf,
    pub(crate) leases: Leases,
    pub(crate) permits: Permits,
    pub(crate) stand: Stand,
    pub(crate) settler: Settler,
    pub(crate) handoff: Handoff,
    /// The queue's end of it, for whoever schedules.
    pub(crate) handovers: Mutex<Handovers>,
    pub(crate) hops: Hops,
    pub(crate) supervisor: Supervisor,
    /// Recipients in ready lists.
    pub(crate) ready: Arc<AtomicUsize>,
    /// No new attempt begins.
    pub(crate) stopping: CancellationToken,
    /// Everything ends at once.
    pub(crate) abort: CancellationToken,
    /// The tasks of next hops.
    pub(crate) hop_tasks: TaskTracker,
    /// Settlements under way, and their tasks.
    pub(crate) settlements: Settlements,
    pub(crate) settles: TaskTracker,
}

impl Shared {
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }
}

impl Queue {
    /// Starts the tasks of a queue on the current runtime.
    #[must_use]
    pub fn start(parts: QueueParts) -> Queue {
        let limits = handoff_limits(&parts.settings.borrow());
        let (handoff, handovers) = Handoff::new(limits);
        let settings = parts.settings.borrow().clone();
        let shared = Arc::new(Shared {
            door: Door::new(parts.directory, &parts.ledger),
            leases: Leases::new(parts.ledger.clone()),
            permits: Permits::new(settings.queue.max_concurrent_attempts),
            stand: Stand::new(),
            settler: Settler::new(parts.ledger.clone()),
            ledger: parts.ledger,
            settings: parts.settings,
            config_folder: parts.config_folder,
            handoff: handoff.clone(),
            handovers: Mutex::new(handovers),
            hops: Hops::default(),
            supervisor: parts.supervisor,
            ready: Arc::default(),
            stopping: CancellationToken::new(),
            abort: CancellationToken::new(),
            hop_tasks: TaskTracker::new(),
            settlements: Settlements::default(),
            settles: TaskTracker::new(),
        });
        Queue {
            scheduler: keep(&shared, "scheduler", scheduler::PULSE, scheduler::run),
            others: [
                keep(
                    &shared,
                    "leases",
                    leases::RENEWAL_PULSE,
                    leases::renew_for_ever,
                ),
                keep(
                    &shared,
                    "reconciler of memory",
                    reconcile::PULSE,
                    reconcile::run,
                ),
            ],
            shared,
            handoff,
        }
    }

    /// Memory loses the jobs of a message that wait for a connection, as by a defect of ours. How many. For tests.
    #[doc(hidden)]
    pub fn forget(&self, message: MessageId) -> usize {
        let hops = self.shared.hops.at_work();
        hops.iter().map(|hop| hop.prune(Some(message))).sum()
    }

    /// Where those who accept mail hand it over.
    #[must_use]
    pub fn handoff(&self) -> Handoff {
        self.handoff.clone()
    }

    /// Stops in good order: no new attempt begins, attempts under way have `grace` to end, what was claimed and not begun
    /// goes back. What is not done in time ends as in a crash: its lease brings it back.
    pub async fn stop(mut self, grace: Duration) {
        self.scheduler.may_end();
        self.shared.stopping.cancel();
        self.shared.settles.close();
        let clock = self.shared.ledger.world().clock.clone();
        let done = async {
            self.scheduler.ended().await;
            self.shared.settles.wait().await;
        };
        if clock.timeout(grace, done).await.is_err() {
            tracing::warn!("attempts under way are cut off; their leases bring them back");
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.abort.cancel();
    }
}

/// Keeps a task of the queue for as long as the queue lives.
fn keep<W, F>(shared: &Arc<Shared>, name: &'static str, limit: Duration, work: W) -> Kept
where
    W: Fn(Arc<Shared>, Pulse) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let kept = shared.clone();
    let supervisor = &shared.supervisor;
    supervisor.keep(name, limit, move |pulse| work(kept.clone(), pulse))
}

/// A hop may have twice the messages in memory that it has connections at most; all hops together `ready_limit`.
fn handoff_limits(settings: &Settings) -> HandoffLimits {
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let jobs = count(settings.queue.ready_limit);
    HandoffLimits {
        jobs,
        jobs_per_hop: (jobs / 4).max(1),
    }
}

#[cfg(test)]
mod tests;
