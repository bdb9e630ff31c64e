//! The simulated stage: the server's own node in this process, on a world whose clock stands still but for the story's waits.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use ground_settings::Endpoint;
use ground_store::{Sql, Store, Unit};
use ground_world::dns::DnsFault;
use ground_world::net::{ConnectOptions, Fault, Stream};
use ground_world::{Simulation, Time, World};
use path_ledger::{Duty, Filter, Handoff, Ledger, LedgerOptions};
use postrider::control::{self, Answer as Answered, DirectoryChange, Question, Request};
use postrider::node::{Node, NodeParts};
use postrider::rooms::{self, Rooms};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;

use crate::client::PATIENCE;
use crate::config;
use crate::pattern::{Answer, Beginning};
use crate::peer::{Peer, Reach, Rule, Temper};
use crate::stage::{Stage, Written};
use crate::statement::{Conditions, DnsLine, Letter, Listing, NodeChange, Operation, Room};
use crate::story::{Failure, Story};
use crate::tell;

/// The folder of the configuration file: paths of Unix sockets start there.
const FOLDER: &str = "/etc";

/// The sweeps and the queue of a story look less often than a server's, so that days pass quickly; still within the slack
/// they promise.
const SETTINGS: &str = r#"
store = "sqlite:/data/book.db"
[watch]
sweep_interval = "15s"
reconcile_interval = "10m"
audit_interval = "1d"
[queue]
poll_interval = "5s"
"#;

/// Time that passes after each statement, so that what it caused has happened.
const A_MOMENT: Duration = Duration::from_millis(1);

/// Room on a disk that is free again.
const FREE: u64 = 1 << 40;

/// Tells a story on a world of its own. Its clock stands still but for the story's waits.
///
/// # Errors
/// [`Failure`]: the first line that did not come true, what was expected and what was got.
pub fn tell_simulated(story: &Story) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(|error| story.cannot_begin(error.into()))?;
    runtime.block_on(async {
        let stage = Simulated::build().await;
        let mut stage = stage.map_err(|error| story.cannot_begin(error))?;
        tell::tell(story, &mut stage).await
    })
}

struct Simulated {
    world: World,
    simulation: Simulation,
    start: Time,
    store: Store,
    /// What the story's settings say.
    settings: String,
    nodes: BTreeMap<String, Node>,
    /// Answers when no node runs, as the commands do themselves then.
    offline: Rooms,
    peers: BTreeMap<String, Peer>,
    reach: Reach,
    /// Nodes that a peer lets crash.
    crashes: UnboundedReceiver<String>,
}

impl Simulated {
    async fn build() -> Result<Simulated> {
        let (world, simulation) = World::simulated(1);
        let start = world.clock.now();
        let options = ground_store::Options::default();
        let store = Store::open("sqlite:/data/book.db", options, &world).await?;
        let offline = offline(&store, &world).await?;
        let (crash, crashes) = unbounded_channel();
        Ok(Simulated {
            reach: Reach::Everything {
                simulation: simulation.clone(),
                crashes: crash,
            },
            crashes,
            world,
            simulation,
            start,
            store,
            settings: String::new(),
            nodes: BTreeMap::new(),
            offline,
            peers: BTreeMap::new(),
        })
    }

    /// Starts a node in a new epoch.
    async fn start_node(&mut self, name: &str) -> Result<()> {
        if self.nodes.contains_key(name) {
            bail!("expected a node that does not run, and {name:?} does");
        }
        // Tasks of the old epoch end before the new one takes their addresses.
        self.pass(A_MOMENT).await?;
        let node = Node::start(NodeParts {
            settings: config::settings(&config::table(name, &self.settings, SETTINGS.parse()?)?)?,
            folder: FOLDER.into(),
            file: None,
            world: self.world.clone(),
            store: self.store.clone(),
            socket: None,
            clock: None,
        });
        self.nodes.insert(name.to_owned(), node.await?);
        Ok(())
    }

    /// A node takes a new epoch, and is gone before it does anything with it.
    async fn stumble(&mut self, name: &str) -> Result<()> {
        let table = config::table(name, &self.settings, SETTINGS.parse()?)?;
        let options = LedgerOptions::from_settings(name, &config::settings(&table)?);
        Ledger::open(self.store.clone(), self.world.clone(), options).await?;
        self.simulation.disk.crash();
        Ok(())
    }

    fn running(&mut self, name: &str) -> Result<Node> {
        let node = self.nodes.remove(name);
        node.with_context(|| format!("expected a running node, and {name:?} is not"))
    }

    fn crash(&mut self, name: &str) -> Result<()> {
        self.running(name)?.abort();
        self.simulation.disk.crash();
        Ok(())
    }

    /// The node that clients and programs meet: the only one, or the first by name.
    fn first(&self) -> Result<&Node> {
        let node = self.nodes.values().next();
        node.context("expected a running node, and there is none")
    }

    /// Asks as a command does: the server, or the store when none runs.
    async fn ask(&self, by: &str, question: Question, content: Bytes) -> Answered {
        let request = Request {
            by: by.to_owned(),
            question,
            content,
        };
        match self.nodes.values().next() {
            Some(node) => node.execute(request).await,
            None => control::execute(&self.offline, request).await,
        }
    }

    async fn rows(&self, question: Question) -> Result<Vec<Answer>> {
        let rows = match self.ask("operator", question, Bytes::new()).await {
            Answered::Rows { rows } => rows,
            Answered::One { fact } => vec![fact],
            // Nothing is known of what was asked.
            Answered::Refused { .. } => Vec::new(),
            Answered::Octets { .. } => bail!("expected rows, got octets"),
        };
        let row = |row| Ok(serde_json::from_value(row)?);
        rows.into_iter().map(row).collect()
    }

    fn filter(&self, conditions: &Conditions) -> Result<Filter> {
        let mut filter = Filter::default();
        for (name, value) in conditions {
            filter.set(name, value, self.world.clock.now())?;
        }
        Ok(filter)
    }
}

/// The rooms of a command that runs while no server does.
async fn offline(store: &Store, world: &World) -> Result<Rooms> {
    let settings = config::settings(&config::table("operator", "", SETTINGS.parse()?)?)?;
    let options = LedgerOptions {
        duty: Duty::Command,
        ..LedgerOptions::from_settings("operator".to_owned(), &settings)
    };
    let ledger = Ledger::open(store.clone(), world.clone(), options).await?;
    let directory = rooms::directory(&ledger);
    let data = settings.data_directory(Path::new(FOLDER));
    let (_, settings) = watch::channel(Arc::new(settings));
    Ok(Rooms::furnish(
        ledger,
        directory,
        settings,
        data,
        Handoff::to_nobody(),
    ))
}

impl Stage for Simulated {
    /// What a statement causes has happened when it ends.
    const PATIENCE: Duration = Duration::ZERO;

    fn world(&self) -> &World {
        &self.world
    }

    fn beginning(&self) -> Beginning {
        Beginning {
            at: self.start,
            slack: Duration::ZERO,
        }
    }

    fn peers(&self) -> &BTreeMap<String, Peer> {
        &self.peers
    }

    async fn settings(&mut self, text: &str) -> Result<()> {
        text.clone_into(&mut self.settings);
        for (name, node) in &self.nodes {
            let table = config::table(name, text, SETTINGS.parse()?)?;
            node.reload(config::settings(&table)?).await?;
        }
        Ok(())
    }

    async fn directory(&mut self, change: &DirectoryChange) -> Result<()> {
        let change = change.clone();
        let answer = self.ask("operator", Question::Change { change }, Bytes::new());
        if let Answered::Refused { why, .. } = answer.await {
            bail!("expected a change, got: {why}");
        }
        Ok(())
    }

    async fn dns(&mut self, line: &DnsLine) -> Result<()> {
        let dns = &self.simulation.dns;
        match line {
            DnsLine::Mx { name, hosts } => {
                let hosts = hosts.iter().map(|(at, host)| (*at, host.as_str()));
                dns.mx(name, &hosts.collect::<Vec<_>>());
            }
            DnsLine::Addresses { name, addresses } => dns.addresses(name, addresses),
            DnsLine::NxDomain(name) => dns.remove(name),
            DnsLine::ServFail(name) => dns.fault(name, DnsFault::ServFail),
            DnsLine::Timeout(name) => dns.fault(name, DnsFault::Timeout),
            DnsLine::Heals(name) => dns.heal(name),
            DnsLine::Down => dns.set_down(Some(DnsFault::ServFail)),
            DnsLine::Up => dns.set_down(None),
        }
        Ok(())
    }

    /// Sets the room on the disk, and lets the time pass in which the server looks at it.
    async fn disk(&mut self, room: Room) -> Result<()> {
        self.simulation.disk.set_free(match room {
            Room::None => 0,
            Room::Plenty => FREE,
        });
        self.pass(Duration::from_secs(2)).await
    }

    async fn peer_starts(&mut self, name: &str, at: SocketAddr, rules: &[Rule]) -> Result<()> {
        let peer = Peer::start(&self.world, at, rules.to_vec(), self.reach.clone()).await?;
        self.peers.insert(name.to_owned(), peer);
        Ok(())
    }

    async fn peer_shows(&mut self, name: &str, temper: Temper) -> Result<()> {
        let peer = self.peers.get(name);
        let address = peer.context("expected a peer of this name")?.address();
        let net = &self.simulation.net;
        match temper {
            Temper::Answers => net.heal(address),
            Temper::Refuses => net.fault(address, Fault::Refuse),
            Temper::Hangs => net.fault(address, Fault::Blackhole),
        }
        Ok(())
    }

    async fn node(&mut self, name: &str, what: NodeChange) -> Result<()> {
        match what {
            NodeChange::Start => self.start_node(name).await,
            NodeChange::Stumble => self.stumble(name).await,
            NodeChange::Stop => {
                self.running(name)?.stop().await;
                Ok(())
            }
            NodeChange::Crash => self.crash(name),
            NodeChange::Forget => {
                self.running(name)?.abort();
                self.start_node(name).await
            }
        }
    }

    /// Lets time pass, and nodes crash when a peer's script says so.
    async fn pass(&mut self, time: Duration) -> Result<()> {
        let clock = self.world.clock.clone();
        let end = clock.instant() + time;
        loop {
            tokio::select! {
                biased;
                Some(node) = self.crashes.recv() => self.crash(&node)?,
                () = clock.sleep_until_instant(end) => return Ok(()),
            }
        }
    }

    async fn a_moment(&mut self) -> Result<()> {
        self.pass(A_MOMENT).await
    }

    async fn rest(&mut self) -> Result<()> {
        Ok(())
    }

    async fn connect(&mut self, from: Option<IpAddr>, to: &str) -> Result<Stream> {
        let net = &self.world.net;
        let door = match to.parse() {
            Ok(address) => Endpoint::Tcp(address),
            Err(_) => door(&self.first()?.addresses().await, to)?,
        };
        let options = ConnectOptions {
            bind: from,
            ..ConnectOptions::default()
        };
        Ok(match door {
            Endpoint::Tcp(address) => net.connect(address, options).await?,
            Endpoint::Unix(path) => {
                let path = Path::new(FOLDER).join(path);
                net.connect_unix(&path, PATIENCE).await?
            }
        })
    }

    async fn submit(&mut self, letter: &Letter, content: Bytes) -> Result<Option<String>> {
        let question = Question::Send {
            sender: letter.from.clone(),
            recipients: letter.to.clone(),
            notify: letter.notify.clone(),
            ret: None,
            envid: None,
        };
        self.first()?;
        Ok(match self.ask("story", question, content).await {
            Answered::Refused { why, .. } => Some(why),
            Answered::Rows { .. } | Answered::One { .. } | Answered::Octets { .. } => None,
        })
    }

    async fn operate(&mut self, operation: &Operation) -> Result<u64> {
        let question = Question::Act {
            verb: operation.verb.clone(),
            filter: self.filter(&operation.filter)?,
            reason: operation.reason.clone(),
            dry_run: false,
        };
        match self.ask("operator", question, Bytes::new()).await {
            Answered::One { fact } => Ok(fact.get("done").and_then(Value::as_u64).unwrap_or(0)),
            Answered::Refused { why, .. } => bail!("expected an act, got: {why}"),
            Answered::Rows { .. } | Answered::Octets { .. } => bail!("expected what was done"),
        }
    }

    async fn list(&self, listing: &Listing) -> Result<Vec<Answer>> {
        self.rows(match listing {
            Listing::Queue => Question::Queue,
            Listing::QueueList(conditions) => Question::List {
                filter: self.filter(conditions)?,
            },
            Listing::Audit => Question::Audit,
            Listing::Trace(of) => Question::Trace { query: of.clone() },
        })
        .await
    }

    async fn content(&self, message: &str) -> Result<Option<String>> {
        let id = message.parse()?;
        Ok(text(
            self.ask("operator", Question::Body { id }, Bytes::new())
                .await,
        ))
    }

    async fn mails(&self, account: &str) -> Result<Vec<String>> {
        let address = account.to_owned();
        let mut mails = Vec::new();
        for mail in self.rows(Question::MailList { address }).await? {
            let id = mail.get("id").and_then(Value::as_str);
            let question = Question::MailShow {
                address: account.to_owned(),
                mail: id.context("a mail without its id")?.to_owned(),
            };
            mails.extend(text(self.ask("operator", question, Bytes::new()).await));
        }
        Ok(mails)
    }

    async fn write(&self, sql: &str) -> Result<Written> {
        Ok(written(&self.store, sql).await)
    }
}

/// Where the listener of this name is reached.
pub(crate) fn door(addresses: &[(String, Endpoint)], name: &str) -> Result<Endpoint> {
    let known = || {
        let names: Vec<_> = addresses.iter().map(|(name, _)| name.as_str()).collect();
        format!("expected a listener ({}), got {name:?}", names.join(", "))
    };
    let found = addresses.iter().find(|(own, _)| own == name);
    Ok(found.with_context(known)?.1.clone())
}

/// What the database makes of a write.
pub(crate) async fn written(store: &Store, sql: &str) -> Written {
    let mut unit = Unit::new();
    // A statement's text lives for ever; a story has a handful of them.
    unit.write(Sql::new(String::from(sql).leak()), Vec::new());
    match store.write(unit).await {
        Ok(done) => Written::Changed(done.changed.iter().sum()),
        Err(error) => Written::Refused(error.to_string()),
    }
}

fn text(answer: Answered) -> Option<String> {
    match answer {
        Answered::Octets { content } => Some(String::from_utf8_lossy(&content).into_owned()),
        Answered::Rows { .. } | Answered::One { .. } | Answered::Refused { .. } => None,
    }
}
