//! One run of one contestant in one scenario.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use serde::Serialize;

use super::Scenario;
use super::contestant::{Contestant, Destination, Server};
use super::peers::{Sink, Until, load};
use crate::proc::{self, Usage};

/// Mail that was accepted must have arrived within this time after the load.
const DRAIN: Duration = Duration::from_secs(300);
/// Between two looks at what has arrived.
const LOOK: Duration = Duration::from_millis(50);
/// Between two readings of memory: each costs the machine a little.
const MEMORY_EVERY: Duration = Duration::from_secs(1);
/// A server is quiet when it uses no more than [`QUIET_CPU`] in this time ...
const QUIET_SPAN: Duration = Duration::from_millis(400);
/// ... which is two clock ticks.
const QUIET_CPU: Duration = Duration::from_millis(20);

/// What to run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Case {
    /// What is asked of the server.
    pub scenario: Scenario,
    /// Connections at a time.
    pub sessions: u64,
    /// Bytes of a message.
    pub size: usize,
    /// Length of the load in seconds.
    pub seconds: f64,
    /// Length of the load before it.
    pub warm_up: f64,
}

/// What one run measured.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Who.
    pub contestant: String,
    /// What.
    pub case: Case,
    /// Which time.
    pub round: u32,
    /// Messages in the run.
    pub messages: u64,
    /// Messages a second: accepted, or arrived at their destination.
    pub rate: f64,
    /// CPU seconds of all the server's processes for 1,000 messages.
    pub cpu_per_1000: f64,
    /// Bytes the server's processes wrote for each message.
    pub written: f64,
    /// Bytes the whole disk took for each message, journal included, whoever wrote them.
    pub disk_written: f64,
    /// Highest sum of proportional set sizes, in bytes.
    pub memory: u64,
    /// Median transaction, in milliseconds.
    pub p50_ms: f64,
    /// 99 % of the transactions took at most this, in milliseconds.
    pub p99_ms: f64,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.scenario {
            Scenario::Accept => "accept",
            Scenario::Relay => "relay",
            Scenario::Local => "local",
            Scenario::Backlog => "backlog",
        };
        write!(f, "{name}, {} sessions", self.sessions)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} round {}: {:.0} messages/s, {:.3} CPU s per 1000, p50 {:.2} ms, p99 {:.2} ms",
            self.contestant,
            self.case,
            self.round,
            self.rate,
            self.cpu_per_1000,
            self.p50_ms,
            self.p99_ms
        )
    }
}

/// Starts the contestant, warms it up, loads it, waits until all has arrived and it is quiet, stops it.
pub fn run(
    contestant: &Contestant,
    case: Case,
    round: u32,
    folder: &Path,
) -> anyhow::Result<Sample> {
    let folder = folder.join(contestant.to_string());
    let stage = Stage::set(contestant, case.scenario, &folder)?;
    let server = &stage.server;
    let warm = load(server.address, &case, Until::Seconds(case.warm_up))?;
    stage.wait_for(warm.accepted)?;
    wait_until_quiet(server)?;

    let watch = Watch::begin(server.root()?, &folder)?;
    let begun = SystemTime::now();
    let report = load(server.address, &case, Until::Seconds(case.seconds))?;
    let arrived = stage.wait_for(warm.accepted + report.accepted)?;
    wait_until_quiet(server)?;
    let (used, disk_written, memory) = watch.end(&folder)?;

    drop(stage);
    std::fs::remove_dir_all(&folder)?;
    // What this run still owes the disk must not burden the next.
    rustix::fs::sync();
    let messages = report.accepted as f64;
    let rate = match arrived {
        Some(at) => messages / at.duration_since(begun)?.as_secs_f64(),
        None => report.rate,
    };
    Ok(Sample {
        contestant: contestant.to_string(),
        case,
        round,
        messages: report.accepted,
        rate,
        cpu_per_1000: used.cpu.as_secs_f64() * 1000.0 / messages,
        written: used.written as f64 / messages,
        disk_written: disk_written as f64 / messages,
        memory,
        p50_ms: report.transaction_ms.p50,
        p99_ms: report.transaction_ms.p99,
    })
}

/// A server and what stands behind it.
struct Stage {
    server: Server,
    sink: Option<Sink>,
    scenario: Scenario,
}

impl Stage {
    fn set(contestant: &Contestant, scenario: Scenario, folder: &Path) -> anyhow::Result<Self> {
        let (sink, destination) = match scenario {
            Scenario::Accept | Scenario::Backlog => (None, Destination::Held),
            Scenario::Local => (None, Destination::Mailboxes),
            Scenario::Relay => {
                let sink = Sink::start()?;
                let to = Destination::Relay(sink.address);
                (Some(sink), to)
            }
        };
        Ok(Self {
            server: Server::start(contestant, folder, destination)?,
            sink,
            scenario,
        })
    }

    /// Waits until `wanted` messages have arrived since the start; the moment of the last one, where there is one.
    fn wait_for(&self, wanted: u64) -> anyhow::Result<Option<SystemTime>> {
        if matches!(self.scenario, Scenario::Accept | Scenario::Backlog) {
            return Ok(None);
        }
        let begun = Instant::now();
        loop {
            let looked = Instant::now();
            let (arrived, at) = self.arrived()?;
            ensure!(arrived <= wanted, "{arrived} arrived, {wanted} accepted");
            if arrived == wanted {
                return Ok(Some(at));
            }
            ensure!(
                begun.elapsed() < DRAIN,
                "{arrived} of {wanted} messages arrived in {DRAIN:?}"
            );
            // A look may cost the server work (a count of its mailboxes): at most a tenth of the time.
            sleep(LOOK.max(looked.elapsed() * 10));
        }
    }

    fn arrived(&self) -> anyhow::Result<(u64, SystemTime)> {
        let Some(sink) = &self.sink else {
            return Ok((self.server.delivered()?, SystemTime::now()));
        };
        let counts = sink.counts()?;
        ensure!(counts.duplicates == 0, "duplicates: {counts:?}");
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(counts.last_at);
        Ok((counts.distinct, last))
    }
}

/// Waits until the server has done what it does after its 250, so that its CPU time is counted.
pub fn wait_until_quiet(server: &Server) -> anyhow::Result<()> {
    let root = server.root()?;
    let begun = Instant::now();
    let mut before = proc::usage(root)?;
    loop {
        sleep(QUIET_SPAN);
        let now = proc::usage(root)?;
        if (now - before).cpu <= QUIET_CPU {
            return Ok(());
        }
        before = now;
        ensure!(begun.elapsed() < DRAIN, "still busy after {DRAIN:?}");
    }
}

/// Readings from begin to end.
struct Watch {
    root: u32,
    usage: Usage,
    disk: u64,
    stop: Sender<()>,
    memory: JoinHandle<u64>,
}

impl Watch {
    fn begin(root: u32, folder: &Path) -> anyhow::Result<Self> {
        let (stop, stopped) = channel();
        let memory = spawn(move || {
            let mut highest = 0;
            loop {
                highest = proc::memory(root).unwrap_or(0).max(highest);
                // Anything but a time-out means the end.
                if stopped.recv_timeout(MEMORY_EVERY)
                    != Err(std::sync::mpsc::RecvTimeoutError::Timeout)
                {
                    return highest;
                }
            }
        });
        Ok(Self {
            root,
            usage: proc::usage(root)?,
            disk: proc::disk_written(folder)?,
            stop,
            memory,
        })
    }

    fn end(self, folder: &Path) -> anyhow::Result<(Usage, u64, u64)> {
        let used = proc::usage(self.root)? - self.usage;
        let disk = proc::disk_written(folder)?.saturating_sub(self.disk);
        drop(self.stop);
        let memory = self.memory.join().ok().context("the memory watch died")?;
        Ok((used, disk, memory))
    }
}
