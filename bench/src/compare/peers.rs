//! Our own processes around a contestant: the generator before it, the sink behind it.

use std::env::current_exe;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::contestant::output;
use super::measure::Case;
use super::{Scenario, contestant::MAILBOXES};
use crate::load::Report;
use crate::sink::Counts;

/// The longest wait for the sink's counters.
const PATIENCE: Duration = Duration::from_secs(10);

/// When a load ends.
pub enum Until {
    /// After so many seconds.
    Seconds(f64),
    /// After so many messages.
    Messages(u64),
}

/// Loads a server in a process of its own.
///
/// # Errors
/// When any message was refused or lost: a measurement with failures is none.
pub fn load(to: SocketAddr, case: &Case, until: Until) -> anyhow::Result<Report> {
    let recipient = match case.scenario {
        Scenario::Local => format!("user{{n%{MAILBOXES}}}@local.test"),
        Scenario::Accept | Scenario::Relay | Scenario::Backlog => "user{n%1000}@sink.test".into(),
    };
    let mut command = generator(to, case.sessions, &recipient)?;
    command.args(["--size", &case.size.to_string()]);
    match until {
        Until::Seconds(seconds) => command.args(["--duration", &seconds.to_string()]),
        Until::Messages(messages) => command.args(["--messages", &messages.to_string()]),
    };
    offer(&mut command)
}

/// The generator, as a command to be completed.
pub fn generator(to: SocketAddr, sessions: u64, recipient: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(current_exe()?);
    command.args(["load", "--json", "--to", &to.to_string()]);
    command.args(["--sessions", &sessions.to_string()]);
    command.args(["--recipient", recipient]);
    Ok(command)
}

/// Runs the generator.
///
/// # Errors
/// When any message was refused or lost: a measurement with failures is none.
pub fn offer(command: &mut Command) -> anyhow::Result<Report> {
    let report: Report = serde_json::from_str(&output(command)?)?;
    ensure!(
        report.accepted == report.attempted && report.accepted > 0,
        "not everything was accepted: {report}"
    );
    Ok(report)
}

/// A sink in a process of its own; ends with this value.
pub struct Sink {
    process: Child,
    stats: SocketAddr,
    /// Where it takes mail.
    pub address: SocketAddr,
}

impl Sink {
    /// Starts a sink on free ports.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts a sink with these options of its own.
    pub fn start_with(options: &[&str]) -> anyhow::Result<Self> {
        let mut process = Command::new(current_exe()?)
            .args(["sink", "--stats", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        let mut address = || -> anyhow::Result<SocketAddr> {
            let line = lines.next().context("the sink ended")??;
            let (_, address) = line.rsplit_once(' ').context("no address")?;
            Ok(address.parse()?)
        };
        Ok(Self {
            address: address()?,
            stats: address()?,
            process,
        })
    }

    /// Its counters now.
    pub fn counts(&self) -> anyhow::Result<Counts> {
        let mut stream = TcpStream::connect(self.stats)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut line = String::new();
        stream.read_to_string(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("the sink: {error}");
        }
    }
}
