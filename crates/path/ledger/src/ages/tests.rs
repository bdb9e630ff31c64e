//! What waits is counted by its age, hop by hop, and nothing that has ended is.

use std::time::Duration;

use ground_store::Query;

use super::*;
use crate::fixture::{HOUR, book, book_on_sqlite, categorizing, claimed, held, hop, queued};
use crate::{Birth, HopKey};

#[test]
fn every_age_is_in_one_class() {
    let accepted_at = Time::EPOCH;
    for (hours, class) in [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 2),
        (4, 3),
        (127, 7),
        (128, 8),
        (999, 8),
    ] {
        assert_eq!(age_class(0, accepted_at + HOUR * hours), class, "{hours} h");
    }
    assert_eq!(age_class(1, accepted_at), 0, "from the future");
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_counted_by_its_age_for_each_next_hop_and_together() {
    let book = book().await;
    let gone = Birth::Discarded {
        cause: "spam".into(),
        actor: "rule".into(),
    };
    let births = [queued(), queued(), categorizing(), gone];
    book.ledger.accept(book.message(births)).await.unwrap();
    book.pass(HOUR * 5).await;
    book.one(queued()).await;
    let lines = book.ledger.ages().await.unwrap();
    let hop = hop().to_string();
    let expected = [
        (None, 4, [1, 0, 0, 3, 0, 0, 0, 0, 0]),
        (Some(""), 1, [0, 0, 0, 1, 0, 0, 0, 0, 0]),
        (Some(hop.as_str()), 3, [1, 0, 0, 2, 0, 0, 0, 0, 0]),
    ];
    let found = lines
        .iter()
        .map(|line| (line.next_hop.as_deref(), line.recipients, line.by_age));
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_of_each_state_is_known_to_the_moment() {
    let book = book().await;
    assert_eq!(book.ledger.oldest().await.unwrap(), []);
    let begun_at = book.now();
    let minute = Duration::from_secs(60);
    let far = Birth::Queued {
        next_hop: HopKey::mx("far.test"),
    };
    for birth in [
        held(),
        queued(),
        far,
        claimed(),
        categorizing(),
        claimed(),
        held(),
        queued(),
    ] {
        book.one(birth).await;
        book.pass(minute).await;
    }
    let oldest = book.ledger.oldest().await.unwrap();
    let expected = [
        (State::Categorizing, begun_at + minute * 4),
        (State::Queued, begun_at + minute),
        (State::InFlight, begun_at + minute * 3),
        (State::Held, begun_at),
    ];
    assert_eq!(oldest, expected);
}

#[tokio::test(start_paused = true)]
async fn the_search_for_the_oldest_walks_indexes_and_never_all_rows() {
    let book = book_on_sqlite().await;
    let query = Query::new(format!("EXPLAIN QUERY PLAN {OLDEST}"), Vec::new());
    let plan = book.ledger.store().read(query).await.unwrap();
    for step in plan {
        let step = step.text(3).unwrap();
        let looks = step.starts_with("SCAN recipient") || step.starts_with("SEARCH recipient");
        // Without either it walks the rows in the order of their ids.
        let walks = !step.contains("INDEX") && !step.contains("PRIMARY KEY");
        assert!(!(looks && walks), "{step}");
        assert!(!step.contains("TEMP B-TREE FOR ORDER BY"), "{step}");
    }
}
