//! A book in a simulated world, in memory or on the PostgreSQL server that the run is about, for the tests of this crate.

use std::time::Duration;

use bytes::Bytes;
use ground_settings::Settings;
use ground_store::bodies::NewBody;
use ground_store::contract::fresh;
use ground_store::{Options, Query, Store, Value};
use ground_world::{Simulation, World};
use wire_message::{Address, ReversePath, Time};
use wire_smtp::command::BodyType;

use crate::{
    Attempt, AttemptOutcome, Birth, Envelope, HopKey, Job, Ledger, LedgerOptions, NewMessage,
    NewRecipient, Origin, Recipient, RecipientId, Settlement, Step,
};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) struct Book {
    pub(crate) ledger: Ledger,
    pub(crate) simulation: Simulation,
}

pub(crate) async fn book() -> Book {
    let (world, simulation) = World::simulated(7);
    let store = fresh(&world).await.unwrap();
    let ledger = Ledger::open(store, world, options()).await.unwrap();
    Book { ledger, simulation }
}

/// A book in memory whatever the run is about: for what SQLite alone has to promise.
pub(crate) async fn book_on_sqlite() -> Book {
    let (world, simulation) = World::simulated(7);
    let store = Store::open("sqlite::memory:", Options::default(), &world);
    let ledger = Ledger::open(store.await.unwrap(), world, options()).await;
    Book {
        ledger: ledger.unwrap(),
        simulation,
    }
}

pub(crate) fn options() -> LedgerOptions {
    let settings = Settings::parse("hostname = \"mx.test\"\n").unwrap();
    LedgerOptions::from_settings("node1", &settings)
}

pub(crate) fn hop() -> HopKey {
    HopKey::mx("there.test")
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn queued() -> Birth {
    Birth::Queued { next_hop: hop() }
}

pub(crate) fn claimed() -> Birth {
    Birth::Claimed { next_hop: hop() }
}

pub(crate) fn categorizing() -> Birth {
    Birth::Categorizing {
        reason: "the directory does not answer".into(),
    }
}

pub(crate) fn held() -> Birth {
    Birth::Held {
        reason: "looks odd".into(),
        by: "rule odd".into(),
    }
}

impl Book {
    pub(crate) fn now(&self) -> Time {
        self.ledger.now()
    }

    pub(crate) async fn pass(&self, time: Duration) {
        self.simulation.clock.advance(time).await;
    }

    /// A node of the same name starts on the same rows, as after a crash.
    pub(crate) async fn restart(&mut self) {
        let (store, world) = (self.ledger.store().clone(), self.ledger.world().clone());
        self.ledger = Ledger::open(store, world, options()).await.unwrap();
    }

    pub(crate) fn message(&self, births: impl IntoIterator<Item = Birth>) -> NewMessage {
        let recipients = births
            .into_iter()
            .enumerate()
            .map(|(n, birth)| NewRecipient {
                address: address(&format!("r{n}@there.test")),
                orcpt: None,
                notify: None,
                parent: None,
                birth,
            });
        let id = self.ledger.new_id();
        NewMessage {
            id,
            envelope: Envelope {
                received_at: self.now(),
                sender: ReversePath::Address(address("jo@here.test")),
                origin: Origin::Smtp,
                listener: "mx".into(),
                peer: "192.0.2.1:1025".into(),
                helo: "client.test".into(),
                tls: String::new(),
                auth: String::new(),
                body_type: BodyType::SevenBit,
                smtputf8: false,
                ret: None,
                envid: None,
                message_id: format!("<{id}@here.test>"),
                subject: "hello".into(),
                cause: None,
            },
            body: NewBody::Inline(Bytes::from_static(b"Subject: hello\r\n\r\nhello\r\n")),
            recipients: recipients.collect(),
        }
    }

    /// A report about `of`, queued.
    pub(crate) fn report(&self, of: crate::MessageId) -> NewMessage {
        let mut report = self.message([Birth::Queued {
            next_hop: HopKey::mailbox(),
        }]);
        report.envelope.sender = ReversePath::Null;
        report.envelope.origin = Origin::Report;
        report.envelope.cause = Some(of);
        report
    }

    /// Accepts one message with one recipient, and says which.
    pub(crate) async fn one(&self, birth: Birth) -> RecipientId {
        let message = self.message([birth]);
        let id = message.id;
        self.ledger.accept(message).await.unwrap();
        self.recipients_of(id).await[0].id
    }

    pub(crate) async fn recipients_of(&self, message: crate::MessageId) -> Vec<Recipient> {
        self.rows(" WHERE message = $1 ORDER BY id", vec![message.into()])
            .await
    }

    pub(crate) async fn row(&self, id: RecipientId) -> Recipient {
        self.rows(" WHERE id = $1", vec![id.into()]).await.remove(0)
    }

    pub(crate) async fn rows(&self, condition: &str, values: Vec<Value>) -> Vec<Recipient> {
        let text = format!(
            "SELECT {} FROM recipient{condition}",
            crate::recipient::recipient_columns!()
        );
        let rows = self
            .ledger
            .store()
            .read(Query::new(text, values))
            .await
            .unwrap();
        rows.iter()
            .map(|row| Recipient::from_row(row).unwrap())
            .collect()
    }

    pub(crate) async fn number(&self, text: &'static str) -> i64 {
        let rows = self
            .ledger
            .store()
            .read(Query::new(text, Vec::new()))
            .await
            .unwrap();
        rows[0].int(0).unwrap()
    }

    pub(crate) async fn claim(&self) -> Vec<Job> {
        self.ledger.claim(&hop(), 100, self.now()).await.unwrap()
    }

    /// The book adds up, whatever was done to it.
    pub(crate) async fn assert_sound(&self) {
        let audit = self.ledger.audit().await.unwrap();
        assert!(audit.adds_up(), "{audit:#?}");
    }

    pub(crate) fn attempt(&self) -> Attempt {
        Attempt {
            started_at: self.now(),
            ended_at: self.now(),
            peer: "mx.there.test".into(),
            address: "192.0.2.25:25".into(),
            tls: String::new(),
            last_command: "DATA".into(),
            reply: "250 2.0.0 fine".into(),
            bytes: 25,
            outcome: AttemptOutcome::Relayed,
            transcript: String::new(),
        }
    }
}

pub(crate) fn settlement(message: crate::MessageId, steps: Vec<(RecipientId, Step)>) -> Settlement {
    Settlement {
        message,
        next_hop: hop(),
        steps,
        attempt: None,
        notices: Vec::new(),
        extra: ground_store::Unit::new(),
    }
}

pub(crate) fn relayed() -> Step {
    Step::Relayed {
        reply: "250 2.0.0 fine".into(),
    }
}
