//! The database cluster that `./run --cluster` starts (`demo/patroni`), for a test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::LOOK;

/// Three databases are made, two of them as copies.
const START_MAX: Duration = Duration::from_secs(180);

/// A machine that was switched on again has caught up in this time, also when it must be copied anew.
const REJOIN_MAX: Duration = Duration::from_secs(180);

/// Three machines; they end with it, and with the thread that started it.
pub(crate) struct Cluster {
    running: Child,
    folder: TempDir,
    pub(crate) store: String,
}

impl Cluster {
    /// A cluster that takes writes; none where its programs are not installed.
    pub(crate) fn start() -> Option<Self> {
        let needs = script().arg("needs").output().expect("a shell");
        if !needs.status.success() {
            let why = String::from_utf8_lossy(&needs.stderr).into_owned();
            println!("SKIPPED, nothing was tested: {why}");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let mut run = Command::new("setpriv");
        run.args(["--pdeathsig=TERM", "--"]).arg(program());
        run.arg("run").arg(folder.path());
        let run = run.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = run.spawn().expect("setpriv, of util-linux");
        let said = BufReader::new(running.stdout.take().expect("piped"));
        let mut cluster = Self {
            running,
            folder,
            store: String::new(),
        };
        cluster.store = store_of(said);
        Some(cluster)
    }

    /// What the script answers; none when it could not.
    fn ask(&self, verb: &str, name: &str) -> Option<String> {
        let output = script()
            .args([verb.as_ref(), self.folder.path().as_os_str()])
            .args(Some(name).filter(|name| !name.is_empty()))
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(said)
    }

    /// The machine whose PostgreSQL takes writes.
    pub(crate) fn leader(&self) -> String {
        let deadline = Instant::now() + REJOIN_MAX;
        loop {
            let leader = self.ask("leader", "").filter(|name| !name.is_empty());
            if let Some(leader) = leader {
                return leader;
            }
            assert!(Instant::now() < deadline, "no leader");
            thread::sleep(LOOK);
        }
    }

    /// `kill -9` for everything on this machine.
    pub(crate) fn kill(&self, machine: &str) {
        self.ask("kill", machine).expect("it runs");
    }

    /// Switches a machine on again, and waits until all three are what they should be.
    pub(crate) fn boot(&self, machine: &str) {
        self.ask("boot", machine).expect("it is off");
        let deadline = Instant::now() + REJOIN_MAX;
        while self.ask("whole", "").is_none() {
            let members = self.ask("members", "");
            assert!(Instant::now() < deadline, "{machine}: {members:?}");
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let ended = kill_process(Pid::from_child(&self.running), Signal::TERM);
        ended.expect("it is ours");
        self.running.wait().expect("it is ours");
    }
}

/// Waits for the line that says where the database is.
fn store_of(mut said: impl BufRead + Send + 'static) -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        if said.read_line(&mut line).is_ok() {
            drop(sender.send(line));
        }
    });
    let line = receiver.recv_timeout(START_MAX).expect("a line in time");
    let store = line.trim().strip_prefix("store: ");
    store.expect("where the database is").to_owned()
}

fn script() -> Command {
    Command::new(program())
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/patroni")
}
