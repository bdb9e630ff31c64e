//! The real stage: the built binary in a temporary folder, its own commands, a real SQLite file or a new database of the
//! PostgreSQL server that the run is about, sockets, a DNS server and peers on this machine. Only the servers' clocks are moved.

mod address;
mod hang;
mod house;
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
use ground_store::contract::Database;
use ground_world::clock::ClockControl;
use ground_world::net::{ConnectOptions, Stream};
use ground_world::{Time, World, WorldOptions};
use postrider::control::{DirectoryChange, Verb};
use serde_json::Value;

use crate::client::PATIENCE;
use crate::config;
use crate::pattern::{Answer, Beginning};
use crate::peer::{Peer, Reach, Rule, Temper};
use crate::simulated::{NOBODY, door, written};
use crate::stage::{Stage, Written};
use crate::statement::{DnsLine, HopAct, HopChange, Letter, Listing, NodeChange, Operation, Room};
use crate::story::{Failure, Story};
use crate::tell;
use crate::trouble::Trouble;

use address::StandIns;
use hang::Hang;
use house::House;
use names::Names;
use program::{Program, rows};

/// Waits that cannot be jumped over are short, and the sweeps look often.
const SETTINGS: &str = r#"
data_directory = "data"
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

/// Why a story is not told to the built binary in this run, when it is not.
#[must_use]
pub fn not_real(story: &Story) -> Option<String> {
    if let Some(why) = story.simulated_only() {
        return Some(format!("simulated only: {why}"));
    }
    let why = story.real_on_postgres_only()?;
    (!Database::is_meant()).then(|| format!("real on postgres only: {why}"))
}

/// Tells a story to the built binary.
///
/// # Errors
/// [`Failure`]: the first line that did not come true, what was expected, what was got, and the server's last words.
pub fn tell_real(story: &Story, binary: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| story.without_a_stage(error.into()))?;
    runtime.block_on(async {
        let stage = Real::build(story, binary).await;
        let mut stage = stage.map_err(|error| story.without_a_stage(error))?;
        let told = tell::tell(story, &mut stage).await;
        let told = told.map_err(|failure| stage.with_last_words(failure));
        let down = stage.house.take_down().await;
        told.and(down.map_err(|error| story.without_a_stage(error)))
    })
}

struct Real {
    /// The clients' and peers' side; its clock goes with the server's.
    world: World,
    clock: ClockControl,
    start: Time,
    /// How much of the time since then was jumped over.
    jumped: Duration,
    house: House,
    /// What the story's settings say.
    settings: String,
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
        let mut real = Real {
            start: world.clock.now(),
            world,
            clock,
            jumped: Duration::ZERO,
            house: House::build(binary).await?,
            settings: String::new(),
            // A port in use is nobody else's.
            stand_ins: StandIns::of(story, names.address().port())?,
            names,
            peers: BTreeMap::new(),
            hanging: BTreeMap::new(),
        };
        real.write_configs()?;
        Ok(real)
    }

    fn with_last_words(&self, failure: Failure) -> Failure {
        let last = self.house.last_words();
        let error = anyhow!("{:#}\n  the log ends so:\n  {last}", failure.error);
        Failure { error, ..failure }
    }

    /// The whole configuration of a node: listeners take free ports, and the clock starts where the story's is.
    fn configuration(&self, node: &str) -> Result<toml::Table> {
        let ahead = self.jumped.as_millis();
        let test = format!(
            "store = {:?}\ndns.servers = [\"{}\"]\n[test]\nclock_control = true\nclock_ahead = \"{ahead}ms\"\ndetours = {:?}",
            self.house.store(),
            self.names.address(),
            self.stand_ins.detours(),
        );
        let here = config::lay_over(&test, SETTINGS)?;
        let mut table = config::table(node, &self.settings, here)?;
        let anywhere = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        config::move_listeners(&mut table, |_| anywhere);
        Ok(table)
    }

    /// Every node's; those that run read theirs when they are told to.
    fn write_configs(&mut self) -> Result<()> {
        for (name, program) in self.house.programs() {
            let text = toml::to_string(&self.configuration(name)?)?;
            std::fs::write(program.config(), text)?;
        }
        Ok(())
    }

    async fn start_node(&mut self, name: &str) -> Result<()> {
        self.house.furnish(name)?;
        self.write_configs()?;
        let settings = config::settings(&self.configuration(name)?)?;
        self.house.start(name, settings.listeners.len()).await
    }

    /// Whose commands the story's people use.
    fn program(&self) -> Result<&Program> {
        self.house.program()
    }

    /// What a command lists; nothing, when it knows nothing.
    async fn listed(&self, arguments: &[&str]) -> Result<Vec<Answer>> {
        let arguments = [arguments, &["--json"]].concat();
        let output = self.program()?.run("operator", &arguments, b"").await?;
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

    fn passed(&self) -> Duration {
        self.world.clock.now().since(self.start)
    }

    fn peers(&self) -> &BTreeMap<String, Peer> {
        &self.peers
    }

    async fn settings(&mut self, text: &str) -> Result<()> {
        text.clone_into(&mut self.settings);
        self.write_configs()?;
        for (_, program) in self.house.running() {
            program.done(&["reload"]).await?;
        }
        Ok(())
    }

    async fn directory(&mut self, change: &DirectoryChange) -> Result<()> {
        self.program()?.done(&arguments(change)?).await?;
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
            Temper::Breaks(_) | Temper::GoesSilent(_) => {
                bail!("connections on this machine do not break after so many octets")
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
        match what {
            NodeChange::Start => self.start_node(name).await,
            NodeChange::Stumble => bail!("nobody crashes the binary at this very moment"),
            NodeChange::Stop => self.house.ends(name)?.stop().await,
            NodeChange::Crash => self.house.ends(name)?.kill().await,
            NodeChange::Pause => self.house.pause(name, self.jumped),
            NodeChange::Continue => self.goes_on(name).await,
            NodeChange::Forget => {
                self.house.ends(name)?.kill().await?;
                self.start_node(name).await
            }
        }
    }

    async fn mishap(&mut self, node: &str, _trouble: Trouble) -> Result<()> {
        bail!("nothing goes wrong inside {node:?} at our word: it is the binary")
    }

    async fn forget(&mut self, node: &str, _message: &str) -> Result<usize> {
        bail!("{node:?} forgets nothing at our word: it is the binary")
    }

    async fn on(&mut self, name: &str) -> Result<()> {
        self.house.on(name)?;
        self.write_configs()
    }

    async fn pass(&mut self, time: Duration) -> Result<()> {
        self.pass_by(time).await
    }

    async fn clock_steps(&mut self, by: i64) -> Result<()> {
        let by = format!("{by}ms");
        for (_, program) in self.house.running() {
            program.done(&["clock", "step", &by]).await?;
        }
        Ok(())
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
        let met = self.house.met();
        let door = match to.parse() {
            Ok(address) => Endpoint::Tcp(self.stand_ins.peer(address)),
            Err(_) => door(&met.context(NOBODY)?.doors, to)?,
        };
        Ok(match door {
            Endpoint::Tcp(address) => net.connect(address, options).await?,
            Endpoint::Unix(path) => {
                let path = self.program()?.folder.join(path);
                net.connect_unix(&path, PATIENCE).await?
            }
        })
    }

    async fn submit(&mut self, letter: &Letter, content: Bytes) -> Result<Option<String>> {
        let mut arguments = vec!["sendmail", "-i", "-f", &letter.from];
        if let Some(notify) = &letter.notify {
            arguments.extend(["-N", notify]);
        }
        arguments.extend(letter.to.iter().map(String::as_str));
        let output = self.program()?.run("story", &arguments, &content).await?;
        let refusal = String::from_utf8_lossy(&output.stderr);
        Ok((!output.status.success()).then(|| refusal.trim_end().to_owned()))
    }

    async fn operate(&mut self, operation: &Operation) -> Result<u64> {
        let mut arguments = vec![operation.verb.ledgers().word().to_owned()];
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

    async fn hop(&mut self, act: &HopAct) -> Result<()> {
        let mut arguments = match &act.change {
            HopChange::Pause { until } => vec!["hop", "pause", &act.hop, "--until", until],
            HopChange::Resume => vec!["hop", "resume", &act.hop],
        };
        arguments.extend(["--reason", &act.reason]);
        let done = self.listed(&arguments).await?;
        done.first().map(drop).context("expected an act")
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
            Listing::Alarms => self.listed(&["alarms"]).await,
            Listing::Trace(of) => self.listed(&["trace", of]).await,
            Listing::Explain(of) => self.listed(&["explain", of]).await,
        }
    }

    async fn content(&self, message: &str) -> Result<Option<String>> {
        let arguments = ["inspect", "body", message];
        let output = self.program()?.run("operator", &arguments, b"").await?;
        Ok(output.status.success().then(|| self.told(&output.stdout)))
    }

    async fn mails(&self, account: &str) -> Result<Vec<String>> {
        let mut mails = Vec::new();
        for mail in self.listed(&["mail", "list", account]).await? {
            let id = mail.get("id").and_then(Value::as_str);
            let id = id.context("a mail without its id")?;
            let output = self.program()?.done(&["mail", "show", account, id]).await?;
            mails.push(self.told(&output.stdout));
        }
        Ok(mails)
    }

    async fn write(&self, sql: &str) -> Result<Written> {
        let options = ground_store::Options::default();
        let store = Store::open(&self.house.store(), options, &self.world).await?;
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
