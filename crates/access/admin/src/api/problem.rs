//! What went wrong with a request, as clients are told (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Mover;

/// The media type of a refusal.
pub(crate) const PROBLEM: &str = "application/problem+json";

/// A refusal: its status, and whose move it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) whose: Mover,
    pub(crate) why: String,
}

impl Problem {
    /// The request cannot be understood.
    pub(crate) fn asker(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Mover::Asker, why)
    }

    pub(crate) fn new(status: StatusCode, whose: Mover, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { status, whose, why }
    }

    /// What was asked was understood, and refused.
    pub(crate) fn refused(whose: Mover, why: String) -> Self {
        let status = match whose {
            Mover::Asker => StatusCode::UNPROCESSABLE_ENTITY,
            Mover::Operator => StatusCode::INTERNAL_SERVER_ERROR,
            Mover::Time => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, whose, why }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Refused");
        let body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.why,
            "whose_move": self.whose,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        let media = HeaderValue::from_static(PROBLEM);
        headers.insert(header::CONTENT_TYPE, media);
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
