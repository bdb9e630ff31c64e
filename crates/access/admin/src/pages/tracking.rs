//! *Tracking*: "where is my mail?", answered in one field.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use path_ledger::{STORIES_MAX, Story};
use serde::Deserialize;

use super::frame::{Frame, Tab, Visitor};
use super::time::Moment;
use super::{Refusal, html};
use crate::web::Web;
use crate::{Answer, Mover, Question};

#[derive(Template)]
#[template(path = "tracking.html")]
struct Page {
    frame: Frame,
    asked: String,
    nothing: Option<String>,
    full: bool,
    stories: Vec<Found>,
}

struct Found {
    id: String,
    subject: String,
    sender: String,
    received: Moment,
    recipients: Vec<Reached>,
    more: usize,
}

struct Reached {
    address: String,
    state: &'static str,
    said: String,
}

/// Recipients shown of each message; the rest stand on its own page.
const RECIPIENTS_SHOWN: usize = 5;

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Query(Asked { q }): Query<Asked>,
) -> Result<Response, Refusal> {
    let asked = q.trim().to_owned();
    let (stories, nothing): (Vec<Story>, _) = match asked.is_empty() {
        true => (Vec::new(), None),
        false => {
            let query = asked.clone();
            match who.ask(&web, Question::Trace { query }).await {
                Answer::Rows { rows } => {
                    let read = rows.into_iter().map(super::read);
                    (read.collect::<Result<_, _>>()?, None)
                }
                Answer::Refused {
                    whose: Mover::Asker,
                    why,
                } => (Vec::new(), Some(why)),
                answer @ (Answer::One { .. } | Answer::Octets { .. } | Answer::Refused { .. }) => {
                    return Err(Refusal::of(answer));
                }
            }
        }
    };
    let frame = Frame::around(&web, who, Tab::Tracking).await;
    let full = u32::try_from(stories.len()).is_ok_and(|n| n >= STORIES_MAX);
    let stories = stories.iter().map(|story| found(story, &frame)).collect();
    Ok(html(&Page {
        frame,
        asked,
        nothing,
        full,
        stories,
    }))
}

fn found(story: &Story, frame: &Frame) -> Found {
    let shown = story.recipients.iter().take(RECIPIENTS_SHOWN);
    let reached = shown.map(|one| Reached {
        address: one.address.clone(),
        state: one.state.word(),
        said: one.last_reply.clone(),
    });
    Found {
        id: story.id.to_string(),
        subject: story.subject.clone(),
        sender: story.sender.clone(),
        received: Moment::of(story.received_at, frame.now),
        recipients: reached.collect(),
        more: story.recipients.len().saturating_sub(RECIPIENTS_SHOWN),
    }
}
