//! The real stage: the built binary in a temporary folder, its own commands, a real SQLite file, sockets, a DNS server and
//! peers on this machine. Only the server's clock is moved.

mod address;
mod hang;
mod names;
mod pace;
mod program;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use ground_settings::Endpoint;
use ground_store::Store;
use ground_world::clock::ClockControl;
use ground_world::net::{ConnectOptions, Stream};
use ground_world::{Time, World, WorldOptions};
use postrider::control::{DirectoryChange, Verb};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::PATIENCE;
use crate::config;
use crate::pattern::{Answer, Beginning};
use crate::peer::{Peer, Reach, Rule, Temper};
use crate::simulated::{door, written};
use crate::stage::{Stage, Written};
use crate::statement::{DnsLine, Letter, Listing, NodeChange, Operation, Room};
use crate::story::{Failure, Story};
use crate::tell;

use address::StandIns;
use hang::Hang;
use names::Names;
use program::{Program, Server, rows};

/// Waits that cannot be jumped over are short, and the sweeps look often.
const SETTINGS: &str = r#"
store = "sqlite:./data/book.db"
[watch]
sweep_interval = "100ms"
reconcile_interval = "1s"
audit_interval = "1d"
[queue]
poll_interval = "100ms"
[timeouts]
connect = "1s"
[dns]
timeout = "1s"
attempts = 2
"#;

/// Between two looks.
const A_MOMENT: Duration = Duration::from_millis(5);

/// The database in the story's folder.
const STORE: &str = "data/book.db";

/// The node that is meant before any was started.
const FIRST_NODE: &str = "node1";

/// Tells a story to the built binary.
///
/// # Errors
/// [`Failure`]: the first line that did not come true, what was expected, what was got, and the server's last words.
pub fn tell_real(story: &Story, binary: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| story.cannot_begin(error.into()))?;
    runtime.block_on(async {
        let stage = Real::build(story, binary).await;
        let mut stage = stage.map_err(|error| story.cannot_begin(error))?;
        let told = tell::tell(story, &mut stage).await;
        told.map_err(|failure| stage.with_last_words(failure))
    })
}

struct Real {
    /// The clients' and peers' side; its clock goes with the server's.
    world: World,
    clock: ClockControl,
    start: Time,
    /// How much of the time since then was jumped over.
    jumped: Duration,
    program: Program,
    _folder: TempDir,
    /// What the story's settings say.
    settings: String,
    node: String,
    server: Option<Server>,
    stand_ins: StandIns,
    names: Names,
    peers: BTreeMap<String, Peer>,
    hanging: BTreeMap<String, Hang>,
}

impl Real {
    async fn build(story: &Story, binary: &Path) -> Result<Real> {
        let options = WorldOptions::default();
        let (world, clock) = World::real_with_clock_control(&options, Duration::ZERO)?;
        let names = Names::start(Ipv4Addr::LOCALHOST.into()).await?;
        let folder = TempDir::new()?;
        std::fs::create_dir(folder.path().join("data"))?;
        let real = Real {
            start: world.clock.now(),
            world,
            clock,
            jumped: Duration::ZERO,
            program: Program {
                binary: binary.to_owned(),
                folder: folder.path().to_owned(),
            },
            _folder: folder,
            settings: String::new(),
            node: FIRST_NODE.to_owned(),
            server: None,
            // A port in use is nobody else's.
            stand_ins: StandIns::of(story, names.address().port())?,
            names,
            peers: BTreeMap::new(),
            hanging: BTreeMap::new(),
        };
        real.write_config()?;
        Ok(real)
    }

    fn with_last_words(&self, failure: Failure) -> Failure {
        let last = self.program.last_words();
        let error = anyhow!("{:#}\n  the log ends so:\n  {last}", failure.error);
        Failure { error, ..failure }
    }

    /// The whole configuration: listeners take free ports, and the clock starts where the story's is.
    fn configuration(&self) -> Result<toml::Table> {
        let ahead = self.jumped.as_millis();
        let test = format!(
            "dns.servers = [\"{}\"]\n[test]\nclock_control = true\nclock_ahead = \"{ahead}ms\"\ndetours = {:?}",
            self.names.address(),
            self.stand_ins.detours(),
        );
        let here = config::lay_over(&test, SETTINGS)?;
        let mut table = config::table(&self.node, &self.settings, here)?;
        let listeners = table
            .get_mut("listener")
            .and_then(toml::Value::as_array_mut);
        for listener in listeners.into_iter().flatten() {
            let address = listener.get_mut("address");
            let is_tcp = |text: &str| text.parse::<SocketAddr>().is_ok();
            if let Some(address) = address.filter(|text| text.as_str().is_some_and(is_tcp)) {
                *address = "127.0.0.1:0".into();
            }
        }
        Ok(table)
    }

    fn write_config(&self) -> Result<()> {
        let text = toml::to_string(&self.configuration()?)?;
        Ok(std::fs::write(self.program.config(), text)?)
    }

    async fn start_node(&mut self, name: &str) -> Result<()> {
        if self.server.is_some() {
            bail!("expected no node to run, and {:?} does", self.node);
        }
        name.clone_into(&mut self.node);
        self.write_config()?;
        let settings = config::settings(&self.configuration()?)?;
        self.server = Some(self.program.serve(settings.listeners.len()).await?);
        Ok(())
    }

    /// What a command lists; nothing, when it knows nothing.
    async fn listed(&self, arguments: &[&str]) -> Result<Vec<Answer>> {
        let arguments = [arguments, &["--json"]].concat();
        let output = self.program.run("operator", &arguments, b"").await?;
        if !matches!(output.status.code(), Some(0 | 1)) {
            bail!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        rows(&self.told(&output.stdout))
    }

    fn told(&self, octets: &[u8]) -> String {
        self.stand_ins.as_told(&String::from_utf8_lossy(octets))
    }
}

impl Stage for Real {
    const PATIENCE: Duration = Duration::from_secs(10);

    fn world(&self) -> &World {
        &self.world
    }

    fn beginning(&self) -> Beginning {
        let passed = self.world.clock.now().since(self.start);
        Beginning {
            at: self.start,
            slack: passed.saturating_sub(self.jumped),
        }
    }

    fn peers(&self) -> &BTreeMap<String, Peer> {
        &self.peers
    }

    async fn settings(&mut self, text: &str) -> Result<()> {
        text.clone_into(&mut self.settings);
        self.write_config()?;
        if self.server.is_some() {
            self.program.done(&["reload"]).await?;
        }
        Ok(())
    }

    async fn directory(&mut self, change: &DirectoryChange) -> Result<()> {
        self.program.done(&arguments(change)?).await?;
        Ok(())
    }

    async fn dns(&mut self, line: &DnsLine) -> Result<()> {
        self.names.change(line)
    }

    async fn disk(&mut self, room: Room) -> Result<()> {
        bail!("the disk of this machine is not made {room:?}")
    }

    async fn peer_starts(&mut self, name: &str, at: SocketAddr, rules: &[Rule]) -> Result<()> {
        let at = self.stand_ins.peer(at);
        let peer = Peer::start(&self.world, at, rules.to_vec(), Reach::TheWire);
        self.peers.insert(name.to_owned(), peer.await?);
        Ok(())
    }

    async fn peer_shows(&mut self, name: &str, temper: Temper) -> Result<()> {
        let peer = self.peers.get_mut(name);
        let peer = peer.context("expected a peer of this name")?;
        self.hanging.remove(name);
        match temper {
            Temper::Answers => peer.open(&self.world).await,
            Temper::Refuses => {
                peer.close().await;
                Ok(())
            }
            Temper::Hangs => {
                peer.close().await;
                let hang = Hang::at(peer.address(), &self.world).await?;
                self.hanging.insert(name.to_owned(), hang);
                Ok(())
            }
        }
    }

    async fn node(&mut self, name: &str, what: NodeChange) -> Result<()> {
        if what == NodeChange::Start {
            return self.start_node(name).await;
        }
        let server = self.server.take().filter(|_| self.node == name);
        let server =
            server.with_context(|| format!("expected a running node, and {name:?} is not"))?;
        match what {
            NodeChange::Start => Ok(()),
            NodeChange::Stumble => bail!("nobody crashes the binary at this very moment"),
            NodeChange::Stop => server.stop().await,
            NodeChange::Crash => server.kill().await,
            NodeChange::Forget => {
                server.kill().await?;
                self.start_node(name).await
            }
        }
    }

    async fn pass(&mut self, time: Duration) -> Result<()> {
        self.pass_by(time).await
    }

    async fn a_moment(&mut self) -> Result<()> {
        self.world.clock.sleep(A_MOMENT).await;
        Ok(())
    }

    async fn rest(&mut self) -> Result<()> {
        self.settle().await?;
        Ok(())
    }

    async fn connect(&mut self, from: Option<IpAddr>, to: &str) -> Result<Stream> {
        let net = &self.world.net;
        let options = ConnectOptions {
            bind: from.map(|from| self.stand_ins.client(from)),
            ..ConnectOptions::default()
        };
        let server = self.server.as_ref();
        let door = match to.parse() {
            Ok(address) => Endpoint::Tcp(self.stand_ins.peer(address)),
            Err(_) => door(&server.context("expected a running node")?.doors, to)?,
        };
        Ok(match door {
            Endpoint::Tcp(address) => net.connect(address, options).await?,
            Endpoint::Unix(path) => {
                let path = self.program.folder.join(path);
                net.connect_unix(&path, PATIENCE).await?
            }
        })
    }

    async fn submit(&mut self, letter: &Letter, content: Bytes) -> Result<Option<String>> {
        let mut arguments = vec!["sendmail", "-i", "-f", &letter.from];
        arguments.extend(letter.to.iter().map(String::as_str));
        let output = self.program.run("story", &arguments, &content).await?;
        let refusal = String::from_utf8_lossy(&output.stderr);
        Ok((!output.status.success()).then(|| refusal.trim_end().to_owned()))
    }

    async fn operate(&mut self, operation: &Operation) -> Result<u64> {
        let mut arguments = vec![operation.verb.word().to_owned()];
        for (name, value) in &operation.filter {
            arguments.extend([format!("--{name}"), value.clone()]);
        }
        if operation.filter.is_empty() {
            arguments.push("--all".to_owned());
        }
        if let Verb::Reroute { to: Some(hop) } = &operation.verb {
            arguments.extend(["--to".to_owned(), hop.clone()]);
        }
        arguments.extend(["--reason".to_owned(), operation.reason.clone()]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = self.listed(&arguments).await?;
        let done = done.first().context("expected an act; nobody fits")?;
        Ok(done.get("done").and_then(Value::as_u64).unwrap_or(0))
    }

    async fn list(&self, listing: &Listing) -> Result<Vec<Answer>> {
        match listing {
            Listing::Queue => self.listed(&["queue"]).await,
            Listing::QueueList(conditions) => {
                let mut arguments = vec!["queue".to_owned(), "list".to_owned()];
                for (name, value) in conditions {
                    arguments.extend([format!("--{name}"), value.clone()]);
                }
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                self.listed(&arguments).await
            }
            Listing::Audit => self.listed(&["audit"]).await,
            Listing::Trace(of) => self.listed(&["trace", of]).await,
        }
    }

    async fn content(&self, message: &str) -> Result<Option<String>> {
        let arguments = ["inspect", "body", message];
        let output = self.program.run("operator", &arguments, b"").await?;
        Ok(output.status.success().then(|| self.told(&output.stdout)))
    }

    async fn mails(&self, account: &str) -> Result<Vec<String>> {
        let mut mails = Vec::new();
        for mail in self.listed(&["mail", "list", account]).await? {
            let id = mail.get("id").and_then(Value::as_str);
            let id = id.context("a mail without its id")?;
            let output = self.program.done(&["mail", "show", account, id]).await?;
            mails.push(self.told(&output.stdout));
        }
        Ok(mails)
    }

    async fn write(&self, sql: &str) -> Result<Written> {
        let path = self.program.folder.join(STORE);
        let url = format!("sqlite:{}", path.display());
        let options = ground_store::Options::default();
        let store = Store::open(&url, options, &self.world).await?;
        Ok(written(&store, sql).await)
    }
}

/// The command that makes a change.
fn arguments(change: &DirectoryChange) -> Result<Vec<&str>> {
    Ok(match change {
        DirectoryChange::DomainAdd { name } => vec!["domain", "add", name],
        DirectoryChange::DomainCatchAll { name, target } => {
            let mut arguments = vec!["domain", "catch-all", name];
            arguments.extend(target.as_deref());
            arguments
        }
        DirectoryChange::AccountAdd {
            address,
            password,
            quota: None,
        } => {
            let mut arguments = vec!["account", "add", address];
            match password {
                Some(password) => arguments.extend(["--password", &password.0]),
                None => arguments.push("--no-login"),
            }
            arguments
        }
        DirectoryChange::AliasAdd { address, targets } => {
            let mut arguments = vec!["alias", "add", address];
            arguments.extend(targets.iter().map(String::as_str));
            arguments
        }
        DirectoryChange::AccountAdd { .. }
        | DirectoryChange::DomainRemove { .. }
        | DirectoryChange::AccountPassword { .. }
        | DirectoryChange::AccountRemove { .. }
        | DirectoryChange::AliasRemove { .. } => bail!("no story says this yet: {change:?}"),
    })
}
