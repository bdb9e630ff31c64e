//! *Status*: what became of one message, for whoever holds its link.
//!
//! A link that we have not made and one whose history is gone give the same page. Who tries many of the first has to wait, as
//! who guesses passwords.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;

use super::outside::{self, Reached};
use super::time::Moment;
use crate::senders::Status;
use crate::web::{Refused, Way, Web};
use crate::{Answer, Mover, Question, Request};

/// Who asks, in the eyes of the binary.
const ASKER: &str = "status link";

#[derive(Template)]
#[template(path = "status.html")]
struct Page {
    id: String,
    accepted: Moment,
    recipients: Vec<Reached>,
}

/// What a link leads to.
enum Led {
    To(Status),
    /// To what is not kept any more.
    Nowhere,
    /// We have not made it.
    Astray,
}

pub(super) async fn page(
    State(web): State<Web>,
    way: Way,
    token: Result<Path<String>, PathRejection>,
) -> Response {
    // What is no text is no link of ours either.
    let token = token.map_or_else(|_| String::new(), |Path(token)| token);
    let client = way.peer.map(|peer| peer.ip());
    let rules = &web.settings().logins;
    let attempt = web.strangers().attempt(client, &token);
    let now = web.world().clock.instant();
    if let Err(wait) = web.strangers().may_try(attempt, rules, now) {
        let seconds = wait.how_long().as_secs().max(1);
        let words = format!("Too many links that lead nowhere; try again in {seconds} s.");
        return outside::words(StatusCode::TOO_MANY_REQUESTS, "Not now", &words);
    }
    match follow(&web, token).await {
        Ok(Led::To(status)) => shown(&web, status),
        Ok(Led::Nowhere) => nothing(),
        Ok(Led::Astray) => {
            web.strangers().failed(attempt, rules, now);
            nothing()
        }
        Err(refused) => outside::refused(&refused),
    }
}

async fn follow(web: &Web, token: String) -> Result<Led, Refused> {
    let request = Request {
        by: ASKER.to_owned(),
        question: Question::Follow { token },
        content: Bytes::new(),
    };
    let not_now = |why: String| {
        tracing::error!(why, "a status link could not be followed");
        Refused::NotNow
    };
    match web.ask(request).await {
        Answer::Rows { rows } => match rows.into_iter().next() {
            Some(row) => {
                let status = serde_json::from_value(row);
                let status = status.map_err(|error| not_now(error.to_string()))?;
                Ok(Led::To(status))
            }
            None => Ok(Led::Nowhere),
        },
        Answer::Refused {
            whose: Mover::Asker,
            ..
        } => Ok(Led::Astray),
        Answer::Refused { why, .. } => Err(not_now(why)),
        Answer::One { .. } | Answer::Octets { .. } => {
            Err(not_now("the answer is of another kind".to_owned()))
        }
    }
}

fn shown(web: &Web, status: Status) -> Response {
    let now = web.world().clock.now();
    let recipients = status.recipients.into_iter();
    let page = Page {
        id: status.id.to_string(),
        accepted: Moment::of(status.received_at, now),
        recipients: recipients.map(|one| Reached::of(one, now)).collect(),
    };
    outside::page(StatusCode::OK, &page)
}

fn nothing() -> Response {
    let words = "This link leads to no message. Perhaps a part of it was lost on the way; or the message ended so long ago that \
                 nothing is kept of it any more.";
    outside::words(StatusCode::NOT_FOUND, "Nothing is here", words)
}
