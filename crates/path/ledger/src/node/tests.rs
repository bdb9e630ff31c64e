//! Signs of life, silence, and who may still work.

use std::time::Duration;

use super::*;
use crate::fixture::{Book, book, claimed, queued};
use crate::{Neighbours, State};

const BEAT: Duration = Duration::from_secs(4);

/// Another node on the same rows.
async fn another(book: &Book, name: &str) -> Ledger {
    let (store, world) = (book.ledger.store().clone(), book.ledger.world().clone());
    let options = LedgerOptions {
        node_name: name.into(),
        ..crate::fixture::options()
    };
    Ledger::open(store, world, options).await.unwrap()
}

/// Time in which `alive` gives signs of life and looks at the others; whom it fenced.
async fn pass(book: &Book, alive: &Ledger, seen: &mut Neighbours, time: Duration) -> Vec<String> {
    let mut fenced = Vec::new();
    let mut passed = Duration::ZERO;
    while passed < time {
        book.pass(BEAT).await;
        passed += BEAT;
        assert_eq!(alive.heartbeat().await.unwrap(), Heartbeat::Alive);
        fenced.extend(alive.look_at_neighbours(seen).await.unwrap());
    }
    fenced
}

#[tokio::test(start_paused = true)]
async fn what_a_silent_node_had_claimed_is_taken_over_within_half_a_minute() {
    let book = book().await;
    let id = book.one(claimed()).await;
    let other = another(&book, "node2").await;
    let mut seen = Neighbours::default();
    assert_eq!(
        pass(&book, &other, &mut seen, NODE_LEASE).await,
        Vec::<String>::new()
    );
    assert_eq!(other.lost_claims().await.unwrap().found, 0);
    let fenced = pass(&book, &other, &mut seen, Duration::from_secs(12)).await;
    assert_eq!(fenced, ["node1"]);
    assert!(!book.ledger.is_alive());
    assert_eq!(other.lost_claims().await.unwrap().queued, 1);
    assert_eq!(book.row(id).await.state, State::Queued);
    assert_eq!(book.ledger.heartbeat().await.unwrap(), Heartbeat::Fenced);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_may_work_for_a_shorter_time_than_the_others_wait() {
    let book = book().await;
    assert!(book.ledger.is_alive());
    book.pass(NODE_LEASE - Duration::from_millis(1)).await;
    assert!(book.ledger.is_alive());
    book.pass(Duration::from_millis(1)).await;
    assert!(!book.ledger.is_alive());
    assert!(NODE_LEASE < SILENCE);
    assert_eq!(book.ledger.heartbeat().await.unwrap(), Heartbeat::Alive);
    assert!(book.ledger.is_alive());
}

#[tokio::test(start_paused = true)]
async fn nobody_is_fenced_by_who_could_not_look() {
    let book = book().await;
    let other = another(&book, "node2").await;
    let mut seen = Neighbours::default();
    pass(&book, &other, &mut seen, BEAT).await;
    // The store was away for both.
    book.pass(SILENCE * 3).await;
    assert_eq!(
        pass(&book, &other, &mut seen, BEAT).await,
        Vec::<String>::new()
    );
    assert_eq!(book.ledger.heartbeat().await.unwrap(), Heartbeat::Alive);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_live_itself_fences_nobody() {
    let book = book().await;
    let other = another(&book, "node2").await;
    let mut seen = Neighbours::default();
    for _ in 0..10 {
        book.pass(BEAT).await;
        let fenced = other.look_at_neighbours(&mut seen).await.unwrap();
        assert_eq!(fenced, Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_stepped_makes_nobody_silent() {
    let book = book().await;
    let other = another(&book, "node2").await;
    let mut seen = Neighbours::default();
    for day in [1_i64, -2, 1] {
        book.simulation.clock.step(day * 86_400_000);
        for _ in 0..3 {
            assert_eq!(book.ledger.heartbeat().await.unwrap(), Heartbeat::Alive);
            let fenced = pass(&book, &other, &mut seen, BEAT).await;
            assert_eq!(fenced, Vec::<String>::new());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stopped_in_good_order_leaves_nothing_behind() {
    let book = book().await;
    let id = book.one(claimed()).await;
    let other = another(&book, "node2").await;
    book.ledger.stopped().await.unwrap();
    assert_eq!(other.lost_claims().await.unwrap().queued, 1);
    assert_eq!(book.row(id).await.state, State::Queued);
}

#[tokio::test(start_paused = true)]
async fn draining_is_heard_with_the_next_sign_of_life_and_outlives_a_restart() {
    let mut book = book().await;
    let other = another(&book, "node2").await;
    let drain = |draining| other.drain("node1", draining, "ada", "new disk");
    assert!(drain(true).await.unwrap());
    assert!(!drain(true).await.unwrap(), "it is drained already");
    assert!(!other.drain("node9", true, "ada", "").await.unwrap());
    assert!(book.ledger.takes_work());
    book.ledger.heartbeat().await.unwrap();
    assert!(book.ledger.is_alive() && !book.ledger.takes_work());
    book.restart().await;
    assert!(book.ledger.is_draining());
    let mut seen = Neighbours::default();
    other.look_at_neighbours(&mut seen).await.unwrap();
    assert_eq!(other.nodes_at_work(), 1);
    let shown = other.nodes().await.unwrap();
    let shown: Vec<_> = shown
        .iter()
        .map(|node| (node.name.as_str(), node.state.word(), node.draining))
        .collect();
    assert_eq!(shown, [("node1", "up", true), ("node2", "up", false)]);
    assert!(drain(false).await.unwrap());
    book.ledger.heartbeat().await.unwrap();
    assert!(book.ledger.takes_work());
}

#[tokio::test(start_paused = true)]
async fn mail_is_late_only_when_no_node_was_there() {
    let mut book = book().await;
    book.one(queued()).await;
    let hours = Duration::from_secs(5 * 3600);
    book.pass(hours).await;
    let other = another(&book, "node2").await;
    assert_eq!(other.downtime(), hours, "also for a node nobody knew");
    // The other starts while it is not treated yet: nothing may leave there either.
    book.restart().await;
    assert_eq!(book.ledger.downtime(), hours);
    other.caught_up().await.unwrap();
    other.heartbeat().await.unwrap();
    book.pass(BEAT).await;
    book.restart().await;
    assert!(book.ledger.downtime() <= BEAT);
}

#[tokio::test(start_paused = true)]
async fn of_several_nodes_one_tries_a_hop_that_is_down() {
    let book = book().await;
    let other = another(&book, "node2").await;
    for ledger in [&book.ledger, &other] {
        let seen = &mut Neighbours::default();
        ledger.look_at_neighbours(seen).await.unwrap();
    }
    let hop = crate::fixture::hop();
    let retry_at = book.now();
    let down = book.ledger.hop_down(&hop, retry_at, 1, "refused", "mx");
    down.await.unwrap();
    let status = other.hop(&hop).await.unwrap();
    assert!(other.hop_probe(&status).await.unwrap());
    assert!(!book.ledger.hop_probe(&status).await.unwrap());
    // Whoever tries may die of it.
    let status = other.hop(&hop).await.unwrap();
    assert_eq!(status.opens_at(), book.now() + book.ledger.options().lease);
    assert!(book.ledger.keeps_house() && !other.keeps_house());
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_mail_is_on_the_way_opens_no_book() {
    for role in ["arriving", "arrived", "leaving", "left"] {
        let book = book().await;
        let store = book.ledger.store().clone();
        let mark = Sql::new(
            "INSERT INTO transfer (id, role, other, place, witness, run, since) \
             VALUES (1, $1, 'x', 'sqlite:elsewhere', '', 1, 1)",
        );
        let mut unit = Unit::new();
        unit.write_exactly(1, mark, vec![role.into()]);
        store.write(unit).await.unwrap();
        let (world, options) = (book.ledger.world().clone(), crate::fixture::options());
        let opened = Ledger::open(store.clone(), world, options.clone()).await;
        let why = opened.err().unwrap().to_string();
        assert!(why.contains("sqlite:elsewhere"), "{role}: {why}");
        // Also when the mark came after the first look.
        let started = start(&store, &options, book.now()).await;
        let why = started.err().unwrap().to_string();
        assert!(why.contains("sqlite:elsewhere"), "{role}: {why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_while_it_starts_makes_no_mail_late_when_another_was_there() {
    let mut book = book().await;
    book.one(queued()).await;
    let dead = another(&book, "node2").await;
    assert!(dead.downtime() <= BEAT, "it dies before it has caught up");
    let mut seen = Neighbours::default();
    let ledger = book.ledger.clone();
    assert_eq!(
        pass(&book, &ledger, &mut seen, Duration::from_secs(30)).await,
        ["node2"]
    );
    book.pass(Duration::from_secs(3 * 86_400)).await;
    ledger.heartbeat().await.unwrap();
    book.pass(BEAT).await;
    book.restart().await;
    assert!(book.ledger.downtime() <= BEAT);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_stopped_with_its_clock_finds_itself_lifeless_by_the_time_of_day() {
    let book = book().await;
    book.ledger.heartbeat().await.unwrap();
    let lease = i64::try_from(NODE_LEASE.as_millis()).unwrap();
    book.simulation.clock.step(lease);
    assert!(!book.ledger.is_alive());
    assert_eq!(book.ledger.heartbeat().await.unwrap(), Heartbeat::Alive);
    assert!(book.ledger.is_alive());
}
