//! What is counted in memory is what the rows say, as long as nothing crashes.

use ground_store::Unit;

use super::*;
use crate::fixture::{Book, HOUR, book, claimed, queued, relayed, settlement};
use crate::{Act, Birth, Filter, Settlement, Step, Sweep};

/// One recipient's way to each final state that an hour later can be reached without a mailbox.
async fn everything_ends(book: &Book) {
    let ledger = &book.ledger;
    let at_once = Birth::Discarded {
        cause: "spam".into(),
        actor: "rule".into(),
    };
    for birth in [queued(), queued(), claimed(), claimed(), at_once] {
        book.one(birth).await;
    }
    book.pass(HOUR).await;
    let rows = book
        .rows(" WHERE state = 'in_flight' ORDER BY id", Vec::new())
        .await;
    let deferred = Step::Deferred {
        retry_at: book.now(),
        reply: "450 4.2.1 busy".into(),
    };
    for (row, step) in rows.iter().zip([relayed(), deferred]) {
        let settling = Settlement {
            attempt: Some(book.attempt()),
            extra: Unit::new(),
            ..settlement(row.message, vec![(row.id, step)])
        };
        ledger.settle(settling).await.unwrap();
    }
    let one = Filter {
        limit: Some(1),
        ..Filter::default()
    };
    let preview = ledger.preview(&one).await.unwrap();
    ledger
        .act(&preview, Act::Discard, "ann", "a test")
        .await
        .unwrap();
    let waiting = ledger.waiting_since(book.now(), None, 1).await.unwrap();
    let cause = "not handed over in time".to_owned();
    let notices = Vec::new();
    ledger
        .sweep(&waiting, Sweep::Expire { cause, notices })
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_end_is_counted_with_the_time_since_acceptance() {
    let book = book().await;
    everything_ends(&book).await;
    let totals = book.ledger.totals().await.unwrap();
    let counted = book.ledger.counted();
    for (state, times) in &counted.ended {
        assert_eq!(
            times.counts.iter().sum::<u64>(),
            totals.of(*state),
            "{state}"
        );
    }
    let time = |state| {
        counted
            .ended
            .iter()
            .find(|one| one.0 == state)
            .unwrap()
            .1
            .sum
    };
    assert_eq!(
        [State::Relayed, State::Discarded, State::Returned].map(time),
        [HOUR; 3]
    );
    let attempts = counted.attempts.iter().filter(|one| one.2 > 0);
    let expected = [
        (Way::Mx, AttemptOutcome::Relayed, 1),
        (Way::Mx, AttemptOutcome::Deferred, 1),
    ];
    assert!(attempts.eq(expected.iter()), "{counted:?}");
    assert_eq!(counted.accepted[0], (Origin::Smtp, 5));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_nobody_saw_the_end_of_is_counted_as_the_history_tells_it() {
    let book = book().await;
    book.one(claimed()).await;
    book.pass(HOUR).await;
    book.ledger.lost_claims().await.unwrap();
    let counted = book.ledger.counted();
    let unknown = (Way::Mx, AttemptOutcome::Unknown, 1);
    assert!(counted.attempts.contains(&unknown), "{counted:?}");
}
