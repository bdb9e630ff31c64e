//! Listings show what the rows say, in the shape that scripts rely on.

use std::time::Duration;

use super::*;
use crate::Birth;
use crate::fixture::{DAY, HOUR, book, categorizing, claimed, held, hop, queued};

#[tokio::test(start_paused = true)]
async fn a_listed_recipient_has_the_promised_fields_and_moments_as_rfc_3339() {
    let book = book().await;
    book.one(queued()).await;
    let listed = book.ledger.list(&Filter::default()).await.unwrap();
    let json = serde_json::to_value(&listed[0]).unwrap();
    let promised = [
        "id",
        "recipient",
        "sender",
        "state",
        "stage",
        "next_hop",
        "attempts",
        "received_at",
        "deadline_at",
        "expires_at",
        "notify_at",
        "last_reply",
        "reason",
        "size",
        "node",
    ];
    for field in promised {
        assert!(json.get(field).is_some(), "{field}");
    }
    assert_eq!(json["received_at"], "2026-01-01T00:00:00.000Z");
    assert_eq!(json["notify_at"], "2026-01-01T01:00:00.000Z");
    assert_eq!(json["expires_at"], "2026-01-05T00:00:00.000Z");
    assert_eq!(
        (&json["state"], &json["stage"], &json["node"]),
        (&"queued".into(), &"queue".into(), &"node1".into())
    );
    assert_eq!(serde_json::from_value::<Listed>(json).unwrap(), listed[0]);
}

#[tokio::test(start_paused = true)]
async fn every_state_says_whose_move_it_is_why_and_when() {
    let book = book().await;
    let gone = Birth::Discarded {
        cause: "spam".into(),
        actor: "rule".into(),
    };
    let message = book.message([queued(), claimed(), held(), categorizing(), gone]);
    let id = message.id;
    book.ledger.accept(message).await.unwrap();
    let all = Filter {
        ids: vec![id],
        ..Filter::default()
    };
    let listed = book.ledger.list(&all).await.unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|one| (one.stage.word(), one.reason.as_str()))
        .collect();
    let expected = [
        ("queue", ""),
        ("deliver", ""),
        ("hold", "looks odd (by rule odd)"),
        ("categorize", "the directory does not answer"),
        ("done", "spam"),
    ];
    assert_eq!(told, expected);
    let tries: Vec<_> = listed.iter().map(|one| one.next_try.is_some()).collect();
    assert_eq!(tries, [true, false, false, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_hops_reason_and_next_try_are_those_of_its_mail() {
    let book = book().await;
    book.one(queued()).await;
    let retry_at = book.now() + Duration::from_secs(300);
    book.ledger
        .hop_down(&hop(), retry_at, 2, "connection refused", "mx.there.test")
        .await
        .unwrap();
    let one = book
        .ledger
        .list(&Filter::default())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (one.next_try, one.last_reply.as_str()),
        (Some(retry_at), "connection refused")
    );
    assert_eq!(
        one.reason,
        "the next hop does not answer: connection refused"
    );
    let line = book.ledger.queue_lines().await.unwrap().remove(0);
    assert_eq!(
        (line.state, line.next_try, line.failures),
        (HopState::Down, Some(retry_at), 2)
    );
    let until = book.now() + HOUR;
    book.ledger
        .hop_pause(&hop(), "ann", until, "maintenance")
        .await
        .unwrap();
    let one = book
        .ledger
        .list(&Filter::default())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (one.next_try, one.reason.as_str()),
        (Some(until), "the next hop is paused by ann: maintenance")
    );
}

#[tokio::test(start_paused = true)]
async fn a_line_for_each_hop_counts_exactly_and_knows_its_oldest() {
    let book = book().await;
    let births = [queued(), queued(), held(), categorizing(), claimed()];
    let received_at = book.now();
    book.ledger.accept(book.message(births)).await.unwrap();
    book.pass(DAY).await;
    book.one(queued()).await;
    let lines = book.ledger.queue_lines().await.unwrap();
    assert_eq!(lines.len(), 2);
    let (unrouted, line) = (&lines[0], &lines[1]);
    assert_eq!(
        (
            unrouted.next_hop.as_str(),
            unrouted.categorizing,
            unrouted.held
        ),
        ("", 1, 1)
    );
    assert_eq!(
        (line.next_hop.as_str(), line.queued, line.in_flight),
        ("mx:there.test", 3, 1)
    );
    assert_eq!(
        (line.oldest, line.next_try),
        (Some(received_at), Some(received_at))
    );
    let totals = book.ledger.totals().await.unwrap();
    assert_eq!(
        (
            totals.accepted,
            totals.in_transit,
            totals.queued,
            totals.held
        ),
        (6, 6, 3, 1)
    );
    assert_eq!(book.ledger.waiting().await.unwrap(), 6);
}

#[tokio::test(start_paused = true)]
async fn the_first_page_walks_an_index_whatever_the_history() {
    let book = crate::fixture::book_on_sqlite().await;
    let by_hop = Filter {
        next_hop: Some("mx:there.test".into()),
        ..Filter::default()
    };
    let in_state = |state| Filter {
        state: Some(state),
        ..Filter::default()
    };
    let replied = Filter {
        reply_contains: Some("greylisted".into()),
        ..Filter::default()
    };
    let sent = Filter {
        sender: Some("jo@here.test".into()),
        ..Filter::default()
    };
    for (filter, index) in [
        (Filter::default(), "in_transit"),
        (by_hop, "in_transit"),
        (in_state(State::Queued), "in_transit"),
        (in_state(State::Held), "held_by_hop"),
        (replied, "replied"),
        (sent, "by_message"),
    ] {
        let (rest, values) = filter.condition(book.now()).page(PAGE);
        let query = Query::new(format!("EXPLAIN QUERY PLAN {LIST}{rest}"), values);
        let plan = book.ledger.store().read(query).await.unwrap();
        let plan: Vec<_> = plan
            .iter()
            .map(|step| step.text(3).unwrap().to_owned())
            .collect();
        let all = plan.join("\n");
        let walked = format!("recipient USING INDEX recipient_{index}");
        assert!(all.contains(&walked), "{walked}: {all}");
        assert!(!all.contains("TEMP B-TREE FOR ORDER BY"), "{all}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_became_somebody_else_is_found_by_the_name_that_was_asked_for() {
    let book = book().await;
    let expanded = Birth::Expanded {
        cause: "an alias".into(),
    };
    let mut message = book.message([expanded.clone(), expanded, queued(), queued()]);
    for (child, parent) in [(1, 0), (2, 1)] {
        message.recipients[child].parent = Some(parent);
    }
    book.ledger.accept(message).await.unwrap();
    book.one(queued()).await;
    for (asked, found) in [
        ("r0@there.test", vec!["r0@there.test", "r2@there.test"]),
        ("r1@there.test", vec!["r2@there.test"]),
        ("r2@there.test", vec!["r2@there.test"]),
        ("r3@there.test", vec!["r3@there.test"]),
    ] {
        let filter = Filter {
            recipient: Some(asked.into()),
            ..Filter::default()
        };
        let listed = book.ledger.list(&filter).await.unwrap();
        let mut to: Vec<_> = listed.iter().map(|one| one.recipient.as_str()).collect();
        to.sort_unstable();
        assert_eq!(to, found, "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_row_is_listed_by_what_can_be_read_of_it() {
    let book = book().await;
    let id = book.one(queued()).await;
    let before = book
        .ledger
        .list(&Filter::default())
        .await
        .unwrap()
        .remove(0);
    let mut unit = ground_store::Unit::new();
    let damage = "UPDATE recipient SET address = 'nonsense' WHERE id = $1";
    unit.write(ground_store::Sql::new(damage), vec![id.into()]);
    book.ledger.store().write(unit).await.unwrap();
    let after = book
        .ledger
        .list(&Filter::default())
        .await
        .unwrap()
        .remove(0);
    assert!(after.reason.contains("nonsense"), "{}", after.reason);
    let expected = Listed {
        recipient: "nonsense".into(),
        reason: after.reason.clone(),
        next_try: None,
        ..before
    };
    assert_eq!(after, expected);
}
