//! Acting: a preview shows exactly which recipients, then exactly those are treated, in the background.

use askama::Template;
use axum::extract::{Path, RawForm, State};
use axum::response::{IntoResponse, Redirect, Response};
use ground_directory::operator::Right;
use path_ledger::Verb as Word;
use serde::Deserialize;

use super::form::Form;
use super::frame::{Frame, Tab, Visitor};
use super::messages::{entered, meant};
use super::time::{Moment, number};
use super::{Refusal, html, one};
use crate::api::Problem;
use crate::web::{Web, Who};
use crate::{ActState, ActStatus, Previewed, Question, Verb};

#[derive(Template)]
#[template(path = "preview.html")]
struct Preview {
    frame: Frame,
    verb: &'static str,
    meaning: &'static str,
    to: String,
    preview: Previewed,
    count: String,
    shown: String,
}

/// A verb, and where to when it is to go another way.
fn verb(word: &str, to: &str) -> Result<(Word, Verb), Problem> {
    let known = Word::from_word(word);
    let known = known.ok_or_else(|| Problem::asker(format!("{word:?} is no verb")))?;
    let verb = match known {
        Word::Retry => Verb::Retry,
        Word::Hold => Verb::Hold,
        Word::Release => Verb::Release,
        Word::Return => Verb::Return,
        Word::Discard => Verb::Discard,
        Word::Reroute => Verb::Reroute {
            to: Some(to.to_owned()).filter(|to| !to.is_empty()),
        },
        Word::Export => {
            return Err(Problem::asker(
                "messages are exported one by one on their pages, or by: postrider export",
            ));
        }
    };
    Ok((known, verb))
}

pub(super) async fn preview(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawForm(form): RawForm,
) -> Result<Response, Refusal> {
    let form = Form::of(&who, &form)?;
    who.may(Right::Act)?;
    let to = form.value("to");
    let (word, _) = verb(&form.value("verb"), &to)?;
    // Either all that a query means, or the recipients that were ticked.
    let pairs = match form.maybe("all") {
        Some(_) => entered(&form.value("query")),
        None => {
            let ids = form.all("recipient").into_iter();
            ids.map(|id| ("id".to_owned(), id)).collect()
        }
    };
    if pairs.is_empty() && form.maybe("all").is_none() {
        return Err(
            Problem::asker("nobody is selected: tick recipients, or all that match").into(),
        );
    }
    let filter = meant(&web, &pairs)?;
    let preview: Previewed = one(&web, &who, Question::Preview { filter }).await?;
    let frame = Frame::around(&web, who, Tab::Messages).await;
    Ok(html(&Preview {
        frame,
        verb: word.word(),
        meaning: word.meaning(),
        to,
        count: number(preview.count),
        shown: number(preview.rows.len() as u64),
        preview,
    }))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    word: String,
    preview: String,
    verb: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    reason: String,
}

pub(super) async fn begin(
    State(web): State<Web>,
    Visitor(who): Visitor,
    axum::Form(wanted): axum::Form<Wanted>,
) -> Result<Response, Refusal> {
    who.meant(Some(&wanted.word))?;
    who.may(Right::Act)?;
    let (_, verb) = verb(&wanted.verb, &wanted.to)?;
    let question = Question::Begin {
        preview: wanted.preview,
        verb,
        reason: wanted.reason.trim().to_owned(),
    };
    let begun: ActStatus = one(&web, &who, question).await?;
    Ok(Redirect::to(&format!("/acts/{}", begun.act)).into_response())
}

#[derive(Template)]
#[template(path = "act.html")]
struct Page {
    frame: Frame,
    act: String,
    verb: &'static str,
    running: bool,
    live: String,
}

#[derive(Template)]
#[template(path = "act_live.html")]
struct Live {
    verb: &'static str,
    filter: String,
    by: String,
    reason: String,
    state: &'static str,
    meaning: &'static str,
    began: Moment,
    count: String,
    done: String,
    escaped: String,
    /// Of a hundred.
    progress: u64,
    escapees: Vec<String>,
    unnamed: u64,
    trouble: Option<String>,
}

async fn status(web: &Web, who: &Who, act: &str) -> Result<ActStatus, Refusal> {
    let act = act.to_owned();
    one(web, who, Question::Progress { act }).await
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Path(act): Path<String>,
) -> Result<Response, Refusal> {
    let now = status(&web, &who, &act).await?;
    let live = live(&web, &who, &act).await?;
    let frame = Frame::around(&web, who, Tab::Messages).await;
    Ok(html(&Page {
        frame,
        act,
        verb: now.verb.word(),
        running: now.state == ActState::Running,
        live,
    }))
}

/// How far an act is now.
pub(super) async fn live(web: &Web, who: &Who, act: &str) -> Result<String, Refusal> {
    let status = status(web, who, act).await?;
    let treated = status.done + status.escaped;
    let page = Live {
        verb: status.verb.word(),
        filter: status.filter,
        by: status.by,
        reason: status.reason,
        state: status.state.word(),
        meaning: status.state.meaning(),
        began: Moment::of(status.began_at, web.world().clock.now()),
        count: number(status.count),
        done: number(status.done),
        escaped: number(status.escaped),
        progress: (treated * 100).checked_div(status.count).unwrap_or(100),
        unnamed: status.escaped.saturating_sub(status.escapees.len() as u64),
        escapees: status.escapees.iter().map(ToString::to_string).collect(),
        trouble: status.trouble,
    };
    page.render().map_err(|error| Refusal::ours(&error))
}
