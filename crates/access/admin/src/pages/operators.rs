//! *Operators*: who may use these pages and the API, and the tokens of programs.

use askama::Template;
use axum::extract::{RawForm, State};
use axum::response::Response;
use ground_directory::operator::Right;
use serde::Deserialize;

use super::directory::done;
use super::form::Form;
use super::frame::{Frame, Tab, Visitor};
use super::time::Moment;
use super::{Refusal, html, one, rows};
use crate::api::Problem;
use crate::web::{Web, Who};
use crate::{OperatorChange, OperatorView, Password, Question};

#[derive(Template)]
#[template(path = "operators.html")]
struct Page {
    frame: Frame,
    operators: Vec<Operator>,
    tokens: Vec<Token>,
    rights: &'static [Right],
    /// What is told this once.
    told: Option<Told>,
}

#[derive(Deserialize)]
struct Operator {
    name: String,
    rights: String,
    may_log_in: bool,
    totp: String,
}

#[derive(Deserialize)]
struct Token {
    name: String,
    rights: String,
    created_by: String,
    expires_at: Option<String>,
    seen_at: Option<String>,
    #[serde(skip)]
    expires: Option<Moment>,
    #[serde(skip)]
    seen: Option<Moment>,
}

/// The answer to a change.
#[derive(Deserialize)]
struct Told {
    done: String,
    token: Option<String>,
    uri: Option<String>,
    secret: Option<String>,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    shown(&web, who, None).await
}

async fn shown(web: &Web, who: Who, told: Option<Told>) -> Result<Response, Refusal> {
    who.may(Right::Administer)?;
    let list = |at| Question::OperatorLook { at };
    let after = String::new;
    let operators = list(OperatorView::List { after: after() });
    let operators: Vec<Operator> = rows(web, &who, operators).await?;
    let tokens = list(OperatorView::TokenList { after: after() });
    let mut tokens: Vec<Token> = rows(web, &who, tokens).await?;
    let frame = Frame::around(web, who, Tab::Operators).await;
    let moment = |text: &Option<String>| text.as_deref().map(|text| Moment::read(text, frame.now));
    for token in &mut tokens {
        token.expires = moment(&token.expires_at);
        token.seen = moment(&token.seen_at);
    }
    Ok(html(&Page {
        frame,
        operators,
        tokens,
        rights: Right::ALL,
        told,
    }))
}

/// A day in milliseconds.
const DAY: u64 = 86_400_000;

/// What a form of the page changes.
fn wanted(form: &Form) -> Result<OperatorChange, Problem> {
    let (name, rights) = (form.value("name"), form.all("right").join(","));
    Ok(match form.value("what").as_str() {
        "add" => OperatorChange::Add {
            name,
            password: form.maybe("password").map(Password),
            rights,
        },
        "remove" => OperatorChange::Remove { name },
        "password" => OperatorChange::Password {
            name,
            password: form.maybe("password").map(Password),
        },
        "rights" => OperatorChange::Rights { name, rights },
        "totp_offer" => OperatorChange::TotpOffer { name },
        "totp_confirm" => OperatorChange::TotpConfirm {
            name,
            code: form.value("code"),
        },
        "totp_remove" => OperatorChange::TotpRemove { name },
        "sessions" => OperatorChange::SessionsRevoke { name },
        "token_add" => OperatorChange::TokenAdd {
            name,
            rights,
            lifetime: days(form)?,
        },
        "token_remove" => OperatorChange::TokenRemove { name },
        other => return Err(Problem::asker(format!("{other:?} changes nothing"))),
    })
}

fn days(form: &Form) -> Result<Option<u64>, Problem> {
    let Some(text) = form.maybe("days") else {
        return Ok(None);
    };
    let days: Result<u32, _> = text.parse();
    let days = days.map_err(|_| Problem::asker(format!("{text:?} is no number of days")))?;
    Ok(Some(u64::from(days) * DAY))
}

pub(super) async fn change(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawForm(form): RawForm,
) -> Result<Response, Refusal> {
    let form = Form::of(&who, &form)?;
    who.may(Right::Administer)?;
    let change = wanted(&form)?;
    let once = matches!(
        change,
        OperatorChange::TokenAdd { .. } | OperatorChange::TotpOffer { .. }
    );
    let question = Question::OperatorChange { change };
    match once {
        true => {
            let told: Told = one(&web, &who, question).await?;
            shown(&web, who, Some(told)).await
        }
        false => done(&web, &who, question, "/operators").await,
    }
}
