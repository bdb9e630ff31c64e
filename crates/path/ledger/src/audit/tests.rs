//! The audit sees what is wrong; and nothing this crate does makes it wrong.

use ground_store::{Sql, Unit};

use super::*;
use crate::fixture::{Book, HOUR, book, claimed, queued};

async fn tamper(book: &Book, text: &'static str) {
    let mut unit = Unit::new();
    unit.write(Sql::new(text), Vec::new());
    book.ledger.store().write(unit).await.unwrap();
}

async fn check(text: &'static str, kind: FindingKind, difference: i64) {
    let book = book().await;
    book.ledger
        .accept(book.message([queued(), claimed()]))
        .await
        .unwrap();
    book.assert_sound().await;
    tamper(&book, text).await;
    let audit = book.ledger.audit().await.unwrap();
    assert!(
        audit.findings.iter().any(|one| one.kind == kind),
        "{text}: {audit:#?}"
    );
    assert_eq!(audit.difference, difference, "{text}");
    let orphans = audit.findings.iter().filter(|one| one.kind.is_orphan());
    assert_eq!(audit.orphans, orphans.count() as u64);
}

#[tokio::test(start_paused = true)]
async fn whatever_is_wrong_is_found_and_named() {
    use FindingKind::*;
    check(
        "UPDATE tally SET n = n + 1 WHERE state = 'queued'",
        Tally,
        0,
    )
    .await;
    check("UPDATE body SET refs = refs + 1", BodyReferences, 0).await;
    let body =
        "INSERT INTO body (id, size, checksum, refs, content) VALUES (9, 0, zeroblob(32), 0, x'')";
    check(body, BodyWithoutUse, 0).await;
    let message = "INSERT INTO message SELECT 9, received_at, sender, size, NULL, origin, listener, peer, helo, tls, auth, \
         body_type, smtputf8, ret, envid, '', subject, cause, 0 FROM message";
    check(message, MessageWithoutRecipients, 0).await;
    check(
        "UPDATE recipient SET claimed_by = 77 WHERE state = 'in_flight'",
        ClaimOfDeadEpoch,
        0,
    )
    .await;
    check(
        "UPDATE recipient SET deadline_at = 1 WHERE state = 'queued'",
        Overdue,
        0,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn mail_that_vanished_is_a_difference() {
    let book = book().await;
    book.ledger
        .accept(book.message([queued(), claimed()]))
        .await
        .unwrap();
    tamper(&book, "UPDATE total SET n = n + 1 WHERE what = 'accepted'").await;
    let audit = book.ledger.audit().await.unwrap();
    assert_eq!((audit.difference, audit.adds_up()), (1, false));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_within_the_slack_is_no_finding_and_one_past_it_is() {
    let book = book().await;
    book.one(queued()).await;
    book.pass(HOUR + book.ledger.options().slack).await;
    book.assert_sound().await;
    book.pass(std::time::Duration::from_millis(1)).await;
    let audit = book.ledger.audit().await.unwrap();
    assert_eq!(audit.findings[0].kind, FindingKind::Overdue);
}

#[tokio::test(start_paused = true)]
async fn the_promised_fields_are_in_the_json() {
    let book = book().await;
    let audit = book.ledger.audit().await.unwrap();
    let json = serde_json::to_value(&audit).unwrap();
    let promised = [
        "accepted",
        "delivered",
        "relayed",
        "expanded",
        "returned",
        "discarded",
        "dead_letter",
        "in_transit",
        "difference",
        "orphans",
    ];
    for field in promised {
        assert_eq!(json[field], 0, "{field}");
    }
    assert_eq!(serde_json::from_value::<Audit>(json).unwrap(), audit);
}
