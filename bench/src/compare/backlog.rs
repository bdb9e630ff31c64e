//! A full queue: how long a list takes, how long a restart takes, what it weighs in memory.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;

use super::contestant::{Contestant, Destination, Server, output};
use super::measure::{Case, wait_until_quiet};
use super::peers::{Until, load};
use crate::proc;

/// What was measured with a full queue. Times in seconds, memory in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Backlog {
    /// Who.
    pub contestant: String,
    /// Messages in the queue.
    pub queued: u64,
    /// Messages a second while it was filled.
    pub fill_rate: f64,
    /// The whole list, every message.
    pub list: f64,
    /// The first hundred messages of the list.
    pub first_page: f64,
    /// The totals.
    pub summary: f64,
    /// From SIGTERM to the end of the process.
    pub stop: f64,
    /// From the start of the process to the greeting.
    pub start: f64,
    /// From the start of the process to the first 250 for a message.
    pub first_250: f64,
    /// Before the restart, when quiet.
    pub memory_full: u64,
    /// After it, when quiet.
    pub memory_restarted: u64,
}

/// Fills the queue, lists it, restarts.
pub fn run(
    contestant: &Contestant,
    fill: &Case,
    queued: u64,
    folder: &Path,
) -> anyhow::Result<Backlog> {
    let folder = folder.join(format!("{contestant}-backlog"));
    let mut server = Server::start(contestant, &folder, Destination::Held)?;
    let filled = load(server.address, fill, Until::Messages(queued))?;
    wait_until_quiet(&server)?;
    let memory_full = proc::memory(server.root()?)?;
    let begun = Instant::now();
    let lines = output(&mut server.list()?)?.lines().count() as u64;
    let list = begun.elapsed().as_secs_f64();
    ensure!(
        lines >= queued,
        "{lines} lines in the list of {queued} messages"
    );
    let first_page = seconds(&mut server.first_page()?)?;
    let summary = seconds(&mut server.summary()?)?;

    let begun = Instant::now();
    server.stop()?;
    let stop = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    server.launch()?;
    let start = begun.elapsed().as_secs_f64();
    let one = Case {
        sessions: 1,
        ..*fill
    };
    load(server.address, &one, Until::Messages(1))?;
    let first_250 = begun.elapsed().as_secs_f64();
    wait_until_quiet(&server)?;
    let memory_restarted = proc::memory(server.root()?)?;
    drop(server);
    std::fs::remove_dir_all(&folder)?;
    Ok(Backlog {
        contestant: contestant.to_string(),
        queued,
        fill_rate: filled.rate,
        list,
        first_page,
        summary,
        stop,
        start,
        first_250,
        memory_full,
        memory_restarted,
    })
}

/// How long the command takes as a whole, its own start included: the median of five.
pub fn seconds(command: &mut Command) -> anyhow::Result<f64> {
    let mut took = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        output(command)?;
        took.push(begun.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    took.get(2).copied().context("five runs have a middle")
}

impl fmt::Display for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "{} with {} queued (filled at {:.0}/s): list {:.2} s, first page {:.3} s, totals {:.3} s, \
             stop {:.2} s, \
             greeting after {:.2} s, first 250 after {:.2} s, memory {:.0} MiB, restarted {:.0} MiB",
            self.contestant,
            self.queued,
            self.fill_rate,
            self.list,
            self.first_page,
            self.summary,
            self.stop,
            self.start,
            self.first_250,
            mib(self.memory_full),
            mib(self.memory_restarted)
        )
    }
}
