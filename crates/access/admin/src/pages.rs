//! The web pages: what is in the ledger at this moment, and the acts on it. Every page can be read without a script.
//!
//! A page is a question or a few to the binary, a struct of what it shows, and a template. What is on it is what the API gives
//! under the same rights; nothing is read in another way. Two pages are for those who are no operators: `status`, for whoever holds a
//! link, and `mine`, for whoever is logged in as an account; they show what `senders` lets through, and nothing else.

mod act;
mod alarms;
mod assets;
mod audit;
mod connectors;
mod directory;
mod events;
mod form;
mod frame;
mod live;
mod message;
mod messages;
mod mine;
mod nodes;
mod now;
mod operators;
mod outside;
mod queues;
mod refusal;
mod settings;
mod status;
mod time;
mod tracking;

use askama::Template;
use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use path_ledger::STATUS_PATH;
use serde::de::DeserializeOwned;

pub(crate) use refusal::Refusal;

use crate::web::{Web, Who, enter, form, leave};
use crate::{Answer, Question};

pub(crate) fn router() -> Router<Web> {
    Router::new()
        .route("/", get(now::page))
        .route("/queues", get(queues::page))
        .route("/messages", get(messages::page))
        .route("/held", get(messages::held))
        .route("/damaged", get(messages::damaged))
        .route("/dead-letters", get(messages::dead_letters))
        .route("/messages/{id}", get(message::page))
        .route("/messages/{id}/source", get(message::source))
        .route("/tracking", get(tracking::page))
        .route("/alarms", get(alarms::page))
        .route("/audit", get(audit::page))
        .route("/nodes", get(nodes::page).post(nodes::drain))
        .route("/acts/preview", post(act::preview))
        .route("/acts", post(act::begin))
        .route("/acts/{act}", get(act::page))
        .route("/live/now", get(live::now))
        .route("/live/queues", get(live::queues))
        .route("/live/list/{shelf}", get(live::list))
        .route("/live/acts/{act}", get(live::act))
        .route("/events", get(events::page))
        .route("/directory", get(directory::page).post(directory::change))
        .route("/operators", get(operators::page).post(operators::change))
        .route("/connectors", get(connectors::page))
        .route("/settings", get(settings::page))
        .route("/settings/text", get(settings::text))
        .route(
            "/settings/section",
            get(settings::section).post(settings::change),
        )
        .route("/settings/try", post(settings::try_text))
        .route("/settings/save", post(settings::save))
        .route("/queues/pause", post(queues::pause))
        .route("/login", get(form).post(enter))
        .route("/logout", post(leave))
        .route("/assets/{name}", get(assets::get))
        // For those who are no operators.
        .route(&format!("{STATUS_PATH}/{{token}}"), get(status::page))
        .route("/mine", get(mine::page))
        .route("/mine/login", get(mine::door).post(mine::enter))
        .route("/mine/logout", post(mine::leave))
}

/// A page as it is sent.
fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => Refusal::unwritable(&error),
    }
}

/// The rows of an answer, each as a `T`.
async fn rows<T: DeserializeOwned>(
    web: &Web,
    who: &Who,
    question: Question,
) -> Result<Vec<T>, Refusal> {
    match who.ask(web, question).await {
        Answer::Rows { rows } => rows.into_iter().map(read).collect(),
        answer @ (Answer::One { .. } | Answer::Octets { .. } | Answer::Refused { .. }) => {
            Err(Refusal::of(answer))
        }
    }
}

/// The one object of an answer.
async fn one<T: DeserializeOwned>(web: &Web, who: &Who, question: Question) -> Result<T, Refusal> {
    match who.ask(web, question).await {
        Answer::One { fact } => read(fact),
        answer @ (Answer::Rows { .. } | Answer::Octets { .. } | Answer::Refused { .. }) => {
            Err(Refusal::of(answer))
        }
    }
}

fn read<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Refusal> {
    serde_json::from_value(value).map_err(|error| Refusal::ours(&error))
}
