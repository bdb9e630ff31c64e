//! The queue's promises, in a simulated world with scripted servers.

use std::time::Duration;

use bytes::Bytes;
use ground_directory::{Change, NewPassword};
use ground_store::bodies::NewBody;
use ground_store::{Options, Query, Row, Store, StoreError, Unit};
use ground_world::clock::Clock;
use ground_world::net::Fault;
use ground_world::{Simulation, World};
use path_ledger::{
    Birth, Envelope, HopKey, HopState, Job, LedgerOptions, MessageId, NewMessage, NewRecipient,
    Origin,
};
use wire_message::{Address, DomainName, ReversePath, Time};
use wire_smtp::command::{BodyType, Notify};

use super::*;
use peer::{Peer, Say, Script};

#[allow(
    dead_code,
    reason = "the tests of path-deliver use the same peer, and more of it"
)]
#[path = "../../deliver/src/smtp/tests/peer.rs"]
mod peer;

mod hops;
mod mailbox;
mod many;
mod memory;
mod messages;
mod threads;

/// A message of this subject crashes its attempt.
pub(crate) fn crash_if_poisoned(job: &Job) {
    assert!(job.envelope.subject != "poison", "a poisoned message");
}

const ADDRESS: &str = "192.0.2.25:25";

struct House {
    world: World,
    simulation: Simulation,
    store: Store,
    ledger: Ledger,
    directory: Directory,
    settings: watch::Sender<Arc<Settings>>,
    queue: Option<Queue>,
    supervisor: Supervisor,
}

async fn house(toml: &str) -> House {
    let (world, simulation) = World::simulated(11);
    simulation.dns.mx("peer.test", &[(10, "mx.peer.test")]);
    simulation
        .dns
        .addresses("mx.peer.test", &["192.0.2.25".parse().unwrap()]);
    house_in(
        world,
        simulation,
        &format!("hostname = \"mx.test\"\n{toml}"),
    )
    .await
}

async fn house_in(world: World, simulation: Simulation, text: &str) -> House {
    let store = Store::open("sqlite::memory:", Options::default(), &world)
        .await
        .unwrap();
    let settings = Arc::new(Settings::parse(text).unwrap());
    let options = LedgerOptions::from_settings("mx.test", &settings);
    let ledger = Ledger::open(store.clone(), world.clone(), options)
        .await
        .unwrap();
    let options = ground_directory::Options::default();
    let directory = Directory::open(store.clone(), world.clone(), &options);
    House {
        supervisor: Supervisor::new(world.clock.clone()),
        world,
        simulation,
        store,
        ledger,
        directory,
        settings: watch::Sender::new(settings),
        queue: None,
    }
}

/// A message to be accepted; changed by each test as it likes.
struct Mail {
    to: Vec<String>,
    hop: HopKey,
    subject: &'static str,
    sender: ReversePath,
    notify: Option<Notify>,
}

fn mail(to: &str) -> Mail {
    let (_, domain) = to.split_once('@').unwrap();
    Mail {
        to: vec![to.to_owned()],
        hop: HopKey::mx(domain),
        subject: "",
        sender: ReversePath::Address("ada@sender.test".parse().unwrap()),
        notify: None,
    }
}

/// What the watch does for a node.
async fn signs_of_life(ledger: Ledger, clock: Clock) {
    loop {
        let beat = ledger.clone();
        let beat = tokio::spawn(async move { beat.heartbeat().await });
        match clock.timeout(seconds(1), beat).await {
            Ok(Ok(Ok(_))) => {}
            unwell => tracing::debug!(?unwell, "no sign of life"),
        }
        clock.sleep(seconds(1)).await;
    }
}

impl House {
    fn start(&mut self) {
        tokio::spawn(signs_of_life(self.ledger.clone(), self.world.clock.clone()));
        self.queue = Some(Queue::start(QueueParts {
            ledger: self.ledger.clone(),
            directory: self.directory.clone(),
            settings: self.settings.subscribe(),
            config_folder: PathBuf::from("/etc/postrider"),
            supervisor: self.supervisor.clone(),
        }));
    }

    async fn peer(&self, script: Script) -> Peer {
        let peer = Peer::new(script);
        peer.serve(&self.world, ADDRESS).await;
        peer
    }

    fn new_message(&self, mail: &Mail, birth: &Birth) -> NewMessage {
        let envelope = Envelope {
            received_at: self.ledger.now(),
            sender: mail.sender.clone(),
            origin: Origin::Smtp,
            listener: String::new(),
            peer: String::new(),
            helo: String::new(),
            tls: String::new(),
            auth: String::new(),
            body_type: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            message_id: String::new(),
            subject: mail.subject.to_owned(),
            cause: None,
        };
        let id = self.ledger.new_id();
        let recipient = |to: &String| NewRecipient {
            address: to.parse().unwrap(),
            orcpt: None,
            notify: mail.notify,
            parent: None,
            birth: birth.clone(),
        };
        NewMessage {
            id,
            envelope,
            body: NewBody::Inline(Bytes::from(format!("Subject: {id}\r\n\r\nhello\r\n"))),
            recipients: mail.to.iter().map(recipient).collect(),
        }
    }

    /// Accepts a message for the queue to find.
    async fn queued(&self, mail: Mail) -> MessageId {
        let birth = Birth::Queued {
            next_hop: mail.hop.clone(),
        };
        self.ledger
            .accept(self.new_message(&mail, &birth))
            .await
            .unwrap()
            .id
    }

    /// Accepts a message and hands it over, as a listener does. `None` when there was no room for it.
    async fn handed(&self, mail: Mail) -> Option<MessageId> {
        let slot = self.queue.as_ref().unwrap().handoff().reserve(&mail.hop)?;
        let birth = Birth::Claimed {
            next_hop: mail.hop.clone(),
        };
        let mut accepted = self
            .ledger
            .accept(self.new_message(&mail, &birth))
            .await
            .unwrap();
        slot.hand_over(accepted.jobs.remove(0));
        Some(accepted.id)
    }

    async fn rows(&self, text: &str) -> Vec<Row> {
        self.store
            .read(Query::new(text.to_owned(), Vec::new()))
            .await
            .unwrap()
    }

    async fn number(&self, text: &str) -> i64 {
        self.rows(text).await[0].int(0).unwrap()
    }

    async fn text(&self, text: &str) -> String {
        self.rows(text).await[0].text(0).unwrap().to_owned()
    }

    async fn in_state(&self, state: &str) -> i64 {
        self.number(&format!(
            "SELECT count(*) FROM recipient WHERE state = '{state}'"
        ))
        .await
    }

    /// Lets time pass until so many recipients of messages (not of reports) are in a state.
    #[track_caller]
    fn until(&self, count: i64, state: &'static str, limit: Duration) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        async move {
            let end = self.world.clock.instant() + limit;
            loop {
                let now = self.in_state(state).await;
                if now == count {
                    return;
                }
                let late = self.world.clock.instant() >= end;
                assert!(!late, "{now} {state}, not {count} ({at})");
                self.world.clock.sleep(Duration::from_millis(100)).await;
            }
        }
    }

    async fn pass(&self, time: Duration) {
        self.simulation.clock.advance(time).await;
    }

    fn down(&self) {
        self.simulation
            .net
            .fault(ADDRESS.parse().unwrap(), Fault::Refuse);
    }

    fn up(&self) {
        self.simulation.net.heal(ADDRESS.parse().unwrap());
    }
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

const NO_JITTER: &str = "[queue]\nretry_jitter = 0.0\n";
