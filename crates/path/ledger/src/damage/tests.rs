//! What cannot be read stands in nobody's way, and keeps its clock.

use std::time::Duration;

use super::*;
use crate::fixture::{Book, DAY, HOUR, book, categorizing, claimed, held, hop, queued};

const DAMAGES: [&str; 4] = [
    "UPDATE recipient SET address = 'nonsense' WHERE id = $1",
    "UPDATE recipient SET orcpt = 'nonsense' WHERE id = $1",
    "UPDATE recipient SET next_hop = 'nonsense' WHERE id = $1",
    "UPDATE message SET sender = 'nonsense' WHERE id = (SELECT message FROM recipient WHERE id = $1)",
];

async fn damage(book: &Book, id: RecipientId, text: &'static str) {
    let mut unit = Unit::new();
    unit.write_exactly(1, Sql::new(text), vec![id.into()]);
    book.ledger.store().write(unit).await.unwrap();
}

async fn state(book: &Book, id: RecipientId) -> String {
    let text = "SELECT state FROM recipient WHERE id = $1";
    let rows = book.ledger.read(text, vec![id.into()]).await.unwrap();
    rows[0].text(0).unwrap().to_owned()
}

/// A day of sweeps, an hour apart; claims that end are found before.
async fn a_day(book: &Book) {
    for _ in 0..24 {
        book.pass(HOUR).await;
        while book.ledger.lost_claims().await.unwrap().found > 0 {}
        book.ledger.due(book.now(), 100).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn damage_in_any_state_is_held_rung_for_and_ended_in_time() {
    for birth in [categorizing(), queued(), claimed(), held()] {
        for text in DAMAGES {
            let book = book().await;
            let id = book.one(birth.clone()).await;
            damage(&book, id, text).await;
            a_day(&book).await;
            assert_eq!(state(&book, id).await, "held", "{birth:?}: {text}");
            a_day(&book).await;
            let rung = "SELECT count(*) FROM event WHERE kind = 'hold_forgotten'";
            assert!(book.number(rung).await >= 1, "{birth:?}: {text}");
            a_day(&book).await;
            a_day(&book).await;
            assert_eq!(state(&book, id).await, "dead_letter", "{birth:?}: {text}");
            book.assert_sound().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hop_that_cannot_be_read_stops_no_other() {
    let book = book().await;
    let lost = book.one(queued()).await;
    damage(&book, lost, DAMAGES[2]).await;
    book.one(queued()).await;
    let ready = book.ledger.ready_hops(book.now()).await.unwrap();
    let keys: Vec<_> = ready.iter().map(|one| one.key.clone()).collect();
    assert_eq!(keys, [hop()]);
    assert_eq!(state(&book, lost).await, "held");
}

#[tokio::test(start_paused = true)]
async fn what_is_whole_is_due_beside_any_number_of_damaged_rows() {
    let book = book().await;
    for _ in 0..5 {
        let id = book.one(queued()).await;
        damage(&book, id, DAMAGES[0]).await;
    }
    let whole = book.one(queued()).await;
    book.pass(DAY).await;
    let mut found = Vec::new();
    for _ in 0..3 {
        found.extend(book.ledger.due(book.now(), 3).await.unwrap());
    }
    assert_eq!(found[0].recipient.id, whole);
    let late = book.ledger.waiting_since(book.now(), None, 1).await;
    assert_eq!(late.unwrap()[0].recipient.id, whole);
}

#[tokio::test(start_paused = true)]
async fn late_mail_behind_a_page_of_damage_is_found() {
    let book = book().await;
    for _ in 0..5 {
        let id = book.one(queued()).await;
        damage(&book, id, DAMAGES[0]).await;
    }
    let whole = book.one(queued()).await;
    book.pass(Duration::from_secs(1)).await;
    let late = book.ledger.waiting_since(book.now(), None, 2).await;
    assert_eq!(late.unwrap()[0].recipient.id, whole);
}

#[tokio::test(start_paused = true)]
async fn the_audit_names_what_cannot_be_read_before_and_after_it_is_held() {
    let book = book().await;
    let id = book.one(queued()).await;
    book.one(queued()).await;
    damage(&book, id, DAMAGES[0]).await;
    for held in [false, true] {
        if held {
            book.pass(DAY).await;
            book.ledger.due(book.now(), 100).await.unwrap();
        }
        let audit = book.ledger.audit().await.unwrap();
        let damaged = |one: &&crate::Finding| one.kind == crate::FindingKind::Damaged;
        let named: Vec<_> = audit.findings.iter().filter(damaged).collect();
        assert_eq!(named.len(), 1, "{audit:#?}");
        assert!(named[0].detail.contains(&id.to_string()), "{audit:#?}");
    }
}
