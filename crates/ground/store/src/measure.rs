//! What is counted in memory, by atomics, beside where it happens: since the process started, and gone with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// How long a commit takes: from a disk that only says that it flushes to one that hardly answers.
const COMMIT_TIMES: &[Duration] = &[
    micros(500),
    micros(1_000),
    micros(2_000),
    micros(5_000),
    micros(10_000),
    micros(20_000),
    micros(50_000),
    micros(100_000),
    micros(250_000),
    micros(500_000),
    micros(1_000_000),
    micros(5_000_000),
    micros(30_000_000),
];

/// How long things took, by classes.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [Duration],
    /// One for each bound, and one for what took longer.
    counts: Box<[AtomicU64]>,
    micros: AtomicU64,
}

/// A histogram as it was at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    /// The longest time of each class but the last, ascending.
    pub bounds: &'static [Duration],
    /// How many of each class; the last took longer than all bounds.
    pub counts: Vec<u64>,
    /// The sum of all times.
    pub sum: Duration,
}

impl Histogram {
    /// Nothing yet, by classes that end at `bounds`, which ascend.
    #[must_use]
    pub fn new(bounds: &'static [Duration]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0));
        Self {
            bounds,
            counts: counts.collect(),
            micros: AtomicU64::new(0),
        }
    }

    /// One more took this long.
    pub fn note(&self, took: Duration) {
        let class = self.bounds.partition_point(|bound| *bound < took);
        if let Some(count) = self.counts.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// As it is now.
    #[must_use]
    pub fn read(&self) -> Buckets {
        let counts = self.counts.iter();
        Buckets {
            bounds: self.bounds,
            counts: counts.map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: micros(self.micros.load(Ordering::Relaxed)),
        }
    }
}

/// What the writer has committed.
#[derive(Debug)]
pub struct Commits {
    /// How long each commit took.
    pub time: Histogram,
    units: AtomicU64,
}

impl Default for Commits {
    fn default() -> Self {
        Self {
            time: Histogram::new(COMMIT_TIMES),
            units: AtomicU64::new(0),
        }
    }
}

impl Commits {
    pub(crate) fn note(&self, took: Duration, units: usize) {
        self.time.note(took);
        self.units.fetch_add(units as u64, Ordering::Relaxed);
    }

    /// Units that were in those commits.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.units.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_class_that_ends_at_it_or_next_above_it() {
        const BOUNDS: &[Duration] = &[micros(10), micros(20)];
        let histogram = Histogram::new(BOUNDS);
        for took in [0, 10, 11, 20, 21, 1000] {
            histogram.note(micros(took));
        }
        let expected = Buckets {
            bounds: BOUNDS,
            counts: vec![2, 2, 2],
            sum: micros(1062),
        };
        assert_eq!(histogram.read(), expected);
    }
}
