//! What is about a message: retries, reports, crashes, leases, and settlements that meet trouble.

use super::*;

const GREYLISTED: Say = Say::Text("450 4.7.1 Greylisted\r\n");

async fn retry_at(house: &House) -> Time {
    Time::from_millis(house.number("SELECT retry_at FROM recipient").await)
}

#[tokio::test(start_paused = true)]
async fn a_greylisted_message_is_tried_again_on_time_and_delivered() {
    let mut house = house(NO_JITTER).await;
    let peer = house
        .peer(Script::default().first(1, "RCPT", GREYLISTED))
        .await;
    house.queued(mail("bo@peer.test")).await;
    let began = house.ledger.now();
    house.start();
    house.pass(seconds(10)).await;
    assert_eq!(
        house.text("SELECT last_reply FROM recipient").await,
        "450 4.7.1 Greylisted"
    );
    let wait = retry_at(&house).await.since(began);
    assert!(wait >= minutes(1) && wait < seconds(65), "{wait:?}");
    house.pass(seconds(45)).await;
    assert_eq!(peer.heard().messages.len(), 0);
    house.until(1, "relayed", seconds(10)).await;
    assert_eq!(house.number("SELECT attempts FROM recipient").await, 2);
}

#[tokio::test(start_paused = true)]
async fn advice_in_a_reply_is_honoured() {
    let mut house = house(NO_JITTER).await;
    let advice = Say::Text("451 4.7.1 please try again in 20 minutes\r\n");
    house.peer(Script::default().at("RCPT", advice)).await;
    house.queued(mail("bo@peer.test")).await;
    let began = house.ledger.now();
    house.start();
    house.pass(seconds(10)).await;
    let wait = retry_at(&house).await.since(began);
    assert!(wait >= minutes(20) && wait < seconds(1205), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_returns_the_message_and_its_report_is_stored_with_it() {
    let mut house = house("").await;
    house
        .peer(Script::default().at("RCPT", Say::Text("550 5.1.1 who?\r\n")))
        .await;
    let id = house.queued(mail("bo@peer.test")).await;
    house.start();
    house.until(1, "returned", seconds(10)).await;
    assert_eq!(
        house
            .number("SELECT cause FROM message WHERE origin = 'report'")
            .await,
        id.key()
    );
    let to = "SELECT address FROM recipient WHERE state = 'categorizing'";
    assert_eq!(house.text(to).await, "ada@sender.test");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_of_what_has_no_sender_or_asked_for_silence() {
    let mut house = house("").await;
    house
        .peer(Script::default().at("RCPT", Say::Text("550 5.1.1 who?\r\n")))
        .await;
    let mut bounce = mail("bo@peer.test");
    bounce.sender = ReversePath::Null;
    house.queued(bounce).await;
    let mut silent = mail("cy@peer.test");
    silent.notify = Some(Notify::Never);
    house.queued(silent).await;
    house.start();
    house.until(1, "dead_letter", seconds(10)).await;
    house.until(1, "returned", seconds(10)).await;
    assert_eq!(house.in_state("categorizing").await, 0);
    let cause = house
        .text("SELECT cause FROM recipient WHERE state = 'returned'")
        .await;
    assert_eq!(cause, "550 5.1.1 who? (the sender asked for no report)");
}

#[tokio::test(start_paused = true)]
async fn a_message_lost_after_the_final_dot_is_marked_unknown_and_tried_again() {
    let mut house = house(NO_JITTER).await;
    house.peer(Script::default().first(1, ".", Say::Cut)).await;
    house.queued(mail("bo@peer.test")).await;
    house.start();
    house.until(1, "relayed", minutes(3)).await;
    let outcomes = house.rows("SELECT outcome FROM attempt ORDER BY id").await;
    let outcomes: Vec<_> = outcomes.iter().map(|row| row.text(0).unwrap()).collect();
    assert_eq!(outcomes, ["unknown", "relayed"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_between_messages_costs_no_message_its_time() {
    let mut house = house("[queue]\nhop_initial_concurrency = 1\nhop_max_concurrency = 1\n").await;
    let peer = house
        .peer(Script::default().first(1, "RCPT TO:<r3@", Say::Bye("421 4.3.2 bye\r\n")))
        .await;
    for n in 0..10 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.until(10, "relayed", seconds(10)).await;
    assert_eq!(peer.heard().messages.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_breaks_every_session_does_not_stop_the_others() {
    let mut house = house(NO_JITTER).await;
    house
        .peer(Script::default().at("RCPT TO:<bad@", Say::Cut))
        .await;
    house.queued(mail("bad@peer.test")).await;
    for n in 0..20 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.until(20, "relayed", seconds(30)).await;
    let hop = house.ledger.hop(&HopKey::mx("peer.test")).await.unwrap();
    assert_eq!(hop.state, HopState::Up);
    assert_eq!(house.in_state("queued").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_costs_its_message_a_lease_and_the_others_nothing() {
    let mut house = house("[queue]\npoison_attempts = 2\n").await;
    let peer = house.peer(Script::default()).await;
    let mut poison = mail("bad@peer.test");
    poison.subject = "poison";
    house.queued(poison).await;
    for n in 0..20 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.until(20, "relayed", seconds(10)).await;
    assert_eq!(peer.heard().messages.len(), 20);
    house.until(1, "queued", seconds(10)).await;
    house.until(1, "held", seconds(70)).await;
    let reason = house.text("SELECT hold_reason FROM recipient WHERE state = 'held'");
    let reason = reason.await;
    assert!(
        reason.contains("the attempt crashed: a poisoned message"),
        "{reason}"
    );
}

/// One recipient of whom `ended` attempts have begun and never ended.
async fn suspect(house: &House, to: &str, ended: u32) {
    let id = house.queued(mail(to)).await.key();
    let text = format!("UPDATE recipient SET suspicion = {ended} WHERE message = {id}");
    let mut unit = Unit::new();
    unit.write(ground_store::Sql::new(text.leak()), Vec::new());
    house.store.write(unit).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_attempt_at_a_suspect_waits_until_its_beginning_is_written() {
    let mut house = house(NO_JITTER).await;
    let peer = house.peer(Script::default()).await;
    suspect(&house, "bo@peer.test", 0).await;
    // Between the claim and the attempt.
    house.simulation.net.set_latency(seconds(2));
    house.start();
    house.pass(seconds(2)).await;
    assert_eq!(house.in_state("in_flight").await, 1);
    for _ in 0..20 {
        let full = StoreError::Full("no room".to_owned());
        house.store.faults().fail_next_write(full);
    }
    house.pass(seconds(12)).await;
    assert!(!peer.heard().lines.is_empty());
    assert!(
        !peer
            .heard()
            .lines
            .iter()
            .any(|line| line.starts_with("MAIL"))
    );
    house.until(1, "relayed", minutes(2)).await;
    assert_eq!(house.number("SELECT attempts FROM recipient").await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_beginning_cannot_be_written_is_not_made() {
    let mut house = house(NO_JITTER).await;
    let peer = house.peer(Script::default()).await;
    suspect(&house, "bo@peer.test", 0).await;
    // Between the claim and the attempt.
    house.simulation.net.set_latency(seconds(2));
    house.start();
    house.pass(seconds(2)).await;
    house.store.faults().hold_writes();
    house.pass(minutes(2)).await;
    let hop = HopKey::mx("peer.test");
    let until = house.ledger.now() + minutes(60);
    house.store.faults().release_writes();
    house
        .ledger
        .hop_pause(&hop, "ada", until, "test")
        .await
        .unwrap();
    house.pass(seconds(30)).await;
    house.ledger.lost_claims().await.unwrap();
    assert_eq!(house.in_state("queued").await, 1);
    assert_eq!(house.number("SELECT suspicion FROM recipient").await, 0);
    assert_eq!(house.number("SELECT count(*) FROM attempt").await, 0);
    assert!(peer.heard().messages.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_may_be_poison_is_tried_alone_and_keeps_nobody_waiting() {
    let mut house = house(NO_JITTER).await;
    let peer = house.peer(Script::default().slow(seconds(1))).await;
    for n in 0..10 {
        suspect(&house, &format!("s{n}@peer.test"), 1).await;
    }
    for n in 0..20 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    let begun = "SELECT count(*) FROM recipient WHERE begun_at IS NOT NULL";
    let end = house.world.clock.instant() + minutes(3);
    while house.in_state("relayed").await < 30 {
        assert!(house.number(begun).await <= 1);
        assert!(
            house.world.clock.instant() < end,
            "{}",
            house.in_state("relayed").await
        );
        house.pass(Duration::from_millis(200)).await;
    }
    let heard = peer.heard().messages;
    assert_eq!(heard.len(), 30);
    assert_eq!(
        house
            .number("SELECT count(*) FROM recipient WHERE suspicion IS NOT NULL")
            .await,
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_decent_end_blames_nobody_who_waited() {
    let mut house = house("[queue]\nhop_initial_concurrency = 1\nhop_max_concurrency = 1\n").await;
    house.peer(Script::default().slow(minutes(2))).await;
    suspect(&house, "s@peer.test", 1).await;
    for n in 0..5 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.pass(seconds(5)).await;
    assert_eq!(house.in_state("in_flight").await, 6);
    let queue = house.queue.take().unwrap();
    queue.stop(seconds(20)).await;
    // One attempt was cut off.
    assert_eq!(house.in_state("queued").await, 5);
    assert_eq!(house.number("SELECT count(*) FROM attempt").await, 0);
    assert_eq!(
        house.number("SELECT sum(suspicion) FROM recipient").await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_lives_as_long_as_its_attempt() {
    let mut house = house(NO_JITTER).await;
    house.peer(Script::default().first(1, ".", Say::Hang)).await;
    house.queued(mail("bo@peer.test")).await;
    house.start();
    // The peer says nothing for ten minutes, ten leases long.
    for _ in 0..9 {
        house.pass(minutes(1)).await;
        assert_eq!(house.ledger.lost_claims().await.unwrap().found, 0);
        assert_eq!(house.in_state("in_flight").await, 1);
    }
    house.until(1, "queued", minutes(2)).await;
    assert_eq!(house.text("SELECT outcome FROM attempt").await, "unknown");
    house.until(1, "relayed", minutes(3)).await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_lost_settles_nothing() {
    let mut house = house("[timeouts]\ndata_end = \"5m\"\n").await;
    let slow = Script::default().slow(minutes(2));
    let peer = house.peer(slow).await;
    house.queued(mail("bo@peer.test")).await;
    house.start();
    house.pass(seconds(10)).await;
    // Renewals fail for longer than a lease, and another takes the message meanwhile.
    house.store.faults().hold_writes();
    house.pass(seconds(61)).await;
    house.store.faults().release_writes();
    let hop = HopKey::mx("peer.test");
    let until = house.ledger.now() + minutes(60);
    house
        .ledger
        .hop_pause(&hop, "ada", until, "test")
        .await
        .unwrap();
    assert_eq!(house.ledger.lost_claims().await.unwrap().queued, 1);
    house.pass(minutes(3)).await;
    assert_eq!(
        house.in_state("queued").await,
        1,
        "the settlement of the lost claim changed nothing"
    );
    assert_eq!(peer.heard().messages.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_or_silent_store_delays_a_settlement_and_loses_none() {
    let mut house = house("").await;
    house.peer(Script::default()).await;
    house.start();
    house.pass(seconds(3)).await;
    for n in 0..5 {
        house
            .handed(mail(&format!("r{n}@peer.test")))
            .await
            .unwrap();
    }
    for _ in 0..10 {
        let full = StoreError::Full("no room".to_owned());
        house.store.faults().fail_next_write(full);
    }
    house.store.faults().lose_next_answer();
    house.until(5, "relayed", seconds(50)).await;
    let attempts = house.number("SELECT count(*) FROM attempt").await;
    assert_eq!(
        attempts, 5,
        "what was stored without an answer is not stored twice"
    );
}

#[tokio::test(start_paused = true)]
async fn new_mail_never_waits_behind_retries() {
    let mut house = house(
        "[queue]\nretry_jitter = 0.0\nhop_max_concurrency = 1\nhop_initial_concurrency = 1\n",
    )
    .await;
    let slow = Script::default().slow(seconds(1));
    let peer = house.peer(slow.clone().at("RCPT", GREYLISTED)).await;
    for n in 0..60 {
        house.queued(mail(&format!("old{n}@peer.test"))).await;
    }
    house.start();
    house.pass(seconds(30)).await;
    peer.now_says(slow);
    house.pass(seconds(45)).await;
    let began = house.world.clock.instant();
    let id = house.queued(mail("new@peer.test")).await;
    while !peer
        .heard()
        .messages
        .iter()
        .any(|message| message.contains(&id.to_string()))
    {
        house.pass(Duration::from_millis(200)).await;
        let waited = house.world.clock.instant() - began;
        assert!(waited < seconds(40), "it waited {waited:?} behind retries");
    }
}
