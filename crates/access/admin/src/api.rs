//! The HTTP API: everything the command line can ask, by the same words, as JSON.
//!
//! Each route is declared once (`route`), with the question it means and the right it needs; one function serves them all, and
//! one describes them (`openapi`).

mod act;
mod directory;
mod look;
mod mail;
mod openapi;
mod operators;
mod problem;
mod route;
mod schema;
mod server;

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on};
use bytes::Bytes;
use ground_directory::operator::Right;
use serde_json::{Value, json};

pub(crate) use look::filter;
pub(crate) use problem::{PROBLEM, Problem};
use route::Asked;
pub(crate) use route::{Gives, Method, Route};

use crate::web::{Web, Who};
use crate::{Answer, Question, Request};

/// Where the routes start.
pub(crate) const ROOT: &str = "/api/v1";

/// How long a body may take: a large message on a slow line.
const BODY: Duration = Duration::from_secs(600);

/// Octets of a body that is no message.
const BODY_MAX: usize = 1 << 20;

/// The name of the field in which a script of our pages says the word of its session.
const WORD: &str = "x-postrider-word";

/// Every route there is.
pub(crate) fn routes() -> impl Iterator<Item = &'static Route> {
    let all = [
        look::ROUTES,
        act::ROUTES,
        mail::ROUTES,
        directory::ROUTES,
        operators::ROUTES,
        server::ROUTES,
    ];
    all.into_iter().flatten()
}

pub(crate) fn router() -> Router<Web> {
    let mut router = Router::new()
        .route(&format!("{ROOT}/openapi.json"), get(description))
        .route("/healthz", get(healthz));
    for route in routes() {
        let serve = move |State(web): State<Web>,
                          who: Who,
                          Path(path): Path<HashMap<String, String>>,
                          RawQuery(query): RawQuery,
                          headers: HeaderMap,
                          body: Body| async move {
            let came = Came {
                path,
                query,
                headers,
                body,
            };
            serve(&web, &who, route, came)
                .await
                .unwrap_or_else(Problem::into_response)
        };
        router = router.route(&format!("{ROOT}{}", route.path), on(method(route), serve));
    }
    router.fallback(nothing)
}

fn method(route: &Route) -> MethodFilter {
    match route.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    }
}

async fn description() -> Response {
    json_response(&openapi::description())
}

async fn nothing(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let why = format!("there is nothing for {method} {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, crate::Mover::Asker, why)
}

/// For load balancers, who do not log in: whether this node takes mail, and nothing else.
async fn healthz(State(web): State<Web>) -> Response {
    let request = Request {
        by: "healthz".to_owned(),
        question: Question::Health,
        content: Bytes::new(),
    };
    let healthy = match web.ask(request).await {
        Answer::One { fact } => fact.get("healthy") == Some(&Value::Bool(true)),
        Answer::Rows { .. } | Answer::Octets { .. } | Answer::Refused { .. } => false,
    };
    match healthy {
        true => (StatusCode::OK, "healthy\n").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not healthy\n").into_response(),
    }
}

/// A request as it came.
struct Came {
    path: HashMap<String, String>,
    query: Option<String>,
    headers: HeaderMap,
    body: Body,
}

async fn serve(web: &Web, who: &Who, route: &Route, came: Came) -> Result<Response, Problem> {
    who.may(route.right)?;
    if route.method != Method::Get {
        who.meant(came.headers.get(WORD).and_then(|word| word.to_str().ok()))?;
    }
    let mut values: Vec<(String, String)> = came.path.into_iter().collect();
    let query = came.query.unwrap_or_default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        values.push((name.into_owned(), value.into_owned()));
    }
    let most = match route.body {
        route::Body::Message => message_max(web),
        route::Body::None | route::Body::Json(_) => BODY_MAX,
    };
    let reading = read_body(route, &came.headers, came.body, most);
    let body = web.world().clock.timeout(BODY, reading).await;
    let body = body.map_err(|late| Problem::asker(format!("the body did not come: {late}")))??;
    let asked = Asked {
        route,
        values: &values,
        body: &body,
        now: web.world().clock.now(),
    };
    asked.known()?;
    let question = (route.read)(&asked)?;
    // Exporting hands content out.
    if let Question::Act {
        verb: crate::Verb::Export,
        ..
    } = &question
    {
        who.may(Right::Content)?;
    }
    let content = match route.body {
        route::Body::Message => body,
        route::Body::None | route::Body::Json(_) => Bytes::new(),
    };
    let request = Request {
        by: who.name.clone(),
        question,
        content,
    };
    answered(route, web.ask(request).await)
}

fn message_max(web: &Web) -> usize {
    usize::try_from(web.settings().limits.message_size.bytes()).unwrap_or(usize::MAX)
}

async fn read_body(
    route: &Route,
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<Bytes, Problem> {
    let body = axum::body::to_bytes(body, most).await.map_err(|error| {
        let why = format!("the body: {error}; it may have {most} octets");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, crate::Mover::Asker, why)
    })?;
    if body.is_empty() {
        return Ok(body);
    }
    let wanted = match route.body {
        route::Body::Json(_) => "application/json",
        route::Body::Message => "message/rfc822",
        route::Body::None => return Err(Problem::asker("this takes no body")),
    };
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = given.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case(wanted) {
        let why = format!("the body must be {wanted}");
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            crate::Mover::Asker,
            why,
        ));
    }
    Ok(body)
}

fn answered(route: &Route, answer: Answer) -> Result<Response, Problem> {
    match answer {
        Answer::Rows { rows } => Ok(json_response(&json!({ "rows": rows }))),
        Answer::One { fact } => Ok(json_response(&fact)),
        Answer::Octets { content } => {
            let media = match route.gives {
                Gives::Octets(media) => media,
                Gives::Rows(_) | Gives::One(_) => "application/octet-stream",
            };
            Ok(([(header::CONTENT_TYPE, media)], content).into_response())
        }
        Answer::Refused { whose, why } => Err(Problem::refused(whose, why)),
    }
}

fn json_response(value: &Value) -> Response {
    let media = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, media)], value.to_string()).into_response()
}
