//! The audit sees what is wrong; and nothing this crate does makes it wrong.

use ground_store::{Sql, Unit};

use super::*;
use crate::fixture::{Book, HOUR, book, claimed, queued};

async fn tamper(book: &Book, sql: Sql) {
    let mut unit = Unit::new();
    unit.write(sql, Vec::new());
    book.ledger.store().write(unit).await.unwrap();
}

async fn check(text: &'static str, kind: FindingKind, difference: i64) {
    check_each(Sql::new(text), kind, difference).await;
}

async fn check_each(sql: Sql, kind: FindingKind, difference: i64) {
    let text = sql.sqlite;
    let book = book().await;
    book.ledger
        .accept(book.message([queued(), claimed()]))
        .await
        .unwrap();
    book.assert_sound().await;
    tamper(&book, sql).await;
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
    const TALLY: Sql = Sql::each(
        "UPDATE tally SET n = n + 1 WHERE state = 'queued'",
        "INSERT INTO tally_change (state, next_hop, hour, n) SELECT state, next_hop, hour, 1 FROM tally WHERE state = 'queued'",
    );
    check_each(TALLY, Tally, 0).await;
    check("UPDATE body SET refs = refs + 1", BodyReferences, 0).await;
    const BODY: Sql = Sql::each(
        "INSERT INTO body (id, size, checksum, refs, content) VALUES (9, 0, zeroblob(32), 0, x'')",
        "INSERT INTO body (id, size, checksum, refs, content) VALUES (9, 0, decode(repeat('00', 32), 'hex'), 0, '')",
    );
    check_each(BODY, BodyWithoutUse, 0).await;
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
    const TOTAL: Sql = Sql::each(
        "UPDATE total SET n = n + 1 WHERE what = 'accepted'",
        "INSERT INTO total_change (what, n) VALUES ('accepted', 1)",
    );
    tamper(&book, TOTAL).await;
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
