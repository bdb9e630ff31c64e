//! The next hops at work, known to the whole queue: they outlive the scheduler that started them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ground_world::supervise::Failure;
use path_ledger::{HandedOver, HopKey};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use wire_message::Time;

use crate::Shared;
use crate::hop::{self, Cause, Hop, Rest, hold, ready};

/// How long it is remembered when a hop's task was started: longer than two looks of the reconciler are apart.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The registry.
#[derive(Default)]
pub(crate) struct Hops {
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    tasks: BTreeMap<HopKey, AtWork>,
    /// Hops that are not to be tried before a time, whatever hints say. The book may know better: the poll asks it.
    resting: BTreeMap<HopKey, Time>,
    /// When tasks were started.
    started: BTreeMap<HopKey, Instant>,
}

struct AtWork {
    hop: Arc<Hop>,
    end: AbortHandle,
}

/// What came of a wish to start a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// It was at work.
    Awake,
    /// It is now.
    Started,
    /// This node has no room for it, or takes no work.
    NoRoom,
}

impl Hops {
    /// Wakes a hop's task, or starts one when there is room and this node takes work.
    pub(crate) fn start(&self, shared: &Arc<Shared>, key: &HopKey) -> Start {
        let mut running = self.lock();
        if let Some(task) = running.tasks.get(key) {
            task.hop.hint();
            return Start::Awake;
        }
        let max = shared.settings().queue.max_concurrent_attempts;
        let full = running.tasks.len() >= usize::try_from(max).unwrap_or(usize::MAX);
        if full || !shared.ledger.takes_work() {
            return Start::NoRoom;
        }
        running.spawn(shared, Hop::new(shared, key.clone(), Cause::Book));
        Start::Started
    }

    /// The same upon a hint, unless it rests.
    pub(crate) fn hinted(&self, shared: &Arc<Shared>, hops: BTreeSet<HopKey>) {
        let now = shared.ledger.now();
        for key in hops {
            let resting = self.lock().resting.get(&key).copied();
            if resting.is_none_or(|until| until <= now) {
                self.start(shared, &key);
            }
        }
    }

    /// The book says that it may be tried.
    pub(crate) fn wake_up(&self, key: &HopKey) {
        self.lock().resting.remove(key);
    }

    /// Those whose time has come rest no more.
    pub(crate) fn forget_rest(&self, now: Time) {
        let mut running = self.lock();
        running.resting.retain(|_, until| *until > now);
        running.started.retain(|_, at| at.elapsed() < REMEMBERED);
    }

    /// A job that was accepted a moment ago.
    pub(crate) fn take(&self, shared: &Arc<Shared>, handed: HandedOver) {
        let HandedOver { job, place } = handed;
        let key = job.next_hop.clone();
        let mut fresh = ready(shared, job);
        fresh.place = Some(place);
        let mut running = self.lock();
        if let Some(task) = running.tasks.get(&key) {
            match task.hop.push(fresh) {
                Ok(()) => return,
                Err(refused) => fresh = *refused,
            }
        }
        let hop = Hop::new(shared, key, Cause::HandOver);
        if hop.push(fresh).is_err() {
            tracing::error!(hop = %hop.key, "a new hop took no job");
        }
        running.spawn(shared, hop);
    }

    /// Ends tasks that give no pulse: what they had claimed comes back, and the next look starts others.
    pub(crate) fn replace_hung(&self, shared: &Shared) {
        let hung: Vec<_> = {
            let running = self.lock();
            let tasks = running.tasks.values();
            tasks
                .filter_map(|task| {
                    Some((
                        task.hop.clone(),
                        task.end.clone(),
                        task.hop.pulse.silence()?,
                    ))
                })
                .collect()
        };
        for (hop, end, (stage, words)) in hung {
            self.leave(&hop, None);
            end.abort();
            let task = format!("next hop {}", hop.key);
            let about = hop.messages();
            shared
                .supervisor
                .note(&task, Failure::Hung(stage), &words, &about);
        }
    }

    /// Those at work, by name.
    pub(crate) fn at_work(&self) -> Vec<Arc<Hop>> {
        let running = self.lock();
        running
            .tasks
            .values()
            .map(|task| task.hop.clone())
            .collect()
    }

    /// Whether it is at work, or was started after `since`.
    pub(crate) fn has_worked_since(&self, key: &HopKey, since: Instant) -> bool {
        let running = self.lock();
        let started = running.started.get(key);
        running.tasks.contains_key(key) || started.is_some_and(|at| *at >= since)
    }

    /// A hop's task is no more. Another may work for the same hop already.
    fn leave(&self, hop: &Arc<Hop>, rest: Option<Rest>) {
        let mut running = self.lock();
        if let Some(Rest::Until(time)) = rest {
            running.resting.insert(hop.key.clone(), time);
        }
        let task = running.tasks.get(&hop.key);
        if task.is_some_and(|task| Arc::ptr_eq(&task.hop, hop)) {
            running.tasks.remove(&hop.key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        hold(&self.running)
    }
}

impl Running {
    fn spawn(&mut self, shared: &Arc<Shared>, hop: Arc<Hop>) {
        let key = hop.key.clone();
        let work = work(shared.clone(), hop.clone());
        let end = shared.hop_tasks.spawn(work).abort_handle();
        self.started.insert(key.clone(), Instant::now());
        self.tasks.insert(key, AtWork { hop, end });
    }
}

async fn work(shared: Arc<Shared>, hop: Arc<Hop>) {
    let mut leaving = Leaving {
        shared: shared.clone(),
        hop: hop.clone(),
        rest: None,
    };
    tokio::select! {
        biased;
        () = shared.abort.cancelled() => {}
        rest = hop::run(hop, shared.clone()) => leaving.rest = Some(rest),
    }
}

/// Tells the registry that a task is no more, however it ended.
struct Leaving {
    shared: Arc<Shared>,
    hop: Arc<Hop>,
    rest: Option<Rest>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let task = format!("next hop {}", self.hop.key);
            let words = "it panicked; what it had claimed comes back";
            let about = self.hop.messages();
            let supervisor = &self.shared.supervisor;
            supervisor.note(&task, Failure::Ended, words, &about);
        }
        self.shared.hops.leave(&self.hop, self.rest);
    }
}
