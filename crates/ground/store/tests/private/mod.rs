//! A private PostgreSQL server in a temporary folder: Debian's programs, a Unix-domain socket, no port. It is stopped by
//! its id when dropped, and by the kernel when the test that started it dies.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of it; a test may panic"
)]

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// Who runs it when we are root, which it refuses to be run by.
const USER: &str = "postgres";

/// A server that runs, or is stopped for a while.
pub struct PrivateServer {
    folder: tempfile::TempDir,
    /// Only names the socket, unless `extra` has it listen to the network.
    port: u16,
    extra: Vec<String>,
    running: Option<Child>,
}

impl PrivateServer {
    /// A new server without databases of ours. The caller's thread must live as long as it.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more settings, as `name=value`.
    pub fn start_with(extra: &[&str]) -> Self {
        let mut server = Self::initialized(extra);
        server.resume();
        server
    }

    /// A server that also listens to a port of the loopback interface, with TLS.
    pub fn start_tls(certificate_pem: &str, key_pem: &str) -> (Self, u16) {
        let mut server = Self::initialized(&["listen_addresses=localhost", "ssl=on"]);
        for (name, pem) in [("server.crt", certificate_pem), ("server.key", key_pem)] {
            let file = server.data().join(name);
            std::fs::write(&file, pem).unwrap();
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            server.give_away(&file);
        }
        let port = server.resume_on_a_port();
        (server, port)
    }

    /// A server that also listens to a port of the loopback interface, in the clear.
    pub fn start_tcp() -> (Self, u16) {
        let mut server = Self::initialized(&["listen_addresses=localhost"]);
        let port = server.resume_on_a_port();
        (server, port)
    }

    fn resume_on_a_port(&mut self) -> u16 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        self.port = free.local_addr().unwrap().port();
        drop(free);
        self.resume();
        self.port
    }

    fn initialized(extra: &[&str]) -> Self {
        let server = Self::placed(extra);
        match option_env!("CARGO_TARGET_TMPDIR") {
            Some(kept) => copy(&template(Path::new(kept)), &server.data()),
            None => initdb(&server.data()),
        }
        server
    }

    /// A hot standby of this server, which takes no writes.
    pub fn standby(&self) -> Self {
        let mut standby = Self::placed(&[]);
        let mut backup = program("pg_basebackup");
        backup.args([
            "--no-sync",
            "--checkpoint=fast",
            "--write-recovery-conf",
            "--host",
        ]);
        backup
            .arg(self.folder.path())
            .args(["--username", USER, "--pgdata"]);
        done(backup.arg(standby.data()));
        standby.resume();
        standby
    }

    fn placed(extra: &[&str]) -> Self {
        let server = Self {
            folder: tempfile::tempdir().unwrap(),
            port: 5432,
            extra: extra.iter().map(|one| (*one).to_owned()).collect(),
            running: None,
        };
        server.give_away(server.folder());
        server
    }

    /// Makes `path` the server's own.
    fn give_away(&self, path: &Path) {
        if geteuid().is_root() {
            let home = std::fs::metadata("/var/lib/postgresql").expect("the home of its user");
            std::os::unix::fs::chown(path, Some(home.uid()), Some(home.gid())).unwrap();
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where its socket is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again after [`PrivateServer::stop`]; returns when it answers.
    pub fn resume(&mut self) {
        let mut server = program("postgres");
        server
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path());
        // Nothing here has to outlive the machine, and each test that runs at the same time has a dozen connections or two.
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "max_connections=500",
            "logging_collector=off",
        ] {
            server.args(["-c", setting]);
        }
        server.args(["-c", &format!("port={}", self.port)]);
        for setting in &self.extra {
            server.args(["-c", setting]);
        }
        let mut child = server.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        loop {
            let Some(Ok(line)) = log.next() else {
                panic!("PostgreSQL did not start:\n{}", said.join("\n"));
            };
            if line.contains("ready to accept") {
                break;
            }
            said.push(line);
        }
        let show = std::env::var_os("POSTRIDER_TEST_LOG").is_some();
        std::thread::spawn(move || {
            for line in log.map_while(Result::ok) {
                if show {
                    eprintln!("{line}");
                }
            }
        });
        self.running = Some(child);
    }

    /// Stops it as a crash does: connections break, nothing is tidied up.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let id = Pid::from_child(&child);
            kill_process(id, Signal::QUIT).unwrap();
            child.wait().unwrap();
        }
    }

    /// An URL of `database` on this server.
    pub fn url(&self, database: &str) -> String {
        Self::url_of(&[self], database)
    }

    /// An URL of `database` on the first of `servers` that takes writes.
    pub fn url_of(servers: &[&Self], database: &str) -> String {
        let hosts: Vec<String> = servers
            .iter()
            .map(|server| {
                let folder = server.folder.path().display().to_string();
                format!("{}:{}", folder.replace('/', "%2F"), server.port)
            })
            .collect();
        format!("postgres://{USER}@{}/{database}", hosts.join(","))
    }

    /// Makes an empty database and gives its URL.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(name)
    }

    /// What `psql` prints for `text`, one line a row.
    pub fn sql(&self, database: &str, text: &str) -> String {
        let mut psql = program("psql");
        psql.args([
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--username",
            USER,
        ]);
        psql.args(["--port", &self.port.to_string()]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--host"])
            .arg(self.folder.path());
        let output = psql
            .args(["--dbname", database, "--command", text])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn initdb(data: &Path) {
    let mut initdb = program("initdb");
    initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8"]);
    initdb.args(["--locale=C.UTF-8", "--username", USER, "--pgdata"]);
    done(initdb.arg(data));
}

/// The data of a new server, made once in the target folder and copied from there: making it takes seconds.
fn template(kept: &Path) -> PathBuf {
    let version = programs().parent().unwrap().file_name().unwrap().to_owned();
    let template = kept.join(Path::new("postgresql-data").with_extension(version));
    if template.exists() {
        return template;
    }
    let made = PrivateServer::placed(&[]);
    initdb(&made.data());
    let nearly = kept.join(format!("postgresql-data.{}", std::process::id()));
    copy(&made.data(), &nearly);
    // Another test may have been quicker; one is as good as the other.
    if std::fs::rename(&nearly, &template).is_err() {
        std::fs::remove_dir_all(&nearly).unwrap();
    }
    template
}

/// Owners and modes included.
fn copy(from: &Path, to: &Path) {
    done(Command::new("cp").arg("-a").arg(from).arg(to));
}

/// One of the server's programs, run by its user, and ended with the thread that started it.
fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=QUIT");
    if geteuid().is_root() {
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
    }
    command.arg("--").arg(programs().join(name.as_ref()));
    command
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .current_dir("/");
    command
}

/// The newest version that is installed.
fn programs() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("Debian's package postgresql is installed");
    let number = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        name.parse::<u32>().ok()
    };
    let newest = versions
        .map(|entry| entry.unwrap().path())
        .max_by_key(number);
    newest.expect("a version of PostgreSQL").join("bin")
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
