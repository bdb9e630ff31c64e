//! A page that cannot be shown, and why.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::api::Problem;
use crate::{Answer, Mover};

/// Instead of a page.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Whoever asks is to log in first, and comes back here.
    LogIn {
        next: String,
    },
    Problem(Problem),
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct Page<'a> {
    title: &'a str,
    why: &'a str,
    whose: &'a str,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Refusal {
    /// An answer that is not what was asked for.
    pub(super) fn of(answer: Answer) -> Self {
        match answer {
            Answer::Refused { whose, why } => Self::Problem(Problem::refused(whose, why)),
            Answer::Rows { .. } | Answer::One { .. } | Answer::Octets { .. } => {
                Self::ours(&"the answer is of another kind")
            }
        }
    }

    pub(super) fn ours(error: &dyn std::fmt::Display) -> Self {
        let why = format!("this page cannot be made: {error}");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::Problem(Problem::new(status, Mover::Operator, why))
    }

    /// Our own templates refuse nothing; a full memory might.
    pub(crate) fn unwritable(error: &askama::Error) -> Response {
        tracing::error!(%error, "a page could not be written");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = match self {
            Self::LogIn { next } => {
                let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
                return Redirect::to(&format!("/login?next={next}")).into_response();
            }
            Self::Problem(problem) => problem,
        };
        let page = Page {
            title: problem.status.canonical_reason().unwrap_or("Refused"),
            why: &problem.why,
            whose: match problem.whose {
                Mover::Asker => "It is your move.",
                Mover::Operator => "It is the move of whoever runs this server.",
                Mover::Time => "The same may work later.",
            },
        };
        match page.render() {
            Ok(text) => (problem.status, Html(text)).into_response(),
            Err(error) => Refusal::unwritable(&error),
        }
    }
}
