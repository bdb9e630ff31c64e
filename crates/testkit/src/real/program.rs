//! The built binary: its commands, and its server.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ground_settings::Endpoint;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::pattern::Answer;

/// A command or a start that takes longer hangs; the cores and the disk of a test machine may be busy with a build.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lines of the log that are shown when a story fails.
const LAST_WORDS: usize = 12;

/// The binary and the folder it works in.
pub(super) struct Program {
    pub(super) binary: PathBuf,
    pub(super) folder: PathBuf,
}

impl Program {
    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("postrider.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn command(&self, user: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder).arg("--config");
        command.arg(self.config()).kill_on_drop(true);
        command.env("USER", user);
        command.env_remove("SUDO_USER").env_remove("POSTRIDER_LOG");
        command
    }

    /// Runs a command as `user`, with this on its standard input.
    pub(super) async fn run(&self, user: &str, arguments: &[&str], input: &[u8]) -> Result<Output> {
        let mut command = self.command(user);
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("the binary does not run")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input).await?;
        }
        let output = timeout(PATIENCE, child.wait_with_output()).await;
        Ok(output.with_context(|| format!("{arguments:?} hangs"))??)
    }

    /// Runs an operator's command that must succeed.
    pub(super) async fn done(&self, arguments: &[&str]) -> Result<Output> {
        let output = self.run("operator", arguments, b"").await?;
        if !output.status.success() {
            bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(output)
    }

    /// The last lines of the server's log.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let mut last = VecDeque::new();
        for line in log.lines() {
            last.push_back(line);
            if last.len() > LAST_WORDS {
                last.pop_front();
            }
        }
        Vec::from(last).join("\n  ")
    }

    /// Starts the server and waits until it listens on so many listeners.
    pub(super) async fn serve(&self, listeners: usize) -> Result<Server> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())?;
        let mut command = self.command("operator");
        command.arg("serve").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().context("the binary does not run")?;
        let stdout = child.stdout.take().context("a piped output")?;
        let mut server = Server {
            child,
            lines: BufReader::new(stdout).lines(),
            doors: Vec::new(),
        };
        server.listens(listeners).await?;
        Ok(server)
    }
}

/// The objects a command printed: one a line.
pub(super) fn rows(text: &str) -> Result<Vec<Answer>> {
    let row = |line| serde_json::from_str(line).with_context(|| format!("no object: {line}"));
    text.lines().map(row).collect()
}

/// A running server; dropped, it is killed.
pub(super) struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Where each listener listens.
    pub(super) doors: Vec<(String, Endpoint)>,
}

impl Server {
    async fn listens(&mut self, listeners: usize) -> Result<()> {
        let starts = async {
            while self.doors.len() < listeners {
                let line = self.lines.next_line().await?;
                let line = line.context("the server ended instead of starting")?;
                self.doors.extend(listening(&line));
            }
            Ok(())
        };
        let started = timeout(PATIENCE, starts).await;
        started.context("the server does not start")?
    }

    /// Waits until it has started anew by itself.
    pub(super) async fn listens_anew(&mut self) -> Result<()> {
        let listeners = std::mem::take(&mut self.doors).len();
        self.listens(listeners).await
    }

    /// `kill -9`.
    pub(super) async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw);
        Ok(kill_process(
            id.context("the server has ended by itself")?,
            signal,
        )?)
    }

    /// SIGTERM, and waits for its end.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.context("the server does not stop")??;
        if !status.success() {
            bail!("the server stopped with {status}");
        }
        Ok(())
    }
}

/// Reads `listening: NAME ADDRESS`.
fn listening(line: &str) -> Option<(String, Endpoint)> {
    let (name, address) = line.strip_prefix("listening: ")?.split_once(' ')?;
    let address = match address.strip_prefix("unix:") {
        Some(path) => Endpoint::Unix(Path::new(path).to_owned()),
        None => Endpoint::Tcp(address.parse().ok()?),
    };
    Some((name.to_owned(), address))
}
