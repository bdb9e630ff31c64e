//! A claim that ends unsettled costs a lease, or a restart nothing at all.

use std::time::Duration;

use super::*;
use crate::fixture::{book, claimed, queued};
use crate::{Ledger, State};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_restart_queues_at_once_what_was_in_flight_and_its_outcome_is_unknown() {
    let mut book = book().await;
    let id = book.one(claimed()).await;
    let before = book.row(id).await;
    book.pass(MINUTE / 2).await;
    book.restart().await;
    let row = book.row(id).await;
    assert_eq!(
        (row.state, row.crashes, row.attempts),
        (State::Queued, 1, 1)
    );
    assert_eq!(
        (row.retry_at, row.accepted_at),
        (before.retry_at, before.accepted_at)
    );
    assert_eq!(
        (row.expires_at, row.notify_at),
        (before.expires_at, before.notify_at)
    );
    assert_eq!(row.deadline_at, row.due());
    assert_eq!(
        book.number("SELECT count(*) FROM attempt WHERE outcome = 'unknown'")
            .await,
        1
    );
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'claim_lost'")
            .await,
        1
    );
    assert_eq!(book.ledger.downtime(), MINUTE / 2);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_task_costs_one_lease_and_no_restart() {
    let book = book().await;
    let id = book.one(claimed()).await;
    assert_eq!(book.ledger.lost_claims().await.unwrap().found, 0);
    book.pass(MINUTE).await;
    let lost = book.ledger.lost_claims().await.unwrap();
    assert_eq!(
        lost,
        LostClaims {
            found: 1,
            queued: 1,
            held: 0
        }
    );
    assert_eq!(book.row(id).await.state, State::Queued);
    assert_eq!(book.ledger.lost_claims().await.unwrap().found, 0);
}

#[tokio::test(start_paused = true)]
async fn poison_is_held_with_the_reason_and_everything_else_flows() {
    let mut book = book().await;
    let poison = book.one(queued()).await;
    for crash in 1..=3 {
        assert_eq!(book.claim().await.len(), 1);
        book.restart().await;
        assert_eq!(book.row(poison).await.crashes, crash);
    }
    let row = book.row(poison).await;
    assert_eq!(row.state, State::Held);
    assert!(
        row.hold
            .as_ref()
            .unwrap()
            .reason
            .contains("3 claims in a row")
    );
    assert_eq!(row.deadline_at, row.due());
    assert!(book.claim().await.is_empty());
    book.one(queued()).await;
    assert_eq!(book.claim().await.len(), 1);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn another_nodes_live_claims_are_left_alone_until_they_end() {
    let book = book().await;
    let (store, world) = (book.ledger.store().clone(), book.ledger.world().clone());
    let options = crate::LedgerOptions {
        node_name: "node2".into(),
        ..crate::fixture::options()
    };
    let other = Ledger::open(store, world, options).await.unwrap();
    assert!(other.epoch() > book.ledger.epoch());
    let id = book.one(claimed()).await;
    assert_eq!(other.lost_claims().await.unwrap().found, 0);
    book.pass(MINUTE).await;
    assert_eq!(other.lost_claims().await.unwrap().queued, 1);
    assert_eq!(book.row(id).await.state, State::Queued);
}

#[tokio::test(start_paused = true)]
async fn more_claims_than_one_unit_takes_are_all_found_by_a_start() {
    let mut book = book().await;
    let births = std::iter::repeat_with(claimed).take(1203);
    book.ledger.accept(book.message(births)).await.unwrap();
    book.restart().await;
    assert_eq!(
        book.number("SELECT count(*) FROM recipient WHERE state = 'queued'")
            .await,
        1203
    );
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn the_node_that_was_replaced_learns_it_from_its_heartbeat() {
    let mut book = book().await;
    let old = book.ledger.clone();
    assert_eq!(old.heartbeat().await.unwrap(), crate::Heartbeat::Alive);
    book.restart().await;
    assert_eq!(old.heartbeat().await.unwrap(), crate::Heartbeat::Replaced);
    assert_eq!(
        book.ledger.heartbeat().await.unwrap(),
        crate::Heartbeat::Alive
    );
    assert!(book.ledger.new_id() > old.new_id());
}
