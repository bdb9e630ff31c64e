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
    let line = |next_hop: String, arrive, end| FlowLine {
        next_hop,
        arrive,
        end,
    };
    let expected = [
        line(String::new(), 0.2, 0.1),
        line(hop().to_string(), 0.2, 0.0),
    ];
    assert_eq!(book.ledger.flows().await.unwrap(), expected);
    book.pass(Duration::from_secs(9)).await;
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
        let query = Query::new(
            format!("EXPLAIN QUERY PLAN {query}"),
            vec![7.into(), 9.into()],
        );
        let plan = book.ledger.store().read(query).await.unwrap();
        let plan: Vec<_> = plan.iter().map(|step| step.text(3).unwrap()).collect();
        assert!(plan.iter().any(|step| step.starts_with(search)), "{plan:?}");
        let sorts = plan.iter().any(|step| step.contains("FOR ORDER BY"));
        assert!(!sorts, "{plan:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_much_comes_and_goes_the_newest_tell_of_it() {
    let book = book().await;
    let many = u64::from(LOOKED_AT) / 100;
    for _ in 0..many * 2 {
        let births = (0..100).map(|_| queued());
        book.ledger.accept(book.message(births)).await.unwrap();
        book.pass(Duration::from_millis(10)).await;
    }
    let flows = book.ledger.flows().await.unwrap();
    // A hundred each ten milliseconds.
    assert!((flows[0].arrive - 10_000.0).abs() < 200.0, "{flows:?}");
}
