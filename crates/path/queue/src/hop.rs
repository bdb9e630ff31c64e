//! One next hop at work: claims, workers, pace, and what is known of its health. One task for each hop with something to do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ground_settings::Settings;
use ground_world::supervise::Pulse;
use path_ledger::{HopKey, HopState, HopStatus, Job, MessageId};
use tokio::sync::Notify;
use tokio::time::Instant;
use wire_message::Time;
use wire_smtp::reply::Reply;

use crate::Shared;
use crate::crew::{Crew, Ended};
use crate::leases::Held;
use crate::lists::{Counted, Lists, Ready, recipients};
use crate::pace::Pace;
use crate::retry::{Failed, Trouble, wait};
use crate::settle::SETTLE_MAX;
use crate::suspects::Stand;
use crate::way::{Astray, terms};
use crate::worker::{self, Conveyance, Failure, NoConveyance, WorkerEnd, opening_limit};

/// Sessions in a row that broke in their first transaction before the hop counts as down: one may be the message's fault.
pub const TROUBLES_MAX: u32 = 3;

/// Recipients claimed for each connection at a time, and the least and most of a batch: few writes, little memory.
const BATCH: (usize, usize, usize) = (20, 20, 400);

/// Jobs for each connection, and at all, below which the next batch is claimed.
const LOW: (usize, usize) = (2, 10);

/// How long a hop without a permit waits before it asks again: some other hop's message ends meanwhile.
const PERMIT_PAUSE: Duration = Duration::from_millis(20);

/// How often a hop at work is looked up in the book: a person may have paused it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest step of a hop's task but the opening of a session: some questions and writes, each within the store's own
/// deadline. One that takes longer hangs.
const STEP_MAX: Duration = Duration::from_secs(180);

/// One next hop.
pub(crate) struct Hop {
    pub(crate) key: HopKey,
    /// Of its task.
    pub(crate) pulse: Pulse,
    lists: Mutex<Lists>,
    pace: Mutex<Pace>,
    pub(crate) health: Mutex<Health>,
    /// Wakes a worker that waits for a job.
    pub(crate) work: Notify,
    /// Wakes the hop's task.
    bell: Notify,
    /// More may wait in the book than is here.
    more: AtomicBool,
    /// Workers, and those of them that have a job in hand.
    pub(crate) workers: AtomicUsize,
    pub(crate) busy: AtomicUsize,
}

/// What is known of a hop while its task lives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Health {
    /// Tries in a row that failed, as the book has it.
    pub(crate) failures: u32,
    /// What the book shows.
    pub(crate) shown: Shown,
    /// Sessions in a row that broke in their first transaction.
    troubles: u32,
}

/// What the book shows of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Up,
    Down,
}

/// Why a hop's task begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Something may wait in the book.
    Book,
    /// A job was handed over; if more waits, the next poll says so.
    HandOver,
}

/// When a hop is to be looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// When something is due for it.
    Idle,
    /// Not before this, whatever hints say.
    Until(Time),
}

impl Hop {
    /// A hop that nobody works for yet.
    pub(crate) fn new(shared: &Shared, key: HopKey, cause: Cause) -> Arc<Hop> {
        Arc::new(Hop {
            key,
            pulse: Pulse::new(&shared.ledger.world().clock, STEP_MAX),
            lists: Mutex::default(),
            pace: Mutex::new(Pace::new(1, 1)),
            health: Mutex::new(Health {
                failures: 0,
                shown: Shown::Up,
                troubles: 0,
            }),
            work: Notify::new(),
            bell: Notify::new(),
            more: AtomicBool::new(cause == Cause::Book),
            workers: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
        })
    }

    /// Adds a job; gives it back when the hop's task is ending.
    pub(crate) fn push(&self, ready: Ready) -> Result<(), Box<Ready>> {
        hold(&self.lists).push(ready)?;
        self.work.notify_one();
        let busy = self.busy.load(Ordering::Relaxed);
        if busy >= self.workers.load(Ordering::Relaxed) {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// The next job for a worker.
    pub(crate) fn pop(&self, stand: &Stand) -> Option<Ready> {
        let mut lists = hold(&self.lists);
        let ready = lists.pop(stand)?;
        let left = lists.ready(stand);
        drop(lists);
        if left > 0 {
            self.work.notify_one();
        }
        if left < self.low() && self.more.load(Ordering::Relaxed) {
            self.bell.notify_one();
        }
        Some(ready)
    }

    /// The messages that wait for a connection.
    pub(crate) fn messages(&self) -> Vec<String> {
        hold(&self.lists).messages()
    }

    /// Lets go of jobs whose claims are not ours any more, and of one that is to be forgotten.
    pub(crate) fn prune(&self, forgotten: Option<MessageId>) -> usize {
        hold(&self.lists).prune(forgotten).len()
    }

    /// With fewer jobs than this, connections would soon stand idle.
    fn low(&self) -> usize {
        let connections = usize::try_from(hold(&self.pace).limit()).unwrap_or(usize::MAX);
        connections.saturating_mul(LOW.0).max(LOW.1)
    }

    /// Jobs that wait for nothing but a connection.
    pub(crate) fn waiting(&self, stand: &Stand) -> usize {
        hold(&self.lists).ready(stand)
    }

    /// Something was queued for it in the book.
    pub(crate) fn hint(&self) {
        self.more.store(true, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// The peer answered about a message.
    pub(crate) fn success(&self) {
        hold(&self.pace).success();
        hold(&self.health).troubles = 0;
    }

    pub(crate) fn trouble(&self) {
        hold(&self.pace).trouble();
    }
}

pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these guard is never left half changed, so poison is no news.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a claimed job ready.
pub(crate) fn ready(shared: &Shared, job: Job) -> Ready {
    let held: Held = shared.leases.hold(&job);
    let counted = Counted::new(&shared.ready, job.recipients.len());
    Ready {
        job,
        held,
        place: None,
        on_stand: None,
        counted,
    }
}

/// The task of one hop.
pub(crate) async fn run(hop: Arc<Hop>, shared: Arc<Shared>) -> Rest {
    let next_look = shared.ledger.world().clock.instant() + LOOK_EVERY;
    let mut task = Task {
        crew: Crew::new(hop.clone(), shared.clone()),
        hop,
        shared,
        verdict: None,
        next_look,
    };
    let rest = task.live().await;
    // Whatever was left, or came in at the last moment, goes back.
    task.give_back().await;
    rest
}

struct Task {
    hop: Arc<Hop>,
    shared: Arc<Shared>,
    crew: Crew,
    /// There is no way, for good: what is claimed fails with these words.
    verdict: Option<Reply>,
    next_look: Instant,
}

/// Whether the hop's task goes on.
enum Course {
    On,
    Ends(Rest),
}

impl Task {
    async fn live(&mut self) -> Rest {
        let status = match self.shared.ledger.hop(&self.hop.key).await {
            Ok(status) => status,
            Err(error) => {
                tracing::warn!(hop = %self.hop.key, %error, "a next hop cannot be looked up; trying again");
                return Rest::Idle;
            }
        };
        if status.opens_at() > self.shared.ledger.now() {
            self.shared.handoff.shut(&self.hop.key);
            return Rest::Until(status.opens_at());
        }
        let first = match self.begin(&status).await {
            Ok(first) => first,
            Err(rest) => return rest,
        };
        if let Some(conveyance) = first {
            self.crew.spawn(Some(conveyance));
        }
        self.work().await
    }

    /// A hop that was down is dialled before anything is claimed for it.
    async fn begin(&mut self, status: &HopStatus) -> Result<Option<Conveyance>, Rest> {
        let settings = self.shared.settings();
        let max = self.connections(&settings);
        let initial = match status.state {
            HopState::Up | HopState::Paused => settings.queue.initial_concurrency(max),
            HopState::Down => 1,
        };
        *hold(&self.hop.pace) = Pace::new(initial, max);
        *hold(&self.hop.health) = Health {
            failures: status.failures,
            shown: match status.state {
                HopState::Up => Shown::Up,
                HopState::Down | HopState::Paused => Shown::Down,
            },
            troubles: 0,
        };
        if status.state != HopState::Down {
            return Ok(None);
        }
        // Of several nodes one tries it, and the book will say what came of it.
        if !worker::may_try(&self.shared, status).await {
            return Err(Rest::Idle);
        }
        let limit = opening_limit(&settings);
        self.hop.pulse.beat_within("opening", limit);
        match worker::convey(&self.hop, &self.shared, &settings).await {
            Ok(conveyance) => Ok(Some(conveyance)),
            Err(NoConveyance::Final(reply)) => {
                self.verdict = Some(reply);
                Ok(None)
            }
            Err(NoConveyance::ForNow(failure)) => Err(self.down(failure).await),
        }
    }

    async fn work(&mut self) -> Rest {
        loop {
            self.hop.pulse.beat("at work");
            self.crew.replace_hung().await;
            self.hop.prune(None);
            if self.shared.stopping.is_cancelled() {
                self.let_workers_end().await;
                return Rest::Idle;
            }
            if let Some(until) = self.paused().await {
                self.shared.handoff.shut(&self.hop.key);
                self.let_workers_end().await;
                return Rest::Until(until);
            }
            self.refill().await;
            self.refuse_all().await;
            self.spawn_workers();
            if self.crew.is_empty() && hold(&self.hop.lists).close_if_empty() {
                return self.rested().await;
            }
            match self.wait().await {
                Course::On => {}
                Course::Ends(rest) => return rest,
            }
        }
    }

    async fn wait(&mut self) -> Course {
        let clock = self.shared.ledger.world().clock.clone();
        // Suspects that wait for the stand need no permit yet.
        let waits = self.hop.waiting(&self.shared.stand) > 0;
        let without_permit = self.crew.is_empty() && waits;
        tokio::select! {
            biased;
            Some(ended) = self.crew.join_next() => self.ended(ended).await,
            () = self.shared.stopping.cancelled() => Course::On,
            () = self.hop.bell.notified() => Course::On,
            () = clock.sleep_until_instant(self.next_look) => Course::On,
            () = self.shared.stand.freed(), if !waits => Course::On,
            () = clock.sleep(PERMIT_PAUSE), if without_permit => Course::On,
        }
    }

    /// Until when a person has stopped the hop, looked up now and then.
    async fn paused(&mut self) -> Option<Time> {
        let clock = &self.shared.ledger.world().clock;
        if clock.instant() < self.next_look {
            return None;
        }
        self.next_look = clock.instant() + LOOK_EVERY;
        match self.shared.ledger.hop(&self.hop.key).await {
            Ok(status) if status.state == HopState::Paused => {
                Some(status.opens_at()).filter(|until| *until > self.shared.ledger.now())
            }
            // So another node has found. The next answer that this one gets says otherwise.
            Ok(status) if status.state == HopState::Down => {
                hold(&self.hop.health).shown = Shown::Down;
                None
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(hop = %self.hop.key, %error, "a next hop cannot be looked up; trying again");
                None
            }
        }
    }

    /// Claims the next batch when the lists run low.
    async fn refill(&mut self) {
        let hop = &self.hop;
        if !self.shared.ledger.takes_work() {
            return;
        }
        let waiting = hop.waiting(&self.shared.stand);
        if waiting >= hop.low() || !hop.more.swap(false, Ordering::Relaxed) {
            return;
        }
        let limit = self.batch();
        let now = self.shared.ledger.now();
        let _claiming = self.shared.leases.claiming(&hop.key);
        let jobs = match self.shared.ledger.claim(&hop.key, limit, now).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::warn!(hop = %hop.key, %error, "nothing could be claimed; trying again");
                return;
            }
        };
        let claimed: usize = jobs.iter().map(|job| job.recipients.len()).sum();
        for job in jobs {
            // The gate closes in this task alone.
            if let Err(refused) = hop.push(ready(&self.shared, job)) {
                drop(refused);
            }
        }
        let full = claimed >= usize::try_from(limit).unwrap_or(usize::MAX);
        if full {
            hop.more.store(true, Ordering::Relaxed);
        }
        // While older mail waits in the book, new mail goes there too, or it would overtake.
        match full || hold(&hop.health).shown == Shown::Down {
            true => self.shared.handoff.shut(&hop.key),
            false => self.shared.handoff.open(&hop.key),
        }
    }

    /// As many as the connections need for a while, within what memory may hold; enough for one round in any case.
    fn batch(&self) -> u32 {
        let pace = hold(&self.hop.pace).limit();
        let connections = usize::try_from(pace).unwrap_or(usize::MAX);
        let wanted = connections.saturating_mul(BATCH.0).clamp(BATCH.1, BATCH.2);
        let limit = self.shared.settings().queue.ready_limit;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let room = limit.saturating_sub(self.shared.ready.load(Ordering::Relaxed));
        u32::try_from(wanted.min(room.max(connections))).unwrap_or(u32::MAX)
    }

    /// This node's part of the connections that the hop may be given.
    fn connections(&self, settings: &Settings) -> u32 {
        let all = terms(settings, &self.hop.key).max_connections;
        all.div_ceil(self.shared.ledger.nodes_at_work())
    }

    fn spawn_workers(&mut self) {
        let settings = self.shared.settings();
        let max = self.connections(&settings);
        hold(&self.hop.pace).bound(max);
        let limit = usize::try_from(hold(&self.hop.pace).limit()).unwrap_or(usize::MAX);
        let wanted = self.hop.busy.load(Ordering::Relaxed) + self.hop.waiting(&self.shared.stand);
        while self.crew.len() < limit.min(wanted) {
            if !self.crew.spawn(None) {
                return;
            }
        }
    }

    /// A worker ended.
    async fn ended(&mut self, ended: Ended) -> Course {
        let Some(end) = self.crew.ended(ended).await else {
            return Course::On;
        };
        match end {
            WorkerEnd::Idle | WorkerEnd::SteppedBack => Course::On,
            WorkerEnd::NoWay(reply) => {
                self.verdict = Some(reply);
                Course::On
            }
            WorkerEnd::NoSession(failure) => {
                self.hop.trouble();
                // While others still have a session, this was only one connection too many.
                match self.crew.is_empty() {
                    true => Course::Ends(self.down(failure).await),
                    false => Course::On,
                }
            }
            WorkerEnd::Broke(failure) => {
                self.hop.trouble();
                let down = {
                    let mut health = hold(&self.hop.health);
                    health.troubles += 1;
                    health.troubles >= TROUBLES_MAX || health.shown == Shown::Down
                };
                match down {
                    true => Course::Ends(self.down(failure).await),
                    false => Course::On,
                }
            }
        }
    }

    /// The hop cannot be worked with: one row says so, and what was claimed goes back in one write.
    async fn down(&mut self, failure: Failure) -> Rest {
        let key = self.hop.key.clone();
        self.shared.handoff.shut(&key);
        self.give_back().await;
        let settings = self.shared.settings();
        let failures = hold(&self.hop.health).failures.saturating_add(1);
        let schedule = terms(&settings, &key).schedule;
        let failed = Failed {
            trouble: Trouble::Plain,
            tries: failures,
            advice: crate::retry::advice(failure.reply.text()),
            schedule: &schedule,
        };
        let world = self.shared.ledger.world();
        let jitter = |about| world.chance.jitter(about, settings.queue.retry_jitter);
        let retry_at = self.shared.ledger.now() + wait(failed, jitter);
        let said = failure.reply.to_string();
        if failure.ours {
            self.shared.ledger.fault_of_ours(&key, &said);
            tracing::error!(hop = %key, said, "a next hop cannot be used by our own fault");
        } else {
            self.shared.ledger.no_fault_of_ours(&key);
            tracing::info!(hop = %key, said, failures, %retry_at, "a next hop is down");
        }
        let down = self
            .shared
            .ledger
            .hop_down(&key, retry_at, failures, &said, &failure.peer);
        match down.await {
            Ok(()) => hold(&self.hop.health).shown = Shown::Down,
            Err(error) => {
                tracing::warn!(hop = %key, %error, "that a next hop is down could not be recorded");
            }
        }
        // Those still at work may find it up again, and say so.
        self.let_workers_end().await;
        Rest::Until(retry_at)
    }

    /// Nothing is left to do. A hop that stood and had nothing to say about any message is up all the same.
    async fn rested(&mut self) -> Rest {
        if self.verdict.is_none() {
            worker::show_up(&self.hop, &self.shared).await;
            self.shared.handoff.open(&self.hop.key);
        }
        Rest::Idle
    }

    /// There is no way for good: everything fails with the same words.
    async fn refuse_all(&mut self) {
        let Some(reply) = self.verdict.clone() else {
            return;
        };
        let all = hold(&self.hop.lists).drain();
        for ready in all {
            self.hop
                .pulse
                .beat_within("refusing", SETTLE_MAX + STEP_MAX);
            worker::refuse(&self.shared, ready, &reply).await;
        }
    }

    async fn give_back(&mut self) {
        let left = hold(&self.hop.lists).close();
        if left.is_empty() {
            return;
        }
        let ids = recipients(&left);
        if let Err(error) = self.shared.ledger.release(&ids).await {
            tracing::warn!(hop = %self.hop.key, %error, "claims could not be given back; they end by themselves");
        }
    }

    async fn let_workers_end(&mut self) {
        self.give_back().await;
        let clock = self.shared.ledger.world().clock.clone();
        self.hop.work.notify_waiters();
        while !self.crew.is_empty() {
            self.hop.pulse.beat("letting workers end");
            tokio::select! {
                biased;
                Some(ended) = self.crew.join_next() => {
                    self.crew.ended(ended).await;
                    self.hop.work.notify_waiters();
                }
                () = clock.sleep(LOOK_EVERY) => self.crew.replace_hung().await,
            }
        }
    }
}

impl Failure {
    /// What the lack of a course means for the hop.
    pub(crate) fn of(astray: Astray) -> NoConveyance {
        match astray {
            Astray::Final(reply) => NoConveyance::Final(reply),
            Astray::ForNow { reply, ours } => NoConveyance::ForNow(Failure {
                reply,
                peer: String::new(),
                ours,
            }),
        }
    }
}
