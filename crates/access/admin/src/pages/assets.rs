//! Style and scripts: a few files of our own, in the program itself.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

const FILES: &[(&str, &str, &str)] = &[
    (
        "postrider.css",
        CSS,
        include_str!("../../assets/postrider.css"),
    ),
    (
        "postrider.js",
        JS,
        include_str!("../../assets/postrider.js"),
    ),
];

/// A browser asks again at each start of the server at the latest.
const KEPT: &str = "private, max-age=300";

pub(super) async fn get(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(own, ..)| *own == name) {
        Some((_, media, text)) => (
            [
                (header::CONTENT_TYPE, *media),
                (header::CACHE_CONTROL, KEPT),
            ],
            *text,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
