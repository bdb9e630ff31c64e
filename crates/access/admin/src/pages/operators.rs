//! *Operators*: who may use these pages and the API, and the tokens of programs.

use askama::Template;
use axum::extract::{RawForm, State};
use axum::response::Response;
use ground_directory::operator::Right;
use serde::Deserialize;

use super::directory::done;
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

/// A form of the page.
struct Wanted(Vec<(String, String)>);

/// A day in milliseconds.
const DAY: u64 = 86_400_000;

impl Wanted {
    fn value(&self, name: &str) -> String {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(own, _)| own == name);
        found.map_or(String::new(), |(_, value)| value.trim().to_owned())
    }

    /// The rights that were ticked.
    fn rights(&self) -> String {
        let ticked = self.0.iter().filter(|(name, _)| name == "right");
        let ticked: Vec<&str> = ticked.map(|(_, value)| value.as_str()).collect();
        ticked.join(",")
    }

    fn change(&self) -> Result<OperatorChange, Problem> {
        let name = self.value("name");
        let maybe = |name| Some(self.value(name)).filter(|text| !text.is_empty());
        Ok(match self.value("what").as_str() {
            "add" => OperatorChange::Add {
                name,
                password: maybe("password").map(Password),
                rights: self.rights(),
            },
            "remove" => OperatorChange::Remove { name },
            "password" => OperatorChange::Password {
                name,
                password: maybe("password").map(Password),
            },
            "rights" => OperatorChange::Rights {
                name,
                rights: self.rights(),
            },
            "totp_offer" => OperatorChange::TotpOffer { name },
            "totp_confirm" => OperatorChange::TotpConfirm {
                name,
                code: self.value("code"),
            },
            "totp_remove" => OperatorChange::TotpRemove { name },
            "sessions" => OperatorChange::SessionsRevoke { name },
            "token_add" => OperatorChange::TokenAdd {
                name,
                rights: self.rights(),
                lifetime: self.days()?,
            },
            "token_remove" => OperatorChange::TokenRemove { name },
            other => return Err(Problem::asker(format!("{other:?} changes nothing"))),
        })
    }

    fn days(&self) -> Result<Option<u64>, Problem> {
        match self.value("days").as_str() {
            "" => Ok(None),
            text => {
                let days: u32 = text
                    .parse()
                    .map_err(|_| Problem::asker(format!("{text:?} is no number of days")))?;
                Ok(Some(u64::from(days) * DAY))
            }
        }
    }
}

pub(super) async fn change(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawForm(form): RawForm,
) -> Result<Response, Refusal> {
    let pairs = form_urlencoded::parse(&form);
    let wanted = Wanted(pairs.into_owned().collect());
    who.meant(Some(&wanted.value("word")))?;
    who.may(Right::Administer)?;
    let change = wanted.change()?;
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
