//! *Queues*: one row for each next hop.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use path_ledger::{HopState, QueueLine};

use super::frame::{Frame, Tab, Visitor};
use super::time::{Moment, number};
use super::{Refusal, html, rows};
use crate::Question;
use crate::web::Web;

#[derive(Template)]
#[template(path = "queues.html")]
struct Page {
    frame: Frame,
    lines: Vec<Line>,
}

struct Line {
    hop: String,
    name: String,
    link: String,
    state: &'static str,
    queued: String,
    in_flight: String,
    held: String,
    categorizing: String,
    oldest: Option<Moment>,
    next_try: Option<Moment>,
    last_reply: String,
    failures: u32,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    let lines: Vec<QueueLine> = rows(&web, &who, Question::Queue).await?;
    let frame = Frame::around(&web, who, Tab::Queues).await;
    let line = |line: QueueLine| {
        let hop: String = form_urlencoded::byte_serialize(line.next_hop.as_bytes()).collect();
        let (name, link) = match line.next_hop.as_str() {
            "" => (
                "not routed yet".to_owned(),
                "/messages?state=categorizing".to_owned(),
            ),
            hop_name => (hop_name.to_owned(), format!("/messages?next_hop={hop}")),
        };
        Line {
            name,
            link,
            state: match line.state {
                HopState::Up => "up",
                HopState::Down => "down",
                HopState::Paused => "paused",
            },
            queued: number(line.queued),
            in_flight: number(line.in_flight),
            held: number(line.held),
            categorizing: number(line.categorizing),
            oldest: Moment::maybe(line.oldest, frame.now),
            next_try: Moment::maybe(line.next_try, frame.now),
            last_reply: line.last_reply,
            failures: line.failures,
            hop: line.next_hop,
        }
    };
    let lines = lines.into_iter().map(line).collect();
    Ok(html(&Page { frame, lines }))
}
