//! What a load run measured: counted while it runs, printed at its end.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dialogue::client::{Broken, Outcome, Whereabouts};
use crate::histogram::{Histogram, Percentiles};

/// Counts of a run under way.
#[derive(Default)]
pub struct Tally {
    report: Report,
    transaction: Histogram,
    time_to_250: Histogram,
}

/// The result of a load run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// From the first connection to the last reply.
    pub seconds: f64,
    /// Transactions begun.
    pub attempted: u64,
    /// Messages taken for at least one recipient.
    pub accepted: u64,
    /// Recipients a 250 was given for.
    pub recipients_accepted: u64,
    /// Accepted messages a second.
    pub rate: f64,
    /// Refusals by reply code.
    pub refused: BTreeMap<u16, u64>,
    /// The first refusal of each code, in its words.
    pub refusal: BTreeMap<u16, String>,
    /// Connections that did not come about.
    pub not_connected: u64,
    /// Connections that broke with the message still here.
    pub broken: u64,
    /// Connections that broke after the whole message was sent, before its reply.
    pub outcome_unknown: u64,
    /// Why the last connection broke or did not come about.
    pub last_error: Option<String>,
    /// From MAIL (or connecting, with one message a connection) to the reply, in milliseconds.
    pub transaction_ms: Percentiles,
    /// From the last byte of the message to the reply, in milliseconds.
    pub time_to_250_ms: Percentiles,
}

impl Tally {
    /// A transaction begins.
    pub fn attempted(&mut self) {
        self.report.attempted += 1;
    }

    /// A transaction came to its end.
    pub fn ended(&mut self, outcome: &Outcome, whole: Duration) {
        let taken = outcome.accepted.iter().filter(|taken| **taken).count();
        self.report.recipients_accepted += taken as u64;
        if taken > 0 {
            self.report.accepted += 1;
            self.transaction.add(whole);
            self.time_to_250.add(outcome.wait);
        }
        for refusal in &outcome.refusals {
            *self.report.refused.entry(refusal.code).or_default() += 1;
            self.report
                .refusal
                .entry(refusal.code)
                .or_insert_with(|| refusal.text.clone());
        }
    }

    /// A connection did not come about.
    pub fn not_connected(&mut self, error: &io::Error) {
        self.report.not_connected += 1;
        self.report.last_error = Some(error.to_string());
    }

    /// A connection broke.
    pub fn broken(&mut self, broken: &Broken) {
        match broken.message {
            Whereabouts::Here => self.report.broken += 1,
            Whereabouts::Unknown => self.report.outcome_unknown += 1,
        }
        self.report.last_error = Some(broken.error.to_string());
    }

    /// The result after `elapsed`.
    pub fn report(&self, elapsed: Duration) -> Report {
        let seconds = elapsed.as_secs_f64();
        Report {
            seconds,
            rate: self.report.accepted as f64 / seconds,
            transaction_ms: self.transaction.percentiles(),
            time_to_250_ms: self.time_to_250.percentiles(),
            ..self.report.clone()
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "accepted {} of {} messages ({} recipients) in {:.2} s: {:.0} messages/s",
            self.accepted, self.attempted, self.recipients_accepted, self.seconds, self.rate
        )?;
        writeln!(
            f,
            "{:<14}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "milliseconds", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for (name, times) in [
            ("transaction", self.transaction_ms),
            ("time to 250", self.time_to_250_ms),
        ] {
            writeln!(
                f,
                "{name:<14}{:>10.3}{:>10.3}{:>10.3}{:>10.3}{:>10.3}",
                times.p50, times.p90, times.p99, times.p999, times.max
            )?;
        }
        for (code, count) in &self.refused {
            let words = self.refusal.get(code).map_or("", String::as_str);
            writeln!(f, "refused {code}: {count}, first: {words}")?;
        }
        if self.not_connected + self.broken + self.outcome_unknown > 0 {
            let error = self.last_error.as_deref().unwrap_or("");
            writeln!(
                f,
                "connections: {} not made, {} broken before the message was sent, {} with outcome unknown; last: {error}",
                self.not_connected, self.broken, self.outcome_unknown
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::client::Reply;

    #[test]
    fn refusals_are_counted_by_code_and_do_not_enter_the_latencies() {
        let mut tally = Tally::default();
        let refusal = |code, text: &str| Reply {
            code,
            text: text.to_owned(),
        };
        for outcome in [
            Outcome {
                accepted: vec![true, false],
                refusals: vec![refusal(550, "550 no one")],
                wait: Duration::from_millis(1),
            },
            Outcome {
                accepted: vec![false],
                refusals: vec![refusal(550, "550 other")],
                wait: Duration::from_secs(9),
            },
        ] {
            tally.attempted();
            tally.ended(&outcome, Duration::from_millis(2));
        }
        let report = tally.report(Duration::from_secs(2));
        assert_eq!(report.refused, BTreeMap::from([(550, 2)]));
        assert_eq!(
            report.refusal.get(&550).map(String::as_str),
            Some("550 no one")
        );
        assert_eq!(
            (
                report.attempted,
                report.accepted,
                report.recipients_accepted
            ),
            (2, 1, 1)
        );
        assert_eq!(report.rate, 0.5);
        assert_eq!(report.time_to_250_ms.max, 1.0);
    }
}
