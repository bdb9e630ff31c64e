//! Pages for those who are no operators: they say nothing of who runs the server, and lead to nothing of theirs.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use wire_message::Time;

use super::Refusal;
use super::time::Moment;
use crate::senders::{Said, StatusRecipient, Told};
use crate::web::Refused;

/// A few words instead of what was asked for.
#[derive(Template)]
#[template(path = "outside_words.html")]
struct Words<'a> {
    title: &'a str,
    words: &'a str,
}

/// A recipient as senders see it.
pub(super) struct Reached {
    pub(super) address: String,
    pub(super) word: String,
    /// The state of operators' pages whose colour it has.
    pub(super) like: &'static str,
    pub(super) meaning: &'static str,
    pub(super) ended: Option<Moment>,
    pub(super) tried: Option<Moment>,
    pub(super) said: Option<Said>,
    pub(super) next_try: Option<Moment>,
    pub(super) notice: Option<Moment>,
    pub(super) expires: Option<Moment>,
}

impl Reached {
    pub(super) fn of(one: StatusRecipient, now: Time) -> Self {
        let moment = |at| Moment::maybe(at, now);
        Self {
            word: one.told.word().replace('_', " "),
            like: like(one.told),
            meaning: one.told.meaning(),
            ended: moment(one.ended_at),
            tried: moment(one.tried_at),
            next_try: moment(one.next_try_at),
            notice: moment(one.notice_at),
            expires: moment(one.expires_at),
            address: one.address,
            said: one.said,
        }
    }
}

const fn like(told: Told) -> &'static str {
    match told {
        Told::LookedUp => "categorizing",
        Told::Waiting | Told::PassingOn => "queued",
        Told::UnderWay => "in_flight",
        Told::Held => "held",
        Told::Delivered => "delivered",
        Told::HandedOver | Told::PassedOn => "relayed",
        Told::InPart | Told::GivenUp => "returned",
        Told::Ended => "discarded",
    }
}

/// A page of a few words.
pub(super) fn words(status: StatusCode, title: &str, words: &str) -> Response {
    page(status, &Words { title, words })
}

/// What could not be done, and is none of theirs to mend.
pub(super) fn refused(refused: &Refused) -> Response {
    words(refused.status(), "Not now", &refused.words())
}

pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => Refusal::unwritable(&error),
    }
}
