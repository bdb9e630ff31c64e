//! Who has an account here and wants to see what became of what he sent: logging in and out, and being known meanwhile.
//!
//! Nothing of operators is here: another cookie, another table, another word in forms. Wrong passwords are counted by the same
//! rules, and of each kind of people apart, so that who has an account cannot clear what he got by guessing at an operator.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use ground_directory::holder::{Attempt, Holder, Login};
use ground_directory::operator::Token;
use path_ledger::Owner;

use super::Web;
use super::door::Way;
use super::login::set;
use super::who::{cookie, way};

/// Where they come in.
const DOOR: &str = "/mine/login";

/// Somebody who is logged in as an account.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) owner: Owner,
    token: String,
}

/// Why nobody was let in, or out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Name or password is wrong; nobody outside learns which.
    Wrong,
    /// Too many were.
    Wait { seconds: u64 },
    /// It could not be found out now.
    NotNow,
}

/// Whether one session ends, or all of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    This,
    All,
}

impl Refused {
    pub(crate) fn words(&self) -> String {
        match self {
            Refused::Wrong => "That was not right.".to_owned(),
            Refused::Wait { seconds } => {
                format!("Too many wrong passwords; try again in {seconds} s.")
            }
            Refused::NotNow => "That cannot be found out now; try again later.".to_owned(),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refused::Wrong => StatusCode::FORBIDDEN,
            Refused::Wait { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refused::NotNow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn not_now(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "whose session this is, or whether a password is right, cannot be found out");
        Self::NotNow
    }
}

impl Own {
    fn of(holder: Holder, token: &str) -> Self {
        let owner = Owner {
            account: holder.address,
            since: holder.since,
        };
        Self {
            owner,
            token: token.to_owned(),
        }
    }

    /// The word that a form of theirs must carry.
    pub(crate) fn word(&self) -> String {
        let context = "postrider 2026 form word of an account";
        let hash = blake3::derive_key(context, self.token.as_bytes());
        blake3::Hash::from(hash).to_hex().to_string()
    }

    /// Whether a form came from a page of this session.
    pub(crate) fn meant(&self, word: &str) -> bool {
        word == self.word()
    }
}

impl FromRequestParts<Web> for Own {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let come_in = || Redirect::to(DOOR).into_response();
        let token = cookie(&parts.headers, way(parts).wire.own_cookie());
        let token = token.ok_or_else(come_in)?;
        let found = web.holders().session(token).await.map_err(|error| {
            let refused = Refused::not_now(&error);
            (refused.status(), refused.words()).into_response()
        })?;
        let holder = found.ok_or_else(come_in)?;
        Ok(Self::of(holder, token))
    }
}

/// Begins a session: the answer that leads to the page.
pub(crate) async fn log_in(
    web: &Web,
    way: Way,
    headers: &HeaderMap,
    login: &str,
    password: &str,
) -> Result<Response, Refused> {
    let client = way.peer.map(|peer| peer.ip());
    let rules = &web.settings().logins;
    let attempt = web.guard().attempt(client, &format!("account {login}"));
    let now = web.world().clock.instant();
    if let Err(wait) = web.guard().may_try(attempt, rules, now) {
        let seconds = wait.how_long().as_secs().max(1);
        return Err(Refused::Wait { seconds });
    }
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("");
    let tried = web.holders().log_in(Attempt {
        login: login.trim(),
        password: password.as_bytes(),
        peer: client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        agent,
    });
    match tried.await {
        Ok(Login::Granted(token, account)) => {
            web.guard().succeeded(attempt);
            tracing::info!(account = %account.address, peer = ?way.peer, "logged in to see its mail");
            Ok(let_in(way, &token))
        }
        Ok(Login::Refused) => {
            web.guard().failed(attempt, rules, now);
            tracing::warn!(account = %login, peer = ?way.peer, "login of an account refused");
            Err(Refused::Wrong)
        }
        Err(error) => Err(Refused::not_now(&error)),
    }
}

/// Ends a session, or all of the account: the answer that leads back to the door.
pub(crate) async fn log_out(
    web: &Web,
    way: Way,
    own: &Own,
    ending: Ending,
) -> Result<Response, Refused> {
    let out = match ending {
        Ending::This => web.holders().log_out(&own.token).await,
        Ending::All => web.holders().log_out_everywhere(&own.token).await,
    };
    out.map_err(|error| Refused::not_now(&error))?;
    Ok(lead(
        DOOR,
        set(way.wire, way.wire.own_cookie(), "", "; Max-Age=0"),
    ))
}

fn let_in(way: Way, token: &Token) -> Response {
    let cookie = set(way.wire, way.wire.own_cookie(), token.text(), "");
    lead("/mine", cookie)
}

fn lead(to: &str, cookie: HeaderValue) -> Response {
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
