//! The promises about time, on a simulated clock and a store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ground_settings::{LatePolicy, Settings};
use ground_store::bodies::NewBody;
use ground_store::{Options, Query, Store};
use ground_world::{Simulation, World};
use path_ledger::{
    Birth, Envelope, HopKey, Ledger, LedgerOptions, MessageId, NewMessage, NewRecipient, Origin,
};
use tokio::sync::watch;
use wire_message::report::{Action, Report};
use wire_message::{Address, ReversePath, Time};
use wire_smtp::command::{BodyType, Notify};

use super::*;

mod threads;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn envelope(sender: &str, received_at: Time) -> Envelope {
    let sender = match sender {
        "" => ReversePath::Null,
        address => ReversePath::Address(Address::parse(address).unwrap()),
    };
    Envelope {
        received_at,
        sender,
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
    }
}

/// A server's book and clock.
struct Bench {
    world: World,
    simulation: Simulation,
    store: Store,
    settings: Settings,
    ledger: Ledger,
}

impl Bench {
    async fn new() -> Self {
        let (world, simulation) = World::simulated(7);
        let store = Store::open("sqlite::memory:", Options::default(), &world);
        let store = store.await.unwrap();
        let mut settings = Settings::default();
        // Precise enough for these tests, and days pass quickly.
        settings.watch.sweep_interval = MINUTE * 5;
        settings.watch.reconcile_interval = HOUR;
        let ledger = open(&store, &world, &settings).await;
        Self {
            world,
            simulation,
            store,
            settings,
            ledger,
        }
    }

    /// The node starts again.
    async fn restart(&mut self) {
        self.ledger = open(&self.store, &self.world, &self.settings).await;
    }

    fn watch(&self) -> Watch {
        let clock = self.world.clock.clone();
        Watch::start(WatchParts {
            ledger: self.ledger.apart(),
            settings: Arc::new(self.settings.clone()),
            supervisor: Supervisor::new(clock),
            runtime: Handle::current(),
        })
        .unwrap()
    }

    fn room(&self) -> Room {
        Room {
            ledger: self.ledger.clone(),
            settings: watch::channel(Arc::new(self.settings.clone())).1,
            pulse: Pulse::new(&self.world.clock, PULSE),
        }
    }

    async fn pass(&self, time: Duration) {
        self.world.clock.sleep(time).await;
    }

    async fn accept(&self, sender: &str, to: &[(&str, Option<Notify>, Birth)]) -> MessageId {
        let id = self.ledger.new_id();
        let recipient = |(address, notify, birth): &(&str, Option<Notify>, Birth)| NewRecipient {
            address: Address::parse(address).unwrap(),
            orcpt: None,
            notify: *notify,
            parent: None,
            birth: birth.clone(),
        };
        let new = NewMessage {
            id,
            envelope: envelope(sender, self.ledger.now()),
            body: NewBody::Inline(Bytes::from_static(b"Subject: hello\r\n\r\nHello.\r\n")),
            recipients: to.iter().map(recipient).collect(),
        };
        self.ledger.accept(new).await.unwrap();
        id
    }

    async fn write(&self, text: &'static str) {
        let mut unit = ground_store::Unit::new();
        unit.write(ground_store::Sql::new(text), Vec::new());
        self.store.write(unit).await.unwrap();
    }

    async fn rows(&self, text: &'static str) -> Vec<ground_store::Row> {
        self.store.read(Query::new(text, Vec::new())).await.unwrap()
    }

    /// State by address, of all mail that is no report.
    async fn states(&self) -> BTreeMap<String, String> {
        const STATES: &str = "SELECT recipient.address, recipient.state FROM recipient \
             JOIN message ON message.id = recipient.message WHERE message.origin <> 'report'";
        let rows = self.rows(STATES).await;
        let state = |row: &ground_store::Row| {
            (
                row.text(0).unwrap().to_owned(),
                row.text(1).unwrap().to_owned(),
            )
        };
        rows.iter().map(state).collect()
    }

    /// Reports in the book: when each was made, and what it says.
    async fn reports(&self) -> Vec<(Time, Report)> {
        const REPORTS: &str =
            "SELECT id, received_at FROM message WHERE origin = 'report' ORDER BY id";
        let mut reports = Vec::new();
        for row in self.rows(REPORTS).await {
            let body = self.store.read_body(row.int(0).unwrap()).await.unwrap();
            let bytes = body.unwrap().whole(1 << 20).await.unwrap();
            let made = Time::from_millis(row.int(1).unwrap());
            reports.push((made, Report::parse(&bytes).unwrap()));
        }
        reports
    }

    /// At which age of the first minute each report was made, what it says, and of whom.
    async fn told(&self, accepted: Time) -> Vec<(u64, Action, Vec<String>)> {
        let reports = self.reports().await;
        let told = |(made, report): (Time, Report)| {
            let minutes = made.since(accepted).as_secs() / 60;
            let named = report.recipients.iter();
            let named = named.map(|one| one.final_recipient.to_string()).collect();
            (minutes, report.kind(), named)
        };
        reports.into_iter().map(told).collect()
    }
}

async fn open(store: &Store, world: &World, settings: &Settings) -> Ledger {
    let options = LedgerOptions::from_settings("n1", settings);
    Ledger::open(store.clone(), world.clone(), options)
        .await
        .unwrap()
}

fn queued() -> Birth {
    Birth::Queued {
        next_hop: HopKey::mx("b.example"),
    }
}

fn held() -> Birth {
    Birth::Held {
        reason: "odd".into(),
        by: "ann".into(),
    }
}

fn unsure() -> Birth {
    Birth::Categorizing {
        reason: "the directory is down".into(),
    }
}

const NEVER: Option<Notify> = Some(Notify::Never);

fn state_of(states: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(address, state): &(&str, &str)| ((*address).to_owned(), (*state).to_owned());
    states.iter().map(owned).collect()
}

#[tokio::test(start_paused = true)]
async fn senders_hear_at_an_hour_at_a_day_and_at_the_end_whatever_the_state() {
    let bench = Bench::new().await;
    let accepted = bench.ledger.now();
    let to = [
        ("k@b.example", None, queued()),
        ("l@b.example", None, held()),
        ("m@b.example", None, unsure()),
        ("n@b.example", NEVER, queued()),
    ];
    bench.accept("jo@a.example", &to).await;
    let watch = bench.watch();
    bench.pass(DAY * 4 + MINUTE * 10).await;
    watch.stop().await;
    let all: Vec<String> = ["k@b.example", "l@b.example", "m@b.example"]
        .map(str::to_owned)
        .into();
    let told = bench.told(accepted).await;
    for ((minutes, action, mut named), wanted) in told.into_iter().zip([
        (60, Action::Delayed),
        (24 * 60, Action::Delayed),
        (96 * 60, Action::Failed),
    ]) {
        assert!(
            (wanted.0..=wanted.0 + 5).contains(&minutes),
            "{minutes} for {wanted:?}"
        );
        named.sort();
        assert_eq!((action, named), (wanted.1, all.clone()));
    }
    assert_eq!(bench.reports().await.len(), 3);
    let returned = to.map(|(address, ..)| (address, "returned"));
    assert_eq!(bench.states().await, state_of(&returned));
    assert_eq!(bench.ledger.audit().await.unwrap().difference, 0);
}

#[tokio::test(start_paused = true)]
async fn a_notice_says_what_the_hop_said_last() {
    let bench = Bench::new().await;
    bench
        .accept("jo@a.example", &[("k@b.example", None, queued())])
        .await;
    let (key, retry_at) = (HopKey::mx("b.example"), bench.ledger.now() + DAY);
    let reply = "450 4.7.1 come back later";
    let down = bench
        .ledger
        .hop_down(&key, retry_at, 3, reply, "mx.b.example");
    down.await.unwrap();
    bench.pass(HOUR + MINUTE).await;
    sweep::pass(&bench.room()).await.unwrap();
    let reports = bench.reports().await;
    let outcome = &reports[0].1.recipients[0];
    assert_eq!(outcome.diagnostic.as_ref().unwrap().text, reply);
    assert_eq!(outcome.remote_mta.as_deref(), Some("mx.b.example"));
    assert_eq!(outcome.status.to_string(), "4.7.1");
    // Once only.
    sweep::pass(&bench.room()).await.unwrap();
    assert_eq!(bench.reports().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_report_returns_the_stored_message_its_head_for_a_delay_and_all_of_it_at_the_end() {
    let mut bench = Bench::new().await;
    bench
        .accept("jo@a.example", &[("k@b.example", None, queued())])
        .await;
    // Nothing is left in memory.
    bench.restart().await;
    for age in [HOUR, DAY * 4] {
        bench.pass(age).await;
        sweep::pass(&bench.room()).await.unwrap();
    }
    let returned = bench.reports().await;
    let returned: Vec<&[u8]> = returned
        .iter()
        .map(|(_, report)| report.original.bytes())
        .collect();
    let whole = b"Subject: hello\r\n\r\nHello.\r\n".as_slice();
    assert_eq!(returned, [b"Subject: hello\r\n".as_slice(), whole]);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_sender_becomes_a_dead_letter_and_nobody_is_told() {
    let bench = Bench::new().await;
    bench.accept("", &[("k@b.example", None, queued())]).await;
    bench.pass(DAY * 4).await;
    sweep::pass(&bench.room()).await.unwrap();
    assert_eq!(
        bench.states().await,
        state_of(&[("k@b.example", "dead_letter")])
    );
    assert!(bench.reports().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_smaller_than_what_is_due_leaves_nothing() {
    let mut bench = Bench::new().await;
    bench.settings.watch.sweep_batch = 3;
    for _ in 0..10 {
        bench
            .accept("jo@a.example", &[("k@b.example", None, queued())])
            .await;
    }
    bench.pass(DAY * 4).await;
    sweep::pass(&bench.room()).await.unwrap();
    assert_eq!(bench.reports().await.len(), 10);
    let due = bench.ledger.due(bench.ledger.now() - HOUR, 100);
    assert!(due.await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_nobody_settles_is_queued_again_without_a_restart() {
    let bench = Bench::new().await;
    let next_hop = HopKey::mx("b.example");
    let claimed = Birth::Claimed { next_hop };
    bench
        .accept("jo@a.example", &[("k@b.example", None, claimed)])
        .await;
    let watch = bench.watch();
    bench.pass(Duration::from_secs(30)).await;
    assert_eq!(
        bench.states().await,
        state_of(&[("k@b.example", "in_flight")])
    );
    bench.pass(MINUTE * 6).await;
    assert_eq!(bench.states().await, state_of(&[("k@b.example", "queued")]));
    watch.stop().await;
}

/// Away for `away`, then the late policy: the states, and what senders were told.
async fn late(policy: LatePolicy, away: Duration) -> (Late, BTreeMap<String, String>, Vec<Action>) {
    let mut bench = Bench::new().await;
    bench.settings.queue.late_policy = policy;
    bench
        .accept(
            "jo@a.example",
            &[
                ("k@b.example", None, queued()),
                ("l@b.example", NEVER, queued()),
            ],
        )
        .await;
    bench.accept("", &[("m@b.example", None, unsure())]).await;
    bench.pass(away).await;
    bench.restart().await;
    let late = catch_up(&bench.ledger, &bench.settings).await.unwrap();
    sweep::pass(&bench.room()).await.unwrap();
    let reports = bench.reports().await;
    let actions = reports.iter().map(|(_, report)| report.kind()).collect();
    (late, bench.states().await, actions)
}

#[tokio::test(start_paused = true)]
async fn after_a_long_downtime_late_mail_is_treated_as_the_policy_says() {
    let all = |state, nobody| {
        state_of(&[
            ("k@b.example", state),
            ("l@b.example", state),
            ("m@b.example", nobody),
        ])
    };
    let (noticed, states, told) = late(LatePolicy::DeliverWithNotice, HOUR * 5).await;
    assert_eq!((noticed.noticed, noticed.silent), (1, 2));
    assert_eq!(
        (states, told),
        (
            state_of(&[
                ("k@b.example", "queued"),
                ("l@b.example", "queued"),
                ("m@b.example", "categorizing")
            ]),
            vec![Action::Delayed],
        )
    );
    let (kept, states, told) = late(LatePolicy::Hold, HOUR * 5).await;
    assert_eq!(kept.held, 3);
    // The notice of the first hour is owed all the same.
    assert_eq!((states, told), (all("held", "held"), vec![Action::Delayed]));
    let (gone, states, told) = late(LatePolicy::Return, HOUR * 5).await;
    assert_eq!(gone.returned, 3);
    assert_eq!(
        (states, told),
        (all("returned", "dead_letter"), vec![Action::Failed])
    );
}

#[tokio::test(start_paused = true)]
async fn a_short_downtime_is_no_reason_and_a_lifetime_ends_during_a_long_one() {
    let (late_by_little, states, _) = late(LatePolicy::Return, HOUR * 3).await;
    assert_eq!(late_by_little, Late::default());
    assert_eq!(states["k@b.example"], "queued");
    let (after_days, states, told) = late(LatePolicy::DeliverWithNotice, DAY * 5).await;
    assert_eq!(after_days, Late::default());
    assert_eq!(states["k@b.example"], "returned");
    assert_eq!(states["m@b.example"], "dead_letter");
    assert_eq!(told, [Action::Failed]);
}

#[tokio::test(start_paused = true)]
async fn late_mail_whose_treatment_was_cut_off_is_treated_by_the_next_start_and_none_twice() {
    let mut bench = Bench::new().await;
    for to in ["k@b.example", "l@b.example", "m@b.example"] {
        bench.accept("jo@a.example", &[(to, None, queued())]).await;
    }
    bench.pass(HOUR * 5).await;
    bench.restart().await;
    let full = ground_store::StoreError::Full("no room".to_owned());
    bench.store.faults().fail_next_write(full);
    catch_up(&bench.ledger, &bench.settings).await.unwrap_err();
    let told = bench.reports().await.len();
    assert!(told < 3);
    bench.pass(MINUTE).await;
    bench.restart().await;
    let late = catch_up(&bench.ledger, &bench.settings).await.unwrap();
    assert_eq!(late.noticed as usize, 3 - told);
    assert_eq!(bench.reports().await.len(), 3);
    bench.pass(MINUTE).await;
    bench.restart().await;
    assert_eq!(bench.ledger.downtime(), MINUTE);
    let late = catch_up(&bench.ledger, &bench.settings).await.unwrap();
    assert_eq!(late, Late::default());
    // Away for as long again, in the middle of it: that is news to everybody.
    bench.pass(HOUR * 5).await;
    bench.restart().await;
    bench.pass(HOUR * 5).await;
    bench.restart().await;
    let late = catch_up(&bench.ledger, &bench.settings).await.unwrap();
    assert_eq!(late.noticed, 3);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_hold_raises_its_alarm_again_and_again() {
    let bench = Bench::new().await;
    bench
        .accept("jo@a.example", &[("k@b.example", NEVER, held())])
        .await;
    for _ in 0..73 {
        bench.pass(HOUR).await;
        sweep::pass(&bench.room()).await.unwrap();
    }
    let alarms = bench
        .rows("SELECT at FROM event WHERE kind = 'hold_forgotten'")
        .await;
    assert_eq!(alarms.len(), 3);
    assert_eq!(bench.states().await, state_of(&[("k@b.example", "held")]));
}

#[tokio::test(start_paused = true)]
async fn mail_for_a_connector_that_is_gone_and_overdue_mail_raise_alarms() {
    let bench = Bench::new().await;
    let next_hop = HopKey::via("gone");
    let birth = Birth::Queued {
        next_hop: next_hop.clone(),
    };
    bench
        .accept("jo@a.example", &[("k@b.example", None, birth)])
        .await;
    let kinds = |alarms: Vec<Alarm>| {
        let kinds = alarms.into_iter();
        kinds.map(|one| (one.kind, one.subject)).collect::<Vec<_>>()
    };
    let gone = (AlarmKind::NoSuchConnector, "via:gone".to_owned());
    let found = alarms_of_rows(&bench.ledger, &bench.settings);
    assert_eq!(kinds(found.await.unwrap()), std::slice::from_ref(&gone));
    bench.pass(HOUR + bench.settings.watch.slack + MINUTE).await;
    let found = alarms_of_rows(&bench.ledger, &bench.settings)
        .await
        .unwrap();
    let overdue = (AlarmKind::Overdue, "via:gone".to_owned());
    let stalled = (AlarmKind::Stalled, "via:gone".to_owned());
    assert_eq!(
        kinds(found.clone()),
        [overdue.clone(), stalled, gone.clone()]
    );
    let late = found[0].since.since(bench.ledger.now() - HOUR);
    assert!(
        late > MINUTE * 50 && found[0].messages.len() == 1,
        "{found:?}"
    );
    let watch = bench.watch();
    // It looks again after the sweep has done its work.
    bench.pass(HOUR + MINUTE).await;
    let left = kinds(watch.alarms());
    assert!(!left.contains(&overdue) && left.contains(&gone), "{left:?}");
    // Each try finds that there is no such connector: the hop is down nearly all the time.
    let later = bench.ledger.now() + HOUR * 9;
    let down = bench
        .ledger
        .hop_down(&next_hop, later, 1, "451 no such connector", "");
    down.await.unwrap();
    bench.pass(HOUR + MINUTE).await;
    let left = kinds(watch.alarms());
    assert!(left.contains(&gone), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_ours_names_its_mail_and_is_forgotten_when_nothing_waits_for_the_hop() {
    let bench = Bench::new().await;
    let hop = HopKey::mx("b.example");
    let id = bench
        .accept("jo@a.example", &[("k@b.example", None, queued())])
        .await;
    bench.ledger.fault_of_ours(&hop, "the login is refused");
    let found = alarms_of_rows(&bench.ledger, &bench.settings)
        .await
        .unwrap();
    let [fault] = found.as_slice() else {
        panic!("{found:?}");
    };
    let named = (fault.kind, fault.all, fault.messages.as_slice());
    assert_eq!(named, (AlarmKind::OurFault, 1, &[id.to_string()][..]));
    let days = bench.settings.queue.lifetime + HOUR;
    let watch = bench.watch();
    bench.pass(days).await;
    let left = watch.alarms();
    let fault = |one: &Alarm| one.kind == AlarmKind::OurFault;
    assert!(!left.iter().any(fault), "{left:?}");
    assert!(bench.ledger.faults_of_ours().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_people_hold_hides_no_damage_however_much_it_is() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        bench
            .accept("jo@a.example", &[("k@b.example", None, held())])
            .await;
    }
    let id = bench
        .accept("jo@a.example", &[("k@b.example", None, queued())])
        .await;
    bench
        .write(
            "UPDATE recipient SET state = 'held', hold_reason = 'damaged: torn', held_by = 'watch', \
             hold_alarm_at = expires_at WHERE state = 'queued'",
        )
        .await;
    let found = bench.ledger.held_too_long(1).await.unwrap();
    let found: Vec<_> = found.iter().map(|one| (one.message, one.kind)).collect();
    assert_eq!(found, [(id, path_ledger::HeldKind::Damaged)]);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_keeps_its_beginning_while_it_stands_and_ends_by_itself() {
    let mut bench = Bench::new().await;
    bench.settings.watch.reconcile_interval = MINUTE;
    bench.settings.queue.hold_alarm = HOUR;
    bench.restart().await;
    bench
        .accept("jo@a.example", &[("k@b.example", NEVER, held())])
        .await;
    let begun = bench.ledger.now();
    let watch = bench.watch();
    bench.pass(MINUTE * 50).await;
    assert_eq!(watch.alarms(), []);
    bench.pass(HOUR * 2).await;
    let alarm = watch.alarms().remove(0);
    assert_eq!((alarm.kind, alarm.all), (AlarmKind::HeldForgotten, 1));
    assert_eq!(alarm.subject, "ann: odd");
    let since = alarm.since.since(begun);
    assert!(since >= HOUR && since < HOUR + MINUTE * 10, "{since:?}");
    let filter = path_ledger::Filter::default();
    let preview = bench.ledger.preview(&filter).await.unwrap();
    let act = path_ledger::Act::Release;
    bench
        .ledger
        .act(&preview, act, "ann", "seen")
        .await
        .unwrap();
    bench.pass(MINUTE * 2).await;
    assert_eq!(watch.alarms(), []);
}

#[tokio::test(start_paused = true)]
async fn a_stepped_clock_a_lost_count_and_a_hop_shown_down_are_told_or_put_right() {
    let mut bench = Bench::new().await;
    bench.settings.watch.reconcile_interval = MINUTE;
    bench
        .accept("jo@a.example", &[("k@b.example", NEVER, queued())])
        .await;
    let (key, never) = (HopKey::mx("b.example"), bench.ledger.now() + DAY);
    let down = bench.ledger.hop_down(&key, never, 3, "no", "mx");
    down.await.unwrap();
    bench.write("UPDATE tally SET n = n + 5").await;
    let watch = bench.watch();
    bench.pass(MINUTE / 2).await;
    bench.simulation.clock.step(90_000);
    bench.pass(MINUTE * 2).await;
    let kinds: Vec<_> = watch.alarms().into_iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [AlarmKind::ClockStepped]);
    let hop = bench.ledger.hop(&key).await.unwrap();
    assert!(hop.retry_at <= bench.ledger.now(), "{hop:?}");
    let put_right = bench
        .rows("SELECT detail FROM event WHERE kind = 'reconciled' ORDER BY id")
        .await;
    let put_right: Vec<_> = put_right.iter().map(|row| row.text(0).unwrap()).collect();
    assert_eq!(put_right.len(), 2, "{put_right:?}");
    assert!(put_right[0].contains("counted again") && put_right[1].contains("later than any wait"));
    assert!(bench.ledger.audit().await.unwrap().adds_up());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_damaged_in_the_store_is_found_before_anybody_needs_it() {
    let mut bench = Bench::new().await;
    bench.settings.watch.reconcile_interval = MINUTE;
    for _ in 0..3 {
        bench
            .accept("jo@a.example", &[("k@b.example", NEVER, queued())])
            .await;
    }
    bench
        .write("UPDATE body SET content = x'00' WHERE id = (SELECT min(id) FROM body)")
        .await;
    let watch = bench.watch();
    bench.pass(MINUTE * 3).await;
    let alarms = watch.alarms();
    let damaged: Vec<_> = alarms.iter().map(|one| (one.kind, one.all)).collect();
    assert_eq!(damaged, [(AlarmKind::Damaged, 1)], "{alarms:?}");
    let held = bench
        .rows("SELECT hold_reason FROM recipient WHERE state = 'held'")
        .await;
    assert_eq!(held.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn history_is_pruned_at_its_age_and_not_before() {
    let bench = Bench::new().await;
    bench
        .accept("jo@a.example", &[("k@b.example", NEVER, queued())])
        .await;
    bench.pass(DAY * 4).await;
    sweep::pass(&bench.room()).await.unwrap();
    for (days, left) in [(29, 1), (2, 0)] {
        bench.pass(DAY * days).await;
        prune::pass(&bench.room()).await.unwrap();
        assert_eq!(bench.states().await.len(), left);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_beats_while_it_lives_and_learns_that_it_was_replaced() {
    let bench = Bench::new().await;
    let watch = bench.watch();
    bench.pass(HOUR * 5).await;
    let successor = open(&bench.store, &bench.world, &bench.settings).await;
    assert!(successor.downtime() <= HEARTBEAT_INTERVAL);
    let replaced = bench.world.clock.timeout(MINUTE, watch.ended()).await;
    assert_eq!(replaced, Ok(path_ledger::Heartbeat::Replaced));
}

/// A web server that says `answer` to each request; what it was posted.
async fn web(
    world: &World,
    answers: &'static [&'static str],
) -> Arc<std::sync::Mutex<Vec<String>>> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let heard = Arc::<std::sync::Mutex<Vec<String>>>::default();
    let options = ground_world::net::ListenOptions::default();
    let listener = world
        .net
        .listen("192.0.2.80:8080".parse().unwrap(), options);
    let listener = listener.await.unwrap();
    let kept = heard.clone();
    tokio::spawn(async move {
        let mut answers = answers.iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                stream.read_buf(&mut request).await.unwrap();
            }
            let request = String::from_utf8(request).unwrap();
            kept.lock().unwrap().push(request);
            let answer = answers
                .next()
                .copied()
                .unwrap_or("HTTP/1.1 204 No Content\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    heard
}

#[tokio::test(start_paused = true)]
async fn a_webhook_hears_when_an_alarm_begins_stands_and_ends_though_it_failed_at_first() {
    let mut bench = Bench::new().await;
    bench.settings.watch.reconcile_interval = MINUTE;
    bench.settings.alarms.webhook = Some("http://192.0.2.80:8080/hook".parse().unwrap());
    bench.settings.alarms.mail = Some("ops@b.example".to_owned());
    let heard = web(&bench.world, &["HTTP/1.1 500 no\r\n\r\n"]).await;
    bench
        .accept("jo@a.example", &[("k@b.example", NEVER, queued())])
        .await;
    let gone = HopKey::via("gone");
    bench
        .write("UPDATE recipient SET next_hop = 'via:gone'")
        .await;
    let watch = bench.watch();
    bench.pass(HOUR * 4 + MINUTE * 20).await;
    bench
        .write("UPDATE recipient SET next_hop = 'mx:b.example' WHERE next_hop = 'via:gone'")
        .await;
    bench.pass(MINUTE * 3).await;
    let heard = heard.lock().unwrap().clone();
    assert!(heard[0].starts_with("POST /hook HTTP/1.1\r\nHost: 192.0.2.80:8080\r\n"));
    let of_it = heard.iter().filter(|one| one.contains("no_such_connector"));
    let said = |one: &String| {
        let (_, json) = one.split_once("\r\n\r\n").unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json["subject"], gone.to_string());
        json["state"].as_str().unwrap().to_owned()
    };
    let said: Vec<String> = of_it.map(said).collect();
    // The first try failed, and was made again.
    assert_eq!(said.first().unwrap(), "begun");
    assert_eq!(said.last().unwrap(), "ended");
    assert!(said.contains(&"stands".to_owned()), "{said:?}");
    let mails = bench
        .rows("SELECT subject FROM message WHERE subject LIKE '[postrider n1] no_such_connector%'")
        .await;
    assert_eq!(mails.len(), 2);
    drop(watch);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_is_down_is_tried_by_the_minute_however_often_alarms_change() {
    const DOWN: [&str; 200] = ["HTTP/1.1 500 no\r\n\r\n"; 200];
    let mut bench = Bench::new().await;
    bench.settings.watch.reconcile_interval = Duration::from_secs(1);
    bench.settings.alarms.webhook = Some("http://192.0.2.80:8080/hook".parse().unwrap());
    let heard = web(&bench.world, &DOWN).await;
    let watch = bench.watch();
    let gone = || Birth::Queued {
        next_hop: HopKey::via("gone"),
    };
    for _ in 0..60 {
        bench
            .accept("jo@a.example", &[("k@b.example", NEVER, gone())])
            .await;
        bench.pass(Duration::from_secs(5)).await;
    }
    let tries = heard.lock().unwrap().len();
    assert!((2..=6).contains(&tries), "{tries} tries in five minutes");
    drop(watch);
}
