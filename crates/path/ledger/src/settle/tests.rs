//! How each step ends, and that a lost claim settles nothing.

use std::time::Duration;

use super::*;
use crate::fixture::{Book, book, claimed, queued, relayed, settlement};
use crate::{End, Recipient};

async fn settled(book: &Book, step: Step) -> Recipient {
    let id = book.one(claimed()).await;
    let message = book.row(id).await.message;
    let mut settlement = settlement(message, vec![(id, step)]);
    settlement.attempt = Some(book.attempt());
    assert_eq!(book.ledger.settle(settlement).await.unwrap(), Settled::Done);
    book.assert_sound().await;
    book.row(id).await
}

fn end(row: &Recipient) -> (State, &str, &str) {
    let End { cause, actor, .. } = row.end.as_ref().unwrap();
    (row.state, cause, actor)
}

#[tokio::test(start_paused = true)]
async fn each_final_step_has_cause_actor_and_time_and_needs_the_body_no_more() {
    let book = book().await;
    let text = |text: &str| text.to_owned();
    let steps = [
        (
            Step::Delivered {
                reply: text("stored"),
            },
            (State::Delivered, "delivered", "deliver"),
        ),
        (relayed(), (State::Relayed, "250 2.0.0 fine", "deliver")),
        (
            Step::Returned {
                cause: text("550 no"),
            },
            (State::Returned, "550 no", "deliver"),
        ),
        (
            Step::Discarded {
                cause: text("loop"),
                actor: text("rule"),
            },
            (State::Discarded, "loop", "rule"),
        ),
    ];
    for (step, expected) in steps {
        let row = settled(&book, step).await;
        assert_eq!(end(&row), expected);
        assert_eq!(
            (row.attempts, row.deadline_at, row.notify_at, row.claim),
            (1, None, None, None)
        );
        assert_eq!(book.number("SELECT count(*) FROM body").await, 0);
    }
    let dead = settled(
        &book,
        Step::DeadLetter {
            cause: text("550 no"),
        },
    )
    .await;
    assert_eq!(end(&dead), (State::DeadLetter, "550 no", "deliver"));
    assert_eq!(
        book.number("SELECT count(*) FROM body").await,
        1,
        "a dead letter keeps its body"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deferred_recipient_keeps_its_own_time_the_reply_and_its_age() {
    let book = book().await;
    let retry_at = book.now() + Duration::from_secs(300);
    let row = settled(
        &book,
        Step::Deferred {
            retry_at,
            reply: "450 4.7.1 greylisted".into(),
        },
    )
    .await;
    assert_eq!(
        (row.state, row.retry_at, row.attempts),
        (State::Queued, retry_at, 1)
    );
    assert_eq!(
        (row.last_reply.as_str(), row.last_peer.as_str()),
        ("450 4.7.1 greylisted", "mx.there.test")
    );
    assert_eq!(row.deadline_at, row.due());
    let outcome = "SELECT count(*) FROM attempt WHERE outcome = 'deferred' AND reply = '450 4.7.1 greylisted'";
    assert_eq!(book.number(outcome).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_hop_changes_nothing_of_the_recipients_own_time() {
    let book = book().await;
    let id = book.one(claimed()).await;
    let before = book.row(id).await;
    let back = settlement(before.message, vec![(id, Step::BackToQueue)]);
    book.ledger.settle(back).await.unwrap();
    let row = book.row(id).await;
    assert_eq!(
        (row.state, row.retry_at, row.attempts),
        (State::Queued, before.retry_at, 0)
    );
    assert_eq!(row.deadline_at, row.due());
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_held_recipient_says_why_and_rings_later() {
    let book = book().await;
    let row = settled(
        &book,
        Step::Held {
            reason: "its body is damaged".into(),
            by: "deliver".into(),
        },
    )
    .await;
    let hold = row.hold.as_ref().unwrap();
    assert_eq!(
        (hold.reason.as_str(), hold.by.as_str()),
        ("its body is damaged", "deliver")
    );
    assert_eq!(hold.alarm_at, book.now() + book.ledger.options().hold_alarm);
    assert_eq!(row.deadline_at, row.due());
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'held'")
            .await,
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_claim_settles_nothing_and_names_who_escaped() {
    let mut book = book().await;
    let (message, old) = (book.message([claimed(), claimed()]), book.ledger.clone());
    let id = message.id;
    book.ledger.accept(message).await.unwrap();
    let ids: Vec<_> = book
        .recipients_of(id)
        .await
        .iter()
        .map(|row| row.id)
        .collect();
    book.restart().await;
    let steps = ids.iter().map(|id| (*id, relayed())).collect();
    let settled = old.settle(settlement(id, steps)).await.unwrap();
    assert_eq!(settled, Settled::ClaimLost { lost: ids });
    assert_eq!(
        book.number("SELECT count(*) FROM recipient WHERE state = 'queued'")
            .await,
        2
    );
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn when_one_of_two_claims_is_lost_neither_is_settled_and_the_other_can_be_again() {
    let book = book().await;
    let message = book.message([claimed(), claimed()]);
    let id = message.id;
    book.ledger.accept(message).await.unwrap();
    let ids: Vec<_> = book
        .recipients_of(id)
        .await
        .iter()
        .map(|row| row.id)
        .collect();
    book.ledger.release(&ids[..1]).await.unwrap();
    let both = settlement(id, vec![(ids[0], relayed()), (ids[1], relayed())]);
    let settled = book.ledger.settle(both).await.unwrap();
    assert_eq!(settled, Settled::ClaimLost { lost: vec![ids[0]] });
    let other = settlement(id, vec![(ids[1], relayed())]);
    assert_eq!(book.ledger.settle(other).await.unwrap(), Settled::Done);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn a_report_and_what_it_is_owed_for_are_stored_together_or_not_at_all() {
    let book = book().await;
    let id = book.one(claimed()).await;
    let message = book.row(id).await.message;
    let failed = |report| {
        let mut one = settlement(
            message,
            vec![(
                id,
                Step::Returned {
                    cause: "550 no".into(),
                },
            )],
        );
        one.notices = vec![report];
        one
    };
    let report = book.report(message);
    book.ledger.settle(failed(report.clone())).await.unwrap();
    let settled = book
        .ledger
        .settle(failed(book.report(message)))
        .await
        .unwrap();
    assert_eq!(settled, Settled::ClaimLost { lost: vec![id] });
    assert_eq!(
        book.number("SELECT count(*) FROM message WHERE origin = 'report'")
            .await,
        1
    );
    assert_eq!(book.recipients_of(report.id).await[0].state, State::Queued);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn an_unmet_expectation_of_what_is_stored_along_is_the_callers_conflict() {
    let book = book().await;
    let id = book.one(claimed()).await;
    let mut one = settlement(book.row(id).await.message, vec![(id, relayed())]);
    one.extra
        .write_exactly(1, Sql::new("DELETE FROM mail WHERE id = 0"), Vec::new());
    let settled = book.ledger.settle(one).await;
    assert!(matches!(
        settled,
        Err(LedgerError::Store(StoreError::Conflict(_)))
    ));
    assert_eq!(book.row(id).await.state, State::InFlight);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_stays_unknown_whatever_the_step() {
    let book = book().await;
    let id = book.one(queued()).await;
    book.claim().await;
    let later = Step::Deferred {
        retry_at: book.now(),
        reply: "the peer fell silent after DATA".into(),
    };
    let mut one = settlement(book.row(id).await.message, vec![(id, later)]);
    one.attempt = Some(Attempt {
        outcome: AttemptOutcome::Unknown,
        ..book.attempt()
    });
    book.ledger.settle(one).await.unwrap();
    assert_eq!(
        book.number("SELECT count(*) FROM attempt WHERE outcome = 'unknown'")
            .await,
        1
    );
}
