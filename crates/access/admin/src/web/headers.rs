//! What every answer says to browsers, whatever it is: nothing of others is loaded, nothing is framed, nothing is kept or listed.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Web;
use super::door::{Way, Wire};

/// Only what this server sends: no picture, script, style or font of anybody else, and no script or style inside a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

static FIXED: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// A year: once seen encrypted, never in the clear again (RFC 6797).
const STRICT_TRANSPORT: &str = "max-age=31536000";

pub(super) async fn layer(State(_web): State<Web>, request: Request, next: Next) -> Response {
    let encrypted = request
        .extensions()
        .get::<Way>()
        .is_some_and(|way| way.wire == Wire::Encrypted);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &FIXED {
        headers.insert(name.clone(), HeaderValue::from_static(value));
    }
    if encrypted {
        let strict = HeaderValue::from_static(STRICT_TRANSPORT);
        headers.insert(header::STRICT_TRANSPORT_SECURITY, strict);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
