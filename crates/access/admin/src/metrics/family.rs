//! What was read: each measure with its points. The text and what is pushed are written from the same.

use ground_store::Buckets;

use super::catalogue::{Declared, Measure};

/// A measure and what was read of it.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) measure: Measure,
    pub(super) points: Vec<Point>,
}

/// What was read for one set of labels.
#[derive(Debug)]
pub(super) struct Point {
    /// The values of the labels that are declared, in their order.
    pub(super) labels: Vec<String>,
    pub(super) reading: Reading,
}

/// What was read.
#[derive(Debug)]
pub(super) enum Reading {
    Whole(i64),
    Real(f64),
    Times(Buckets),
}

impl From<u64> for Reading {
    fn from(count: u64) -> Self {
        Self::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Reading {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Reading {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl Family {
    pub(super) const fn of(measure: Measure) -> Self {
        Self {
            measure,
            points: Vec::new(),
        }
    }

    /// A point; `labels` are the values of those that are declared, in their order.
    pub(super) fn value(&mut self, labels: &[&str], reading: impl Into<Reading>) {
        let Declared {
            name,
            labels: names,
            ..
        } = self.measure.declared();
        debug_assert_eq!(names.len(), labels.len(), "{name}");
        self.points.push(Point {
            labels: labels.iter().map(|value| (*value).to_owned()).collect(),
            reading: reading.into(),
        });
    }

    /// The point of a histogram.
    pub(super) fn histogram(&mut self, labels: &[&str], buckets: &Buckets) {
        self.value(labels, Reading::Times(buckets.clone()));
    }

    /// The labels of a point by their names.
    pub(super) fn named<'a>(
        &self,
        point: &'a Point,
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        let names = self.measure.declared().labels.iter().copied();
        names.zip(point.labels.iter().map(String::as_str))
    }
}
