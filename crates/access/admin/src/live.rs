//! Pace: how many recipients a second, at the moment and over the last hour. In memory only, for the eye.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ground_world::supervise::Pulse;
use path_ledger::{State, Totals};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::web::Web;
use crate::{Answer, Question, Request};

/// How often the totals are read: one query over a few rows.
const INTERVAL: Duration = Duration::from_secs(1);

/// The same where no listener is for HTTP.
const CLOSED: Duration = Duration::from_secs(30);

/// It shows that it lives within this time.
pub const PACE_PULSE: Duration = Duration::from_secs(60);

/// Rates of the moment are taken over this many samples.
const MOMENT: usize = 5;

/// Samples that are kept for rates of the moment.
const RECENT: usize = 30;

/// The hour is kept as points of this many seconds each.
const POINT: u64 = 30;

/// Points of an hour.
pub(crate) const POINTS: usize = 120;

/// Recipients a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rates {
    pub(crate) accepted: f64,
    /// Delivered here or relayed.
    pub(crate) delivered: f64,
    pub(crate) returned: f64,
    /// In any final state.
    pub(crate) ended: f64,
}

/// How long recipients took from acceptance to this final state, as this node has counted it since it started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimesLine {
    /// What they became.
    pub state: State,
    /// The longest time of each class but the last, in seconds.
    pub bounds: Vec<f64>,
    /// How many of each class.
    pub recipients: Vec<u64>,
}

#[derive(Debug, Clone)]
struct Sample {
    at: Instant,
    totals: Totals,
    times: Vec<TimesLine>,
}

#[derive(Debug, Default)]
struct Samples {
    recent: VecDeque<Sample>,
    point: Option<Sample>,
    hour: VecDeque<(Rates, Vec<TimesLine>)>,
}

/// The samples of this node.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    samples: Mutex<Samples>,
}

impl Rates {
    fn between(first: &Sample, last: &Sample) -> Self {
        let seconds = last.at.saturating_duration_since(first.at).as_secs_f64();
        let rate = |of: fn(&Totals) -> u64| {
            let more = of(&last.totals).saturating_sub(of(&first.totals));
            match seconds > 0.0 {
                #[expect(clippy::cast_precision_loss, reason = "a rate for the eye")]
                true => more as f64 / seconds,
                false => 0.0,
            }
        };
        Self {
            accepted: rate(|totals| totals.accepted),
            delivered: rate(|totals| totals.delivered + totals.relayed),
            returned: rate(|totals| totals.returned),
            ended: rate(Totals::ended),
        }
    }
}

impl Pace {
    fn samples(&self) -> MutexGuard<'_, Samples> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, sample: Sample) {
        let mut samples = self.samples();
        let whole = samples.point.as_ref().map(|first| {
            (sample.at.saturating_duration_since(first.at) >= Duration::from_secs(POINT))
                .then(|| Rates::between(first, &sample))
        });
        match whole {
            None => samples.point = Some(sample.clone()),
            Some(Some(rates)) => {
                let since = samples.point.replace(sample.clone());
                let times = since.map_or_else(Vec::new, |since| since.times);
                samples.hour.push_back((rates, times));
                if samples.hour.len() > POINTS {
                    samples.hour.pop_front();
                }
            }
            Some(None) => {}
        }
        samples.recent.push_back(sample);
        if samples.recent.len() > RECENT {
            samples.recent.pop_front();
        }
    }

    /// Of the moment.
    pub(crate) fn rates(&self) -> Rates {
        let samples = self.samples();
        let first = samples.recent.len().saturating_sub(MOMENT + 1);
        match (samples.recent.get(first), samples.recent.back()) {
            (Some(first), Some(last)) => Rates::between(first, last),
            (None, _) | (_, None) => Rates::default(),
        }
    }

    /// Of the last hour, oldest first.
    pub(crate) fn history(&self) -> Vec<Rates> {
        let samples = self.samples();
        let mut points: Vec<Rates> = samples.hour.iter().map(|(rates, _)| *rates).collect();
        if let (Some(first), Some(last)) = (&samples.point, samples.recent.back()) {
            points.push(Rates::between(first, last));
        }
        points
    }

    /// How long those took that ended in the last hour.
    pub(crate) fn times(&self) -> Vec<TimesLine> {
        let samples = self.samples();
        let first = samples.hour.front().map(|(_, times)| times);
        let first = first.or_else(|| samples.point.as_ref().map(|point| &point.times));
        let (Some(first), Some(last)) = (first, samples.recent.back()) else {
            return Vec::new();
        };
        let since = |line: &TimesLine| {
            let before = first.iter().find(|before| before.state == line.state);
            let before = before.map_or(&[][..], |before| &before.recipients);
            let counts = line.recipients.iter().enumerate();
            TimesLine {
                recipients: counts
                    .map(|(class, n)| n.saturating_sub(before.get(class).copied().unwrap_or(0)))
                    .collect(),
                ..line.clone()
            }
        };
        last.times.iter().map(since).collect()
    }
}

impl Web {
    /// Reads the totals again and again, for ever. What it cannot read it leaves out.
    pub async fn keep_pace(self, pulse: Pulse) {
        let clock = self.world().clock.clone();
        loop {
            pulse.beat("reading totals");
            if !self.is_open() {
                clock.sleep(CLOSED).await;
                continue;
            }
            if let Some((totals, times)) = self.read_pace().await {
                let at = clock.instant();
                self.pace().add(Sample { at, totals, times });
            }
            clock.sleep(INTERVAL).await;
        }
    }

    async fn read_pace(&self) -> Option<(Totals, Vec<TimesLine>)> {
        let request = |question| Request {
            by: "pace".to_owned(),
            question,
            content: bytes::Bytes::new(),
        };
        let Answer::One { fact } = self.ask(request(Question::Totals)).await else {
            return None;
        };
        let Answer::Rows { rows } = self.ask(request(Question::Times)).await else {
            return None;
        };
        let times = rows.into_iter().map(serde_json::from_value);
        let times: Result<_, _> = times.collect();
        Some((serde_json::from_value(fact).ok()?, times.ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_seconds_and_the_hour_of_points() {
        let pace = Pace::default();
        let start = Instant::now();
        for second in 0..90 {
            let totals = Totals {
                accepted: second * 10,
                delivered: second * 4,
                ..Totals::default()
            };
            let at = start + Duration::from_secs(second);
            let times = vec![TimesLine {
                state: State::Delivered,
                bounds: vec![1.0],
                recipients: vec![second * 3, second],
            }];
            pace.add(Sample { at, totals, times });
        }
        let rates = pace.rates();
        assert!((rates.accepted - 10.0).abs() < 1e-9, "{rates:?}");
        assert!((rates.ended - 4.0).abs() < 1e-9, "{rates:?}");
        // Two whole points, and the one that is being made.
        assert_eq!(pace.history().len(), 3);
        assert_eq!(pace.times()[0].recipients, [89 * 3, 89]);
    }
}
