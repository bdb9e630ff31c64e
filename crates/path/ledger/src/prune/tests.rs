//! History goes by age, and nothing that is not history.

use crate::fixture::{DAY, book, claimed, queued, relayed, settlement};

#[tokio::test(start_paused = true)]
async fn only_messages_that_ended_wholly_and_long_ago_are_pruned() {
    let book = book().await;
    let (done, half) = (
        book.message([claimed()]),
        book.message([claimed(), queued()]),
    );
    let ids = [done.id, half.id];
    for message in [done, half] {
        let id = message.id;
        book.ledger.accept(message).await.unwrap();
        let first = book.recipients_of(id).await[0].id;
        let mut one = settlement(id, vec![(first, relayed())]);
        one.attempt = Some(book.attempt());
        book.ledger.settle(one).await.unwrap();
    }
    assert_eq!(book.ledger.prune(book.now(), 10).await.unwrap(), 0);
    book.pass(DAY).await;
    assert_eq!(book.ledger.prune(book.now(), 10).await.unwrap(), 1);
    assert_eq!(book.ledger.story(ids[0]).await.unwrap(), None);
    assert_eq!(
        book.ledger
            .story(ids[1])
            .await
            .unwrap()
            .unwrap()
            .recipients
            .len(),
        2
    );
    assert_eq!(book.number("SELECT count(*) FROM attempt").await, 1);
    assert_eq!(
        book.number("SELECT count(*) FROM event WHERE kind = 'pruned'")
            .await,
        1
    );
    let totals = book.ledger.totals().await.unwrap();
    assert_eq!(
        (totals.accepted, totals.relayed),
        (3, 2),
        "totals are for ever"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pruned_dead_letter_gives_its_body_back() {
    let book = book().await;
    let id = book.one(claimed()).await;
    let message = book.row(id).await.message;
    let dead = crate::Step::DeadLetter {
        cause: "550 no".into(),
    };
    book.ledger
        .settle(settlement(message, vec![(id, dead)]))
        .await
        .unwrap();
    assert_eq!(book.number("SELECT count(*) FROM body").await, 1);
    book.pass(DAY).await;
    assert_eq!(book.ledger.prune(book.now(), 10).await.unwrap(), 1);
    assert_eq!(book.number("SELECT count(*) FROM body").await, 0);
    let audit = book.ledger.audit().await.unwrap();
    assert!(audit.adds_up(), "{audit:#?}");
}
