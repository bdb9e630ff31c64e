//! The server under test: the built binary, its folder, and the commands that ask it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::letter::KEEPER;

const BINARY: &str = env!("CARGO_BIN_EXE_postrider");

/// A start that takes longer is a hang; the two cores of a test machine may be busy.
pub(crate) const START_MAX: Duration = Duration::from_secs(60);

/// A folder with a configuration, on a real disk.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    /// A server that relays everything to `sink`, but for one mailbox here.
    pub(crate) fn new(sink: SocketAddr) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let home = Self { folder };
        std::fs::write(home.config(), configuration(sink)).expect("a configuration");
        home.furnish();
        home
    }

    /// One node of several on the database that `store` names.
    pub(crate) fn of_node(name: &str, store: &str, sink: SocketAddr) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let home = Self { folder };
        let own = format!("store = \"{store}\"\nnode = \"{name}\"\n");
        let alone = configuration(sink);
        let shared = alone.replace("store = \"sqlite:./book.db\"\n", &own);
        assert_ne!(alone, shared);
        std::fs::write(home.config(), shared).expect("a configuration");
        home
    }

    /// A domain here, and somebody in it.
    pub(crate) fn furnish(&self) {
        self.ask(&["domain", "add", "here.test"]);
        self.ask(&["account", "add", KEEPER, "--password", "never used here"]);
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("postrider.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--config").arg(self.config()).arg("--json");
        command
    }

    /// What a command prints: one object a line. It must succeed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self
            .command()
            .args(arguments)
            .output()
            .expect("the binary runs");
        let (said, error) = (text(&output.stdout), text(&output.stderr));
        assert!(
            output.status.success(),
            "{arguments:?}: {said}{error}\n{}",
            self.last_words()
        );
        let parse = |line: &str| serde_json::from_str(line).expect("--json prints JSON");
        said.lines().map(parse).collect()
    }

    /// The book, added up. Nothing may be wrong with it.
    pub(crate) fn audit(&self) -> Audit {
        let audit = self.ask(&["audit"]).pop().expect("an object");
        assert_eq!(audit.get("difference"), Some(&Value::from(0)), "{audit}");
        Audit(audit)
    }

    /// Starts a life of the server. It ends with the caller's thread too, however the test ends.
    pub(crate) fn start(&self) -> Server {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("a log");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "--", BINARY, "--config"]);
        Server::start(command.arg(self.config()), log)
    }

    /// Starts a life, and waits until it takes mail.
    pub(crate) fn serve(&self) -> (Server, SocketAddr) {
        let server = self.start();
        let address = server.listening(START_MAX);
        let address = address.unwrap_or_else(|| panic!("it did not start:\n{}", self.last_words()));
        (server, address)
    }

    /// Files of large bodies, whole or not.
    pub(crate) fn body_files(&self) -> usize {
        let folder = self.folder.path().join("book.db-bodies");
        std::fs::read_dir(folder).expect("a folder").count()
    }

    fn last_words(&self) -> String {
        last_lines(&self.log())
    }
}

/// `postrider audit --json`.
pub(crate) struct Audit(Value);

impl Audit {
    pub(crate) fn count(&self, name: &str) -> u64 {
        let count = self.0.get(name).and_then(Value::as_u64);
        count.unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }
}

/// One life of the server; dropping it ends it as a crash would.
pub(crate) struct Server {
    child: Child,
    listening: Receiver<SocketAddr>,
}

impl Server {
    fn start(command: &mut Command, log: File) -> Self {
        let command = command
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("the binary runs");
        let listening = addresses(child.stdout.take().expect("piped"));
        Self { child, listening }
    }

    /// Where it listens, when it does within this time; none too when it has ended.
    pub(crate) fn listening(&self, within: Duration) -> Option<SocketAddr> {
        self.listening.recv_timeout(within).ok()
    }

    /// Whether this process, and no other, still runs.
    pub(crate) fn still_runs(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_none()
    }

    /// Stops it in its tracks, or lets it go on.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is ours");
    }

    /// `kill -9`.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }
}

/// Reads `listening: NAME ADDRESS` lines until the process ends.
fn addresses(stdout: ChildStdout) -> Receiver<SocketAddr> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let address = line
                .strip_prefix("listening: ")
                .and_then(|rest| rest.split(' ').nth(1));
            let address = address.and_then(|address| address.parse().ok());
            if address.is_some_and(|address| sender.send(address).is_err()) {
                return;
            }
        }
    });
    receiver
}

/// Small enough bounds that files, retries and lost claims all occur. A recipient is claimed in many lives here, which says
/// nothing against it.
fn configuration(sink: SocketAddr) -> String {
    format!(
        r#"hostname = "mx.here.test"
store = "sqlite:./book.db"
[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:0"
tls = "off"
relay_from = ["127.0.0.0/8"]
[[connector]]
name = "sink"
address_space = ["*"]
next_hop = "{sink}"
tls = "off"
[queue]
retry = ["1s"]
[storage]
inline_body = "16KiB"
[log]
level = "warn"
[test]
clock_control = true
"#
    )
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn last_lines(log: &Path) -> String {
    let log = std::fs::read(log).map(|log| text(&log)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines
        .get(lines.len().saturating_sub(30)..)
        .unwrap_or_default()
        .join("\n")
}
