//! *My mail*: what an account sent, for whoever is logged in as it.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use path_ledger::MessageId;
use serde::Deserialize;
use wire_message::Time;

use super::outside::{self, Reached};
use super::time::Moment;
use crate::senders::{OWN_PAGE, OwnMessage};
use crate::web::{Ending, Own, Refused, Way, Web, log_in, log_out};
use crate::{Answer, Question, Request};

/// Recipients shown of each message in the list; all of them when the message was looked up.
const RECIPIENTS_SHOWN: usize = 5;

#[derive(Template)]
#[template(path = "mine.html")]
struct Page {
    account: String,
    word: String,
    /// What was looked up; empty: the list.
    asked: String,
    messages: Vec<Message>,
    /// Where the next page begins.
    older: Option<String>,
}

struct Message {
    id: String,
    subject: String,
    message_id: String,
    accepted: Moment,
    recipients: Vec<Reached>,
    more: usize,
}

#[derive(Template)]
#[template(path = "mine_login.html")]
struct Door {
    trouble: String,
    login: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    before: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Entered {
    login: String,
    password: String,
}

#[derive(Deserialize)]
pub(super) struct Leaving {
    #[serde(default)]
    word: String,
    #[serde(default)]
    everywhere: String,
}

pub(super) async fn page(
    State(web): State<Web>,
    own: Own,
    Query(Asked { q, before }): Query<Asked>,
) -> Response {
    let asked = q.trim().to_owned();
    let query = Some(asked.clone()).filter(|asked| !asked.is_empty());
    // A page that begins nowhere begins at the newest.
    let before = before.and_then(|before| before.parse::<MessageId>().ok());
    let limit = match query {
        Some(_) => usize::MAX,
        None => RECIPIENTS_SHOWN,
    };
    let question = Question::OwnMail {
        owner: own.owner.clone(),
        before,
        query,
    };
    let found = match ask(&web, &own, question).await {
        Ok(found) => found,
        Err(refused) => return outside::refused(&refused),
    };
    let now = web.world().clock.now();
    let full = u32::try_from(found.len()).is_ok_and(|n| n >= OWN_PAGE) && asked.is_empty();
    let messages: Vec<Message> = found
        .into_iter()
        .map(|one| message(one, limit, now))
        .collect();
    let last = messages.last().map(|message| message.id.clone());
    let page = Page {
        word: own.word(),
        account: own.owner.account,
        asked,
        older: last.filter(|_| full),
        messages,
    };
    outside::page(StatusCode::OK, &page)
}

async fn ask(web: &Web, own: &Own, question: Question) -> Result<Vec<OwnMessage>, Refused> {
    let request = Request {
        by: own.owner.account.clone(),
        question,
        content: Bytes::new(),
    };
    let not_now = |why: String| {
        tracing::error!(
            why,
            account = own.owner.account,
            "the mail it sent cannot be shown"
        );
        Refused::NotNow
    };
    let rows = match web.ask(request).await {
        Answer::Rows { rows } => rows,
        Answer::Refused { why, .. } => return Err(not_now(why)),
        Answer::One { .. } | Answer::Octets { .. } => {
            return Err(not_now("the answer is of another kind".to_owned()));
        }
    };
    let read = rows.into_iter().map(serde_json::from_value);
    let read: Result<_, _> = read.collect();
    read.map_err(|error| not_now(error.to_string()))
}

fn message(one: OwnMessage, limit: usize, now: Time) -> Message {
    let OwnMessage {
        status,
        subject,
        message_id,
    } = one;
    let more = status.recipients.len().saturating_sub(limit);
    let recipients = status.recipients.into_iter().take(limit);
    Message {
        id: status.id.to_string(),
        accepted: Moment::of(status.received_at, now),
        recipients: recipients.map(|one| Reached::of(one, now)).collect(),
        subject,
        message_id,
        more,
    }
}

pub(super) async fn door() -> Response {
    let door = Door {
        trouble: String::new(),
        login: String::new(),
    };
    outside::page(StatusCode::OK, &door)
}

pub(super) async fn enter(
    State(web): State<Web>,
    way: Way,
    headers: HeaderMap,
    Form(Entered { login, password }): Form<Entered>,
) -> Response {
    match log_in(&web, way, &headers, &login, &password).await {
        Ok(led) => led,
        Err(refused) => {
            let trouble = refused.words();
            outside::page(refused.status(), &Door { trouble, login })
        }
    }
}

pub(super) async fn leave(
    State(web): State<Web>,
    way: Way,
    own: Own,
    Form(leaving): Form<Leaving>,
) -> Response {
    if !own.meant(&leaving.word) {
        let words = "This form is of another session, or of none: load the page again.";
        return outside::words(StatusCode::FORBIDDEN, "Nothing was done", words);
    }
    let ending = match leaving.everywhere.is_empty() {
        true => Ending::This,
        false => Ending::All,
    };
    match log_out(&web, way, &own, ending).await {
        Ok(led) => led,
        Err(refused) => outside::refused(&refused),
    }
}
