//! Long-lived tasks under supervision: one that panics, ends or gives no pulse is replaced, and whoever asks hears of it.
//!
//! ```text
//!   keep(name, limit, work) --> guard --spawns--> work(pulse)      beats, or says how long it will rest
//!                                 |  panicked, ended, silent past its limit
//!                                 '--> noted, aborted, and after a pause work(pulse) anew
//! ```
//!
//! A guard runs where the [`Supervisor`] was made; the work runs where it was given to be kept. A task that blocks its
//! thread cannot be ended from outside: it is left to itself, and another does its work.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::Time;
use crate::clock::{Clock, add};

#[cfg(test)]
mod tests;

/// The pause before a task is started anew, so that a defect met at once does not eat a processor.
pub const PAUSE: Duration = Duration::from_secs(1);

/// How long a task that was told to end has for it before another takes its place.
const ABORT_WAIT: Duration = Duration::from_secs(1);

/// A guard that wakes later than this after its time was stopped with the whole process, and its task with it: the task gets
/// its time again.
const LATE: Duration = Duration::from_secs(2);

/// How long a replacement is told of: longer than a worker may be at one stage, so that one that hangs again and again is told
/// of without a break.
pub const RECENT: Duration = Duration::from_secs(60 * 60);

/// Different tasks that are told of, at most: there are some dozens.
const TOLD_MAX: usize = 256;

/// Of what a failed task had in hand, so much is told of.
pub const ABOUT_MAX: usize = 20;

/// Characters kept of what a panic said.
const WORDS_MAX: usize = 300;

/// Keeps tasks. Clones share what is known of them.
#[derive(Debug, Clone)]
pub struct Supervisor {
    clock: Clock,
    guards: Handle,
    told: Arc<Mutex<Told>>,
}

type Told = BTreeMap<(String, Failure), Replaced>;

/// How a task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// It panicked, or ended though it never should.
    Ended,
    /// It stayed at this stage for longer than it may.
    Hung(&'static str),
}

/// A task that was replaced lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Which.
    pub task: String,
    /// How it failed.
    pub failure: Failure,
    /// When this began, by the wall clock.
    pub since: Time,
    /// How often since then.
    pub times: u32,
    /// In words, the last time.
    pub words: String,
    /// What it had in hand, the newest last; [`ABOUT_MAX`] at most.
    pub about: Vec<String>,
    /// How many it had in hand, in all.
    pub about_all: usize,
    last: Instant,
}

/// A supervised task; dropped, it is ended at once.
#[derive(Debug)]
pub struct Kept {
    guard: JoinHandle<()>,
    may_end: Arc<AtomicBool>,
}

impl Supervisor {
    /// Guards run on the current runtime. Needs one.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::on(clock, Handle::current())
    }

    /// Guards run on `guards`: apart from what they guard, they work when that does not.
    #[must_use]
    pub fn on(clock: Clock, guards: Handle) -> Self {
        Self {
            clock,
            guards,
            told: Arc::default(),
        }
    }

    /// Runs `work` on the current runtime for ever. It must beat within `limit`, or say how long it rests.
    pub fn keep<W, F>(&self, name: impl Into<String>, limit: Duration, work: W) -> Kept
    where
        W: Fn(Pulse) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.keep_on(&Handle::current(), name, limit, work)
    }

    /// The same on a runtime of its own.
    pub fn keep_on<W, F>(
        &self,
        runtime: &Handle,
        name: impl Into<String>,
        limit: Duration,
        work: W,
    ) -> Kept
    where
        W: Fn(Pulse) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let may_end = Arc::new(AtomicBool::new(false));
        let guard = Guard {
            supervisor: self.clone(),
            runtime: runtime.clone(),
            name: name.into(),
            limit,
            may_end: may_end.clone(),
        };
        let guard = self.guards.spawn(guard.keep(work));
        Kept { guard, may_end }
    }

    /// Something was replaced, as by those who keep tasks of their own: a worker, a next hop's task. `about` names what it had
    /// in hand.
    pub fn note(&self, task: &str, failure: Failure, words: &str, about: &[String]) {
        tracing::error!(task, words, ?about, "a task failed and is replaced");
        let (since, last) = (self.clock.now(), Instant::now());
        let mut told = self.hold();
        told.retain(|_, one| last.duration_since(one.last) < RECENT);
        let key = (task.to_owned(), failure);
        if told.len() >= TOLD_MAX && !told.contains_key(&key) {
            return;
        }
        let one = told.entry(key).or_insert_with(|| Replaced {
            task: task.to_owned(),
            failure,
            since,
            times: 0,
            words: String::new(),
            about: Vec::new(),
            about_all: 0,
            last,
        });
        one.times = one.times.saturating_add(1);
        one.last = last;
        one.words = words.chars().take(WORDS_MAX).collect();
        for about in about {
            if !one.about.contains(about) {
                one.about.push(about.clone());
                one.about_all += 1;
            }
        }
        let more = one.about.len().saturating_sub(ABOUT_MAX);
        one.about.drain(..more);
    }

    /// Tasks that were replaced within the last [`RECENT`], by name.
    #[must_use]
    pub fn replaced(&self) -> Vec<Replaced> {
        let now = Instant::now();
        let told = self.hold();
        let recent = told
            .values()
            .filter(|one| now.duration_since(one.last) < RECENT);
        recent.cloned().collect()
    }

    fn hold(&self) -> MutexGuard<'_, Told> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// From now on it may end, and is not started anew then.
    pub fn may_end(&self) {
        self.may_end.store(true, Ordering::Release);
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) {
        self.may_end();
        if let Err(error) = (&mut self.guard).await {
            tracing::debug!(%error, "a guard was ended with its task");
        }
    }

    /// Ends it, and waits until it has.
    pub async fn stop(mut self) {
        self.guard.abort();
        self.ended().await;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.guard.abort();
    }
}

struct Guard {
    supervisor: Supervisor,
    runtime: Handle,
    name: String,
    limit: Duration,
    may_end: Arc<AtomicBool>,
}

impl Guard {
    async fn keep<W, F>(self, work: W)
    where
        W: Fn(Pulse) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            let pulse = Pulse::new(&self.supervisor.clock, self.limit);
            // Dropped with this guard, it ends the work too.
            let mut task = JoinSet::new();
            task.spawn_on(work(pulse.clone()), &self.runtime);
            let (failure, words) = until_it_fails(&mut task, &pulse).await;
            if self.may_end.load(Ordering::Acquire) {
                return;
            }
            self.supervisor.note(&self.name, failure, &words, &[]);
            task.abort_all();
            if tokio::time::timeout(ABORT_WAIT, task.join_next())
                .await
                .is_err()
            {
                tracing::error!(
                    task = self.name,
                    "it blocks its thread and is left to itself"
                );
            }
            drop(task);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Why it has to be replaced.
async fn until_it_fails(task: &mut JoinSet<()>, pulse: &Pulse) -> (Failure, String) {
    loop {
        let due = pulse.due();
        tokio::select! {
            biased;
            joined = task.join_next() => return match joined {
                Some(Err(error)) => (Failure::Ended, panic_words(error)),
                Some(Ok(())) | None => (Failure::Ended, "it ended".to_owned()),
            },
            () = tokio::time::sleep_until(due) => {
                if due.elapsed() > LATE {
                    pulse.again();
                } else if let Some((stage, words)) = pulse.silence() {
                    return (Failure::Hung(stage), words);
                }
            }
        }
    }
}

/// What a task said when it panicked.
#[must_use]
pub fn panic_words(error: JoinError) -> String {
    let display = error.to_string();
    let Ok(payload) = error.try_into_panic() else {
        return display;
    };
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or(display)
}

/// Shows that a task goes on, and at which stage it is. Clones show the same.
#[derive(Debug, Clone)]
pub struct Pulse {
    clock: Clock,
    limit: Duration,
    beat: Arc<Mutex<Beat>>,
}

/// Time that a test jumps over is nobody's silence: this is the runtime's own clock.
#[derive(Debug, Clone, Copy)]
struct Beat {
    stage: &'static str,
    at: Instant,
    due: Instant,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The stage's name.
    pub stage: &'static str,
    /// For how long it has been there.
    pub lasted: Duration,
    /// Whether that is longer than it may.
    pub overdue: bool,
}

impl Pulse {
    /// A pulse that begins to beat now.
    #[must_use]
    pub fn new(clock: &Clock, limit: Duration) -> Self {
        let at = Instant::now();
        Self {
            clock: clock.clone(),
            limit,
            beat: Arc::new(Mutex::new(Beat {
                stage: "start",
                at,
                due: add(at, limit),
            })),
        }
    }

    /// It goes on, at this stage, and will say so again within its limit.
    pub fn beat(&self, stage: &'static str) {
        self.beat_within(stage, self.limit);
    }

    /// It goes on, at a stage that may last this long.
    pub fn beat_within(&self, stage: &'static str, limit: Duration) {
        let at = Instant::now();
        let due = add(at, limit);
        *self.hold() = Beat { stage, at, due };
    }

    /// Rests, and goes on.
    pub async fn sleep(&self, duration: Duration) {
        self.beat_within("rest", duration.saturating_add(self.limit));
        self.clock.sleep(duration).await;
        self.beat("work");
    }

    /// Where it is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let beat = *self.hold();
        Standing {
            stage: beat.stage,
            lasted: beat.at.elapsed(),
            overdue: Instant::now() >= beat.due,
        }
    }

    /// The stage at which it is for longer than it may, and that in words.
    #[must_use]
    pub fn silence(&self) -> Option<(&'static str, String)> {
        let standing = self.standing();
        let Standing { stage, lasted, .. } = standing;
        let words = || format!("it hung at the stage {stage:?} for {} s", lasted.as_secs());
        standing.overdue.then(|| (stage, words()))
    }

    /// When it has to have beaten again.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.hold().due
    }

    /// Its time begins again; a rest that it has begun meanwhile is not cut short.
    fn again(&self) {
        let mut beat = self.hold();
        beat.due = beat.due.max(add(Instant::now(), self.limit));
    }

    fn hold(&self) -> MutexGuard<'_, Beat> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
