//! Load generator, sink, bare floor, and the side-by-side comparison with Postfix.
//!
//! For: measuring a mail server from outside, through its sockets, its processes and its disk. It never links the
//! server's code, so that it measures any server in the same way. The way through: `load` offers mail, `sink` takes it
//! in and counts, `floor` is the least a durable acceptor can do, `compare` starts servers and runs the others against
//! them. One thread a process; run more processes for more load.

mod compare;
mod dialogue;
mod floor;
mod histogram;
mod load;
mod nodes;
mod outage;
mod proc;
mod sink;
mod viewer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "postrider-bench", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Offer mail to a server and measure how it is taken
    Load(load::Arguments),
    /// Accept mail, count it, find duplicates; or refuse it as told
    Sink(sink::Arguments),
    /// The least a durable acceptor can do: group commit to a log, no checks
    Floor(floor::Arguments),
    /// Run servers side by side on this machine and print a table
    Compare(compare::Arguments),
    /// What a dead next hop with a full queue costs Postrider, and what it costs mail for others
    Outage(outage::Arguments),
    /// Several nodes of Postrider on one PostgreSQL server: what they accept together, and how a full queue lists
    Nodes(nodes::Arguments),
    /// A full queue under load, looked at through the web pages; and an act on many
    Viewer(viewer::Arguments),
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Load(arguments) => on_one_thread(load::run(arguments)),
        Command::Sink(arguments) => on_one_thread(sink::run(arguments)),
        Command::Floor(arguments) => on_one_thread(floor::run(arguments)),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Outage(arguments) => outage::run(&arguments),
        Command::Nodes(arguments) => nodes::run(&arguments),
        Command::Viewer(arguments) => viewer::run(&arguments),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one future with its local tasks on the calling thread.
fn on_one_thread(future: impl Future<Output = anyhow::Result<()>> + 'static) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, future)
}
