//! *Audit*: whether the book adds up, by a scan of the rows at this moment.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use path_ledger::Audit;

use super::frame::{Frame, Tab, Visitor};
use super::time::number;
use super::{Refusal, html, one};
use crate::Question;
use crate::web::Web;

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    terms: Vec<(&'static str, String)>,
    difference: i64,
    orphans: String,
    findings: Vec<Found>,
    adds_up: bool,
}

struct Found {
    kind: &'static str,
    meaning: &'static str,
    detail: String,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    let audit: Audit = one(&web, &who, Question::Audit).await?;
    let frame = Frame::around(&web, who, Tab::Audit).await;
    let terms = [
        ("accepted", audit.accepted),
        ("delivered", audit.delivered),
        ("relayed", audit.relayed),
        ("expanded", audit.expanded),
        ("returned", audit.returned),
        ("discarded", audit.discarded),
        ("dead letters", audit.dead_letter),
        ("in transit", audit.in_transit),
    ];
    let findings = audit.findings.iter().map(|finding| Found {
        kind: finding.kind.word(),
        meaning: finding.kind.meaning(),
        detail: finding.detail.clone(),
    });
    Ok(html(&Page {
        frame,
        terms: terms.map(|(name, n)| (name, number(n))).into(),
        difference: audit.difference,
        orphans: number(audit.orphans),
        findings: findings.collect(),
        adds_up: audit.adds_up(),
    }))
}
