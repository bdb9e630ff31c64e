//! Wall time for ages, monotonic time for waits, and a way for tests to move both.
//!
//! | twin      | wall                              | waits                       | moved by                        |
//! |-----------|-----------------------------------|-----------------------------|---------------------------------|
//! | real      | the system clock                  | tokio's monotonic clock     | nobody                          |
//! | steered   | the system clock plus an offset   | the same, plus what was jumped | `ClockControl` (real scenarios) |
//! | simulated | a start plus virtual time elapsed | tokio's paused clock        | `ClockControl`, or just waiting |

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Time;
use crate::mishap::{Mishap, Spot};

/// How long a wait for a wall-clock time sleeps at most before it looks at the clock again. The system clock can be
/// stepped without telling anybody, so this bounds how late such a wait ends; a look costs about a microsecond.
pub const WALL_RECHECK: Duration = Duration::from_secs(10);

/// The wall clock of a simulation shows this at its start: 2026-01-01T00:00:00Z, in milliseconds of Unix time.
pub const SIMULATION_START_MILLIS: i64 = 1_767_225_600_000;

/// Tells the time and waits. Cloning is cheap; clones share one clock.
#[derive(Clone, Debug)]
pub struct Clock {
    twin: Twin,
    mishap: Mishap,
}

#[derive(Clone, Debug)]
enum Twin {
    Real,
    Steered(Arc<Steering>),
    Simulated(Arc<Simulated>),
}

/// What a test added to the real clocks.
#[derive(Debug, Default)]
struct Steering {
    wall_offset_millis: AtomicI64,
    jumped_millis: AtomicU64,
    moved: Notify,
}

#[derive(Debug)]
struct Simulated {
    start: Instant,
    wall_offset_millis: AtomicI64,
    moved: Notify,
}

/// The time allowed for something ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not finished within {after:?}")]
pub struct TimedOut {
    /// The time that was allowed.
    pub after: Duration,
}

impl Clock {
    fn of(twin: Twin) -> Self {
        let mishap = Mishap::none();
        Self { twin, mishap }
    }

    /// The same clock, for tasks to which something may happen.
    pub(crate) fn mortal(&self, mishap: Mishap) -> Self {
        let twin = self.twin.clone();
        Self { twin, mishap }
    }

    /// What may happen to those who wait by this clock.
    #[must_use]
    pub fn mishap(&self) -> &Mishap {
        &self.mishap
    }

    pub(crate) fn real() -> Self {
        Self::of(Twin::Real)
    }

    /// Clocks that start `ahead` of the system's.
    pub(crate) fn steered(ahead: Duration) -> (Self, ClockControl) {
        let steering = Arc::<Steering>::default();
        steering.advance(ahead);
        let clock = Self::of(Twin::Steered(steering));
        let control = ClockControl {
            clock: clock.clone(),
        };
        (clock, control)
    }

    pub(crate) fn simulated() -> (Self, ClockControl) {
        let simulated = Simulated {
            start: Instant::now(),
            wall_offset_millis: AtomicI64::new(0),
            moved: Notify::new(),
        };
        let clock = Self::of(Twin::Simulated(Arc::new(simulated)));
        let control = ClockControl {
            clock: clock.clone(),
        };
        (clock, control)
    }

    pub(crate) fn is_simulated(&self) -> bool {
        match &self.twin {
            Twin::Real | Twin::Steered(_) => false,
            Twin::Simulated(_) => true,
        }
    }

    /// The wall clock, UTC. For ages and deadlines that are written down; it can be stepped back and forth.
    pub fn now(&self) -> Time {
        Time::from_millis(match &self.twin {
            Twin::Real => system_millis(),
            Twin::Steered(steering) => {
                system_millis().saturating_add(steering.wall_offset_millis.load(Ordering::Acquire))
            }
            Twin::Simulated(simulated) => simulated.wall_millis(),
        })
    }

    /// The monotonic clock, for measuring and for waits inside this process. It never goes back.
    pub fn instant(&self) -> Instant {
        match &self.twin {
            Twin::Real | Twin::Simulated(_) => Instant::now(),
            Twin::Steered(steering) => steering.instant(),
        }
    }

    /// Waits for `duration` of monotonic time.
    pub async fn sleep(&self, duration: Duration) {
        self.mishap.meet(Spot::Sleep).await;
        match &self.twin {
            Twin::Real | Twin::Simulated(_) => tokio::time::sleep(duration).await,
            Twin::Steered(steering) => {
                let end = add(steering.instant(), duration);
                steering.sleep_until_instant(end).await;
            }
        }
    }

    /// Waits until the monotonic clock ([`Clock::instant`]) reaches `end`.
    pub async fn sleep_until_instant(&self, end: Instant) {
        self.mishap.meet(Spot::Sleep).await;
        match &self.twin {
            Twin::Real | Twin::Simulated(_) => tokio::time::sleep_until(end).await,
            Twin::Steered(steering) => steering.sleep_until_instant(end).await,
        }
    }

    /// Waits until the wall clock shows `end` or later. A step of the wall clock shortens or lengthens the wait: at once
    /// when a [`ClockControl`] made it, within [`WALL_RECHECK`] when the system did.
    pub async fn sleep_until(&self, end: Time) {
        self.mishap.meet(Spot::Sleep).await;
        loop {
            let mut moved = std::pin::pin!(self.moved());
            if let Some(moved) = moved.as_mut().as_pin_mut() {
                // Registers before the clock is read, so that a step between the two is not missed.
                moved.enable();
            }
            let Some(left) = self.until(end) else { return };
            let wait = match &self.twin {
                Twin::Real | Twin::Steered(_) => left.min(WALL_RECHECK),
                Twin::Simulated(_) => left,
            };
            match moved.as_pin_mut() {
                None => tokio::time::sleep(wait).await,
                Some(moved) => {
                    tokio::select! {
                        biased;
                        () = tokio::time::sleep(wait) => {}
                        () = moved => {}
                    }
                }
            }
        }
    }

    /// Gives `work` at most `limit`; it is dropped when the time is up.
    ///
    /// A jump by [`ClockControl::advance`] on the real twin does not count: the peers we wait for do not jump along.
    ///
    /// # Errors
    /// [`TimedOut`] when `work` was not finished in time.
    pub async fn timeout<F: Future>(
        &self,
        limit: Duration,
        work: F,
    ) -> Result<F::Output, TimedOut> {
        self.mishap.meet(Spot::Limited).await;
        tokio::time::timeout(limit, work)
            .await
            .map_err(|_elapsed| TimedOut { after: limit })
    }

    /// Does `work`, and says how long it took. A jump by [`ClockControl::advance`] on the real twin does not count: the
    /// work did not take it.
    pub async fn timed<F: Future>(&self, work: F) -> (F::Output, Duration) {
        let began = Instant::now();
        let done = work.await;
        (done, began.elapsed())
    }

    /// How long the wall clock needs to reach `end`; `None` when it has.
    fn until(&self, end: Time) -> Option<Duration> {
        Some(end.since(self.now())).filter(|left| !left.is_zero())
    }

    fn moved(&self) -> Option<tokio::sync::futures::Notified<'_>> {
        match &self.twin {
            Twin::Real => None,
            Twin::Steered(steering) => Some(steering.moved.notified()),
            Twin::Simulated(simulated) => Some(simulated.moved.notified()),
        }
    }
}

impl Steering {
    fn advance(&self, duration: Duration) {
        let forward = millis(duration);
        self.wall_offset_millis.fetch_add(forward, Ordering::AcqRel);
        self.jumped_millis
            .fetch_add(forward.unsigned_abs(), Ordering::AcqRel);
        self.moved.notify_waiters();
    }

    fn instant(&self) -> Instant {
        let jumped = Duration::from_millis(self.jumped_millis.load(Ordering::Acquire));
        add(Instant::now(), jumped)
    }

    async fn sleep_until_instant(&self, end: Instant) {
        loop {
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            let left = end.saturating_duration_since(self.instant());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep(left) => {}
                () = moved => {}
            }
        }
    }
}

impl Simulated {
    fn wall_millis(&self) -> i64 {
        SIMULATION_START_MILLIS
            .saturating_add(millis(self.start.elapsed()))
            .saturating_add(self.wall_offset_millis.load(Ordering::Acquire))
    }
}

/// Moves a clock, for tests. The server never holds one.
#[derive(Clone, Debug)]
pub struct ClockControl {
    clock: Clock,
}

impl ClockControl {
    /// Lets `duration` pass for both clocks.
    ///
    /// Simulated: everything that is due on the way happens, in order. Real: both clocks jump and every sleeper whose
    /// time has come wakes; limits given to [`Clock::timeout`] are not moved.
    pub async fn advance(&self, duration: Duration) {
        match &self.clock.twin {
            Twin::Real => {}
            Twin::Steered(steering) => steering.advance(duration),
            Twin::Simulated(_) => tokio::time::sleep(duration).await,
        }
    }

    /// Steps the wall clock alone by `by_millis`, forward or back, as an administrator or a time server would.
    /// The monotonic clock does not notice. Waits for wall-clock times look again.
    pub fn step(&self, by_millis: i64) {
        let (offset, moved) = match &self.clock.twin {
            Twin::Real => return,
            Twin::Steered(steering) => (&steering.wall_offset_millis, &steering.moved),
            Twin::Simulated(simulated) => (&simulated.wall_offset_millis, &simulated.moved),
        };
        offset.fetch_add(by_millis, Ordering::AcqRel);
        moved.notify_waiters();
    }
}

fn system_millis() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => millis(before.duration()).saturating_neg(),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// `start + duration`, or about thirty years later when that cannot be told.
pub(crate) fn add(start: Instant, duration: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
    start
        .checked_add(duration)
        .or_else(|| start.checked_add(FAR))
        .unwrap_or(start)
}

#[cfg(test)]
mod tests;
