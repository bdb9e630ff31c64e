//! Finding, running and ending the programs we talk to.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a program that has no way to tell us that something happened.
const PAUSE: Duration = Duration::from_millis(30);

/// The path of a program, or a failure that says how to get it.
pub fn installed(program: &str, package: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/bin"]);
    let mut places = folders.map(|folder| Path::new(folder).join(program));
    places.find(|place| place.is_file()).unwrap_or_else(|| {
        panic!("{program} is missing: ./test installs it (Debian's package {package})")
    })
}

/// A call of a client, which is ended when it outlives our patience.
pub fn client(program: &str, package: &str) -> Command {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE.as_secs().to_string());
    command.arg(installed(program, package));
    command
}

/// How a client ended, and everything it printed.
pub struct Ended {
    pub code: i32,
    pub printed: String,
}

/// Runs a command to its end; `input` is a file for its standard input.
pub fn run(command: &mut Command, input: Option<&Path>) -> Ended {
    let stdin = input.map_or_else(Stdio::null, |path| {
        Stdio::from(File::open(path).expect("the input"))
    });
    let output = command.stdin(stdin).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    Ended {
        code: output.status.code().unwrap_or(-1),
        printed: String::from_utf8_lossy(&text).into_owned(),
    }
}

/// Runs a command that must succeed; returns what it printed.
pub fn succeed(command: &mut Command, input: Option<&Path>) -> String {
    let ended = run(command, input);
    assert_eq!(ended.code, 0, "{command:?}:\n{}", ended.printed);
    ended.printed
}

/// Looks until there is something to see; `last` says what was seen instead when patience ends.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(last) if begun.elapsed() > PATIENCE => panic!("no {what}; instead:\n{last}"),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// An address of this process alone: the last three bytes are its id, so that tests side by side never take each
/// other's ports between the look and the start.
pub fn own_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, 64 | (high & 63), middle, low);
    let listener = TcpListener::bind((ip, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// A temporary folder that servers which give up root can enter.
pub fn open_folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
    folder
}

/// Makes a folder that belongs to `owner`.
pub fn folder_of(owner: (u32, u32), path: &Path) {
    fs::create_dir_all(path).expect("a folder");
    chown(path, Some(owner.0), Some(owner.1)).expect("this test wants root");
}

/// A user of the system and its group, or a failure that says how to get it.
pub fn user(name: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("the users");
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let found = users.lines().map(fields).find_map(|fields| {
        let [this, _, uid, gid, ..] = fields.as_slice() else {
            return None;
        };
        (this == name).then(|| Some((uid.parse().ok()?, gid.parse().ok()?)))?
    });
    found.unwrap_or_else(|| panic!("there is no user {name}: ./test makes it"))
}

/// A key and a self-signed certificate for `name` in one file.
pub fn certificate(folder: &Path, name: &str) -> PathBuf {
    let (file, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let mut openssl = client("openssl", "openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]);
    openssl.args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj"]);
    openssl.arg(format!("/CN={name}")).arg("-keyout").arg(&key);
    succeed(openssl.arg("-out").arg(&file), None);
    let both = [&key, &file].map(|part| fs::read_to_string(part).expect("what openssl wrote"));
    fs::write(&file, both.concat()).expect("a file");
    file
}

/// A server that runs in the foreground; it ends with this value.
pub struct Daemon {
    process: Child,
    name: &'static str,
    log: PathBuf,
}

impl Daemon {
    /// Starts it, with its output in a file.
    pub fn start(name: &'static str, command: &mut Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("a log file");
        let errors = file.try_clone().expect("a log file");
        let command = command.stdin(Stdio::null()).stdout(file).stderr(errors);
        let process = command.spawn();
        Self {
            process: process.unwrap_or_else(|error| panic!("{name}: {error}")),
            name,
            log,
        }
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Returns when somebody listens there.
    pub fn wait_for_port(&mut self, address: SocketAddr) {
        wait_for("open port", || {
            if let Some(status) = self.process.try_wait().expect("its state") {
                panic!("{} ended ({status}); it said:\n{}", self.name, self.log());
            }
            TcpStream::connect(address).map_err(|error| format!("{error}\n{}", self.log()))
        });
    }

    /// Ends it as its operator would; whether it said that all is well.
    pub fn stop(&mut self) -> bool {
        if let Ok(Some(status)) = self.process.try_wait() {
            return status.success();
        }
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), Signal::TERM).expect("it can be told");
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Ok(Some(status)) = self.process.try_wait() {
                return status.success();
            }
            std::thread::sleep(PAUSE);
        }
        eprintln!("{} does not end on SIGTERM", self.name);
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("{}: {error}", self.name);
        }
        false
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("-- {} said:\n{}", self.name, self.log());
        }
    }
}

/// Waits until a maildir holds `count` mails; their content.
pub fn maildir(folder: &Path, count: usize) -> Vec<Vec<u8>> {
    let new = folder.join("new");
    wait_for("mails in the maildir", || {
        // The folder appears with the first mail.
        let entries = fs::read_dir(&new).map_err(|error| format!("{}: {error}", new.display()))?;
        let paths: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        if paths.len() < count {
            return Err(format!("{} of {count}", paths.len()));
        }
        let read = |path: &PathBuf| fs::read(path).expect("a mail");
        Ok(paths.iter().map(read).collect())
    })
}
