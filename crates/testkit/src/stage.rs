//! Performs a story, statement by statement.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use access_mailbox::Mailboxes;
use anyhow::{Context, Result, bail};
use ground_directory::{Directory, Found, Options, PasswordCost};
use ground_settings::Settings;
use ground_store::{Sql, Store, Unit};
use ground_world::dns::DnsFault;
use ground_world::net::ConnectOptions;
use ground_world::tls::{PlatformRoots, SelfSigned, Tls};
use ground_world::{Simulation, Time, World};
use path_ledger::{Act, Ledger};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use wire_message::Address;

use crate::answers;
use crate::client::{Client, PATIENCE};
use crate::house::{Door, House, Parts};
use crate::letter::Letter;
use crate::pattern::{compare, matches};
use crate::peer::{Peer, Town};
use crate::statement::{Dialogue, DnsLine, Look, NodeChange, Statement, Verb};
use crate::story::{Failure, Story};

/// The name of every node of a story.
const HOSTNAME: &str = "mx.here.test";

/// What a story's settings have unless it says otherwise: doors of each kind.
const LISTENERS: &str = r#"
[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:25"
[[listener]]
name = "inside"
protocol = "smtp"
address = "127.0.0.1:26"
relay_from = ["127.0.0.0/8"]
[[listener]]
name = "submission"
protocol = "submission"
address = "127.0.0.1:587"
[[listener]]
name = "lmtp"
protocol = "lmtp"
address = "unix:lmtp.sock"
"#;

/// The sweeps of a story look less often than a server's, so that days pass quickly; still within the slack they promise.
const WATCH: &str = r#"
[watch]
sweep_interval = "15s"
reconcile_interval = "10m"
audit_interval = "1d"
"#;

/// Room on a disk that is free again.
const FREE: u64 = 1 << 40;

/// Time that passes after each statement, so that what it caused has happened.
const A_MOMENT: Duration = Duration::from_millis(1);

/// Tells a story on a world of its own. Its clock stands still but for the story's waits.
///
/// # Errors
/// [`Failure`]: the first line that did not come true, what was expected and what was got.
pub fn tell(story: &Story) -> Result<(), Failure> {
    let failure = |line: usize, text: &str, error| Failure {
        name: story.name.clone(),
        line,
        text: text.to_owned(),
        error,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .map_err(|error| failure(0, "", error.into()))?;
    runtime.block_on(async {
        let mut stage = Stage::build()
            .await
            .map_err(|error| failure(0, "", error))?;
        for line in &story.lines {
            let done = stage.perform(&line.statement).await;
            done.map_err(|error| failure(line.number, &line.text, error))?;
            let passed = stage.pass(A_MOMENT).await;
            passed.map_err(|error| failure(line.number, &line.text, error))?;
        }
        Ok(())
    })
}

struct Stage {
    world: World,
    simulation: Simulation,
    start: Time,
    store: Store,
    directory: Directory,
    settings: Arc<Settings>,
    certificate: SelfSigned,
    tls: Tls,
    nodes: BTreeMap<String, House>,
    /// The book as the last node that was started holds it; it can be read when no node runs.
    book: Option<Ledger>,
    town: Town,
    /// Nodes that a peer lets crash.
    crashes: UnboundedReceiver<String>,
    peers: BTreeMap<String, Peer>,
    clients: BTreeMap<String, Client>,
    /// Whose turn it is.
    turn: String,
    letters: u32,
}

impl Stage {
    async fn build() -> Result<Stage> {
        let (world, simulation) = World::simulated(1);
        let options = ground_store::Options::default();
        let store = Store::open("sqlite:/data/book.db", options, &world).await?;
        // The cheapest there is: what a password costs is not what stories are about.
        let cost = PasswordCost {
            memory_kib: 8,
            passes: 1,
        };
        let options = Options { verifiers: 2, cost };
        let directory = Directory::open(store.clone(), world.clone(), &options);
        let certificate = world.tls.self_signed(HOSTNAME)?;
        let roots = certificate.certificate_pem.as_bytes();
        let (crash, crashes) = unbounded_channel();
        Ok(Stage {
            town: Town {
                world: world.clone(),
                simulation: simulation.clone(),
                crashes: crash,
            },
            crashes,
            tls: world.tls.trusting(PlatformRoots::Ignored, roots)?,
            certificate,
            start: world.clock.now(),
            world,
            simulation,
            store,
            directory,
            settings: Arc::new(settings("")?),
            nodes: BTreeMap::new(),
            book: None,
            peers: BTreeMap::new(),
            clients: BTreeMap::new(),
            turn: String::new(),
            letters: 0,
        })
    }

    async fn perform(&mut self, statement: &Statement) -> Result<()> {
        match statement {
            Statement::Settings(text) => self.set(text).await,
            Statement::Directory(change) => Ok(self.directory.apply(change, Unit::new()).await?),
            Statement::Dns(line) => {
                self.change_dns(line);
                Ok(())
            }
            Statement::DnsDown => self.dns_meets(Some(DnsFault::ServFail)),
            Statement::DnsUp => self.dns_meets(None),
            Statement::Peer { name, at, rules } => {
                let peer = Peer::start(&self.town, *at, rules.clone()).await?;
                self.peers.insert(name.clone(), peer);
                Ok(())
            }
            Statement::PeerRules { name, rules } => {
                self.peer(name)?.follow(rules.clone());
                Ok(())
            }
            Statement::PeerTemper { name, temper } => {
                self.peer(name)?.show(*temper, &self.simulation);
                Ok(())
            }
            Statement::Node { name, what } => self.change_node(name, *what).await,
            Statement::Wait(time) => self.pass(*time).await,
            Statement::At(moment) => {
                let passed = self.world.clock.now().since(self.start);
                let left = moment.checked_sub(passed);
                let wrong = || format!("expected a moment to come; {passed:?} have passed");
                self.pass(left.with_context(wrong)?).await
            }
            Statement::DiskFull => self.disk_has(0).await,
            Statement::DiskFree => self.disk_has(FREE).await,
            Statement::Dialogue(dialogue) => self.dialogue(dialogue).await,
            Statement::Send(letter) => self.send(letter).await,
            Statement::Sql(sql) => self.write(sql).await,
            Statement::Operate {
                verb,
                filter,
                reason,
                count,
            } => self.operate(*verb, filter, reason, *count).await,
            Statement::Look(look) => self.look(look).await,
        }
    }

    async fn set(&mut self, text: &str) -> Result<()> {
        self.settings = Arc::new(settings(text)?);
        for node in self.nodes.values_mut() {
            node.reload(&self.settings).await?;
        }
        Ok(())
    }

    fn change_dns(&self, line: &DnsLine) {
        let dns = &self.simulation.dns;
        match line {
            DnsLine::Mx { name, hosts } => {
                let hosts: Vec<_> = hosts
                    .iter()
                    .map(|(pref, host)| (*pref, host.as_str()))
                    .collect();
                dns.mx(name, &hosts);
            }
            DnsLine::Addresses { name, addresses } => dns.addresses(name, addresses),
            DnsLine::NxDomain(name) => dns.remove(name),
            DnsLine::ServFail(name) => dns.fault(name, DnsFault::ServFail),
            DnsLine::Timeout(name) => dns.fault(name, DnsFault::Timeout),
            DnsLine::Heals(name) => dns.heal(name),
        }
    }

    fn dns_meets(&self, fault: Option<DnsFault>) -> Result<()> {
        self.simulation.dns.set_down(fault);
        Ok(())
    }

    /// Sets the room on the disk, and lets the time pass in which the server looks at it.
    async fn disk_has(&mut self, free: u64) -> Result<()> {
        self.simulation.disk.set_free(free);
        self.pass(Duration::from_secs(2)).await
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

    fn running(&mut self, name: &str) -> Result<House> {
        let node = self.nodes.remove(name);
        node.with_context(|| format!("expected a running node, and {name:?} is not"))
    }

    fn crash(&mut self, name: &str) -> Result<()> {
        drop(self.running(name)?);
        self.simulation.disk.crash();
        Ok(())
    }

    async fn change_node(&mut self, name: &str, what: NodeChange) -> Result<()> {
        match what {
            NodeChange::Start | NodeChange::Stumble => {}
            NodeChange::Stop => {
                self.running(name)?.stop().await;
                return Ok(());
            }
            NodeChange::Crash => return self.crash(name),
            NodeChange::Forget => drop(self.running(name)?),
        }
        if self.nodes.contains_key(name) {
            bail!("expected a node that does not run, and {name:?} does");
        }
        // Tasks of the old epoch end before the new one takes their addresses.
        self.pass(A_MOMENT).await?;
        let parts = Parts {
            name: name.to_owned(),
            settings: self.settings.clone(),
            world: self.world.clone(),
            store: self.store.clone(),
            directory: self.directory.clone(),
            identity: self.certificate.identity()?,
        };
        if what == NodeChange::Stumble {
            self.book = Some(House::stumble(parts).await?);
            self.simulation.disk.crash();
            return Ok(());
        }
        let (house, book) = House::start(parts).await?;
        self.nodes.insert(name.to_owned(), house);
        self.book = Some(book);
        Ok(())
    }

    async fn dialogue(&mut self, dialogue: &Dialogue) -> Result<()> {
        match dialogue {
            Dialogue::Connect { client, from, to } => {
                let options = ConnectOptions {
                    bind: *from,
                    ..ConnectOptions::default()
                };
                let net = &self.world.net;
                let door = match to.parse() {
                    Ok(address) => Door::Tcp(address),
                    Err(_) => self.node()?.door(to)?,
                };
                let stream = match door {
                    Door::Tcp(address) => net.connect(address, options).await?,
                    Door::Unix(path) => net.connect_unix(&path, PATIENCE).await?,
                };
                self.clients
                    .insert(client.clone(), Client::new(stream, &self.world));
                self.turn.clone_from(client);
                Ok(())
            }
            Dialogue::Turn(client) => {
                self.turn.clone_from(client);
                self.client().map(|_| ())
            }
            Dialogue::StartTls => {
                self.client()?;
                if let Some(client) = self.clients.remove(&self.turn) {
                    let client = client.start_tls(&self.tls, HOSTNAME).await?;
                    self.clients.insert(self.turn.clone(), client);
                }
                Ok(())
            }
            Dialogue::Leave => {
                self.client()?;
                self.clients.remove(&self.turn);
                Ok(())
            }
            Dialogue::Say { octets } => self.client()?.say(octets).await,
            Dialogue::Hear { pattern } => self.client()?.hear(pattern).await,
            Dialogue::HearEnd => self.client()?.hear_end().await,
            Dialogue::HearNothing => self.client()?.hear_nothing().await,
        }
    }

    async fn send(&mut self, letter: &Letter) -> Result<()> {
        self.letters += 1;
        let submission = letter.submission(self.letters)?;
        let refusal = match self.node()?.intake.submit(submission).await {
            Ok(_) => None,
            Err(refused) => Some(refused.to_string()),
        };
        match (&letter.refused, refusal) {
            (None, None) => Ok(()),
            (Some(pattern), Some(refusal)) if matches(pattern, &refusal) => Ok(()),
            (Some(pattern), got) => {
                let got = got.unwrap_or_else(|| "it was accepted".to_owned());
                bail!("expected: {pattern}\n  got:      {got}")
            }
            (None, Some(refusal)) => bail!("expected it to be accepted, got: {refusal}"),
        }
    }

    async fn look(&self, look: &Look) -> Result<()> {
        match look {
            Look::Received {
                peer,
                count,
                matching,
            } => {
                let texts = self.peer(peer)?.received().into_iter().map(|one| one.text);
                counted(*count, matching.as_deref(), texts.collect())
            }
            Look::Ask { question, rows } => {
                let found = answers::answer(self.book()?, question).await?;
                compare(rows, &found, self.start).map_err(anyhow::Error::msg)
            }
            Look::Content { of, text } => {
                let compared = answers::content_has(self.book()?, of, text).await;
                compared.map_err(anyhow::Error::msg)
            }
            Look::Mailbox {
                address,
                count,
                matching,
            } => {
                let mails = self.mails(address).await?;
                counted(*count, matching.as_deref(), mails)
            }
            Look::SqlRefused { sql, words } => self.refused(sql, words).await,
        }
    }

    async fn operate(
        &self,
        verb: Verb,
        filter: &[(String, String)],
        reason: &str,
        count: u64,
    ) -> Result<()> {
        let book = self.book()?;
        let preview = book.preview(&answers::filter(book, filter)?).await?;
        let act = match verb {
            Verb::Retry => Act::Retry,
            Verb::Hold => Act::Hold,
            Verb::Release => Act::Release,
            Verb::Discard => Act::Discard,
        };
        let done = book.act(&preview, act, "operator", reason).await?.done;
        if done != count {
            bail!("expected: {count} recipients\n  got:      {done}");
        }
        Ok(())
    }

    async fn write(&self, sql: &str) -> Result<()> {
        let done = self.store.write(unit_of(sql)).await?;
        if done.changed.iter().all(|rows| *rows == 0) {
            bail!("expected that rows change, and none does");
        }
        Ok(())
    }

    async fn refused(&self, sql: &str, words: &str) -> Result<()> {
        match self.store.write(unit_of(sql)).await {
            Ok(done) => bail!("expected a refusal, got: {:?} rows changed", done.changed),
            Err(error) if error.to_string().contains(words) => Ok(()),
            Err(error) => bail!("expected: {words}\n  got:      {error}"),
        }
    }

    /// Every mail of an account, whole.
    async fn mails(&self, address: &str) -> Result<Vec<String>> {
        let found = self
            .directory
            .resolve(&Address::parse(address)?, "+")
            .await?;
        let Found::Mailbox { account, .. } = &*found else {
            bail!("expected an account, and {address} is none");
        };
        let mailboxes = Mailboxes::open(self.store.clone());
        let mut mails = Vec::new();
        for folder in mailboxes.folders(account.id).await? {
            for mail in mailboxes.mails(folder.id, 0, u32::MAX).await? {
                let mut reader = mailboxes.read(mail.id).await?;
                let mut whole = Vec::new();
                while let Some(piece) = reader.next().await? {
                    whole.extend_from_slice(&piece);
                }
                mails.push(String::from_utf8_lossy(&whole).into_owned());
            }
        }
        Ok(mails)
    }

    fn client(&mut self) -> Result<&mut Client> {
        let client = self.clients.get_mut(&self.turn);
        client.with_context(|| format!("expected a connected client, and {:?} is not", self.turn))
    }

    fn peer(&self, name: &str) -> Result<&Peer> {
        let peer = self.peers.get(name);
        peer.with_context(|| format!("expected a peer, and nobody is called {name:?}"))
    }

    /// The node that clients and programs meet: the only one, or the first by name.
    fn node(&self) -> Result<&House> {
        let node = self.nodes.values().next();
        node.context("expected a running node, and there is none")
    }

    fn book(&self) -> Result<&Ledger> {
        self.book
            .as_ref()
            .context("expected a book, and no node was ever started")
    }
}

fn unit_of(sql: &str) -> Unit {
    let mut unit = Unit::new();
    // A statement's text lives for ever; a story has a handful of them.
    unit.write(Sql::new(String::from(sql).leak()), Vec::new());
    unit
}

/// A story's own settings, with the doors every story has unless it names its own.
fn settings(text: &str) -> Result<Settings> {
    let listeners = if text.contains("[[listener]]") {
        ""
    } else {
        LISTENERS
    };
    let watch = if text.contains("[watch]") { "" } else { WATCH };
    let whole = format!("hostname = {HOSTNAME:?}\n{text}\n{watch}\n{listeners}");
    Settings::parse(&whole).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("expected settings, got: {}", problems.join("; "))
    })
}

fn counted(count: usize, matching: Option<&str>, texts: Vec<String>) -> Result<()> {
    let fits = |text: &&String| matching.is_none_or(|part| text.contains(part));
    let found = texts.iter().filter(fits).count();
    if found == count {
        return Ok(());
    }
    bail!(
        "expected: {count}\n  got:      {found}, of these:\n{}",
        texts.join("\n----\n")
    )
}
