//! Pages of events show each once, newest first, and are found by an index.

use super::*;
use crate::fixture::{Book, HOUR, book, book_on_sqlite, hop, queued};
use crate::{Act, Filter};

async fn page(book: &Book, filter: EventFilter) -> Vec<ListedEvent> {
    book.ledger.events(&filter).await.unwrap()
}

fn kinds(page: &[ListedEvent]) -> Vec<&str> {
    page.iter().map(|one| one.event.kind.word()).collect()
}

/// Ann holds two recipients of two; their hop goes down an hour later.
async fn something_happens(book: &Book) -> [RecipientId; 2] {
    let recipients = [book.one(queued()).await, book.one(queued()).await];
    let preview = book.ledger.preview(&Filter::default()).await.unwrap();
    let held = book.ledger.act(&preview, Act::Hold, "ann", "odd").await;
    assert_eq!(held.unwrap().done, 2);
    book.pass(HOUR).await;
    let (ledger, hop, now) = (&book.ledger, hop(), book.now());
    ledger
        .hop_down(&hop, now, 1, "refused", "mx")
        .await
        .unwrap();
    recipients
}

#[tokio::test(start_paused = true)]
async fn pages_show_every_event_once_newest_first() {
    let book = book().await;
    something_happens(&book).await;
    let all = page(&book, EventFilter::default()).await;
    assert_eq!(
        kinds(&all),
        ["hop_down", "held", "held", "held", "node_started"]
    );
    let json = serde_json::to_value(&all[1]).unwrap();
    assert_eq!(
        (&json["doer"], &json["actor"]),
        (&"person".into(), &"ann".into())
    );
    assert_eq!(json["id"], all[1].id.to_string());
    assert_eq!(serde_json::from_value::<ListedEvent>(json).unwrap(), all[1]);
    let mut paged = Vec::new();
    loop {
        let next = EventFilter {
            limit: Some(2),
            before: paged.last().map(|one: &ListedEvent| one.id),
            ..EventFilter::default()
        };
        let next = page(&book, next).await;
        if next.is_empty() {
            break;
        }
        paged.extend(next);
    }
    assert_eq!(paged, all);
}

#[tokio::test(start_paused = true)]
async fn a_filter_means_what_it_says() {
    let book = book().await;
    let begun_at = book.now();
    let [first, _] = something_happens(&book).await;
    let message = book.row(first).await.message;
    let any = EventFilter::default;
    let cases = [
        (
            EventFilter {
                doer: Some(Doer::Person),
                ..any()
            },
            vec!["held", "held", "held"],
        ),
        (
            EventFilter {
                actor: Some("node1".into()),
                ..any()
            },
            vec!["hop_down", "node_started"],
        ),
        (
            EventFilter {
                kinds: vec![EventKind::HopDown],
                ..any()
            },
            vec!["hop_down"],
        ),
        (
            EventFilter {
                kinds: vec![
                    EventKind::NodeStarted,
                    EventKind::HopDown,
                    EventKind::HopDown,
                ],
                ..any()
            },
            vec!["hop_down", "node_started"],
        ),
        (
            EventFilter {
                of: Some(message),
                ..any()
            },
            vec!["held"],
        ),
        (
            EventFilter {
                of: Some(MessageId::from_key(first.key())),
                ..any()
            },
            vec!["held"],
        ),
        (
            EventFilter {
                of: Some(message),
                kinds: vec![EventKind::Held, EventKind::Released],
                doer: Some(Doer::Program),
                ..any()
            },
            vec![],
        ),
        (
            EventFilter {
                since: Some(begun_at + HOUR),
                ..any()
            },
            vec!["hop_down"],
        ),
        (
            EventFilter {
                until: Some(begun_at + HOUR),
                kinds: vec![EventKind::Held, EventKind::HopDown],
                ..any()
            },
            vec!["held", "held", "held"],
        ),
    ];
    for (filter, expected) in cases {
        let found = page(&book, filter.clone()).await;
        assert_eq!(kinds(&found), expected, "{filter:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_is_listed_by_what_is_left_of_it() {
    let book = book().await;
    let mut unit = Unit::new();
    unit.write(Sql::new("UPDATE event SET kind = 'nonsense'"), Vec::new());
    book.ledger.store().write(unit).await.unwrap();
    let found = page(&book, EventFilter::default()).await;
    assert_eq!(kinds(&found), ["damaged"]);
    assert!(found[0].event.detail.contains("nonsense"), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_page_is_found_by_an_index_whatever_the_filter() {
    let book = book_on_sqlite().await;
    let any = EventFilter::default;
    let cases = [
        (any(), "INTEGER PRIMARY KEY"),
        (
            EventFilter {
                kinds: vec![EventKind::Held],
                ..any()
            },
            "event_by_kind (kind=? AND doer=? AND rowid>? AND rowid<?)",
        ),
        (
            EventFilter {
                kinds: vec![EventKind::Held, EventKind::HopUp],
                ..any()
            },
            "event_by_kind (kind=? AND doer=? AND rowid>? AND rowid<?)",
        ),
        (
            EventFilter {
                actor: Some("ann".into()),
                ..any()
            },
            "event_by_actor (actor=? AND kind=? AND rowid>? AND rowid<?)",
        ),
        (
            EventFilter {
                doer: Some(Doer::Person),
                ..any()
            },
            "event_by_kind (kind=? AND doer=? AND rowid>? AND rowid<?)",
        ),
        (
            EventFilter {
                of: Some(MessageId::from_key(1)),
                ..any()
            },
            "event_by_recipient",
        ),
    ];
    for (filter, index) in cases {
        let query = filter.query();
        let query =
            ground_store::Query::new(format!("EXPLAIN QUERY PLAN {}", query.text), query.values);
        let plan = book.ledger.store().read(query).await.unwrap();
        let steps = plan.iter().map(|step| step.text(3).unwrap());
        let all = steps.collect::<Vec<&str>>().join("\n");
        assert!(all.contains(index), "{filter:?}: {all}");
        assert!(!all.contains("SCAN event"), "{filter:?}: {all}");
    }
}
