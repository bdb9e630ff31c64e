//! Latencies in bounded memory: 64 buckets for each doubling, so a percentile is at most 1.6 % above the true value.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Values below this many microseconds have a bucket each.
const EXACT: u64 = 128;
/// Buckets for each doubling above [`EXACT`].
const PER_DOUBLING: u64 = 64;

/// Counts of durations, in microseconds.
#[derive(Default)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

/// The usual percentiles, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 90 % were at most this.
    pub p90: f64,
    /// 99 % were at most this.
    pub p99: f64,
    /// 99.9 % were at most this.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

impl Histogram {
    /// Counts one duration.
    pub fn add(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket_of(micros);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.max = self.max.max(micros);
    }

    /// The smallest bound that at least `share` (0 to 1) of the durations do not exceed, in microseconds.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = ((share * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_bound(bucket).min(self.max);
            }
        }
        self.max
    }

    /// The usual percentiles.
    pub fn percentiles(&self) -> Percentiles {
        let millis = |share| self.quantile(share) as f64 / 1000.0;
        Percentiles {
            p50: millis(0.5),
            p90: millis(0.9),
            p99: millis(0.99),
            p999: millis(0.999),
            max: self.max as f64 / 1000.0,
        }
    }
}

fn bucket_of(micros: u64) -> usize {
    if micros < EXACT {
        return micros as usize;
    }
    let shift = u64::from(micros.ilog2()) - u64::from(PER_DOUBLING.ilog2());
    (EXACT + (shift - 1) * PER_DOUBLING + (micros >> shift) - PER_DOUBLING) as usize
}

fn upper_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let shift = (bucket - EXACT) / PER_DOUBLING + 1;
    let within = (bucket - EXACT) % PER_DOUBLING + PER_DOUBLING;
    ((u128::from(within + 1) << shift) - 1).min(u128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(micros: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        for value in micros {
            histogram.add(Duration::from_micros(value));
        }
        histogram
    }

    #[test]
    fn every_value_lies_in_its_bucket_and_within_two_percent_of_its_bound() {
        let values = (0..100_000)
            .chain((0..63).map(|bit| 1 << bit))
            .chain([u64::MAX]);
        for value in values {
            let bucket = bucket_of(value);
            let bound = upper_bound(bucket);
            assert!(bound >= value, "{value}: bound {bound}");
            assert!(bound - value <= value / 64 + 1, "{value}: bound {bound}");
            if bucket > 0 {
                assert!(upper_bound(bucket - 1) < value, "{value} fits one lower");
            }
        }
    }

    #[test]
    fn quantiles_use_the_nearest_rank() {
        let hundred = filled(1..=100);
        for (share, expected) in [(0.5, 50), (0.9, 90), (0.99, 99), (0.999, 100), (1.0, 100)] {
            assert_eq!(hundred.quantile(share), expected, "share {share}");
        }
        assert_eq!(filled([7]).quantile(0.5), 7);
        assert_eq!(filled([1, 2]).quantile(0.5), 1);
    }

    #[test]
    fn one_slow_message_in_a_thousand_shows_in_the_maximum_only() {
        let percentiles = filled((0..999).map(|_| 100).chain([5_000_000])).percentiles();
        assert_eq!(percentiles.p999, 0.1);
        assert_eq!(percentiles.max, 5000.0);
    }

    #[test]
    fn nothing_measured_reads_as_zero() {
        assert_eq!(filled([]).percentiles(), Percentiles::default());
    }
}
