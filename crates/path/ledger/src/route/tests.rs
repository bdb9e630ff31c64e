//! What becomes of a recipient that waited for the directory.

use std::time::Duration;

use super::*;
use crate::fixture::{Book, address, book, categorizing, hop, queued};
use crate::{Birth, RecipientId};

async fn unrouted(book: &Book) -> (RecipientId, Unrouted) {
    let id = book.one(categorizing()).await;
    let due = book.ledger.categorizing_due(10).await.unwrap();
    (
        id,
        due.into_iter().find(|one| one.recipient.id == id).unwrap(),
    )
}

fn to(text: &str, birth: Birth) -> NewRecipient {
    NewRecipient {
        address: address(text),
        orcpt: None,
        notify: None,
        parent: None,
        birth,
    }
}

#[tokio::test(start_paused = true)]
async fn each_decision_is_kept_once_and_only_while_it_was_waited_for() {
    let book = book().await;
    let text = |text: &str| text.to_owned();
    let decisions = [
        (Routed::Queued { next_hop: hop() }, State::Queued),
        (
            Routed::Held {
                reason: text("odd"),
                by: text("rule"),
            },
            State::Held,
        ),
        (
            Routed::Expanded {
                cause: text("alias all"),
                children: vec![to("x@there.test", queued())],
            },
            State::Expanded,
        ),
        (
            Routed::Returned {
                cause: text("no such user"),
            },
            State::Returned,
        ),
        (
            Routed::DeadLetter {
                cause: text("no such user"),
            },
            State::DeadLetter,
        ),
        (
            Routed::Discarded {
                cause: text("spam"),
                actor: text("rule"),
            },
            State::Discarded,
        ),
    ];
    for (decision, state) in decisions {
        let (id, one) = unrouted(&book).await;
        let done = book
            .ledger
            .route(&one, decision.clone(), Vec::new())
            .await
            .unwrap();
        assert_eq!(done, RouteResult::Done);
        let row = book.row(id).await;
        assert_eq!((row.state, row.deadline_at), (state, row.due()));
        let again = book.ledger.route(&one, decision, Vec::new()).await.unwrap();
        assert_eq!(again, RouteResult::Escaped);
        book.assert_sound().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_is_away_is_asked_again_at_its_time() {
    let book = book().await;
    let (id, one) = unrouted(&book).await;
    let retry_at = book.now() + Duration::from_secs(60);
    let later = Routed::Later {
        retry_at,
        reason: "the directory does not answer".into(),
    };
    book.ledger.route(&one, later, Vec::new()).await.unwrap();
    assert!(book.ledger.categorizing_due(10).await.unwrap().is_empty());
    assert_eq!(book.row(id).await.deadline_at, Some(retry_at));
    book.pass(Duration::from_secs(60)).await;
    assert_eq!(book.ledger.categorizing_due(10).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn children_have_their_parents_age_and_keep_the_body() {
    let book = book().await;
    let (id, one) = unrouted(&book).await;
    book.pass(Duration::from_secs(600)).await;
    let children = vec![
        to("x@there.test", queued()),
        to(
            "y@there.test",
            Birth::Expanded {
                cause: "alias".into(),
            },
        ),
    ];
    let mut children = children;
    children.push(NewRecipient {
        parent: Some(1),
        ..to("z@there.test", queued())
    });
    let expanded = Routed::Expanded {
        cause: "alias all".into(),
        children,
    };
    book.ledger.route(&one, expanded, Vec::new()).await.unwrap();
    let parent = book.row(id).await;
    let rows = book.recipients_of(parent.message).await;
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.accepted_at == parent.accepted_at));
    let parents: Vec<_> = rows.iter().skip(1).map(|row| row.parent).collect();
    assert_eq!(parents, [Some(id), Some(id), Some(rows[2].id)]);
    assert_eq!(book.number("SELECT pending FROM message").await, 2);
    assert_eq!(book.number("SELECT count(*) FROM body").await, 1);
    book.assert_sound().await;
}

#[tokio::test(start_paused = true)]
async fn an_expansion_into_nobody_new_ends_what_it_stood_for() {
    let book = book().await;
    let (id, one) = unrouted(&book).await;
    let nobody = Routed::Expanded {
        cause: "all of them have it".into(),
        children: Vec::new(),
    };
    let routed = book.ledger.route(&one, nobody, Vec::new()).await;
    assert_eq!(routed.unwrap(), RouteResult::Done);
    assert_eq!(book.row(id).await.state, State::Expanded);
    let totals = book.ledger.totals().await.unwrap();
    assert_eq!((totals.expanded, totals.difference()), (1, 0));
}
