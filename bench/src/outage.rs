//! `outage`: a next hop is down with a full queue. What does each try of it cost, what does it cost mail for others, and how
//! does the queue drain when the hop comes back?
//!
//! The way through: a server with two next hops, one dead. Measured without a queue and with it: octets written in a quiet
//! span with the tries in it, and the latency of mail for the other hop. Then the dead hop comes back and records the order in
//! which its mail arrives.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::compare::contestant::{Contestant, Destination, Postrider, Server, free_address};
use crate::compare::measure::wait_until_quiet;
use crate::compare::peers::{Sink, generator, offer};
use crate::load::Report;
use crate::proc;

/// The whole queue must have drained in this time.
const DRAIN: Duration = Duration::from_secs(600);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(50);
/// Sessions that fill the queue.
const FILLERS: u64 = 20;
/// Sessions and messages a second of the mail for the other hop.
const OTHERS: (u64, u64) = (4, 200);

/// What to measure with.
#[derive(clap::Args)]
pub struct Arguments {
    /// The Postrider binary (release build)
    #[arg(long, value_name = "FILE")]
    postrider: PathBuf,
    /// Messages for the dead hop
    #[arg(long, default_value_t = 100_000)]
    queued: u64,
    /// Length of each span that is measured
    #[arg(long, default_value_t = 15.0)]
    seconds: f64,
    /// Existing folder on the disk to measure, for the server's files (removed afterwards)
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Measures, and prints one line for each fact.
///
/// # Errors
/// When the server does not start, loses or doubles mail, or does not drain in time.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let parent = arguments.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = parent.join(format!("postrider-outage-{}", std::process::id()));
    let ran = measure(arguments, &folder);
    let removed = fs::remove_dir_all(&folder);
    ran?;
    removed.with_context(|| format!("cannot remove {}", folder.display()))
}

fn measure(arguments: &Arguments, folder: &Path) -> anyhow::Result<()> {
    let (dead, others) = (free_address()?, Sink::start()?);
    let alive = others.address;
    let contestant = Contestant::Postrider(Postrider {
        binary: std::path::absolute(&arguments.postrider)?,
        node: None,
    });
    let destination = Destination::Outage { dead, alive };
    let server = Server::start(&contestant, &folder.join("server"), destination)?;
    let bench = Bench {
        server: &server,
        others: &others,
        seconds: arguments.seconds,
    };

    // One message makes the hop one that is tried.
    let accepted = folder.join("accepted");
    bench.fill(1, &accepted)?;
    println!("tries with 1 message queued:     {}", bench.tries()?);
    println!(
        "mail for others meanwhile:       {}",
        bench.mail_for_others()?
    );
    let filled = bench.fill(arguments.queued - 1, &accepted)?;
    println!(
        "filled with {} messages at {:.0}/s",
        arguments.queued, filled.rate
    );
    wait_until_quiet(&server)?;
    println!(
        "tries with {} queued:        {}",
        arguments.queued,
        bench.tries()?
    );
    println!(
        "mail for others meanwhile:       {}",
        bench.mail_for_others()?
    );
    println!(
        "mail for others while it drains: {}",
        bench.recovery(dead, arguments.queued, folder)?
    );
    Ok(())
}

struct Bench<'a> {
    server: &'a Server,
    others: &'a Sink,
    seconds: f64,
}

impl Bench<'_> {
    fn fill(&self, messages: u64, accepted: &Path) -> anyhow::Result<Report> {
        let mut command = generator(self.server.address, FILLERS.min(messages), "u{n}@dead.test")?;
        command.args(["--messages", &messages.to_string(), "--accepted"]);
        offer(command.arg(accepted))
    }

    /// What the tries of the dead hop write in a span in which nothing else happens.
    fn tries(&self) -> anyhow::Result<String> {
        wait_until_quiet(self.server)?;
        // What the server put off until after its 250 has its time first.
        sleep(Duration::from_secs_f64(self.seconds));
        let (before, failures) = (proc::usage(self.server.root()?)?, self.server.failures()?);
        sleep(Duration::from_secs_f64(self.seconds));
        let used = proc::usage(self.server.root()?)? - before;
        let tries = self.server.failures()?.saturating_sub(failures);
        ensure!(tries > 0, "the dead hop was not tried");
        Ok(format!(
            "{tries} in {:.0} s, {} octets written and {:.1} ms of CPU for each, everything else included",
            self.seconds,
            used.written / tries,
            used.cpu.as_secs_f64() * 1e3 / tries as f64
        ))
    }

    fn mail_for_others(&self) -> anyhow::Result<String> {
        let before = self.others.counts()?.distinct;
        let (sessions, rate) = OTHERS;
        let mut command = generator(self.server.address, sessions, "u{n}@alive.test")?;
        command.args(["--rate", &rate.to_string(), "--duration"]);
        let report = offer(command.arg(self.seconds.to_string()))?;
        let ended = Instant::now();
        while self.others.counts()?.distinct < before + report.accepted {
            ensure!(ended.elapsed() < DRAIN, "mail for others does not arrive");
            sleep(LOOK);
        }
        let times = report.transaction_ms;
        Ok(format!(
            "{} accepted, p50 {:.2} ms, p99 {:.2} ms; all arrived {:.2} s after the last 250",
            report.accepted,
            times.p50,
            times.p99,
            ended.elapsed().as_secs_f64()
        ))
    }

    /// The hop comes back: how fast its queue drains, and in which order; what mail for others feels.
    fn recovery(&self, dead: SocketAddr, queued: u64, folder: &Path) -> anyhow::Result<String> {
        let record = folder.join("recorded");
        let path = record.to_str().context("a folder that is not UTF-8")?;
        let back = Sink::start_with(&["--listen", &dead.to_string(), "--record", path])?;
        let begun = Instant::now();
        let meanwhile = self.mail_for_others()?;
        let counts = loop {
            let counts = back.counts()?;
            if counts.distinct >= queued {
                break counts;
            }
            ensure!(begun.elapsed() < DRAIN, "{counts:?} after {DRAIN:?}");
            sleep(LOOK);
        };
        ensure!(counts.duplicates == 0, "duplicates: {counts:?}");
        let span = counts.last_at - counts.first_at;
        println!(
            "drained {queued} in {span:.1} s: {:.0}/s",
            queued as f64 / span
        );
        println!("order: {}", order(&folder.join("accepted"), &record)?);
        Ok(meanwhile)
    }
}

/// How far messages arrive from the place they were accepted at.
fn order(accepted: &Path, recorded: &Path) -> anyhow::Result<String> {
    let accepted = fs::read_to_string(accepted)?;
    let places: HashMap<&str, usize> = accepted.lines().zip(0..).collect();
    let recorded = fs::read_to_string(recorded)?;
    let mut moved = Vec::new();
    for (line, at) in recorded.lines().zip(0_usize..) {
        let place = places.get(line).context("a message that nobody sent")?;
        moved.push(place.abs_diff(at));
    }
    moved.sort_unstable();
    let most = moved.last().copied().unwrap_or_default();
    let usual = moved
        .get(moved.len() * 99 / 100)
        .copied()
        .unwrap_or_default();
    Ok(format!(
        "99 % arrive within {usual} places of the order of acceptance, all within {most}"
    ))
}
