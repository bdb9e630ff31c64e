//! The simulated stage: the server's own nodes in this process, on a world whose clock stands still but for the story's waits.
//! Their store is SQLite on the simulated disk, or a new database of the PostgreSQL server that the run is about.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures_util::FutureExt;
use ground_settings::{Endpoint, Settings};
use ground_store::contract::Database;
use ground_store::{Sql, Store, Unit};
use ground_world::dns::DnsFault;
use ground_world::mishap::SimulatedMishap;
use ground_world::net::{ConnectOptions, Fault, Stream};
use ground_world::{Simulation, Time, World};
use path_ledger::{Duty, Filter, Handoff, Ledger, LedgerOptions};
use postrider::control::{self, Answer as Answered, DirectoryChange, Mover, Question, Request};
use postrider::node::{Node, NodeParts};
use postrider::rooms::{self, Rooms};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::PATIENCE;
use crate::config;
use crate::pattern::{Answer, Beginning};
use crate::peer::{Peer, Reach, Rule, Temper};
use crate::stage::{Stage, Written};
use crate::statement::{
    Conditions, DnsLine, HopAct, HopChange, Letter, Listing, NodeChange, Operation, Room,
};
use crate::story::{Failure, Story};
use crate::tell;
use crate::trouble::Trouble;

/// The store of a story on SQLite.
const SQLITE: &str = "sqlite:/data/book.db";

/// Each node has a folder of its own here for its configuration: paths of Unix sockets start there.
const FOLDERS: &str = "/etc";

/// Who asks when no node runs.
const OPERATOR: &str = "operator";

/// The sweeps and the queue of a story look less often than a server's, so that days pass quickly; still within the slack
/// they promise.
const SETTINGS: &str = r#"
[watch]
sweep_interval = "15s"
reconcile_interval = "10m"
audit_interval = "1d"
[queue]
poll_interval = "5s"
"#;

/// Time that passes after each statement, so that what it caused has happened.
const A_MOMENT: Duration = Duration::from_millis(1);

/// A client or a program meets a node that runs.
pub(crate) const NOBODY: &str = "expected a running node, and there is none";

/// How long an operator waits for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Room on a disk that is free again.
const FREE: u64 = 1 << 40;

/// The dice of every scenario.
const SEED: u64 = 1;

/// Tells a story on a world of its own. Its clock stands still but for the story's waits.
///
/// # Errors
/// [`Failure`]: the first line that did not come true, what was expected and what was got.
pub fn tell_simulated(story: &Story) -> Result<(), Failure> {
    let runtime = runtime().map_err(|error| story.without_a_stage(error))?;
    runtime.block_on(async {
        let stage = Simulated::build(SEED).await;
        let mut stage = stage.map_err(|error| story.without_a_stage(error))?;
        let told = tell::tell(story, &mut stage).await;
        let down = stage.take_down().await;
        told.and(down.map_err(|error| story.without_a_stage(error)))
    })
}

/// A node at work.
struct Running {
    node: Node,
    /// What goes wrong inside it.
    mishap: SimulatedMishap,
    /// Its own hand on the rows, whose faults are its own too.
    store: Store,
}

/// A runtime whose clock stands still but for waits.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().start_paused(true).build()?)
}

pub(crate) struct Simulated {
    world: World,
    simulation: Simulation,
    start: Time,
    started: Instant,
    store: Store,
    database: Option<Database>,
    /// What the story's settings say.
    settings: String,
    nodes: BTreeMap<String, Running>,
    /// Whom clients, programs and operators meet; nobody in particular before the story says so.
    on: Option<String>,
    /// Answers when no node runs, as the commands do themselves then.
    offline: Offline,
    /// Nodes that were fenced and cannot start anew yet, as on a full disk: they are tried again and again.
    waiting: BTreeSet<String>,
    peers: BTreeMap<String, Peer>,
    reach: Reach,
    /// Nodes that a peer lets crash.
    crashes: UnboundedReceiver<String>,
}

impl Simulated {
    /// An empty stage whose dice are those of `seed`.
    pub(crate) async fn build(seed: u64) -> Result<Simulated> {
        let (world, simulation) = World::simulated(seed);
        let (start, started) = (world.clock.now(), world.clock.instant());
        let database = Database::create().await?;
        let store = match &database {
            Some(database) => database.open().await?,
            None => Store::open(SQLITE, ground_store::Options::default(), &world).await?,
        };
        let settings = settings_of(database.as_ref(), OPERATOR, "")?;
        let offline = Offline::open(&store, &world, settings).await?;
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
            started,
            store,
            database,
            settings: String::new(),
            nodes: BTreeMap::new(),
            on: None,
            offline,
            waiting: BTreeSet::new(),
            peers: BTreeMap::new(),
        })
    }

    /// Ends everything that runs, and removes what the story had on a server.
    async fn take_down(self) -> Result<()> {
        let Simulated {
            nodes,
            offline,
            store,
            database,
            ..
        } = self;
        drop((nodes, offline, store));
        match database {
            Some(database) => Ok(database.remove().await?),
            None => Ok(()),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The present as the book counts it: by a node that runs, or else the wall clock.
    pub(crate) fn now(&self) -> Time {
        match self.met() {
            Some((_, node)) => node.ledger().now(),
            None => self.world.clock.now(),
        }
    }

    pub(crate) fn running_nodes(&self) -> Vec<String> {
        self.nodes.keys().cloned().collect()
    }

    /// Starts nodes anew that were fenced, as the program does.
    pub(crate) async fn revive(&mut self) -> Result<()> {
        let fenced = |running: &Running| running.node.ended().now_or_never().is_some();
        let fenced = self.nodes.iter().filter(|(_, running)| fenced(running));
        let fenced: Vec<String> = fenced.map(|(name, _)| name.clone()).collect();
        for name in fenced {
            self.end(&name, Node::abort)?;
            self.waiting.insert(name);
        }
        for name in self.waiting.clone() {
            // One that cannot start yet is tried again; one that never can is seen by its mail.
            if self.start_node(&name).await.is_ok() {
                self.waiting.remove(&name);
            }
        }
        Ok(())
    }

    /// Starts a node in a new epoch.
    async fn start_node(&mut self, name: &str) -> Result<()> {
        if self.nodes.contains_key(name) {
            bail!("expected a node that does not run, and {name:?} does");
        }
        // Tasks of the old epoch end before the new one takes their addresses.
        self.pass(A_MOMENT).await?;
        let settings = settings_of(self.database.as_ref(), name, &self.settings)?;
        let folder = folder(name);
        let data = settings.data_directory(&folder);
        self.world.disk.create_folder(&data).await?;
        let (world, mishap) = self.world.mortal();
        let store = match &self.database {
            Some(_) => self.store.clone(),
            None => Store::open(SQLITE, ground_store::Options::default(), &world).await?,
        };
        let node = Node::start(NodeParts {
            settings,
            folder,
            file: None,
            world,
            store: store.clone(),
            socket: None,
            clock: None,
        });
        let node = node.await?;
        let running = Running {
            node,
            mishap,
            store,
        };
        self.nodes.insert(name.to_owned(), running);
        Ok(())
    }

    /// A node takes a new epoch, and is gone before it does anything with it.
    async fn stumble(&mut self, name: &str) -> Result<()> {
        let settings = settings_of(self.database.as_ref(), name, &self.settings)?;
        let options = LedgerOptions::from_settings(name, &settings);
        Ledger::open(self.store.clone(), self.world.clone(), options).await?;
        self.simulation.disk.crash();
        Ok(())
    }

    /// Ends a node by `how`; none: it was waiting to start anew, and waits no more.
    fn end<T>(&mut self, name: &str, how: impl FnOnce(Node) -> T) -> Result<Option<T>> {
        if self.waiting.remove(name) {
            return Ok(None);
        }
        let running = self.nodes.remove(name);
        let running =
            running.with_context(|| format!("expected a running node, and {name:?} is not"))?;
        Ok(Some(how(running.node)))
    }

    /// A node that runs; none: it waits to start anew.
    fn running(&self, name: &str) -> Result<Option<&Running>> {
        let running = self.nodes.get(name);
        if running.is_none() && !self.waiting.contains(name) {
            bail!("expected a running node, got {name:?}");
        }
        Ok(running)
    }

    fn crash(&mut self, name: &str) -> Result<()> {
        self.end(name, Node::abort)?;
        self.simulation.disk.crash();
        Ok(())
    }

    /// The name and the node that clients, programs and operators meet, if it runs: the one that the story says, or the
    /// first by name.
    fn met(&self) -> Option<(&String, &Node)> {
        let met = match &self.on {
            Some(name) => self.nodes.get_key_value(name),
            None => self.nodes.first_key_value(),
        };
        met.map(|(name, running)| (name, &running.node))
    }

    /// Asks as a command does: the server, or the store when none runs.
    async fn ask(&self, by: &str, question: Question, content: Bytes) -> Answered {
        let request = Request {
            by: by.to_owned(),
            question,
            content,
        };
        let Some((_, node)) = self.met() else {
            return Box::pin(control::execute(&self.offline.rooms, request)).await;
        };
        // What goes wrong inside the node goes wrong with this answer too, and the story goes on.
        let answer = AssertUnwindSafe(Box::pin(node.execute(request))).catch_unwind();
        match self.world.clock.timeout(ANSWER_MAX, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_panic)) => unanswered("it crashed at this question"),
            Err(late) => unanswered(&late.to_string()),
        }
    }

    async fn rows(&self, question: Question) -> Result<Vec<Answer>> {
        let rows = match self.ask(OPERATOR, question, Bytes::new()).await {
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

fn unanswered(why: &str) -> Answered {
    Answered::Refused {
        whose: Mover::Time,
        why: format!("the node does not answer: {why}"),
    }
}

/// The settings of a node: the story's, then the stage's.
fn settings_of(database: Option<&Database>, node: &str, story: &str) -> Result<Settings> {
    let store = database.map_or(SQLITE, Database::url);
    let here = format!("store = {store:?}\ndata_directory = \"data\"");
    let here = config::lay_over(&here, SETTINGS)?;
    config::settings(&config::table(node, story, here)?)
}

/// Where a node's configuration would be.
fn folder(node: &str) -> PathBuf {
    Path::new(FOLDERS).join(node)
}

/// What commands work with while no server runs. A real one reads the settings anew each time.
struct Offline {
    rooms: Rooms,
    settings: watch::Sender<Arc<Settings>>,
}

impl Offline {
    async fn open(store: &Store, world: &World, settings: Settings) -> Result<Self> {
        let options = Self::options(&settings);
        let ledger = Ledger::open(store.clone(), world.clone(), options).await?;
        let directory = rooms::directory(&ledger);
        let data = settings.data_directory(&folder(OPERATOR));
        let (sender, settings) = watch::channel(Arc::new(settings));
        let nobody = Handoff::to_nobody();
        Ok(Self {
            rooms: Rooms::furnish(ledger, directory, settings, data, nobody),
            settings: sender,
        })
    }

    fn options(settings: &Settings) -> LedgerOptions {
        LedgerOptions {
            duty: Duty::Command,
            ..LedgerOptions::from_settings(OPERATOR, settings)
        }
    }

    fn reload(&self, settings: Settings) {
        self.rooms.ledger.set_options(Self::options(&settings));
        self.settings.send_replace(Arc::new(settings));
    }
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

    fn passed(&self) -> Duration {
        self.world.clock.instant() - self.started
    }

    fn peers(&self) -> &BTreeMap<String, Peer> {
        &self.peers
    }

    async fn settings(&mut self, text: &str) -> Result<()> {
        text.clone_into(&mut self.settings);
        let offline = settings_of(self.database.as_ref(), OPERATOR, text)?;
        self.offline.reload(offline);
        for (name, running) in &self.nodes {
            let settings = settings_of(self.database.as_ref(), name, text)?;
            running.node.reload(settings).await?;
        }
        Ok(())
    }

    async fn directory(&mut self, change: &DirectoryChange) -> Result<()> {
        let change = change.clone();
        let answer = self.ask(OPERATOR, Question::Change { change }, Bytes::new());
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
            Temper::Breaks(after) => net.fault(address, Fault::ResetAfterSent(after)),
            Temper::GoesSilent(after) => net.fault(address, Fault::SilentAfterSent(after)),
        }
        Ok(())
    }

    async fn node(&mut self, name: &str, what: NodeChange) -> Result<()> {
        match what {
            NodeChange::Start => self.start_node(name).await,
            NodeChange::Stumble => self.stumble(name).await,
            NodeChange::Stop => {
                let Some(stop) = self.end(name, Node::stop)? else {
                    return Ok(());
                };
                let stopped = AssertUnwindSafe(stop).catch_unwind();
                let stopped = self.world.clock.timeout(ANSWER_MAX * 2, stopped).await;
                // A defect of its own ends it there; whoever told it to stop kills it in the end.
                if !matches!(stopped, Ok(Ok(()))) {
                    self.simulation.disk.crash();
                }
                Ok(())
            }
            NodeChange::Crash => self.crash(name),
            NodeChange::Pause | NodeChange::Continue => bail!("only a process can be paused"),
            NodeChange::Forget => {
                self.end(name, Node::abort)?;
                self.start_node(name).await
            }
        }
    }

    async fn mishap(&mut self, node: &str, trouble: Trouble) -> Result<()> {
        if let Some(running) = self.running(node)? {
            trouble.come(&running.mishap, &running.store);
        }
        Ok(())
    }

    async fn forget(&mut self, node: &str, message: &str) -> Result<usize> {
        let message = message.parse()?;
        let running = self.running(node)?;
        Ok(running.map_or(0, |running| running.node.forget(message)))
    }

    async fn on(&mut self, name: &str) -> Result<()> {
        self.on = Some(name.to_owned());
        Ok(())
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

    async fn clock_steps(&mut self, by: i64) -> Result<()> {
        self.simulation.clock.step(by);
        Ok(())
    }

    async fn a_moment(&mut self) -> Result<()> {
        self.pass(A_MOMENT).await
    }

    async fn rest(&mut self) -> Result<()> {
        Ok(())
    }

    async fn connect(&mut self, from: Option<IpAddr>, to: &str) -> Result<Stream> {
        let net = &self.world.net;
        let met = self.met();
        let door = match to.parse() {
            Ok(address) => Endpoint::Tcp(address),
            Err(_) => door(&met.context(NOBODY)?.1.addresses().await, to)?,
        };
        let options = ConnectOptions {
            bind: from,
            ..ConnectOptions::default()
        };
        Ok(match door {
            Endpoint::Tcp(address) => net.connect(address, options).await?,
            Endpoint::Unix(path) => {
                let path = folder(met.context(NOBODY)?.0).join(path);
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
        self.met().context(NOBODY)?;
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
            name: None,
        };
        match self.ask(OPERATOR, question, Bytes::new()).await {
            Answered::One { fact } => Ok(fact.get("done").and_then(Value::as_u64).unwrap_or(0)),
            Answered::Refused { why, .. } => bail!("expected an act, got: {why}"),
            Answered::Rows { .. } | Answered::Octets { .. } => bail!("expected what was done"),
        }
    }

    async fn hop(&mut self, act: &HopAct) -> Result<()> {
        let (hop, reason) = (act.hop.clone(), act.reason.clone());
        let question = match &act.change {
            HopChange::Pause { until } => Question::PauseHop {
                hop,
                until: until.clone(),
                reason,
            },
            HopChange::Resume => Question::ResumeHop { hop, reason },
        };
        match self.ask(OPERATOR, question, Bytes::new()).await {
            Answered::Refused { why, .. } => bail!("expected an act, got: {why}"),
            Answered::Rows { .. } | Answered::One { .. } | Answered::Octets { .. } => Ok(()),
        }
    }

    async fn list(&self, listing: &Listing) -> Result<Vec<Answer>> {
        self.rows(match listing {
            Listing::Queue => Question::Queue,
            Listing::QueueList(conditions) => Question::List {
                filter: self.filter(conditions)?,
            },
            Listing::Audit => Question::Audit,
            Listing::Alarms => Question::Alarms,
            Listing::Trace(of) => Question::Trace { query: of.clone() },
            Listing::Explain(of) => Question::Explain { query: of.clone() },
        })
        .await
    }

    async fn content(&self, message: &str) -> Result<Option<String>> {
        let id = message.parse()?;
        Ok(text(
            self.ask(OPERATOR, Question::Body { id }, Bytes::new())
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
            mails.extend(text(self.ask(OPERATOR, question, Bytes::new()).await));
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
