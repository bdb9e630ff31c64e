//! *Alarms*: what should not be, since when, of which messages, and what to do.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use path_watch::Alarm;

use super::frame::{Frame, Tab, Visitor};
use super::time::Moment;
use super::{Refusal, html, rows};
use crate::Question;
use crate::web::Web;

#[derive(Template)]
#[template(path = "alarms.html")]
struct Page {
    frame: Frame,
    alarms: Vec<Raised>,
}

struct Raised {
    kind: &'static str,
    since: Moment,
    subject: String,
    detail: String,
    meaning: String,
    remedy: String,
    messages: Vec<String>,
    unnamed: u64,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    let alarms: Vec<Alarm> = rows(&web, &who, Question::Alarms).await?;
    let frame = Frame::around(&web, who, Tab::Alarms).await;
    let alarms = alarms.into_iter().map(|alarm| Raised {
        kind: alarm.kind.word(),
        since: Moment::of(alarm.since, frame.now),
        unnamed: alarm.all.saturating_sub(alarm.messages.len() as u64),
        subject: alarm.subject,
        detail: alarm.detail,
        meaning: alarm.meaning,
        remedy: alarm.remedy,
        messages: alarm.messages,
    });
    let alarms = alarms.collect();
    Ok(html(&Page { frame, alarms }))
}
