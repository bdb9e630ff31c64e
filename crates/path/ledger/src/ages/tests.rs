//! What waits is counted by its age, hop by hop, and nothing that has ended is.

use super::*;
use crate::Birth;
use crate::fixture::{HOUR, book, categorizing, hop, queued};

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
