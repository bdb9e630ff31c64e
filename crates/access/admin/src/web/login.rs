//! Logging in and out. Who guesses has to wait; what was wrong is for the log.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use ground_directory::operator::{Attempt, Login, Token};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr};

use super::door::{Way, Wire};
use super::{Came, Web, Who};
use crate::Mover;
use crate::api::Problem;
use crate::pages::Refusal;

/// The form.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    /// What went wrong with the last one.
    pub(crate) trouble: String,
    pub(crate) name: String,
    pub(crate) code: CodeField,
    /// Where to go afterwards.
    pub(crate) next: String,
}

/// Whether a code is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeField {
    Hidden,
    Shown,
}

#[derive(Deserialize)]
pub(crate) struct Entered {
    name: String,
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct Goal {
    #[serde(default)]
    next: String,
}

impl LoginPage {
    fn answer(&self, status: StatusCode) -> Response {
        match self.render() {
            Ok(page) => (status, Html(page)).into_response(),
            Err(error) => Refusal::unwritable(&error),
        }
    }
}

/// A place on this server: nobody is led elsewhere by a link to this page.
fn here(next: &str) -> &str {
    let ours = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    match ours && next.bytes().all(|octet| (b'!'..=b'~').contains(&octet)) {
        true => next,
        false => "/",
    }
}

pub(crate) async fn form(axum::extract::Query(goal): axum::extract::Query<Goal>) -> Response {
    let page = LoginPage {
        trouble: String::new(),
        name: String::new(),
        code: CodeField::Hidden,
        next: here(&goal.next).to_owned(),
    };
    page.answer(StatusCode::OK)
}

pub(crate) async fn enter(
    State(web): State<Web>,
    way: Way,
    headers: HeaderMap,
    Form(entered): Form<Entered>,
) -> Response {
    let mut page = LoginPage {
        trouble: String::new(),
        name: entered.name.clone(),
        code: CodeField::Hidden,
        next: here(&entered.next).to_owned(),
    };
    match log_in(&web, way, &headers, &entered).await {
        Ok(Login::Granted(token, admitted)) => {
            tracing::info!(operator = %admitted.name, peer = ?way.peer, "logged in");
            begin(way.wire, &token, &page.next)
        }
        Ok(Login::CodeNeeded) => {
            page.code = CodeField::Shown;
            if !entered.code.is_empty() {
                page.trouble = "That was not right.".to_owned();
            }
            page.answer(StatusCode::OK)
        }
        Ok(Login::Refused(why)) => {
            tracing::warn!(operator = %entered.name, peer = ?way.peer, ?why, "login refused");
            page.trouble = "That was not right.".to_owned();
            if !entered.code.is_empty() {
                page.code = CodeField::Shown;
            }
            page.answer(StatusCode::FORBIDDEN)
        }
        Err(problem) => {
            page.trouble = problem.why;
            page.answer(problem.status)
        }
    }
}

async fn log_in(
    web: &Web,
    way: Way,
    headers: &HeaderMap,
    entered: &Entered,
) -> Result<Login, Problem> {
    let client = way.peer.map(|peer| peer.ip());
    let settings = web.settings();
    let attempt = web.guard().attempt(client, &entered.name);
    let now = web.world().clock.instant();
    if let Err(wait) = web.guard().may_try(attempt, &settings.logins, now) {
        let seconds = wait.how_long().as_secs().max(1);
        let why = format!("Too many wrong passwords; try again in {seconds} s.");
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            Mover::Time,
            why,
        ));
    }
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("");
    let tried = web.operators().log_in(Attempt {
        name: &entered.name,
        password: entered.password.as_bytes(),
        code: Some(entered.code.trim()).filter(|code| !code.is_empty()),
        peer: client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        agent,
    });
    let login = tried.await.map_err(|error| {
        let why = format!("Not now: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, Mover::Time, why)
    })?;
    match &login {
        Login::Granted(..) => web.guard().succeeded(attempt),
        // A code that is asked for is no guess; a wrong one is.
        Login::CodeNeeded => {}
        Login::Refused(_) => {
            web.guard().failed(attempt, &settings.logins, now);
        }
    }
    Ok(login)
}

/// The browser holds the token where no script can read it, and sends it with requests from our own pages only.
pub(super) fn set(wire: Wire, name: &str, value: &str, rest: &str) -> HeaderValue {
    let secure = match wire {
        Wire::Clear => "",
        Wire::Encrypted => "; Secure",
    };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{rest}");
    // Our own words and a token of letters and digits.
    HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""))
}

fn begin(wire: Wire, token: &Token, next: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    let cookie = set(wire, wire.cookie(), token.text(), "");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

#[derive(Deserialize)]
pub(crate) struct Leaving {
    word: String,
}

pub(crate) async fn leave(
    State(web): State<Web>,
    way: Way,
    who: Who,
    Form(leaving): Form<Leaving>,
) -> Result<Response, Problem> {
    who.meant(Some(&leaving.word))?;
    if let Came::Session { token, .. } = &who.came {
        let out = web.operators().log_out(token).await;
        out.map_err(|error| {
            let why = format!("the session could not be ended: {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, Mover::Time, why)
        })?;
    }
    let mut response = Redirect::to("/login").into_response();
    let cookie = set(way.wire, way.wire.cookie(), "", "; Max-Age=0");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}
