//! A question finds its stories, and a story leaves nothing out.

use ground_store::{Sql, Unit};

use super::*;
use crate::fixture::{Book, book, claimed, held, settlement};
use crate::{EventKind, Settled, Step};

#[tokio::test(start_paused = true)]
async fn a_story_is_found_by_id_message_id_sender_and_recipient() {
    let book = book().await;
    let message = book.message([held()]);
    let id = message.id;
    book.ledger.accept(message).await.unwrap();
    let recipient = book.recipients_of(id).await[0].id;
    let questions = [
        id.to_string(),
        id.to_string().to_lowercase(),
        recipient.to_string(),
        format!("<{id}@here.test>"),
        format!("{id}@here.test"),
        "jo@here.test".to_owned(),
        "<r0@there.test>".to_owned(),
    ];
    for question in questions {
        let stories = book.ledger.trace(&question).await.unwrap();
        assert_eq!(stories.len(), 1, "{question}");
        assert_eq!(stories[0].id, id);
    }
    assert_eq!(book.ledger.trace("nobody@there.test").await.unwrap(), []);
    assert_eq!(book.ledger.trace("").await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_story_has_every_attempt_event_and_report_and_crosses_a_socket() {
    let book = book().await;
    let message = book.message([claimed(), held()]);
    let id = message.id;
    book.ledger.accept(message).await.unwrap();
    let rows = book.recipients_of(id).await;
    let mut failed = settlement(
        id,
        vec![(
            rows[0].id,
            Step::Returned {
                cause: "550 no".into(),
            },
        )],
    );
    failed.attempt = Some(book.attempt());
    let report = book.report(id);
    let report_id = report.id;
    failed.notices = vec![report];
    assert_eq!(book.ledger.settle(failed).await.unwrap(), Settled::Done);
    let story = book.ledger.story(id).await.unwrap().unwrap();
    assert_eq!(story.recipients.len(), 2);
    let (first, second) = (&story.recipients[0], &story.recipients[1]);
    assert_eq!(
        (first.state, first.cause.as_deref()),
        (State::Returned, Some("550 no"))
    );
    assert_eq!(
        (first.attempts.len(), first.attempts[0].reply.as_str()),
        (1, "550 no")
    );
    assert_eq!(first.attempts[0].outcome, Some(AttemptOutcome::Failed));
    assert_eq!(
        (second.hold_reason.as_deref(), second.held_by.as_deref()),
        (Some("looks odd"), Some("rule odd"))
    );
    assert_eq!(story.reports, [report_id]);
    assert_eq!(story.events.len(), 1);
    assert!(story.body_kept);
    let json = serde_json::to_string(&story).unwrap();
    assert_eq!(serde_json::from_str::<Story>(&json).unwrap(), story);
    let report = book.ledger.story(report_id).await.unwrap().unwrap();
    assert_eq!(
        (report.cause, report.origin),
        (Some(id), Some(Origin::Report))
    );
}

/// A message with a recipient that failed and one that is held: each kind of row is there.
async fn told(book: &Book) -> MessageId {
    let message = book.message([claimed(), held()]);
    let id = message.id;
    book.ledger.accept(message).await.unwrap();
    let first = book.recipients_of(id).await[0].id;
    let cause = "550 no".to_owned();
    let mut failed = settlement(id, vec![(first, Step::Returned { cause })]);
    failed.attempt = Some(book.attempt());
    failed.notices = vec![book.report(id)];
    assert_eq!(book.ledger.settle(failed).await.unwrap(), Settled::Done);
    id
}

async fn damage(book: &Book, text: &'static str) {
    let mut unit = Unit::new();
    unit.write_exactly(1, Sql::new(text), Vec::new());
    book.ledger.store().write(unit).await.unwrap();
}

/// Everything of a story that cannot be read, in words.
fn damages(story: &Story) -> Vec<String> {
    let recipients = &story.recipients;
    let attempts = recipients.iter().flat_map(|one| &one.attempts);
    let events = story.events.iter();
    let damaged = events.filter(|event| event.kind == EventKind::Damaged);
    [story.damaged.clone()]
        .into_iter()
        .chain(recipients.iter().map(|one| one.damaged.clone()))
        .chain(attempts.map(|one| one.damaged.clone()))
        .flatten()
        .chain(damaged.map(|event| event.detail.clone()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_damaged_row_of_any_kind_is_told_as_damaged_and_hides_nothing_else() {
    for (text, why) in [
        (
            "UPDATE message SET sender = 'nonsense' WHERE cause IS NULL",
            "nonsense",
        ),
        ("UPDATE message SET size = -1 WHERE cause IS NULL", "-1"),
        (
            "UPDATE recipient SET address = 'nonsense' WHERE state = 'held'",
            "nonsense",
        ),
        (
            "UPDATE recipient SET orcpt = 'nonsense' WHERE state = 'held'",
            "nonsense",
        ),
        (
            "UPDATE recipient SET notify = 99 WHERE state = 'held'",
            "99",
        ),
        (
            "UPDATE recipient SET next_hop = 'nonsense' WHERE state = 'held'",
            "nonsense",
        ),
        ("UPDATE attempt SET bytes = -1", "-1"),
        ("UPDATE attempt SET recipient = 7", "550 no"),
        (
            "UPDATE event SET kind = 'nonsense' WHERE message IS NOT NULL",
            "nonsense",
        ),
    ] {
        let book = book().await;
        let id = told(&book).await;
        let whole = book.ledger.story(id).await.unwrap().unwrap();
        assert_eq!(damages(&whole), [] as [String; 0]);
        damage(&book, text).await;
        let story = book.ledger.trace(&id.to_string()).await.unwrap().remove(0);
        let told = damages(&story);
        assert!(
            matches!(&told[..], [one] if one.contains(why)),
            "{text}: {told:?}"
        );
        assert_eq!(story.recipients.len(), 2, "{text}");
        assert_eq!(
            story.recipients[1].hold_reason.as_deref(),
            Some("looks odd"),
            "{text}"
        );
        assert_eq!(story.reports, whole.reports, "{text}");
        assert_eq!(story.subject, "hello", "{text}");
        let rows = |story: &Story| {
            let attempts = story.recipients.iter().map(|one| one.attempts.len());
            attempts.sum::<usize>() + story.events.len()
        };
        assert_eq!(
            rows(&story),
            rows(&whole),
            "{text}: every attempt and event is told"
        );
    }
}
