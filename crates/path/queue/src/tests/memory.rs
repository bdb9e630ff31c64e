//! What fails in memory is replaced, and what memory loses is found: no restart of anything.

use ground_world::mishap::{Blow, SimulatedMishap, Spot};
use ground_world::supervise::Failure;

use super::*;

const ONE_CONNECTION: &str = "[queue]\nretry_jitter = 0.0\nhop_initial_concurrency = 1\nhop_max_concurrency = 1\n\
     [watch]\nreconcile_interval = \"30s\"\n";

fn events() -> &'static str {
    "SELECT detail FROM event WHERE kind = 'reconciled' ORDER BY id"
}

impl House {
    fn forget(&self, message: MessageId) -> usize {
        self.queue.as_ref().unwrap().forget(message)
    }

    async fn recipient_of(&self, message: MessageId) -> i64 {
        let key = message.key();
        self.number(&format!("SELECT id FROM recipient WHERE message = {key}"))
            .await
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_memory_loses_is_found_within_one_reconciler_interval_with_an_event() {
    let mut house = house(ONE_CONNECTION).await;
    let peer = house
        .peer(Script::default().first(1, "RCPT", Say::Hang))
        .await;
    house.start();
    house.pass(seconds(1)).await;
    house.queued(mail("first@peer.test")).await;
    let second = house.queued(mail("second@peer.test")).await;
    house.pass(seconds(3)).await;
    let lost = house.recipient_of(second).await;
    assert_eq!(house.in_state("in_flight").await, 2);
    assert_eq!(house.forget(second), 1);
    house.pass(seconds(32)).await;
    let state = format!("SELECT state FROM recipient WHERE id = {lost}");
    let about =
        format!("SELECT count(*) FROM event WHERE kind = 'reconciled' AND recipient = {lost}");
    assert_eq!(house.number(&about).await, 1);
    let detail = house.text(events()).await;
    assert!(
        detail.contains("nothing in memory accounted for"),
        "{detail}"
    );
    // It is due, and claimed again at once.
    house.pass(minutes(12)).await;
    house.until(2, "relayed", minutes(10)).await;
    assert_eq!(house.text(&state).await, "relayed");
    assert_eq!(peer.heard().messages.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_claim_somebody_else_has_ended_is_dropped_from_memory() {
    let mut house = house(ONE_CONNECTION).await;
    house
        .peer(Script::default().first(1, "RCPT", Say::Hang))
        .await;
    house.start();
    house.pass(seconds(1)).await;
    house.queued(mail("first@peer.test")).await;
    let second = house.queued(mail("second@peer.test")).await;
    house.pass(seconds(3)).await;
    let id = house.recipient_of(second).await;
    let mut unit = Unit::new();
    unit.write(
        ground_store::Sql::new(
            "UPDATE recipient SET state = 'held', claimed_by = NULL, claimed_until = NULL, hold_reason = 'x', held_by = 'y', \
             hold_alarm_at = expires_at, deadline_at = expires_at WHERE id = $1",
        ),
        vec![id.into()],
    );
    house.store.write(unit).await.unwrap();
    house.pass(seconds(32)).await;
    let detail = house.text(events()).await;
    assert!(detail.contains("its claim was not ours"), "{detail}");
    assert_eq!(house.forget(second), 0, "it is not there any more");
}

#[tokio::test(start_paused = true)]
async fn in_quiet_and_under_load_the_reconciler_finds_nothing() {
    let mut house = house("[watch]\nreconcile_interval = \"100ms\"\n").await;
    house.peer(Script::default()).await;
    house.start();
    for n in 0..300 {
        let to = format!("r{n}@peer.test");
        if house.handed(mail(&to)).await.is_none() {
            house.queued(mail(&to)).await;
        }
    }
    house.until(300, "relayed", minutes(1)).await;
    house.pass(seconds(10)).await;
    assert_eq!(house.rows(events()).await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_in_memory_past_its_lifetime_goes_back_at_once() {
    let text = format!("{ONE_CONNECTION}[timeouts]\nrcpt = \"1h\"\n");
    let text = text.replace(
        "[queue]\n",
        "[queue]\nlifetime = \"10m\"\ndelay_notice = []\n",
    );
    let mut house = house(&text).await;
    house
        .peer(Script::default().first(1, "RCPT", Say::Hang))
        .await;
    house.start();
    house.pass(seconds(1)).await;
    house.queued(mail("first@peer.test")).await;
    let second = house.queued(mail("second@peer.test")).await;
    house.pass(minutes(10) + seconds(60)).await;
    let id = house.recipient_of(second).await;
    let state = format!("SELECT state FROM recipient WHERE id = {id}");
    assert_eq!(house.text(&state).await, "queued");
}

/// A house whose tasks can panic and hang.
async fn mortal_house(toml: &str) -> (House, SimulatedMishap) {
    let (safe, simulation) = World::simulated(11);
    simulation.dns.mx("peer.test", &[(10, "mx.peer.test")]);
    let addresses = ["192.0.2.25".parse().unwrap()];
    simulation.dns.addresses("mx.peer.test", &addresses);
    let (world, mishap) = safe.mortal();
    let text = format!("hostname = \"mx.test\"\n{toml}");
    let mut house = house_in(world, simulation, &text).await;
    house.world = safe;
    (house, mishap)
}

impl House {
    /// What was replaced: of which task, and how it failed.
    fn replaced(&self) -> Vec<(String, Failure)> {
        let replaced = self.supervisor.replaced().into_iter();
        replaced.map(|one| (one.task, one.failure)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_panics_or_hangs_is_replaced_and_mail_flows() {
    for (blow, failure) in [
        (Blow::Panic, Failure::Ended),
        (Blow::Hang, Failure::Hung("waiting")),
    ] {
        let (mut house, mishap) = mortal_house(NO_JITTER).await;
        house.peer(Script::default()).await;
        house.start();
        house.pass(seconds(1)).await;
        mishap.strike_always(Spot::Sleep, blow);
        house.pass(minutes(3)).await;
        mishap.stop();
        house.pass(minutes(3)).await;
        house.queued(mail("bo@peer.test")).await;
        house.until(1, "relayed", minutes(1)).await;
        let failed = ("scheduler".to_owned(), failure);
        assert!(house.replaced().contains(&failed), "{:?}", house.replaced());
    }
}

#[tokio::test(start_paused = true)]
async fn workers_that_hang_for_ever_are_replaced_and_their_messages_are_held_in_the_end() {
    let (mut house, mishap) = mortal_house(&format!("{NO_JITTER}poison_attempts = 2\n")).await;
    let peer = house.peer(Script::default()).await;
    house.start();
    mishap.strike_always(Spot::Attempt, Blow::Hang);
    let message = house.queued(mail("bo@peer.test")).await;
    house.pass(minutes(45)).await;
    let hung = house.supervisor.replaced().pop().unwrap();
    assert_eq!(hung.task, "worker for mx:peer.test");
    assert_eq!(hung.failure, Failure::Hung("attempt"));
    assert_eq!(hung.about, [message.to_string()]);
    house.pass(minutes(60)).await;
    assert_eq!(house.in_state("held").await, 1);
    let reason = house.text("SELECT hold_reason FROM recipient").await;
    assert!(
        reason.contains("it hung at the stage \"attempt\""),
        "{reason}"
    );
    // No restart of anything.
    mishap.stop();
    house.queued(mail("ann@peer.test")).await;
    house.until(1, "relayed", minutes(1)).await;
    assert_eq!(peer.heard().messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_hangs_or_panics_is_ended_and_its_message_comes_back() {
    for blow in [Blow::Panic, Blow::Hang] {
        let (mut house, mishap) = mortal_house(NO_JITTER).await;
        house.peer(Script::default()).await;
        house.start();
        house.pass(seconds(1)).await;
        house.handed(mail("bo@peer.test")).await.unwrap();
        mishap.strike_always(Spot::Write, blow);
        house.pass(seconds(2)).await;
        mishap.stop();
        if blow == Blow::Hang {
            house.pass(minutes(11)).await;
        }
        let tasks: Vec<_> = house.replaced().into_iter().map(|(task, _)| task).collect();
        assert!(
            tasks.contains(&"settlement for mx:peer.test".to_owned()),
            "{tasks:?}"
        );
        house.until(1, "relayed", minutes(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_next_hops_task_that_hangs_is_replaced() {
    let seldom = format!("{NO_JITTER}poll_interval = \"1m\"\n");
    let (mut house, mishap) = mortal_house(&seldom).await;
    house.peer(Script::default()).await;
    house.start();
    house.pass(seconds(2)).await;
    mishap.strike_always(Spot::Read, Blow::Hang);
    house.handed(mail("bo@peer.test")).await.unwrap();
    house.pass(seconds(1)).await;
    mishap.stop();
    house.until(1, "relayed", minutes(5)).await;
    let failures = house.replaced();
    let hop = ("next hop mx:peer.test".to_owned(), Failure::Hung("start"));
    assert!(failures.contains(&hop), "{failures:?}");
}
