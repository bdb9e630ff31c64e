//! *Directory*: the domains, accounts and aliases that are here, and what becomes of mail for an address.

use askama::Template;
use axum::extract::{RawForm, State};
use axum::response::{IntoResponse, Redirect, Response};
use ground_directory::operator::Right;
use serde::Deserialize;

use super::form::Form;
use super::frame::{Frame, Tab, Visitor};
use super::time::{Moment, octets};
use super::{Refusal, html, rows};
use crate::api::Problem;
use crate::web::{Web, Who};
use crate::{Answer, DirectoryChange, DirectoryView, Password, Question};

#[derive(Template)]
#[template(path = "directory.html")]
struct Page {
    frame: Frame,
    domains: Vec<Domain>,
    accounts: Vec<Account>,
    aliases: Vec<Alias>,
}

#[derive(Deserialize)]
struct Domain {
    name: String,
    catch_all: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    address: String,
    may_log_in: bool,
    quota: Option<u64>,
    created_at: String,
    #[serde(skip)]
    since: String,
    #[serde(skip)]
    room: String,
}

#[derive(Deserialize)]
struct Alias {
    address: String,
    targets: Vec<String>,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    let after = String::new;
    let list = |at| Question::Look { at };
    let domains = list(DirectoryView::DomainList { after: after() });
    let domains: Vec<Domain> = rows(&web, &who, domains).await?;
    let accounts = list(DirectoryView::AccountList { after: after() });
    let mut accounts: Vec<Account> = rows(&web, &who, accounts).await?;
    let aliases = list(DirectoryView::AliasList { after: after() });
    let aliases: Vec<Alias> = rows(&web, &who, aliases).await?;
    let frame = Frame::around(&web, who, Tab::Directory).await;
    for account in &mut accounts {
        account.since = Moment::read(&account.created_at, frame.now).words;
        account.room = account.quota.map_or_else(|| "any".to_owned(), octets);
    }
    Ok(html(&Page {
        frame,
        domains,
        accounts,
        aliases,
    }))
}

/// What a form of the page changes.
fn wanted(form: &Form) -> Result<DirectoryChange, Problem> {
    Ok(match form.value("what").as_str() {
        "domain_add" => DirectoryChange::DomainAdd {
            name: form.value("name"),
        },
        "domain_remove" => DirectoryChange::DomainRemove {
            name: form.value("name"),
        },
        "catch_all" => DirectoryChange::DomainCatchAll {
            name: form.value("name"),
            target: form.maybe("target"),
        },
        "account_add" => DirectoryChange::AccountAdd {
            address: form.value("address"),
            password: form.maybe("password").map(Password),
            quota: None,
        },
        "account_password" => DirectoryChange::AccountPassword {
            address: form.value("address"),
            password: form.maybe("password").map(Password),
        },
        "account_remove" => DirectoryChange::AccountRemove {
            address: form.value("address"),
            with_mail: form.maybe("with_mail").is_some(),
        },
        "alias_add" => DirectoryChange::AliasAdd {
            address: form.value("address"),
            targets: targets(&form.value("targets")),
        },
        "alias_remove" => DirectoryChange::AliasRemove {
            address: form.value("address"),
            targets: Vec::new(),
        },
        other => return Err(Problem::asker(format!("{other:?} changes nothing"))),
    })
}

/// Addresses with commas or blanks between.
fn targets(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) async fn change(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawForm(form): RawForm,
) -> Result<Response, Refusal> {
    let form = Form::of(&who, &form)?;
    who.may(Right::Administer)?;
    let change = wanted(&form)?;
    done(&web, &who, Question::Change { change }, "/directory").await
}

/// Asks, and goes back to the page.
pub(super) async fn done(
    web: &Web,
    who: &Who,
    question: Question,
    page: &str,
) -> Result<Response, Refusal> {
    match who.ask(web, question).await {
        Answer::One { .. } => Ok(Redirect::to(page).into_response()),
        answer @ (Answer::Rows { .. } | Answer::Octets { .. } | Answer::Refused { .. }) => {
            Err(Refusal::of(answer))
        }
    }
}
