//! Who asks: an operator with a session, or a program with a token. Asked of the rows at every request.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use ground_directory::operator::{Admitted, Right, Rights};

use super::Web;
use super::door::{Door, Way, Wire};
use crate::api::Problem;
use crate::{Answer, Mover, Question, Request};

/// Where a browser keeps its session: with this prefix only over TLS, for the whole host and for nobody else's scripts.
const SESSION_ENCRYPTED: &str = "__Host-postrider";
/// The same without TLS: on this machine only.
const SESSION_CLEAR: &str = "postrider";
/// The same for account holders, who are other people: one browser may hold both.
const OWN_ENCRYPTED: &str = "__Host-postrider-mine";
const OWN_CLEAR: &str = "postrider-mine";

/// Somebody who may ask.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) rights: Rights,
    pub(crate) came: Came,
}

/// How they are known.
#[derive(Debug, Clone)]
pub(crate) enum Came {
    /// By a session; forms and scripts of our pages say the word that goes with it.
    Session { token: String, word: String },
    /// By an API token.
    Token,
    /// By the control socket, which is its owner's.
    Socket,
}

/// The field in which whoever owns the control socket says who he is, percent-encoded.
pub(crate) const BY: &str = "x-postrider-by";

impl Wire {
    pub(super) const fn cookie(self) -> &'static str {
        match self {
            Wire::Clear => SESSION_CLEAR,
            Wire::Encrypted => SESSION_ENCRYPTED,
        }
    }

    pub(super) const fn own_cookie(self) -> &'static str {
        match self {
            Wire::Clear => OWN_CLEAR,
            Wire::Encrypted => OWN_ENCRYPTED,
        }
    }
}

impl Who {
    /// The same with the rights of this moment; none: they may not ask any more.
    pub(crate) async fn still(&self, web: &Web) -> Option<Self> {
        let Came::Session { token, .. } = &self.came else {
            return Some(self.clone());
        };
        let admitted = web.operators().session(token).await.ok()??;
        Some(Self {
            rights: admitted.rights,
            ..self.clone()
        })
    }

    /// Whether they may do what `right` says.
    pub(crate) fn may(&self, right: Right) -> Result<(), Problem> {
        if self.rights.contains(right) {
            return Ok(());
        }
        let why = format!(
            "{} lacks the right to {}: {}",
            self.name,
            right.word(),
            right.meaning()
        );
        Err(Problem::new(StatusCode::FORBIDDEN, Mover::Operator, why))
    }

    /// Asks in their name.
    pub(crate) async fn ask(&self, web: &Web, question: Question) -> Answer {
        web.ask(Request {
            by: self.name.clone(),
            question,
            content: bytes::Bytes::new(),
        })
        .await
    }

    /// The word that a form of ours must carry; empty for programs, which send no forms.
    pub(crate) fn word(&self) -> &str {
        match &self.came {
            Came::Session { word, .. } => word,
            Came::Token | Came::Socket => "",
        }
    }

    /// Whether a change was meant: no page of somebody else's can know the word, and no browser sends a token by itself.
    pub(crate) fn meant(&self, word: Option<&str>) -> Result<(), Problem> {
        match &self.came {
            Came::Token | Came::Socket => Ok(()),
            Came::Session { word: own, .. } if word == Some(own.as_str()) => Ok(()),
            Came::Session { .. } => Err(Problem::new(
                StatusCode::FORBIDDEN,
                Mover::Asker,
                "the word of this session is missing or is another's: load the page again",
            )),
        }
    }
}

/// The word that goes with a session: whoever knows it has read a page of that session.
fn word_of(token: &str) -> String {
    let hash = blake3::derive_key("postrider 2026 form word", token.as_bytes());
    blake3::Hash::from(hash).to_hex().to_string()
}

/// A cookie's value (RFC 6265 s5.4).
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then_some(token.trim())
}

pub(super) fn way(parts: &Parts) -> Way {
    let found = parts.extensions.get::<Way>().copied();
    found.unwrap_or(Way {
        peer: None,
        wire: Wire::Clear,
        door: Door::Listener,
    })
}

/// Whoever owns the control socket may do everything, under the name he gives.
fn owner(headers: &HeaderMap) -> Who {
    let given = headers.get(BY).map(HeaderValue::as_bytes);
    let given = form_urlencoded::parse(given.unwrap_or_default()).next();
    let name = given.map_or_else(String::new, |(name, _)| name.into_owned());
    Who {
        name: if name.is_empty() {
            "operator".to_owned()
        } else {
            name
        },
        rights: Rights::ALL,
        came: Came::Socket,
    }
}

/// Who it is, if anybody.
async fn find(parts: &Parts, web: &Web) -> Result<Option<Who>, Problem> {
    let who = |admitted: Admitted, came| Who {
        name: admitted.name.as_str().to_owned(),
        rights: admitted.rights,
        came,
    };
    let unknown = |error: ground_directory::DirectoryError| {
        let why = format!("who you are cannot be found out now: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, Mover::Time, why)
    };
    if way(parts).door == Door::Own {
        return Ok(Some(owner(&parts.headers)));
    }
    if let Some(token) = bearer(&parts.headers) {
        let found = web.operators().api_token(token).await.map_err(unknown)?;
        return Ok(found.map(|admitted| who(admitted, Came::Token)));
    }
    let Some(token) = cookie(&parts.headers, way(parts).wire.cookie()) else {
        return Ok(None);
    };
    let found = web.operators().session(token).await.map_err(unknown)?;
    Ok(found.map(|admitted| {
        let came = Came::Session {
            token: token.to_owned(),
            word: word_of(token),
        };
        who(admitted, came)
    }))
}

impl FromRequestParts<Web> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Problem> {
        find(parts, web).await?.ok_or_else(|| {
            let why = "log in, or send an API token: Authorization: Bearer TOKEN";
            Problem::new(StatusCode::UNAUTHORIZED, Mover::Asker, why)
        })
    }
}

impl OptionalFromRequestParts<Web> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Option<Self>, Problem> {
        find(parts, web).await
    }
}

impl FromRequestParts<Web> for Way {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Self::Rejection> {
        Ok(way(parts))
    }
}
