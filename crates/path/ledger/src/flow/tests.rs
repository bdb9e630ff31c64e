//! What comes and goes is counted where it belongs, and only while it is new.

use std::time::Duration;

use ground_store::Query;

use super::*;
use crate::Birth;
use crate::fixture::{book, book_on_sqlite, categorizing, hop, queued};

#[tokio::test(start_paused = true)]
async fn what_comes_and_goes_is_counted_by_next_hop_while_it_is_new() {
    let book = book().await;
    assert_eq!(book.ledger.flows().await.unwrap(), []);
    let gone = Birth::Discarded {
        cause: "spam".into(),
        actor: "rule".into(),
    };
    let births = [queued(), queued(), categorizing(), gone];
    book.ledger.accept(book.message(births)).await.unwrap();
    let line = |next_hop: String, arrived, ended| FlowLine {
        next_hop,
        arrived,
        ended,
        seconds: 5,
    };
    let expected = [line(String::new(), 2, 1), line(hop().to_string(), 2, 0)];
    assert_eq!(book.ledger.flows().await.unwrap(), expected);
    book.pass(Duration::from_secs(4)).await;
    assert_eq!(book.ledger.flows().await.unwrap(), expected);
    book.pass(Duration::from_secs(2)).await;
    assert_eq!(book.ledger.flows().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn the_last_seconds_are_found_without_the_history() {
    let book = book_on_sqlite().await;
    for (query, search) in [
        (ARRIVED, "SEARCH recipient USING INTEGER PRIMARY KEY"),
        (ENDED, "SEARCH recipient USING INDEX recipient_finished"),
    ] {
        let query = Query::new(format!("EXPLAIN QUERY PLAN {query}"), vec![7.into()]);
        let plan = book.ledger.store().read(query).await.unwrap();
        let plan: Vec<_> = plan.iter().map(|step| step.text(3).unwrap()).collect();
        assert!(plan[0].starts_with(search), "{plan:?}");
    }
}
