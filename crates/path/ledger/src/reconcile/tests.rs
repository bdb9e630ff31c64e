//! What differs is found and put right, on both engines.

use std::time::Duration;

use ground_store::{Sql, Unit, Value};

use super::*;
use crate::fixture::{Book, book, claimed, hop, queued, relayed, settlement};
use crate::{HeldKind, Settlement, State};

impl Book {
    async fn hand(&self, text: &'static str) {
        let mut unit = Unit::new();
        unit.write(Sql::new(text), Vec::new());
        self.ledger.store().write(unit).await.unwrap();
    }

    async fn reconciled(&self) -> i64 {
        self.number("SELECT count(*) FROM event WHERE kind = 'reconciled'")
            .await
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_memory_lost_comes_back_at_once_unless_it_was_touched_meanwhile() {
    let book = book().await;
    let ids = [book.one(claimed()).await, book.one(claimed()).await];
    let seen = book.ledger.claims_here(None, 10).await.unwrap();
    assert_eq!(seen.iter().map(|one| one.id).collect::<Vec<_>>(), ids);
    let rest = book.ledger.claims_here(Some(ids[0]), 10).await.unwrap();
    assert_eq!(rest, seen[1..]);
    assert_eq!(book.ledger.hops_in_flight().await.unwrap(), [hop()]);
    book.pass(Duration::from_secs(5)).await;
    book.ledger.renew(&ids[1..]).await.unwrap();
    let done = book.ledger.unaccounted(&seen).await.unwrap();
    assert_eq!((done.queued, done.held), (1, 0));
    let states = [book.row(ids[0]).await.state, book.row(ids[1]).await.state];
    assert_eq!(states, [State::Queued, State::InFlight]);
    assert_eq!(book.reconciled().await, 1);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_hop_shown_down_that_took_a_message_since_is_tried_at_once() {
    let book = book().await;
    let id = book.one(claimed()).await;
    let message = book.row(id).await.message;
    let (key, retry_at) = (hop(), book.now() + Duration::from_secs(1800));
    let down = book.ledger.hop_down(&key, retry_at, 3, "no", "mx");
    down.await.unwrap();
    let hour = |_: &HopKey| Duration::from_secs(3600);
    assert_eq!(book.ledger.put_hops_right(hour).await.unwrap(), []);
    book.pass(Duration::from_secs(60)).await;
    let settled = Settlement {
        attempt: Some(book.attempt()),
        ..settlement(message, vec![(id, relayed())])
    };
    book.ledger.settle(settled).await.unwrap();
    let put_right = book.ledger.put_hops_right(hour).await.unwrap();
    assert_eq!(put_right.len(), 1, "{put_right:?}");
    assert!(book.ledger.hop(&hop()).await.unwrap().retry_at <= book.now());
    assert_eq!(book.ledger.put_hops_right(hour).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_count_that_is_off_is_counted_again() {
    let book = book().await;
    for _ in 0..3 {
        book.one(queued()).await;
    }
    book.one(claimed()).await;
    let hop = hop().to_string();
    for (state, wrong) in [("queued", 2), ("in_flight", 1), ("held", 1)] {
        let values = vec![state.into(), (&hop).into(), Value::Int(wrong)];
        let mut unit = Unit::new();
        unit.write(
            Sql::each(
                "INSERT INTO tally (state, next_hop, hour, n) VALUES ($1, $2, 1, $3)",
                "INSERT INTO tally_change (state, next_hop, hour, n) VALUES ($1, $2, 1, $3)",
            ),
            values,
        );
        book.ledger.store().write(unit).await.unwrap();
    }
    let off = book.ledger.audit().await.unwrap();
    assert_eq!(off.findings.len(), 3);
    for (state, next_hop) in off.findings.iter().filter_map(|one| one.of.as_ref()) {
        book.ledger.recount(state, next_hop).await.unwrap();
    }
    book.assert_sound().await;
    assert_eq!(book.reconciled().await, 3);
}

/// Octets that no slice of these tests has.
const PLENTY: u64 = 1 << 20;

#[tokio::test(start_paused = true)]
async fn a_slice_of_bodies_ends_with_its_octets_and_goes_on_behind_them() {
    let book = book().await;
    for _ in 0..2 {
        book.one(queued()).await;
    }
    let first = book.ledger.check_bodies(&BodyCursor::default(), 9, 1).await;
    let first = first.unwrap();
    assert_eq!(first.checked, 1);
    let next = first.next.unwrap();
    let rest = book.ledger.check_bodies(&next, 9, PLENTY).await.unwrap();
    assert_eq!((rest.checked, rest.next), (1, None));
}

#[tokio::test(start_paused = true)]
async fn bodies_are_read_through_by_slices_and_a_damaged_one_is_held() {
    let book = book().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(book.one(queued()).await);
    }
    book.hand("UPDATE body SET content = substr(content, 2) WHERE id = (SELECT min(id) FROM body)")
        .await;
    let first = book
        .ledger
        .check_bodies(&BodyCursor::default(), 2, PLENTY)
        .await;
    let first = first.unwrap();
    assert_eq!((first.checked, first.damaged), (2, vec![ids[0]]));
    let rest = book
        .ledger
        .check_bodies(&first.next.unwrap(), 2, PLENTY)
        .await;
    let rest = rest.unwrap();
    assert_eq!((rest.checked, rest.damaged, rest.next), (1, vec![], None));
    let held = book.ledger.held_too_long(10).await.unwrap();
    assert_eq!((held[0].kind, held[0].id), (HeldKind::Damaged, ids[0]));
    assert_eq!(held[0].since, book.now());
    let key = hop();
    let waiting = book.ledger.waiting_for(&key, 10).await.unwrap();
    assert_eq!(waiting.len(), 3);
    let news = book
        .ledger
        .dead_letters_since(book.now() - Duration::from_secs(60), 10);
    assert_eq!(news.await.unwrap(), []);
}
