//! What is owed by time is done on time, in every state, once.

use std::time::Duration;

use super::*;
use crate::RecipientId;
use crate::fixture::{Book, DAY, HOUR, book, categorizing, claimed, held, queued};

async fn due(book: &Book) -> Vec<DueRow> {
    book.ledger.due(book.now(), 100).await.unwrap()
}

fn expire() -> Sweep {
    Sweep::Expire {
        cause: "its lifetime ended".into(),
        notices: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn every_state_is_due_at_its_notice_and_at_its_end_and_never_before() {
    let book = book().await;
    book.ledger
        .accept(book.message([queued(), held()]))
        .await
        .unwrap();
    book.pass(HOUR - Duration::from_millis(1)).await;
    assert_eq!(due(&book).await.len(), 0);
    book.pass(Duration::from_millis(1)).await;
    let rows = due(&book).await;
    assert_eq!(rows.len(), 2);
    let told = Sweep::DelayNotice {
        notices: vec![book.report(rows[0].recipient.message)],
        next_notify_at: None,
    };
    assert_eq!(book.ledger.sweep(&rows, told).await.unwrap(), Swept::Done);
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'delay_noticed'")
            .await,
        2
    );
    let left: Vec<_> = due(&book).await;
    assert!(left.is_empty(), "told twice");
    book.assert_sound().await;
    book.pass(4 * DAY).await;
    let rows: Vec<_> = due(&book).await;
    let first = rows
        .iter()
        .filter(|row| !matches!(row.envelope.sender, ReversePath::Null));
    let first: Vec<_> = first.cloned().collect();
    assert_eq!(first.len(), 2);
    assert_eq!(
        book.ledger.sweep(&first, expire()).await.unwrap(),
        Swept::Done
    );
    for row in first {
        assert_eq!(book.row(row.recipient.id).await.state, State::Returned);
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_expires_is_a_dead_letter() {
    let book = book().await;
    let report = book.report(book.ledger.new_id());
    let id = report.id;
    book.ledger.accept(report).await.unwrap();
    book.pass(2 * DAY).await;
    let rows = due(&book).await;
    book.ledger.sweep(&rows, expire()).await.unwrap();
    assert_eq!(book.recipients_of(id).await[0].state, State::DeadLetter);
    assert_eq!(book.number("SELECT count(*) FROM body").await, 1);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_row_that_moved_since_it_was_read_escapes_with_all_that_was_owed() {
    let book = book().await;
    let id = book.one(queued()).await;
    book.pass(4 * DAY - HOUR).await;
    let rows = due(&book).await;
    book.claim().await;
    let swept = Sweep::Expire {
        cause: "its lifetime ended".into(),
        notices: vec![book.report(rows[0].recipient.message)],
    };
    assert_eq!(
        book.ledger.sweep(&rows, swept).await.unwrap(),
        Swept::Escaped
    );
    assert_eq!(book.row(id).await.state, State::InFlight);
    assert_eq!(book.number("SELECT count(*) FROM message").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_live_claim_is_left_to_its_node_but_its_sender_is_told_on_time() {
    let book = book().await;
    let id = book.one(claimed()).await;
    while book.now() < book.row(id).await.notify_at.unwrap() {
        book.pass(Duration::from_secs(30)).await;
        assert_eq!(book.ledger.renew(&[id]).await.unwrap().done, [id]);
    }
    let rows = due(&book).await;
    assert_eq!(rows.len(), 1);
    let told = Sweep::DelayNotice {
        notices: Vec::new(),
        next_notify_at: None,
    };
    assert_eq!(book.ledger.sweep(&rows, told).await.unwrap(), Swept::Done);
    assert_eq!(book.row(id).await.state, State::InFlight);
    assert_eq!(
        book.ledger.renew(&[id]).await.unwrap().done,
        [id],
        "the claim is still ours"
    );
    assert!(due(&book).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_hold_rings_until_somebody_comes() {
    let book = book().await;
    let mut message = book.message([held()]);
    message.recipients[0].notify = Some(wire_smtp::command::Notify::Never);
    let id = message.id;
    book.ledger.accept(message).await.unwrap();
    for _ in 0..2 {
        assert!(due(&book).await.is_empty());
        book.pass(DAY).await;
        let rows = due(&book).await;
        let next = book.now() + DAY;
        book.ledger
            .sweep(&rows, Sweep::HoldAlarm { next })
            .await
            .unwrap();
        let row = book.recipients_of(id).await.remove(0);
        assert_eq!((row.state, row.deadline_at), (State::Held, Some(next)));
    }
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'hold_forgotten'")
            .await,
        2
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_postponed_past_its_end() {
    let book = book().await;
    let id = book.one(queued()).await;
    book.pass(HOUR).await;
    let expires_at = book.row(id).await.expires_at;
    let deadline = book.now() + 30 * DAY;
    book.ledger
        .sweep(&due(&book).await, Sweep::Postpone { deadline })
        .await
        .unwrap();
    assert_eq!(book.row(id).await.deadline_at, expires_at);
}

#[tokio::test(start_paused = true)]
async fn late_mail_is_held_or_returned_by_policy_and_listed() {
    let book = book().await;
    let (first, second) = (book.one(queued()).await, book.one(categorizing()).await);
    book.pass(10 * HOUR).await;
    let late = book
        .ledger
        .waiting_since(book.now(), None, 10)
        .await
        .unwrap();
    assert_eq!(late.len(), 2);
    let hold = Sweep::Hold {
        reason: "we were away".into(),
        by: "late policy".into(),
    };
    assert_eq!(
        book.ledger.sweep(&late[..1], hold).await.unwrap(),
        Swept::Done
    );
    let back = Sweep::ReturnLate {
        cause: "we were away".into(),
        notices: Vec::new(),
    };
    assert_eq!(
        book.ledger.sweep(&late[1..], back).await.unwrap(),
        Swept::Done
    );
    let state = async |id: RecipientId| book.row(id).await.state;
    assert_eq!(
        (state(first).await, state(second).await),
        (State::Held, State::Returned)
    );
    let row = book.row(first).await;
    assert_eq!(row.deadline_at, row.due());
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'late_policy'")
            .await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn rows_of_several_messages_are_never_swept_in_one() {
    let book = book().await;
    book.one(queued()).await;
    book.one(queued()).await;
    book.pass(HOUR).await;
    let rows = due(&book).await;
    assert!(matches!(
        book.ledger.sweep(&rows, expire()).await,
        Err(LedgerError::Mixed(_))
    ));
    assert!(matches!(
        book.ledger.sweep(&[], expire()).await,
        Err(LedgerError::Mixed(_))
    ));
}
