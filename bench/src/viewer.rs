//! `viewer`: a full queue under load, looked at through the web pages. How fast do they answer, how late is the live page, what
//! do those who look cost mail, and does an act on many do exactly what its preview said?
//!
//! The way through: a server with a dead next hop and one that is alive; the dead one's queue is filled. Mail flows to the other
//! at a fixed rate while each page is asked for again and again. Then as much mail as the server takes is offered, in turns with
//! nobody looking and with the pages open. At the end a part of the queue goes back to its senders.

mod act;
mod http;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::compare::contestant::{Contestant, Destination, Postrider, Server, free_address};
use crate::compare::measure::wait_until_quiet;
use crate::compare::peers::{Sink, generator, offer};
use http::{Door, Live};

/// Sessions that fill the queue, and that offer as much as the server takes.
const FILLERS: u64 = 16;
/// Sessions of the mail that flows at a fixed rate.
const FLOWING: u64 = 4;
/// How often somebody who looks asks for a page anew.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two turns.
const REST: Duration = Duration::from_secs(2);

/// What to measure with.
#[derive(clap::Args)]
pub struct Arguments {
    /// The Postrider binary (release build)
    #[arg(long, value_name = "FILE")]
    postrider: PathBuf,
    /// Messages for the dead hop
    #[arg(long, default_value_t = 1_000_000)]
    queued: u64,
    /// Messages that are returned at the end, besides those
    #[arg(long, default_value_t = 100_000)]
    returned: u64,
    /// Messages a second that flow while pages are asked for
    #[arg(long, default_value_t = 500)]
    rate: u64,
    /// Times each page is asked for
    #[arg(long, default_value_t = 40)]
    times: usize,
    /// Length of each turn in seconds
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Turns of each kind
    #[arg(long, default_value_t = 9)]
    turns: usize,
    /// Existing folder on the disk to measure, for the server's files (removed afterwards)
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Measures, and prints one line for each fact.
///
/// # Errors
/// When the server does not start, refuses or loses mail, or answers with anything but what was asked for.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let parent = arguments.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = parent.join(format!("postrider-viewer-{}", std::process::id()));
    let ran = measure(arguments, &folder);
    let removed = fs::remove_dir_all(&folder);
    ran?;
    removed.with_context(|| format!("cannot remove {}", folder.display()))
}

fn measure(arguments: &Arguments, folder: &Path) -> anyhow::Result<()> {
    let (dead, alive) = (free_address()?, Sink::start()?);
    let web = free_address()?;
    let contestant = Contestant::Postrider(Postrider {
        binary: std::path::absolute(&arguments.postrider)?,
        node: None,
    });
    let destination = Destination::Viewed {
        dead,
        alive: alive.address,
        web,
    };
    let server = Server::start(&contestant, &folder.join("server"), destination)?;
    let bench = Bench {
        arguments,
        door: Door {
            address: web,
            token: server.token()?,
        },
        server: &server,
    };
    bench.fill("u{n}@dead.test", arguments.queued)?;
    bench.fill("u{n}@back.test", arguments.returned)?;
    wait_until_quiet(&server)?;
    bench.pages_while_mail_flows()?;
    bench.turns()?;
    wait_until_quiet(&server)?;
    act::give_back(&bench.door, &server, &alive, arguments.returned)
}

struct Bench<'a> {
    arguments: &'a Arguments,
    door: Door,
    server: &'a Server,
}

impl Bench<'_> {
    fn fill(&self, recipient: &str, messages: u64) -> anyhow::Result<()> {
        let mut command = generator(self.server.address, FILLERS, recipient)?;
        let filled = offer(command.args(["--messages", &messages.to_string()]))?;
        println!("{messages} queued for {recipient} at {:.0}/s", filled.rate);
        Ok(())
    }

    /// Every page, again and again, with mail under way; and how late the live page is.
    fn pages_while_mail_flows(&self) -> anyhow::Result<()> {
        let done = AtomicBool::new(false);
        scope(|scope| {
            let flow = scope.spawn(|| self.flow(&done));
            let live = scope.spawn(|| lateness(&self.door, &done));
            let asked = self.ask_for_pages();
            done.store(true, Ordering::Relaxed);
            println!("{}", joined(live)?);
            println!("{}", joined(flow)?);
            asked
        })
    }

    /// Mail at the fixed rate, a second at a time, until it is enough.
    fn flow(&self, done: &AtomicBool) -> anyhow::Result<String> {
        let (mut accepted, mut worst) = (0, 0.0_f64);
        let begun = Instant::now();
        while !done.load(Ordering::Relaxed) {
            let mut command = generator(self.server.address, FLOWING, "u{n}@alive.test")?;
            command.args(["--rate", &self.arguments.rate.to_string()]);
            let report = offer(command.args(["--duration", "5"]))?;
            accepted += report.accepted;
            worst = worst.max(report.transaction_ms.p99);
        }
        let rate = accepted as f64 / begun.elapsed().as_secs_f64();
        Ok(format!(
            "mail meanwhile: {accepted} accepted, {rate:.0}/s, worst p99 of 5 s {worst:.1} ms"
        ))
    }

    fn ask_for_pages(&self) -> anyhow::Result<()> {
        let first = self.door.get("/api/v1/recipients?limit=1")?.text;
        let row: serde_json::Value = serde_json::from_str(&first)?;
        let some = row.pointer("/rows/0/id").and_then(|id| id.as_str());
        let some = some.context("nothing is listed")?;
        let after = row.pointer("/rows/0/recipient_id");
        let after = after.and_then(|id| id.as_str()).context("no key")?;
        for path in [
            "/",
            "/queues",
            "/messages",
            &format!("/messages?after={after}"),
            "/messages?next_hop=via:dead",
            "/messages?domain=back.test",
            "/messages?state=queued&domain=dead.test",
            "/messages?recipient=u500000@dead.test",
            "/messages?sender=sender3@bench.test",
            "/messages?older_than=1s",
            "/messages?due_before=1h",
            "/messages?reply_contains=refused",
            "/messages?state=held",
            &format!("/messages/{some}"),
            "/tracking?q=u500000@dead.test",
            "/alarms",
            "/events",
            "/api/v1/queue",
            "/api/v1/metrics",
        ] {
            println!("{}", self.door.times(path, self.arguments.times)?);
        }
        Ok(())
    }

    /// As much mail as the server takes, in turns with nobody looking and with the pages open.
    fn turns(&self) -> anyhow::Result<()> {
        let (mut alone, mut watched) = (Vec::new(), Vec::new());
        for _ in 0..self.arguments.turns {
            sleep(REST);
            alone.push(self.most()?);
            sleep(REST);
            watched.push(self.most_watched()?);
        }
        // Each turn beside its neighbour, so that a machine that grows slower on its way counts for neither.
        let pairs = alone.iter().zip(&watched);
        let mut ratios: Vec<f64> = pairs.map(|(alone, watched)| watched / alone).collect();
        println!(
            "accepted a second: {alone:.0?} with nobody looking, {watched:.0?} with Now, Queues and Messages open"
        );
        let change = (median(&mut ratios)? - 1.0) * 100.0;
        println!(
            "with the pages open it takes {change:+.1} % (median of {} pairs: {ratios:.2?})",
            self.arguments.turns
        );
        Ok(())
    }

    fn most(&self) -> anyhow::Result<f64> {
        let mut command = generator(self.server.address, FILLERS, "u{n}@dead.test")?;
        let seconds = self.arguments.seconds.to_string();
        Ok(offer(command.args(["--duration", &seconds]))?.rate)
    }

    fn most_watched(&self) -> anyhow::Result<f64> {
        let done = AtomicBool::new(false);
        scope(|scope| {
            let live = scope.spawn(|| lateness(&self.door, &done));
            let looking = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.door.get("/queues")?;
                    self.door.get("/messages")?;
                    sleep(LOOK_EVERY);
                }
                anyhow::Ok(())
            });
            let most = self.most();
            done.store(true, Ordering::Relaxed);
            joined(looking)?;
            joined(live)?;
            most
        })
    }
}

/// How late the live page is: from the moment at which a state is the book's to the page that shows it. The page comes again
/// when anything has changed, and under load everything has.
fn lateness(door: &Door, done: &AtomicBool) -> anyhow::Result<String> {
    let mut live = Live::open(door, "/live/now")?;
    let mut between = Vec::new();
    let mut last = live.next()?;
    while !done.load(Ordering::Relaxed) {
        let at = live.next()?;
        between.push((at - last).as_secs_f64());
        last = at;
    }
    ensure!(!between.is_empty(), "the live page did not go on");
    between.sort_by(f64::total_cmp);
    let most = between.last().copied().unwrap_or_default();
    Ok(format!(
        "the live page came {} times, every {:.2} s at the median, {most:.2} s at most",
        between.len(),
        median(&mut between)?
    ))
}

fn median(values: &mut [f64]) -> anyhow::Result<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len() / 2);
    middle.copied().context("nothing was measured")
}

fn joined<T>(handle: std::thread::ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    match handle.join() {
        Ok(ended) => ended,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
