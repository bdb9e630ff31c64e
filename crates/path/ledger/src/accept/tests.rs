//! What a message is born as.

use ground_store::Query;

use super::*;
use crate::fixture::{DAY, HOUR, address, book, categorizing, claimed, held, hop, queued};

#[tokio::test(start_paused = true)]
async fn every_birth_is_in_its_state_with_an_alarm_clock_and_the_book_adds_up() {
    let book = book().await;
    let births = [
        queued(),
        claimed(),
        categorizing(),
        held(),
        Birth::Expanded {
            cause: "alias all".into(),
        },
        Birth::Discarded {
            cause: "spam".into(),
            actor: "rule spam".into(),
        },
        Birth::Returned {
            cause: "no such user".into(),
        },
    ];
    let message = book.message(births);
    let (id, received_at) = (message.id, message.envelope.received_at);
    let accepted = book.ledger.accept(message).await.unwrap();
    let rows = book.recipients_of(id).await;
    let states: Vec<State> = rows.iter().map(|row| row.state).collect();
    let expected = [
        State::Queued,
        State::InFlight,
        State::Categorizing,
        State::Held,
        State::Expanded,
        State::Discarded,
        State::Returned,
    ];
    assert_eq!(states, expected);
    for row in rows.iter().filter(|row| !row.state.is_final()) {
        assert_eq!(row.expires_at, Some(received_at + 4 * DAY));
        assert_eq!(row.notify_at, Some(received_at + HOUR));
        assert_eq!(row.deadline_at, row.due());
    }
    assert_eq!(accepted.jobs.len(), 1);
    assert_eq!(accepted.jobs[0].next_hop, hop());
    assert_eq!(accepted.jobs[0].recipients[0].id, rows[1].id);
    assert_eq!(book.number("SELECT pending FROM message").await, 4);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_report_lives_shorter_and_its_delay_is_nobodys_news() {
    let book = book().await;
    let of = book.ledger.new_id();
    let report = book.report(of);
    let (id, received_at) = (report.id, report.envelope.received_at);
    book.ledger.accept(report).await.unwrap();
    let row = book.recipients_of(id).await.remove(0);
    assert_eq!(row.expires_at, Some(received_at + 2 * DAY));
    assert_eq!(row.notify_at, None);
    assert_eq!(row.deadline_at, row.expires_at);
}

#[tokio::test(start_paused = true)]
async fn no_delay_notice_is_owed_to_who_did_not_ask_for_it() {
    let book = book().await;
    let on = |delay| {
        Some(Notify::On {
            success: false,
            failure: true,
            delay,
        })
    };
    for (notify, owed) in [
        (None, true),
        (Some(Notify::Never), false),
        (on(false), false),
        (on(true), true),
    ] {
        let mut message = book.message([queued()]);
        message.recipients[0].notify = notify;
        let id = message.id;
        book.ledger.accept(message).await.unwrap();
        let row = book.recipients_of(id).await.remove(0);
        assert_eq!(row.notify_at.is_some(), owed, "{notify:?}");
        assert_eq!(row.notify, notify);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_nobody_waits_for_is_not_stored() {
    let book = book().await;
    let message = book.message([Birth::Discarded {
        cause: "spam".into(),
        actor: "rule".into(),
    }]);
    book.ledger.accept(message).await.unwrap();
    assert_eq!(book.number("SELECT count(*) FROM body").await, 0);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn the_fast_path_has_its_body_in_memory_and_the_slow_one_in_the_store() {
    let book = book().await;
    let jobs = book
        .ledger
        .accept(book.message([claimed()]))
        .await
        .unwrap()
        .jobs;
    assert!(jobs[0].body.cached().is_some());
    book.one(queued()).await;
    assert!(book.claim().await[0].body.cached().is_some());
    let mut book = book;
    book.one(queued()).await;
    book.restart().await;
    let job = book.claim().await.pop().unwrap();
    assert!(job.body.cached().is_none());
    let body = book.ledger.whole_body(&job.body, 1000).await.unwrap();
    assert_eq!(&body[..], b"Subject: hello\r\n\r\nhello\r\n");
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_before_anything_is_stored() {
    let book = book().await;
    let nobody = book.ledger.accept(book.message([])).await;
    assert!(matches!(nobody, Err(LedgerError::NoRecipients)));
    let mut orphan = book.message([queued(), queued()]);
    orphan.recipients[0].parent = Some(1);
    let orphan = book.ledger.accept(orphan).await;
    assert!(matches!(orphan, Err(LedgerError::NoSuchParent)));
    assert_eq!(book.number("SELECT count(*) FROM message").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_notice_of_acceptance_is_stored_with_it_or_not_at_all() {
    let book = book().await;
    let message = book.message([Birth::Returned {
        cause: "no such user".into(),
    }]);
    let id = message.id;
    let notice = book.report(id);
    let again = vec![notice.clone(), notice.clone()];
    assert!(
        book.ledger
            .accept_with_notices(message.clone(), again)
            .await
            .is_err()
    );
    assert_eq!(book.number("SELECT count(*) FROM message").await, 0);
    book.ledger
        .accept_with_notices(message, vec![notice])
        .await
        .unwrap();
    assert_eq!(book.number("SELECT count(*) FROM message").await, 2);
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'notice_owed'")
            .await,
        1
    );
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn an_envelope_is_read_back_as_it_was_written() {
    let book = book().await;
    let mut message = book.message([queued()]);
    message.envelope.envid = Some("env+1".into());
    message.envelope.ret = Some(wire_smtp::command::Ret::Headers);
    message.envelope.body_type = wire_smtp::command::BodyType::BinaryMime;
    message.envelope.smtputf8 = true;
    message.envelope.sender = ReversePath::Address(address("\"odd one\"@here.test"));
    message.recipients[0].orcpt = Some(OriginalRecipient::parse("rfc822;jo@there.test").unwrap());
    let (envelope, recipient) = (message.envelope.clone(), message.recipients[0].clone());
    book.ledger.accept(message).await.unwrap();
    let job = book.claim().await.pop().unwrap();
    assert_eq!(*job.envelope, envelope);
    assert_eq!(job.recipients[0].orcpt, recipient.orcpt);
    assert_eq!(job.recipients[0].address, recipient.address);
}

#[tokio::test(start_paused = true)]
async fn a_row_without_an_alarm_clock_cannot_be_written_even_by_hand() {
    let book = book().await;
    let id = book.one(queued()).await;
    for column in ["deadline_at", "expires_at"] {
        let text: &'static str = match column {
            "deadline_at" => "UPDATE recipient SET deadline_at = NULL WHERE id = $1",
            _ => "UPDATE recipient SET expires_at = NULL WHERE id = $1",
        };
        let mut unit = Unit::new();
        unit.write(ground_store::Sql::new(text), vec![id.into()]);
        let answer = book.ledger.store().write(unit).await;
        assert!(
            matches!(answer, Err(ground_store::StoreError::Refused(_))),
            "{column}"
        );
    }
    let query = Query::new(
        "SELECT count(*) FROM recipient WHERE deadline_at IS NOT NULL",
        vec![],
    );
    assert_eq!(
        book.ledger.store().read(query).await.unwrap()[0].int(0),
        Ok(1)
    );
}
