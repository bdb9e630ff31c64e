//! `nodes`: several nodes of Postrider on one PostgreSQL server. What do they accept together, where does the processor time
//! go, and how fast is a full queue listed?
//!
//! Each count of nodes gets a fresh database on the server that `--postgres` names, which is dropped afterwards; nothing else
//! there is touched. The mail stays queued.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::compare::backlog::seconds;
use crate::compare::contestant::{Contestant, Destination, Node, Postrider, Server, output};
use crate::compare::peers::{generator, offer};
use crate::proc;

/// Seconds of load before the measurement.
const WARM_UP: f64 = 1.0;

/// What to measure with.
#[derive(clap::Args)]
pub struct Arguments {
    /// The Postrider binary (release build)
    #[arg(long, value_name = "FILE")]
    postrider: PathBuf,
    /// A database on the server, which `psql` can enter and make databases from
    #[arg(long, value_name = "URL")]
    postgres: String,
    /// Numbers of nodes, one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,2,4")]
    nodes: Vec<u64>,
    /// Sessions in all
    #[arg(long, default_value_t = 64)]
    sessions: u64,
    /// Length of each measurement
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Messages to queue then, for the times of listings; 0: none
    #[arg(long, default_value_t = 0)]
    queued: u64,
    /// Existing folder for the nodes' files (removed afterwards)
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Measures, and prints a line for each count of nodes.
///
/// # Errors
/// When a node does not start, or refuses or loses mail.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let parent = arguments.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = parent.join(format!("postrider-nodes-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let mut ran = Ok(());
    for count in &arguments.nodes {
        ran = ran.and_then(|()| measure(arguments, *count, &folder));
    }
    let removed = fs::remove_dir_all(&folder);
    ran?;
    removed.with_context(|| format!("cannot remove {}", folder.display()))
}

fn measure(arguments: &Arguments, count: u64, folder: &Path) -> anyhow::Result<()> {
    let database = Database::make(&arguments.postgres, count)?;
    let nodes = (1..=count)
        .map(|number| start(arguments, &database, number, folder))
        .collect::<anyhow::Result<Vec<Server>>>()?;
    let each = (arguments.sessions / count).max(1);
    accept(&nodes, each, WARM_UP)?;
    let (server, own) = (database.postmaster()?, roots(&nodes)?);
    let before = (proc::usage(server)?, total(&own)?);
    let rate = accept(&nodes, each, arguments.seconds)?;
    let (server, own) = (
        (proc::usage(server)? - before.0).cpu,
        total(&own)?.saturating_sub(before.1),
    );
    let messages = rate * arguments.seconds;
    let cpu = |time: Duration| time.as_secs_f64() * 1e3 / messages;
    println!(
        "{count} nodes, {} sessions: {rate:.0} accepted a second; CPU a message {:.3} ms in the nodes, {:.3} ms in PostgreSQL",
        each * count,
        cpu(own),
        cpu(server)
    );
    let first = nodes.first().context("no nodes")?;
    if arguments.queued > 0 {
        fill(first, arguments.queued, each * count)?;
        println!(
            "{count} nodes, {} messages queued: first page {:.3} s, totals {:.3} s",
            arguments.queued,
            seconds(&mut first.first_page()?)?,
            seconds(&mut first.summary()?)?
        );
    }
    drop(nodes);
    database.drop()
}

fn start(
    arguments: &Arguments,
    database: &Database,
    number: u64,
    folder: &Path,
) -> anyhow::Result<Server> {
    let contestant = Contestant::Postrider(Postrider {
        binary: std::path::absolute(&arguments.postrider)?,
        node: Some(Node {
            name: format!("node{number}"),
            store: database.url.clone(),
        }),
    });
    let folder = folder.join(&database.name).join(format!("node{number}"));
    Server::start(&contestant, &folder, Destination::Held)
}

/// Loads every node at one time; messages a second in all.
fn accept(nodes: &[Server], sessions: u64, seconds: f64) -> anyhow::Result<f64> {
    std::thread::scope(|scope| {
        let loads: Vec<_> = nodes
            .iter()
            .map(|node| {
                scope.spawn(move || -> anyhow::Result<f64> {
                    let mut command = generator(node.address, sessions, "user{n%1000}@sink.test")?;
                    command.args(["--duration", &seconds.to_string()]);
                    Ok(offer(&mut command)?.rate)
                })
            })
            .collect();
        let rates = loads.into_iter().map(|load| match load.join() {
            Ok(rate) => rate,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        rates.sum()
    })
}

fn fill(node: &Server, messages: u64, sessions: u64) -> anyhow::Result<()> {
    let mut command = generator(node.address, sessions, "user{n%1000}@sink.test")?;
    offer(command.args(["--messages", &messages.to_string()])).map(drop)
}

fn roots(nodes: &[Server]) -> anyhow::Result<Vec<u32>> {
    nodes.iter().map(Server::root).collect()
}

fn total(roots: &[u32]) -> anyhow::Result<Duration> {
    roots.iter().map(|root| Ok(proc::usage(*root)?.cpu)).sum()
}

/// A database of our own.
struct Database {
    admin: String,
    name: String,
    url: String,
}

impl Database {
    fn make(admin: &str, count: u64) -> anyhow::Result<Self> {
        let name = format!("bench_{}_{count}", std::process::id());
        sql(admin, &format!("CREATE DATABASE {name}"))?;
        let (base, query) = admin.split_once('?').unwrap_or((admin, ""));
        let (host, _) = base.rsplit_once('/').context("the URL names no database")?;
        let url = match query {
            "" => format!("{host}/{name}"),
            query => format!("{host}/{name}?{query}"),
        };
        Ok(Self {
            admin: admin.to_owned(),
            name,
            url,
        })
    }

    /// The server's first process.
    fn postmaster(&self) -> anyhow::Result<u32> {
        let backend = sql(&self.admin, "SELECT min(pid) FROM pg_stat_activity")?;
        let stat = fs::read_to_string(format!("/proc/{backend}/status"));
        let stat = stat.context("the server runs on another machine")?;
        let parent = stat.lines().find_map(|line| line.strip_prefix("PPid:"));
        Ok(parent.context("no parent")?.trim().parse()?)
    }

    fn drop(self) -> anyhow::Result<()> {
        sql(&self.admin, &format!("DROP DATABASE {}", self.name)).map(drop)
    }
}

fn sql(url: &str, text: &str) -> anyhow::Result<String> {
    let mut psql = Command::new("psql");
    psql.args([
        "--no-psqlrc",
        "--tuples-only",
        "--no-align",
        "--dbname",
        url,
    ]);
    let said = output(psql.args(["--command", text]))?;
    ensure!(!said.contains('\0'), "psql said {said:?}");
    Ok(said.trim().to_owned())
}
