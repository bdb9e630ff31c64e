//! Filters mean what they say, and their values never become text of a query.

use super::*;
use crate::fixture::{Book, DAY, HOUR, book, categorizing, claimed, held, queued};
use crate::{Birth, Listed};

const NOW: Time = Time::from_millis(1_800_000_000_000);

#[test]
fn every_condition_of_the_command_line_is_understood_and_written_back() {
    let given = [
        ("id", "0000000000001", "0000000000001"),
        ("state", "held", "--state held"),
        ("next-hop", "there.test", "--next-hop there.test"),
        ("sender", "jo@here.test", "--sender jo@here.test"),
        ("recipient", "r0@there.test", "--recipient r0@there.test"),
        ("domain", "there.test", "--domain there.test"),
        ("older-than", "90m", "--older-than 90m"),
        ("older-than", "1d12h", "--older-than 36h"),
        (
            "due-before",
            "2026-11-23T10:00:00Z",
            "--due-before 2026-11-23T10:00:00.000Z",
        ),
        ("due-before", "0s", "--due-before 2027-01-15T08:00:00.000Z"),
        (
            "reply-contains",
            "grey listed",
            "--reply-contains \"grey listed\"",
        ),
        (
            "reason-contains",
            "damaged: ",
            "--reason-contains \"damaged: \"",
        ),
        ("node", "node1", "--node node1"),
        ("limit", "10", "--limit 10"),
        ("after", "0000000000001", "--after 0000000000001"),
    ];
    for (name, value, written) in given {
        let mut filter = Filter::default();
        filter.set(name, value, NOW).unwrap();
        assert_eq!(filter.to_string(), written);
    }
    assert_eq!(Filter::default().to_string(), "everything in transit");
}

#[test]
fn what_is_not_understood_is_named() {
    let wrong = [
        ("state", "lost"),
        ("id", "12"),
        ("older-than", "soon"),
        ("older-than", ""),
        ("older-than", "99999999999999999999d"),
        ("due-before", "yesterday"),
        ("limit", "0"),
        ("limit", "many"),
        ("colour", "red"),
    ];
    for (name, value) in wrong {
        let error = Filter::default().set(name, value, NOW).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_filter_crosses_a_socket_unchanged() {
    let mut filter = Filter::default();
    for (name, value) in [
        ("state", "queued"),
        ("older-than", "2h"),
        ("due-before", "1h"),
        ("limit", "7"),
    ] {
        filter.set(name, value, NOW).unwrap();
    }
    let json = serde_json::to_string(&filter).unwrap();
    assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter);
    assert_eq!(
        serde_json::from_str::<Filter>("{}").unwrap(),
        Filter::default()
    );
}

async fn found(book: &Book, conditions: &[(&str, &str)]) -> Vec<Listed> {
    let mut filter = Filter::default();
    for (name, value) in conditions {
        filter.set(name, value, book.now()).unwrap();
    }
    let listed = book.ledger.list(&filter).await.unwrap();
    assert_eq!(
        book.ledger.count(&filter).await.unwrap(),
        listed.len() as u64,
        "{filter}"
    );
    assert_eq!(
        book.ledger.preview(&filter).await.unwrap().count,
        listed.len() as u64
    );
    listed
}

async fn check(book: &Book, conditions: &[(&str, &str)], expected: usize) {
    assert_eq!(
        found(book, conditions).await.len(),
        expected,
        "{conditions:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn each_condition_finds_its_rows_and_no_others() {
    let book = book().await;
    let gone = Birth::Discarded {
        cause: "spam".into(),
        actor: "rule".into(),
    };
    let births = [queued(), queued(), held(), categorizing(), claimed(), gone];
    let message = book.message(births);
    let id = message.id.to_string();
    book.ledger.accept(message).await.unwrap();
    book.pass(2 * HOUR).await;
    let mut other = book.message([Birth::Queued {
        next_hop: crate::HopKey::via("there.test"),
    }]);
    other.envelope.sender = wire_message::ReversePath::Null;
    other.recipients[0].address = crate::fixture::address("%@odd_one.test");
    book.ledger.accept(other).await.unwrap();
    check(&book, &[], 6).await;
    check(&book, &[("state", "queued")], 3).await;
    check(&book, &[("state", "discarded")], 1).await;
    check(&book, &[("id", &id)], 6).await;
    check(&book, &[("id", &id), ("state", "held")], 1).await;
    check(&book, &[("next-hop", "mx:there.test")], 3).await;
    check(&book, &[("next-hop", "there.test")], 4).await;
    check(&book, &[("next-hop", "via:there.test")], 1).await;
    check(&book, &[("sender", "jo@here.test")], 5).await;
    check(&book, &[("sender", "<>")], 1).await;
    check(&book, &[("recipient", "r1@there.test")], 1).await;
    check(&book, &[("domain", "There.test")], 5).await;
    check(&book, &[("domain", "odd_one.test")], 1).await;
    check(&book, &[("domain", "odd%")], 0).await;
    check(&book, &[("older-than", "1h")], 5).await;
    check(&book, &[("older-than", "3h")], 0).await;
    check(&book, &[("due-before", "0s")], 5).await;
    check(&book, &[("reply-contains", "DIRECTORY does")], 1).await;
    check(&book, &[("reply-contains", "%")], 0).await;
    check(&book, &[("reason-contains", "LOOKS odd")], 1).await;
    check(
        &book,
        &[("state", "discarded"), ("reason-contains", "spam")],
        1,
    )
    .await;
    check(&book, &[("node", "node1")], 6).await;
    check(&book, &[("node", "node2")], 0).await;
    check(&book, &[("recipient", "' OR 1=1 --")], 0).await;
    check(
        &book,
        &[
            ("domain", "there.test"),
            ("state", "queued"),
            ("older-than", "1h"),
        ],
        2,
    )
    .await;
    book.pass(4 * DAY).await;
    check(&book, &[("due-before", "0s")], 6).await;
}

#[tokio::test(start_paused = true)]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let book = book().await;
    for _ in 0..5 {
        let births = (0..5).map(|n| Birth::Queued {
            next_hop: crate::HopKey::mx(&format!("h{n}.test")),
        });
        book.ledger.accept(book.message(births)).await.unwrap();
    }
    let mut filter = Filter {
        limit: Some(7),
        ..Filter::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = book.ledger.list(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some(MessageId::from_key(last.recipient_id.key()));
        seen.extend(
            page.iter()
                .map(|row| (row.next_hop.clone(), row.recipient_id)),
        );
    }
    assert_eq!(seen.len(), 25);
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(seen, sorted, "hop by hop, oldest first");
}
