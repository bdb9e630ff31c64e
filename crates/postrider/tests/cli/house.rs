//! A temporary folder with a configuration, and the binary run in it.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use ground_store::{Options, Sql, Store, Unit};
use ground_world::net::ConnectOptions;
use ground_world::tls::{PlatformRoots, Verify};
use ground_world::{World, WorldOptions};
use serde_json::Value;
use tempfile::TempDir;

/// No answer of a healthy server takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where a server's log goes.
const LOG: &str = "serve.log";

pub const CONFIGURATION: &str = r#"hostname = "mx.example.test"
[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:0"
[limits]
min_free_disk = "0B"
[dns]
servers = ["127.0.0.1:9"]
timeout = "100ms"
[test]
clock_control = true
"#;

pub struct House {
    pub folder: TempDir,
}

pub struct Served {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl House {
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    pub fn new() -> Self {
        let house = Self::empty();
        house.write(CONFIGURATION);
        house
    }

    pub fn write(&self, configuration: &str) {
        std::fs::write(self.folder.path().join("postrider.toml"), configuration).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .env("USER", "tester");
        command.env_remove("SUDO_USER").env_remove("POSTRIDER_LOG");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs it as a user who may read the folder and nothing more: `nobody` when the test is root's, or else with the data
    /// directory closed.
    pub fn run_as_somebody_else(&self, arguments: &[&str]) -> Output {
        const NOBODY: u32 = 65_534;
        let (folder, data) = (self.folder.path(), self.folder.path().join("data"));
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap()
        };
        open(folder, 0o755);
        open(&data, 0o555);
        let own = folder.join("postrider");
        std::fs::copy(env!("CARGO_BIN_EXE_postrider"), &own).unwrap();
        let mut command = Command::new(own);
        command
            .current_dir(folder)
            .args(arguments)
            .stdin(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().unwrap();
        open(&data, 0o755);
        output
    }

    pub fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs a command that must succeed, for its standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The objects a command prints.
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.ok(&[arguments, &["--json"]].concat());
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Asks until `done` likes the answer: the server works on its own time.
    pub fn until(&self, arguments: &[&str], done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let start = std::time::Instant::now();
        loop {
            let rows = self.json(arguments);
            if done(&rows) {
                return rows;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{arguments:?} stays at {rows:?}"
            );
            std::thread::yield_now();
        }
    }

    pub fn people(&self) {
        self.ok(&["domain", "add", "example.test"]);
        self.ok(&[
            "account",
            "add",
            "alice@example.test",
            "--password",
            "correct horse",
        ]);
    }

    /// Writes into the store, which nobody else has open, more than commands could in a test's time.
    pub fn sql(&self, text: &'static str) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut options = WorldOptions::default();
            options.dns.servers = vec!["127.0.0.1:9".parse().unwrap()];
            let world = World::real(&options).unwrap();
            let file = self.folder.path().join("data/postrider.db");
            let url = format!("sqlite:{}", file.display());
            let store = Store::open(&url, Options::default(), &world).await.unwrap();
            let mut unit = Unit::new();
            unit.write(Sql::new(text), Vec::new());
            store.write(unit).await.unwrap();
        });
    }

    /// What the last server said on standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(LOG)).unwrap()
    }

    pub fn serve(&self, arguments: &[&str]) -> Served {
        let mut command = self.command(arguments);
        let log = std::fs::File::create(self.folder.path().join(LOG)).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Served { child, lines }
    }
}

impl Served {
    /// Everything printed until the listener of this name is ready, and its address.
    pub fn listening(&mut self, name: &str) -> (String, SocketAddr) {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.lines.read_line(&mut line).unwrap(),
                0,
                "it ended after {said:?}"
            );
            let prefix = format!("listening: {name} ");
            if let Some(address) = line.strip_prefix(&prefix) {
                return (said, address.trim().parse().unwrap());
            }
            said.push_str(&line);
        }
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(done.success());
    }

    pub fn stop(self) -> Option<i32> {
        self.signal("-TERM");
        self.ended()
    }

    /// Its exit code, once it has ended by itself.
    pub fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// Sends one message by SMTP; the last reply to its content.
pub fn send(server: SocketAddr, from: &str, to: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut replies = BufReader::new(stream.try_clone().unwrap());
    let mut reply = || {
        let mut line = String::new();
        loop {
            line.clear();
            replies.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.clone();
            }
        }
    };
    assert!(reply().starts_with("220"));
    let mut last = String::new();
    for command in [
        "EHLO client.test".to_owned(),
        format!("MAIL FROM:<{from}>"),
        format!("RCPT TO:<{to}>"),
        "DATA".to_owned(),
        format!("{text}\r\n."),
    ] {
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        last = reply();
        assert!(
            last.starts_with(['2', '3']),
            "{command:?} was answered {last:?}"
        );
    }
    stream.write_all(b"QUIT\r\n").unwrap();
    let mut rest = Vec::new();
    replies.read_to_end(&mut rest).unwrap();
    last
}

/// What a server says to whoever comes.
pub fn greeting(server: SocketAddr) -> String {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}

/// Whether a server with TLS from the first byte shows the certificate in this file.
pub fn shows(server: SocketAddr, certificate: &std::path::Path) -> bool {
    let mut options = WorldOptions::default();
    options.tls.platform_roots = PlatformRoots::Ignored;
    options.tls.extra_roots_pem = std::fs::read(certificate).unwrap();
    options.dns.servers = vec!["127.0.0.1:9".parse().unwrap()];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let world = World::real(&options).unwrap();
        let connecting = world.net.connect(server, ConnectOptions::default());
        let stream = connecting.await.unwrap();
        let tls = world.tls.client();
        let shaken = tls.connect(stream, "mx.example.test", Verify::Required);
        shaken.await.is_ok()
    })
}
