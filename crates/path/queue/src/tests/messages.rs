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
    assert_eq!(house.in_state("in_flight").await, 1);
    house.pass(seconds(61)).await;
    assert_eq!(house.ledger.lost_claims().await.unwrap().queued, 1);
    house.pass(seconds(65)).await;
    assert_eq!(house.ledger.lost_claims().await.unwrap().held, 1);
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
