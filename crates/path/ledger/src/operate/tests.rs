//! Acts touch exactly what their preview showed, and say who did it.

use super::*;
use crate::fixture::{Book, book, categorizing, claimed, held, hop, queued};
use crate::{HopState, Recipient};

async fn acted(book: &Book, act: Act) -> ActResult {
    let preview = book.ledger.preview(&Filter::default()).await.unwrap();
    book.ledger
        .act(&preview, act, "ann", "because")
        .await
        .unwrap()
}

async fn rows(book: &Book) -> Vec<Recipient> {
    book.rows(" ORDER BY id", Vec::new()).await
}

/// One recipient in each state that is not final.
async fn one_of_each(book: &Book) {
    let message = book.message([queued(), categorizing(), held(), claimed()]);
    book.ledger.accept(message).await.unwrap();
}

async fn check(act: Act, states: [State; 4], done: u64) {
    let book = book().await;
    one_of_each(&book).await;
    let word = act.verb();
    let kind = act.verb().kind();
    let result = acted(&book, act).await;
    let after: Vec<_> = rows(&book)
        .await
        .iter()
        .take(4)
        .map(|row| row.state)
        .collect();
    assert_eq!(after, states, "{word}");
    assert_eq!(
        (result.done, result.escaped.len() as u64),
        (done, 4 - done),
        "{word}"
    );
    for row in rows(&book).await {
        assert_eq!(row.deadline_at, row.due(), "{word}");
        assert!(
            row.end
                .as_ref()
                .is_none_or(|end| end.actor == "ann" && end.cause == "because")
        );
    }
    let events = book
        .ledger
        .trace(&rows(&book).await[0].message.to_string())
        .await
        .unwrap();
    let told = events[0]
        .events
        .iter()
        .filter(|event| event.kind == kind && event.actor == "ann");
    assert_eq!(told.count() as u64, done, "{word}");
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn each_act_moves_what_it_may_and_leaves_the_rest() {
    use State::{Categorizing, Discarded, Held, InFlight, Queued};
    check(Act::Retry, [Queued, Categorizing, Held, InFlight], 2).await;
    check(Act::Hold, [Held, Held, Held, InFlight], 2).await;
    // The held one was never routed: it goes where it was.
    check(
        Act::Release,
        [Queued, Categorizing, Categorizing, InFlight],
        1,
    )
    .await;
    check(Act::Discard, [Discarded, Discarded, Discarded, InFlight], 3).await;
    let elsewhere = Some(HopKey::via("smart"));
    check(
        Act::Reroute {
            next_hop: elsewhere,
        },
        [Queued, Queued, Queued, InFlight],
        3,
    )
    .await;
    check(
        Act::Reroute { next_hop: None },
        [Categorizing, Categorizing, Categorizing, InFlight],
        3,
    )
    .await;
    check(Act::Export, [Queued, Categorizing, Held, InFlight], 4).await;
}

#[tokio::test(start_paused = true)]
async fn what_moved_on_since_the_preview_escapes_untouched() {
    let book = book().await;
    let (moved, there) = (book.one(queued()).await, book.one(queued()).await);
    let preview = book.ledger.preview(&Filter::default()).await.unwrap();
    let one = Filter {
        ids: vec![MessageId::from_key(moved.key())],
        ..Filter::default()
    };
    let only = book.ledger.preview(&one).await.unwrap();
    book.ledger
        .act(&only, Act::Hold, "bob", "first")
        .await
        .unwrap();
    let result = book
        .ledger
        .act(&preview, Act::Discard, "ann", "second")
        .await
        .unwrap();
    assert_eq!(
        result,
        ActResult {
            done: 1,
            escaped: vec![moved]
        }
    );
    assert_eq!(book.row(moved).await.state, State::Held);
    assert_eq!(book.row(there).await.state, State::Discarded);
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'discarded'")
            .await,
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_for_now_even_when_the_hop_is_down() {
    let book = book().await;
    book.one(queued()).await;
    let later = book.now() + crate::fixture::HOUR;
    book.ledger
        .hop_down(&hop(), later, 1, "refused", "mx")
        .await
        .unwrap();
    assert!(book.ledger.ready_hops(book.now()).await.unwrap().is_empty());
    acted(&book, Act::Retry).await;
    let ready = book.ledger.ready_hops(book.now()).await.unwrap();
    assert_eq!((ready.len(), ready[0].status.state), (1, HopState::Down));
}

#[tokio::test(start_paused = true)]
async fn a_return_and_its_report_are_one_and_what_nobody_reports_is_left() {
    let book = book().await;
    let (told, untold) = (book.one(queued()).await, book.one(held()).await);
    let mut from_nobody = book.message([queued()]);
    from_nobody.envelope.sender = wire_message::ReversePath::Null;
    book.ledger.accept(from_nobody).await.unwrap();
    let report = book.report(book.row(told).await.message);
    let notices = vec![Return {
        recipients: vec![told],
        notice: Some(report),
    }];
    let result = acted(&book, Act::Return { notices }).await;
    assert_eq!(
        result,
        ActResult {
            done: 2,
            escaped: vec![untold]
        }
    );
    let states: Vec<_> = rows(&book).await.iter().map(|row| row.state).collect();
    assert_eq!(
        states,
        [
            State::Returned,
            State::Held,
            State::DeadLetter,
            State::Queued
        ]
    );
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_report_is_not_stored_when_its_recipient_escapes() {
    let book = book().await;
    let id = book.one(queued()).await;
    let preview = book.ledger.preview(&Filter::default()).await.unwrap();
    book.claim().await;
    let notice = Some(book.report(book.row(id).await.message));
    let act = Act::Return {
        notices: vec![Return {
            recipients: vec![id],
            notice,
        }],
    };
    let result = book
        .ledger
        .act(&preview, act, "ann", "because")
        .await
        .unwrap();
    assert_eq!(
        result,
        ActResult {
            done: 0,
            escaped: vec![id]
        }
    );
    assert_eq!(book.number("SELECT count(*) FROM message").await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_act_on_more_rows_than_one_unit_takes_reaches_all_of_them() {
    let book = book().await;
    let births = std::iter::repeat_with(queued).take(601);
    book.ledger.accept(book.message(births)).await.unwrap();
    let some = Filter {
        limit: Some(600),
        ..Filter::default()
    };
    let preview = book.ledger.preview(&some).await.unwrap();
    assert_eq!((preview.count, preview.more), (600, true));
    let result = book
        .ledger
        .act(&preview, Act::Hold, "ann", "because")
        .await
        .unwrap();
    assert_eq!(result.done, 600);
    assert_eq!(
        book.number("SELECT count(*) FROM recipient WHERE state = 'held'")
            .await,
        600
    );
    book.assert_sound().await;
}
