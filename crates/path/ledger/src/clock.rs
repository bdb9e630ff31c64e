//! The book's clock: the present that ages and deadlines are counted by. A stepped wall clock hurries and loses nothing.
//!
//! It starts with the wall clock, goes on with the steady one, and follows the wall clock while that stays near, as a time
//! server slews it. A wall clock that is suddenly [`FOLLOWED`] or more away was stepped: no mail has grown older or younger by
//! that. From then on the book's clock goes towards it no faster than a time server slews a clock ([`SLEWED`]), so that no
//! lifetime is shorter and no notice earlier by more than a two-thousandth of the time since the step. Nodes that share a store agree
//! in the long run.
//!
//! Nobody can tell a step from a machine that was stopped together with its steady clock. The node records what it saw
//! (`clock_stepped`), and a restart takes the wall clock as it is then.

use std::sync::atomic::{AtomicI64, Ordering};

use ground_world::clock::Clock;
use tokio::time::Instant;
use wire_message::Time;

/// Milliseconds between the clocks up to which the wall clock is followed at once: well within the slack of every promise
/// about time, and more than a clock that is kept right is ever corrected by at once.
const FOLLOWED: i64 = 60_000;

/// Steady milliseconds in which the book's clock goes one millisecond towards a wall clock that was stepped: 500 in a million,
/// as fast as the kernel and every time server slew a clock.
const SLEWED: i64 = 2000;

/// The wall clock was stepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// By how many milliseconds, forward or back.
    pub(crate) by: i64,
}

/// See the file's head. Times are milliseconds.
#[derive(Debug)]
pub(crate) struct BookClock {
    clock: Clock,
    started_at: Time,
    started: Instant,
    /// What the book's clock is ahead of the steady one.
    offset: AtomicI64,
    /// How far the steady one was when the offset was last looked at.
    looked: AtomicI64,
    /// How far the wall clock was ahead of the book's when a step was last told of.
    told: AtomicI64,
}

impl BookClock {
    pub(crate) fn start(clock: Clock) -> Self {
        Self {
            started_at: clock.now(),
            started: clock.instant(),
            clock,
            offset: AtomicI64::new(0),
            looked: AtomicI64::new(0),
            told: AtomicI64::new(0),
        }
    }

    /// When it started.
    pub(crate) fn started_at(&self) -> Time {
        self.started_at
    }

    /// The wall clock, whatever it shows.
    pub(crate) fn wall(&self) -> Time {
        self.clock.now()
    }

    /// The start and the steady time since: never stepped.
    pub(crate) fn steady(&self) -> Time {
        let since = self.clock.instant();
        self.started_at + since.saturating_duration_since(self.started)
    }

    /// The present.
    pub(crate) fn now(&self) -> Time {
        let steady = self.steady().as_millis();
        let passed = steady - self.started_at.as_millis();
        let wall = self.wall().as_millis();
        let offset = self.offset.load(Ordering::Relaxed);
        let ahead = wall - (steady + offset);
        if ahead.abs() < FOLLOWED {
            self.offset.store(wall - steady, Ordering::Relaxed);
            self.looked.store(passed, Ordering::Relaxed);
            return Time::from_millis(wall);
        }
        let looked = self.looked.load(Ordering::Relaxed);
        let slewed = (passed - looked) / SLEWED;
        if slewed > 0 {
            // Whoever comes first does it.
            let now_looked = looked + slewed * SLEWED;
            let won = self
                .looked
                .compare_exchange(looked, now_looked, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
            if won {
                let by = slewed * ahead.signum();
                self.offset.fetch_add(by, Ordering::Relaxed);
            }
        }
        Time::from_millis(steady + self.offset.load(Ordering::Relaxed))
    }

    /// By how many milliseconds the wall clock is ahead of the book's: less than [`FOLLOWED`] either way, unless it was stepped.
    pub(crate) fn wall_is_ahead(&self) -> i64 {
        let now = self.now().as_millis();
        self.wall().as_millis() - now
    }

    /// A step of the wall clock since this was asked last.
    pub(crate) fn new_step(&self) -> Option<Step> {
        let ahead = self.wall_is_ahead();
        let stepped = match ahead.abs() < FOLLOWED {
            true => 0,
            false => ahead,
        };
        let told = self.told.swap(stepped, Ordering::Relaxed);
        // What was slewed since the last look is no news.
        let news = (stepped - told).abs() >= FOLLOWED;
        news.then_some(Step { by: stepped - told })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ground_world::World;

    use super::*;

    const DAY: i64 = 86_400_000;

    #[tokio::test(start_paused = true)]
    async fn a_step_of_a_day_hurries_nothing_and_loses_nothing() {
        for by in [DAY, -DAY] {
            let (world, simulation) = World::simulated(1);
            let clock = BookClock::start(world.clock.clone());
            let start = clock.now();
            simulation.clock.step(by);
            assert_eq!(clock.now(), start, "{by}");
            assert_eq!(clock.new_step(), Some(Step { by }));
            assert_eq!(clock.new_step(), None);
            for hours in 1..=96u64 {
                simulation.clock.advance(Duration::from_secs(3600)).await;
                let passed = clock.now().as_millis() - start.as_millis();
                let steady = i64::try_from(hours * 3_600_000).unwrap();
                let off = (passed - steady) * by.signum();
                assert!((0..=steady / SLEWED).contains(&off), "{hours}: {off}");
                assert_eq!(clock.new_step(), None);
            }
            simulation.clock.step(-by);
            assert!(clock.new_step().is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_kept_right_is_followed() {
        let (world, simulation) = World::simulated(1);
        let clock = BookClock::start(world.clock.clone());
        for by in [500, -700, 59_000, -59_000] {
            simulation.clock.advance(Duration::from_secs(3600)).await;
            simulation.clock.step(by);
            assert_eq!(clock.now(), world.clock.now());
            assert_eq!(clock.new_step(), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_comes_back_is_followed_again() {
        let (world, simulation) = World::simulated(1);
        let clock = BookClock::start(world.clock.clone());
        simulation.clock.step(DAY);
        simulation.clock.advance(Duration::from_secs(3600)).await;
        clock.now();
        simulation.clock.step(-DAY);
        assert_eq!(clock.now(), world.clock.now());
        assert_eq!(clock.wall_is_ahead(), 0);
    }
}
