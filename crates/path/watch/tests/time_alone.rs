//! Time alone brings everything to its end: nobody acts, nothing is delivered, the sweeps of the watch run.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ground_settings::Settings;
use ground_store::bodies::NewBody;
use ground_store::{Options, Query, Store};
use ground_world::World;
use ground_world::supervise::Supervisor;
use path_ledger::{
    Birth, Envelope, EventKind, HopKey, Ledger, LedgerOptions, MessageId, NewMessage, NewRecipient,
    Origin, State,
};
use path_watch::{Watch, WatchParts};
use tokio::runtime::Handle;
use wire_message::ReversePath;
use wire_smtp::command::BodyType;

const HOUR: Duration = Duration::from_secs(3600);

struct Bench {
    world: World,
    ledger: Ledger,
    settings: Arc<Settings>,
}

impl Bench {
    async fn new() -> Bench {
        let (world, _) = World::simulated(3);
        let store = Store::open("sqlite::memory:", Options::default(), &world);
        let mut settings = Settings::default();
        settings.watch.sweep_interval = Duration::from_secs(60);
        // Signs of life are given meanwhile, every few seconds: days of them teach no more than hours.
        settings.queue.lifetime = HOUR * 4;
        settings.queue.delay_notice = vec![HOUR];
        settings.queue.hold_alarm = HOUR * 2;
        let options = LedgerOptions::from_settings("node1", &settings);
        let ledger = Ledger::open(store.await.unwrap(), world.clone(), options);
        Bench {
            ledger: ledger.await.unwrap(),
            settings: Arc::new(settings),
            world,
        }
    }

    async fn accept(&self, sender: &ReversePath, birth: Birth) -> MessageId {
        let id = self.ledger.new_id();
        let new = NewMessage {
            id,
            envelope: Envelope {
                received_at: self.ledger.now(),
                sender: sender.clone(),
                origin: Origin::Smtp,
                listener: "mx".into(),
                peer: "192.0.2.1:4000".into(),
                helo: "a.example".into(),
                tls: String::new(),
                auth: String::new(),
                body_type: BodyType::SevenBit,
                smtputf8: false,
                ret: None,
                envid: None,
                message_id: "<1@a.example>".into(),
                subject: "hello".into(),
                cause: None,
            },
            body: NewBody::Inline(Bytes::from_static(b"Subject: hello\r\n\r\nHello.\r\n")),
            recipients: vec![NewRecipient {
                address: "bo@there.test".parse().unwrap(),
                orcpt: None,
                notify: None,
                parent: None,
                birth,
            }],
        };
        self.ledger.accept(new).await.unwrap();
        id
    }

    /// The state of the one recipient of a message.
    async fn state(&self, id: MessageId) -> State {
        let text = "SELECT state FROM recipient WHERE message = $1";
        let query = Query::new(text, vec![id.into()]);
        let rows = self.ledger.store().read(query).await.unwrap();
        State::from_word(rows[0].text(0).unwrap()).unwrap()
    }
}

fn births() -> [(State, Birth); 4] {
    let next_hop = HopKey::mx("there.test");
    let reason = || "no answer".to_owned();
    [
        (
            State::Categorizing,
            Birth::Categorizing { reason: reason() },
        ),
        (
            State::Queued,
            Birth::Queued {
                next_hop: next_hop.clone(),
            },
        ),
        (State::InFlight, Birth::Claimed { next_hop }),
        (
            State::Held,
            Birth::Held {
                reason: reason(),
                by: "ann".into(),
            },
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn time_alone_brings_every_state_to_its_end() {
    let somebody = ReversePath::Address("jo@here.test".parse().unwrap());
    for (sender, end) in [
        (somebody, State::Returned),
        (ReversePath::Null, State::DeadLetter),
    ] {
        let bench = Bench::new().await;
        let mut all = Vec::new();
        for (state, birth) in births() {
            let id = bench.accept(&sender, birth).await;
            assert_eq!(bench.state(id).await, state);
            all.push((state, id));
        }
        let watch = Watch::start(WatchParts {
            ledger: bench.ledger.apart(),
            settings: bench.settings.clone(),
            supervisor: Supervisor::new(bench.world.clock.clone()),
            runtime: Handle::current(),
        })
        .unwrap();
        bench.world.clock.sleep(HOUR * 3).await;
        for (state, id) in &all {
            assert!(!bench.state(*id).await.is_final(), "{state} ended early");
        }
        bench
            .world
            .clock
            .sleep(HOUR + bench.settings.watch.slack)
            .await;
        for (state, id) in all {
            assert_eq!(bench.state(id).await, end, "{state}");
            let story = bench.ledger.story(id).await.unwrap().unwrap();
            let rang = story.events.iter();
            let rang = rang.filter(|event| event.kind == EventKind::HoldForgotten);
            assert_eq!(rang.count() > 0, state == State::Held);
        }
        assert!(bench.ledger.audit().await.unwrap().adds_up());
        watch.stop().await;
    }
}
