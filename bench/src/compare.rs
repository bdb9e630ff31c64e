//! `compare`: servers side by side, on the same machine in the same minute, each with every 250 on the disk.
//!
//! The way through: for each scenario and each round, every contestant is started in a folder of its own, warmed up,
//! loaded and stopped, one after the other (A B A B), so that a drift of the machine meets all alike. Medians over the
//! rounds are printed. The generator and the sink are processes of their own; their CPU is not in the figures.

pub(crate) mod backlog;
pub(crate) mod contestant;
mod floor;
pub(crate) mod measure;
pub(crate) mod peers;
mod postfix;
mod postrider;
mod result;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::ValueEnum;

use contestant::{Contestant, Postrider};
use measure::Case;
use result::Results;

/// Whom to compare, in what, how long.
#[derive(clap::Args)]
pub struct Arguments {
    /// The Postrider binary (release build); without it, Postrider is left out
    #[arg(long, value_name = "FILE")]
    postrider: Option<PathBuf>,
    /// Leave Postfix out
    #[arg(long)]
    without_postfix: bool,
    /// Run the bare floor as well (accept and relay only)
    #[arg(long)]
    floor: bool,
    /// What to run
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "accept,relay,local,backlog"
    )]
    scenarios: Vec<Scenario>,
    /// Numbers of sessions for accept
    #[arg(long, value_delimiter = ',', default_value = "1,16,20,128")]
    sessions: Vec<u64>,
    /// Sessions for relay, local and for filling the backlog
    #[arg(long, default_value_t = 20)]
    steady_sessions: u64,
    /// Runs of each contestant in each scenario
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Load for so long in each run
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Warm up for so long before each run
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Bytes of each message
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// Messages in the backlog scenario
    #[arg(long, default_value_t = 100_000)]
    queued: u64,
    /// Existing folder on the disk to measure, for the servers' files (removed afterwards)
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Write all results to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What a contestant is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scenario {
    /// Accept and queue; the destination is held back
    Accept,
    /// Accept and relay to our sink
    Relay,
    /// Accept and deliver to 20 mailboxes
    Local,
    /// List and restart with a full queue
    Backlog,
}

/// Runs the comparison, prints its table, writes its JSON.
///
/// # Errors
/// When a contestant does not start, loses mail or does not finish in time.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let contestants = arguments.contestants();
    ensure!(!contestants.is_empty(), "nobody to measure");
    ensure!(arguments.rounds > 0, "--rounds must be above 0");
    let folder = arguments
        .folder
        .clone()
        .unwrap_or_else(std::env::temp_dir)
        .join(format!("postrider-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let ran = run_all(arguments, &contestants, &folder);
    let removed = fs::remove_dir_all(&folder);
    let results = ran?;
    removed.with_context(|| format!("cannot remove {}", folder.display()))?;
    print!("{results}");
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&results)?;
        fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn run_all(
    arguments: &Arguments,
    contestants: &[Contestant],
    folder: &std::path::Path,
) -> anyhow::Result<Results> {
    let mut results = Results::new(contestants)?;
    for case in arguments.cases() {
        for round in 1..=arguments.rounds {
            for contestant in contestants.iter().filter(|c| c.can(case.scenario)) {
                let sample = measure::run(contestant, case, round, folder)
                    .with_context(|| format!("{contestant}, {case}, round {round}"))?;
                eprintln!("{sample}");
                results.samples.push(sample);
            }
        }
    }
    if arguments.scenarios.contains(&Scenario::Backlog) {
        for contestant in contestants.iter().filter(|c| c.can(Scenario::Backlog)) {
            let backlog = backlog::run(contestant, &arguments.fill(), arguments.queued, folder)
                .with_context(|| format!("{contestant}, backlog"))?;
            eprintln!("{backlog}");
            results.backlogs.push(backlog);
        }
    }
    Ok(results)
}

impl Arguments {
    fn contestants(&self) -> Vec<Contestant> {
        let postfix = (!self.without_postfix).then_some(Contestant::Postfix);
        // Each server is started in a folder of its own.
        let postrider = self.postrider.as_ref().map(|binary| {
            let binary = std::path::absolute(binary).unwrap_or_else(|_| binary.clone());
            Contestant::Postrider(Postrider { binary, node: None })
        });
        let floor = self.floor.then_some(Contestant::Floor);
        [postfix, postrider, floor].into_iter().flatten().collect()
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for &scenario in &self.scenarios {
            match scenario {
                Scenario::Accept => {
                    let many = self.sessions.iter();
                    cases.extend(many.map(|&sessions| self.case(scenario, sessions)));
                }
                Scenario::Relay | Scenario::Local => {
                    cases.push(self.case(scenario, self.steady_sessions));
                }
                Scenario::Backlog => {}
            }
        }
        cases
    }

    fn fill(&self) -> Case {
        self.case(Scenario::Backlog, self.steady_sessions)
    }

    fn case(&self, scenario: Scenario, sessions: u64) -> Case {
        Case {
            scenario,
            sessions,
            size: self.size,
            seconds: self.seconds,
            warm_up: self.warm_up,
        }
    }
}
