//! The server under test: its configuration, its process, and the questions we ask it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::letter::Letter;
use crate::program::{Daemon, client, run, succeed, wait_for};

/// Accounts of every server here, and the password of both.
pub const ALICE: &str = "alice@here.test";
/// The other one.
pub const BOB: &str = "bob@here.test";
/// Their password.
pub const PASSWORD: &str = "correct-horse-42";
/// Somebody somewhere else.
pub const STRANGER: &str = "stranger@elsewhere.test";

/// The system chooses the ports; the server prints them.
const CONFIG: &str = r#"hostname = "mx.here.test"
store = "sqlite:data/postrider.db"

[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:0"

[[listener]]
name = "inside"
protocol = "smtp"
address = "127.0.0.1:0"
relay_from = ["127.0.0.0/8"]

[[listener]]
name = "submission"
protocol = "submission"
address = "127.0.0.1:0"

[[listener]]
name = "submissions"
protocol = "submission"
address = "127.0.0.1:0"
tls = "implicit"

[[listener]]
name = "lmtp"
protocol = "lmtp"
address = "127.0.0.1:0"
"#;

/// A running server.
pub struct Server {
    daemon: Daemon,
    folder: TempDir,
    ports: Vec<(String, SocketAddr)>,
}

impl Server {
    /// Starts a server with two accounts; `more` is added to its configuration.
    pub fn start(more: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let config = folder.path().join("postrider.toml");
        let settings = format!("{CONFIG}{more}");
        let listeners = settings.matches("[[listener]]").count();
        fs::write(&config, settings).expect("a file");
        succeed(command(&config).args(["domain", "add", "here.test"]), None);
        for account in [ALICE, BOB] {
            let add = ["account", "add", account, "--password", PASSWORD];
            succeed(command(&config).args(add), None);
        }
        let log = folder.path().join("server.log");
        let daemon = Daemon::start("postrider", command(&config).arg("serve"), log);
        let ports = wait_for("listening server", || {
            let log = daemon.log();
            let ports: Vec<_> = log.lines().filter_map(listening).collect();
            if ports.len() == listeners {
                Ok(ports)
            } else {
                Err(log)
            }
        });
        Self {
            daemon,
            folder,
            ports,
        }
    }

    /// A server whose mail for `domain` leaves over a connector with these settings.
    pub fn with_connector(domain: &str, settings: &str) -> Self {
        Self::start(&format!(
            "\n[[connector]]\nname = \"peer\"\naddress_space = [\"{domain}\"]\n{settings}\n\n[queue]\nretry = [\"1s\"]\n"
        ))
    }

    /// Where a listener listens.
    pub fn port(&self, listener: &str) -> SocketAddr {
        let found = self.ports.iter().find(|(name, _)| name == listener);
        found.expect("a listener of this name").1
    }

    /// What a command prints; it must succeed.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let config = self.folder.path().join("postrider.toml");
        succeed(command(&config).args(arguments), None)
    }

    /// What a command prints as JSON Lines.
    fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let config = self.folder.path().join("postrider.toml");
        let ended = run(command(&config).args(arguments).arg("--json"), None);
        let objects = ended.printed.lines();
        let objects = objects.filter_map(|line| serde_json::from_str(line).ok());
        objects.collect()
    }

    /// What waits.
    pub fn queue(&self) -> Vec<Value> {
        self.rows(&["queue", "list"])
    }

    /// Hands a letter over as one of our own machines does.
    pub fn hand_over(&self, letter: &Letter, from: &str, to: &[&str]) {
        let mut curl = client("curl", "curl");
        curl.args(["-sS", "--mail-from", from]);
        for recipient in to {
            curl.args(["--mail-rcpt", recipient]);
        }
        let url = format!("smtp://{}/client.here.test", self.port("inside"));
        succeed(curl.arg("-T").arg(letter.wire_file()).arg(url), None);
    }

    /// The story of the message with this Message-ID, once every recipient is in the state that is named for it.
    pub fn story(&self, message_id: &str, states: &[(&str, &str)]) -> Story {
        let story = wait_for("story that ends so", || {
            let stories = self.rows(&["trace", message_id]);
            let [story] = stories.as_slice() else {
                return Err(format!("{} stories of {message_id}", stories.len()));
            };
            let story = Story(story.clone());
            let fits =
                |(address, state): &(&str, &str)| story.recipient(address)["state"] == *state;
            if states.iter().all(fits) {
                return Ok(story);
            }
            Err(format!("{:#}", story.0))
        });
        assert_eq!(
            list(&story.0["recipients"]).len(),
            states.len(),
            "{:#}",
            story.0
        );
        story
    }

    /// Waits until an account's mailbox holds `count` mails; their content.
    pub fn mailbox(&self, account: &str, count: usize) -> Vec<Vec<u8>> {
        let mails = wait_for("mails in the mailbox", || {
            let mails = self.rows(&["mail", "list", account]);
            if mails.len() >= count {
                return Ok(mails);
            }
            Err(format!(
                "{} of {count}; queue: {:#?}",
                mails.len(),
                self.queue()
            ))
        });
        assert_eq!(mails.len(), count, "more mails than were sent");
        let show = |mail: &Value| {
            let uid = mail["uid"].to_string();
            let config = self.folder.path().join("postrider.toml");
            let output = command(&config)
                .args(["mail", "show", account, &uid])
                .output();
            output.expect("postrider mail show").stdout
        };
        mails.iter().map(show).collect()
    }

    /// The only mail of an account.
    pub fn only_mail(&self, account: &str) -> Vec<u8> {
        self.mailbox(account, 1).remove(0)
    }

    /// The book adds up to these counts and nothing waits; the same after an orderly stop, with the server down.
    pub fn close(mut self, counts: &[(&str, u64)]) {
        self.audit(counts);
        assert!(
            self.daemon.stop(),
            "the server did not stop well:\n{}",
            self.daemon.log()
        );
        self.audit(counts);
    }

    /// The book adds up, whatever is in it; the same after an orderly stop, with the server down.
    pub fn close_sound(mut self) {
        self.sound_audit();
        assert!(
            self.daemon.stop(),
            "the server did not stop well:\n{}",
            self.daemon.log()
        );
        self.sound_audit();
    }

    fn sound_audit(&self) -> Value {
        let audit: Value = serde_json::from_str(&self.ask(&["audit", "--json"])).expect("JSON");
        assert_eq!(audit["difference"], 0, "{audit:#}");
        assert_eq!(audit["orphans"], 0, "{audit:#}");
        audit
    }

    fn audit(&self, counts: &[(&str, u64)]) {
        let audit = self.sound_audit();
        let names = [
            "delivered",
            "relayed",
            "expanded",
            "returned",
            "discarded",
            "dead_letter",
            "in_transit",
        ];
        let mut accepted = 0;
        for name in names {
            let expected = counts.iter().find(|(this, _)| *this == name);
            let expected = expected.map_or(0, |(_, count)| *count);
            assert_eq!(audit[name], expected, "{name}: {audit:#}");
            accepted += expected;
        }
        assert_eq!(audit["accepted"], accepted, "{audit:#}");
    }
}

/// `listening: NAME ADDRESS`.
fn listening(line: &str) -> Option<(String, SocketAddr)> {
    let (name, address) = line.strip_prefix("listening: ")?.split_once(' ')?;
    Some((name.to_owned(), address.parse().ok()?))
}

fn command(config: &Path) -> Command {
    let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_postrider")));
    command.arg("--config").arg(config);
    command
}

/// The elements of an array.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A message's story as `postrider trace --json` tells it.
pub struct Story(pub Value);

impl Story {
    /// One recipient of it.
    pub fn recipient(&self, address: &str) -> &Value {
        let mut recipients = list(&self.0["recipients"]).iter();
        recipients
            .find(|recipient| recipient["address"] == address)
            .unwrap_or(&Value::Null)
    }

    /// The attempts for one recipient.
    pub fn attempts(&self, address: &str) -> &[Value] {
        list(&self.recipient(address)["attempts"])
    }

    /// The last attempt for one recipient ended so, with a reply that begins so.
    #[track_caller]
    pub fn ended(&self, address: &str, outcome: &str, reply: &str) -> &Value {
        let attempt = self.attempts(address).last();
        let attempt = attempt.unwrap_or_else(|| panic!("no attempt for {address}: {:#}", self.0));
        assert_eq!(attempt["outcome"], outcome, "{attempt:#}");
        let said = attempt["reply"].as_str().unwrap_or_default();
        assert!(said.starts_with(reply), "{attempt:#}");
        attempt
    }

    /// A text of the message.
    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }
}

/// Above a letter that one hop, ours, delivered here.
pub const DELIVERED_HERE: [&str; 3] = ["Return-Path", "Delivered-To", "Received"];
