//! What is in the book is found by its words at every moment, before, while and after they come into the index.

use super::*;
use crate::fixture::{Book, DAY, book, held, queued};
use crate::{Birth, Filter, MessageId};

async fn found(book: &Book, question: &str) -> Vec<MessageId> {
    let stories = book.ledger.trace(question).await.unwrap();
    stories.iter().map(|story| story.id).collect()
}

/// Accepts a message with one recipient.
async fn one(book: &Book, birth: Birth) -> MessageId {
    let message = book.message([birth]);
    let id = message.id;
    book.ledger.accept(message).await.unwrap();
    id
}

fn discarded() -> Birth {
    Birth::Discarded {
        cause: "a rule says so".into(),
        actor: "rule odd".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_found_before_and_after_its_words_are_in_the_index() {
    let book = book().await;
    let first = one(&book, queued()).await;
    assert_eq!(book.ledger.index_words(10).await.unwrap(), 1);
    let second = one(&book, queued()).await;
    for question in ["jo@here.test", "JO@Here.Test", "<r0@there.test>"] {
        assert_eq!(found(&book, question).await, [second, first], "{question}");
    }
    assert_eq!(found(&book, &format!("<{first}@here.test>")).await, [first]);
    assert_eq!(book.ledger.index_words(10).await.unwrap(), 1);
    assert_eq!(book.ledger.index_words(10).await.unwrap(), 0);
    for question in ["jo@here.test", "JO@Here.Test", "<r0@there.test>"] {
        assert_eq!(found(&book, question).await, [second, first], "{question}");
    }
    assert_eq!(found(&book, &format!("{second}@here.test")).await, [second]);
    assert_eq!(found(&book, "nobody@there.test").await, []);
}

#[tokio::test(start_paused = true)]
async fn a_filter_by_sender_or_recipient_means_the_same_before_and_after() {
    let book = book().await;
    let id = book.message([queued(), held()]);
    let message = id.id;
    book.ledger.accept(id).await.unwrap();
    for _ in 0..2 {
        for (option, value, expected) in [
            ("sender", "jo@here.test", 2),
            ("sender", "<Jo@HERE.test>", 2),
            ("recipient", "r1@there.test", 1),
            // A sender is no recipient.
            ("recipient", "jo@here.test", 0),
            ("sender", "r1@there.test", 0),
            ("sender", "<>", 0),
        ] {
            let mut filter = Filter::default();
            filter.set(option, value, book.now()).unwrap();
            let listed = book.ledger.list(&filter).await.unwrap();
            assert_eq!(listed.len(), expected, "--{option} {value}");
            let counted = book.ledger.count(&filter).await.unwrap();
            assert_eq!(counted, expected as u64, "--{option} {value}");
        }
        book.ledger.index_words(10).await.unwrap();
    }
    assert_eq!(found(&book, "r1@there.test").await, [message]);
}

#[tokio::test(start_paused = true)]
async fn a_full_segment_gets_no_more_and_every_segment_is_searched() {
    let book = book().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, one(&book, queued()).await);
        book.ledger.index_words(10).await.unwrap();
        let fill = Sql::new("UPDATE search_segment SET words = $1");
        let mut unit = Unit::new();
        unit.write(fill, vec![SEGMENT_WORDS.into()]);
        book.ledger.store().write(unit).await.unwrap();
    }
    assert_eq!(book.number("SELECT count(*) FROM search_segment").await, 3);
    assert_eq!(found(&book, "jo@here.test").await, ids);
}

#[tokio::test(start_paused = true)]
async fn words_leave_with_the_history_of_their_segment() {
    let book = book().await;
    one(&book, discarded()).await;
    book.ledger.index_words(10).await.unwrap();
    one(&book, discarded()).await;
    assert_eq!(book.ledger.prune_words(10).await.unwrap(), 0);
    book.pass(DAY).await;
    book.ledger.prune(book.now(), 10).await.unwrap();
    let last = one(&book, queued()).await;
    while book.ledger.prune_words(1).await.unwrap() > 0 {}
    assert_eq!(book.number("SELECT count(*) FROM search_segment").await, 0);
    assert_eq!(book.number("SELECT count(*) FROM search_word").await, 0);
    assert_eq!(book.number("SELECT count(*) FROM search_due").await, 1);
    assert_eq!(found(&book, "jo@here.test").await, [last]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_read_keeps_no_other_from_being_found() {
    let book = book().await;
    one(&book, queued()).await;
    let damage = Sql::new("UPDATE recipient SET address = CAST(x'ff' AS TEXT)");
    let mut unit = Unit::new();
    unit.write(damage, vec![]);
    book.ledger.store().write(unit).await.unwrap();
    let whole = one(&book, queued()).await;
    while book.ledger.index_words(10).await.unwrap() > 0 {}
    assert_eq!(book.number("SELECT count(*) FROM search_due").await, 0);
    assert_eq!(found(&book, &format!("{whole}@here.test")).await, [whole]);
}
