//! All results of a comparison: medians, ratios, the table.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::thread::available_parallelism;

use serde::Serialize;

use super::backlog::Backlog;
use super::contestant::Contestant;
use super::measure::Sample;

/// The contestant the others are compared with.
const MEASURE_OF_ALL: &str = "postfix";

/// Everything measured.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Processors of this machine.
    pub processors: usize,
    /// Its kernel.
    pub kernel: String,
    /// Each contestant's version.
    pub versions: BTreeMap<String, String>,
    /// Every run.
    pub samples: Vec<Sample>,
    /// Listing and restart.
    pub backlogs: Vec<Backlog>,
}

/// Medians over the rounds of one contestant in one case.
struct Row {
    contestant: String,
    rate: f64,
    slowest: f64,
    fastest: f64,
    cpu: f64,
    written: f64,
    disk: f64,
    memory: f64,
    p50: f64,
    p99: f64,
}

impl Results {
    /// Nothing measured yet.
    pub fn new(contestants: &[Contestant]) -> anyhow::Result<Self> {
        let mut versions = BTreeMap::new();
        for contestant in contestants {
            versions.insert(contestant.to_string(), contestant.version()?);
        }
        Ok(Self {
            processors: available_parallelism()?.get(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
                .trim()
                .to_owned(),
            versions,
            samples: Vec::new(),
            backlogs: Vec::new(),
        })
    }

    /// Cases in the order they were run.
    fn cases(&self) -> Vec<String> {
        let mut cases: Vec<String> = Vec::new();
        for sample in &self.samples {
            let case = sample.case.to_string();
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
        cases
    }

    fn rows(&self, case: &str) -> Vec<Row> {
        let of_case = || self.samples.iter().filter(|s| s.case.to_string() == case);
        let mut names: Vec<&str> = Vec::new();
        for sample in of_case() {
            if !names.contains(&sample.contestant.as_str()) {
                names.push(&sample.contestant);
            }
        }
        let row = |name: &str| {
            let of = |value: fn(&Sample) -> f64| -> Vec<f64> {
                of_case()
                    .filter(|s| s.contestant == name)
                    .map(value)
                    .collect()
            };
            let rates = of(|s| s.rate);
            Row {
                contestant: name.to_owned(),
                slowest: rates.iter().copied().fold(f64::INFINITY, f64::min),
                fastest: rates.iter().copied().fold(0.0, f64::max),
                rate: median(rates),
                cpu: median(of(|s| s.cpu_per_1000)),
                written: median(of(|s| s.written)),
                disk: median(of(|s| s.disk_written)),
                memory: median(of(|s| s.memory as f64)),
                p50: median(of(|s| s.p50_ms)),
                p99: median(of(|s| s.p99_ms)),
            }
        };
        names.into_iter().map(row).collect()
    }
}

/// The middle value; of an even number, the mean of the two in the middle; of none, 0.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => at(odd / 2),
        even => f64::midpoint(at(even / 2 - 1), at(even / 2)),
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<String> = self
            .versions
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        writeln!(
            f,
            "{} processors, Linux {}; {}. Medians; CPU, writes and memory of all processes of the server.\n",
            self.processors,
            self.kernel,
            versions.join(", ")
        )?;
        for case in self.cases() {
            writeln!(
                f,
                "{case:<22}{:>10}{:>16}{:>9}{:>10}{:>9}{:>9}{:>8}{:>9}{:>9}",
                "msg/s",
                "(from-to)",
                "ratio",
                "CPU s/1k",
                "ratio",
                "KiB/msg",
                "disk",
                "p50 ms",
                "p99 ms"
            )?;
            let rows = self.rows(&case);
            let base = rows.iter().find(|row| row.contestant == MEASURE_OF_ALL);
            for row in &rows {
                row.write(f, base)?;
            }
            writeln!(f)?;
        }
        for backlog in &self.backlogs {
            writeln!(f, "{backlog}")?;
        }
        Ok(())
    }
}

impl Row {
    fn write(&self, f: &mut fmt::Formatter<'_>, base: Option<&Row>) -> fmt::Result {
        let ratio = |of: fn(&Row) -> f64| {
            base.map_or("-".to_owned(), |base| format!("{:.2}", of(self) / of(base)))
        };
        writeln!(
            f,
            "  {:<20}{:>10.0}{:>16}{:>9}{:>10.3}{:>9}{:>9.1}{:>8.1}{:>9.2}{:>9.2}  {:.0} MiB",
            self.contestant,
            self.rate,
            format!("({:.0}-{:.0})", self.slowest, self.fastest),
            ratio(|row| row.rate),
            self.cpu,
            ratio(|row| row.cpu),
            self.written / 1024.0,
            self.disk / 1024.0,
            self.p50,
            self.p99,
            self.memory / f64::from(1 << 20),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_ignores_order_and_outliers() {
        for (values, expected) in [
            (vec![], 0.0),
            (vec![3.0], 3.0),
            (vec![9.0, 1.0], 5.0),
            (vec![1000.0, 2.0, 1.0], 2.0),
            (vec![4.0, 1.0, 3.0, 2.0], 2.5),
        ] {
            assert_eq!(median(values.clone()), expected, "{values:?}");
        }
    }
}
