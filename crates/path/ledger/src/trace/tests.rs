//! A question finds its stories, and a story leaves nothing out.

use super::*;
use crate::fixture::{book, claimed, held, settlement};
use crate::{Settled, Step};

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
    assert_eq!(first.attempts[0].outcome, AttemptOutcome::Failed);
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
    assert_eq!((report.cause, report.origin), (Some(id), Origin::Report));
}
