//! Hops go down, come up, and are paused; what is due is a question to the rows.

use std::time::Duration;

use super::*;
use crate::Birth;
use crate::fixture::{book, hop, queued};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_hop_key_says_what_it_names_and_nothing_else_is_one() {
    let kinds = [
        ("mailbox", HopKind::Mailbox),
        ("via:smart", HopKind::Via("smart")),
        ("mx:a.test", HopKind::Mx("a.test")),
    ];
    for (text, kind) in kinds {
        let key: HopKey = text.parse().unwrap();
        assert_eq!((key.kind(), key.as_str()), (kind, text));
    }
    for text in ["", "mail", "via:", "mx:", "smtp:a.test", "a.test"] {
        assert!(text.parse::<HopKey>().is_err(), "{text}");
    }
    assert_eq!(HopKey::mx("A.Test").as_str(), "mx:a.test");
}

#[tokio::test(start_paused = true)]
async fn a_dead_hop_is_one_row_and_its_mail_is_due_when_the_hop_is() {
    let book = book().await;
    let id = book.one(queued()).await;
    let before = book.row(id).await;
    let retry_at = book.now() + MINUTE;
    for failures in 1..=3 {
        book.ledger
            .hop_down(&hop(), retry_at, failures, "connection refused", "mx")
            .await
            .unwrap();
    }
    assert_eq!(book.row(id).await, before);
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'hop_down'")
            .await,
        1
    );
    assert_eq!(book.ledger.ready_hops(book.now()).await.unwrap(), []);
    let coming = book.ledger.ready_hops(retry_at).await.unwrap();
    assert_eq!((coming[0].queued, coming[0].due_at()), (1, retry_at));
    assert_eq!(coming[0].status.failures, 3);
    book.ledger.hop_up(&hop()).await.unwrap();
    book.ledger.hop_up(&hop()).await.unwrap();
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'hop_up'")
            .await,
        1
    );
    let ready = book.ledger.ready_hops(book.now()).await.unwrap();
    assert_eq!((ready.len(), ready[0].status.state), (1, HopState::Up));
}

#[tokio::test(start_paused = true)]
async fn every_hop_with_something_due_is_found_and_no_other() {
    let book = book().await;
    let keys = ["mx:a.test", "mx:b.test", "via:smart", "mailbox"];
    for key in keys {
        book.one(Birth::Queued {
            next_hop: key.parse().unwrap(),
        })
        .await;
    }
    let ready = book.ledger.ready_hops(book.now()).await.unwrap();
    let found: Vec<_> = ready.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(found, ["mailbox", "mx:a.test", "mx:b.test", "via:smart"]);
    assert_eq!(
        book.ledger.next_due(&HopKey::mailbox()).await.unwrap(),
        Some(book.now())
    );
    assert_eq!(
        book.ledger.next_due(&HopKey::mx("c.test")).await.unwrap(),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_by_itself_or_by_a_person_and_a_failed_try_does_not_end_it() {
    let book = book().await;
    book.one(queued()).await;
    let until = book.now() + MINUTE;
    book.ledger
        .hop_pause(&hop(), "ann", until, "maintenance")
        .await
        .unwrap();
    book.ledger
        .hop_down(&hop(), book.now(), 1, "refused", "mx")
        .await
        .unwrap();
    book.ledger.hop_up(&hop()).await.unwrap();
    let status = book.ledger.hop(&hop()).await.unwrap();
    assert_eq!((status.state, status.opens_at()), (HopState::Paused, until));
    assert_eq!(book.ledger.ready_hops(book.now()).await.unwrap(), []);
    assert_eq!(book.ledger.ready_hops(until).await.unwrap().len(), 1);
    assert_eq!(
        book.ledger
            .hop_resume(&hop(), "ann", "it is done")
            .await
            .unwrap(),
        Resumed::Yes
    );
    assert_eq!(
        book.ledger
            .hop_resume(&hop(), "ann", "it is done")
            .await
            .unwrap(),
        Resumed::WasNotPaused
    );
    assert_eq!(book.ledger.ready_hops(book.now()).await.unwrap().len(), 1);
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'hop_resumed'")
            .await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_has_an_end_that_is_not_far_and_when_it_has_come_the_hop_is_shown_as_up() {
    let book = book().await;
    let (ledger, hop, now) = (&book.ledger, hop(), book.now());
    let long = now + PAUSE_MAX;
    for (until, expected) in [
        (now, Paused::NotInThePast),
        (long + Duration::from_millis(1), Paused::NotForSoLong),
        (long, Paused::Yes),
        (now + MINUTE, Paused::Yes),
    ] {
        let paused = ledger.hop_pause(&hop, "ann", until, "quiet").await;
        assert_eq!(paused.unwrap(), expected, "{until}");
    }
    let paused = "SELECT count(*) FROM event WHERE kind = 'hop_paused' AND doer = 'person'";
    assert_eq!(book.number(paused).await, 2);
    let line = ledger.queue_lines().await.unwrap().remove(0);
    let shown = (
        line.paused_by.as_deref(),
        line.paused_until,
        line.pause_reason.as_deref(),
    );
    assert_eq!(shown, (Some("ann"), Some(now + MINUTE), Some("quiet")));
    book.pass(MINUTE).await;
    assert_eq!(ledger.queue_lines().await.unwrap(), []);
    book.one(queued()).await;
    let line = ledger.queue_lines().await.unwrap().remove(0);
    assert_eq!((line.state, line.paused_by), (HopState::Up, None));
    let listed = ledger.list(&crate::Filter::default()).await.unwrap();
    assert_eq!(listed[0].reason, "");
    let resumed = ledger.hop_resume(&hop, "ann", "").await.unwrap();
    assert_eq!(resumed, Resumed::WasNotPaused);
    ledger
        .hop_down(&hop, now, 1, "refused", "mx")
        .await
        .unwrap();
    let down = "SELECT count(*) FROM event WHERE kind = 'hop_down'";
    assert_eq!(book.number(down).await, 1);
}

#[tokio::test(start_paused = true)]
async fn the_search_for_ready_hops_walks_an_index_and_never_all_rows() {
    let book = crate::fixture::book_on_sqlite().await;
    let query = Query::new(format!("EXPLAIN QUERY PLAN {READY}"), vec![0.into()]);
    let plan = book.ledger.store().read(query).await.unwrap();
    for step in plan {
        let step = step.text(3).unwrap();
        assert!(!step.starts_with("SCAN recipient"), "{step}");
    }
}
