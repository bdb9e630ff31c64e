//! A server under measurement: how it is prepared, started, asked and stopped.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{Scenario, floor, postfix, postrider};

/// A server must greet, and end, within this time.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Who is measured.
#[derive(Clone, Debug)]
pub enum Contestant {
    /// Debian's, from its usual place, as a private instance.
    Postfix,
    /// Ours.
    Postrider(Postrider),
    /// The bare floor in this binary.
    Floor,
}

/// Our server: from this binary, on SQLite in its folder, or as a node on a database.
#[derive(Clone, Debug)]
pub struct Postrider {
    /// The program.
    pub binary: PathBuf,
    /// Which node on which database; none: alone on SQLite.
    pub node: Option<Node>,
}

/// A node of several.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The URL of its store.
    pub store: String,
}

/// Where a contestant's mail goes.
#[derive(Clone, Copy, Debug)]
pub enum Destination {
    /// Nowhere: everything stays in the queue.
    Held,
    /// To this server.
    Relay(SocketAddr),
    /// `dead.test` to the first, where nobody may listen; everything else to the second.
    Outage {
        /// Where nobody listens at first.
        dead: SocketAddr,
        /// A server that takes mail.
        alive: SocketAddr,
    },
    /// `dead.test` and `back.test` to the first, where nobody listens; everything else to the second; with web pages.
    Viewed {
        /// Where nobody listens.
        dead: SocketAddr,
        /// A server that takes mail.
        alive: SocketAddr,
        /// Where the pages are.
        web: SocketAddr,
    },
    /// Into the mailboxes `user0` to `user19` of `local.test`.
    Mailboxes,
}

/// Mailboxes of the local delivery scenario.
pub const MAILBOXES: u32 = 20;

/// A prepared contestant in its folder.
pub struct Server {
    contestant: Contestant,
    folder: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    process: Option<Child>,
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postfix => "postfix",
            Self::Postrider(_) => "postrider",
            Self::Floor => "floor",
        })
    }
}

impl Contestant {
    /// Whether it knows how to do this at all.
    pub fn can(&self, scenario: Scenario) -> bool {
        match self {
            Self::Postfix | Self::Postrider(_) => true,
            Self::Floor => matches!(scenario, Scenario::Accept | Scenario::Relay),
        }
    }

    /// The version it states.
    pub fn version(&self) -> anyhow::Result<String> {
        let output = match self {
            Self::Postfix => output(&mut postfix::version())?,
            Self::Postrider(Postrider { binary, .. }) => {
                output(Command::new(binary).arg("--version"))?
            }
            Self::Floor => env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(output.trim().to_owned())
    }
}

impl Server {
    /// Writes the configuration into `folder` and starts the server; returns when it greets.
    pub fn start(
        contestant: &Contestant,
        folder: &Path,
        destination: Destination,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let address = free_address()?;
        match contestant {
            Contestant::Postfix => postfix::prepare(folder, address, destination)?,
            Contestant::Postrider(ours) => {
                postrider::prepare(ours, folder, address, destination)?;
            }
            Contestant::Floor => floor::prepare(folder, destination)?,
        }
        let mut server = Self {
            contestant: contestant.clone(),
            folder: folder.to_owned(),
            address,
            process: None,
        };
        server.launch()?;
        Ok(server)
    }

    /// Starts the process; returns when it greets.
    pub fn launch(&mut self) -> anyhow::Result<()> {
        let mut command = match &self.contestant {
            Contestant::Postfix => postfix::serve(&self.folder),
            Contestant::Postrider(Postrider { binary, .. }) => {
                postrider::serve(binary, &self.folder)
            }
            Contestant::Floor => floor::serve(&self.folder, self.address)?,
        };
        let log = self.folder.join("server.log");
        let out = File::options().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stderr(out.try_clone()?);
        let child = command.stdout(out).spawn();
        self.process = Some(child.with_context(|| format!("cannot start {command:?}"))?);
        self.wait_for_greeting(&log)
    }

    /// The process whose tree is the server.
    pub fn root(&self) -> anyhow::Result<u32> {
        let process = self.process.as_ref().context("the server is stopped")?;
        Ok(process.id())
    }

    /// Ends the server as its operator would; returns when it has ended.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        let pid = match self.contestant {
            Contestant::Postfix => postfix::master(&self.folder)?,
            Contestant::Postrider(_) | Contestant::Floor => process.id(),
        };
        let pid = Pid::from_raw(pid.try_into()?).context("a process has no number 0")?;
        kill_process(pid, Signal::TERM)?;
        let begun = Instant::now();
        while process.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                process.kill()?;
                process.wait()?;
                bail!("{} did not end on SIGTERM", self.contestant);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// The command that lists every queued message.
    pub fn list(&self) -> anyhow::Result<Command> {
        match &self.contestant {
            Contestant::Postfix => Ok(postfix::list(&self.folder)),
            Contestant::Postrider(Postrider { binary, .. }) => {
                Ok(postrider::list(binary, &self.folder))
            }
            Contestant::Floor => bail!("the floor has no list"),
        }
    }

    /// The command that shows the first hundred; Postfix has none but its list.
    pub fn first_page(&self) -> anyhow::Result<Command> {
        match &self.contestant {
            Contestant::Postfix => Ok(postfix::list(&self.folder)),
            Contestant::Postrider(Postrider { binary, .. }) => {
                Ok(postrider::first_page(binary, &self.folder))
            }
            Contestant::Floor => bail!("the floor has no list"),
        }
    }

    /// How often the dead hop of an outage has been tried in vain.
    pub fn failures(&self) -> anyhow::Result<u64> {
        match &self.contestant {
            Contestant::Postrider(Postrider { binary, .. }) => {
                postrider::failures(binary, &self.folder)
            }
            Contestant::Postfix | Contestant::Floor => bail!("only Postrider counts tries"),
        }
    }

    /// The command that tells how much is queued; Postfix has none but its list.
    pub fn summary(&self) -> anyhow::Result<Command> {
        match &self.contestant {
            Contestant::Postfix => Ok(postfix::list(&self.folder)),
            Contestant::Postrider(Postrider { binary, .. }) => {
                Ok(postrider::summary(binary, &self.folder))
            }
            Contestant::Floor => bail!("the floor has no list"),
        }
    }

    /// How many messages lie in the mailboxes.
    pub fn delivered(&self) -> anyhow::Result<u64> {
        match &self.contestant {
            Contestant::Postfix => postfix::delivered(&self.folder),
            Contestant::Postrider(Postrider { binary, .. }) => {
                postrider::delivered(binary, &self.folder)
            }
            Contestant::Floor => bail!("the floor has no mailboxes"),
        }
    }

    /// A word that lets a program in at the web pages, with every right.
    pub fn token(&self) -> anyhow::Result<String> {
        match &self.contestant {
            Contestant::Postrider(Postrider { binary, .. }) => {
                postrider::token(binary, &self.folder)
            }
            Contestant::Postfix | Contestant::Floor => bail!("only Postrider has web pages"),
        }
    }

    /// What the book says of itself.
    pub fn audit(&self) -> anyhow::Result<serde_json::Value> {
        match &self.contestant {
            Contestant::Postrider(Postrider { binary, .. }) => {
                postrider::audit(binary, &self.folder)
            }
            Contestant::Postfix | Contestant::Floor => bail!("only Postrider keeps a book"),
        }
    }

    fn wait_for_greeting(&mut self, log: &Path) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !greets(self.address) {
            let process = self.process.as_mut().context("not started")?;
            let ended = process.try_wait()?;
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("{} does not greet; it said:\n{said}", self.contestant);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{}: {error}", self.contestant);
        }
    }
}

fn greets(address: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect_timeout(&address, PATIENCE) else {
        return false;
    };
    let mut line = String::new();
    let read = stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| BufReader::new(stream).read_line(&mut line));
    read.is_ok() && line.starts_with("220")
}

/// An address nobody listens on at this moment.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Runs a command to its end and returns what it printed.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{printed}{complaint}",
        output.status
    );
    Ok(printed)
}
