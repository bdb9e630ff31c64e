//! *Connectors*: the ways out, what waits for each, and which way mail for a domain would take.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::frame::{Frame, Tab, Visitor};
use super::messages::entered;
use super::time::number;
use super::{Refusal, html, one, rows};
use crate::web::Web;
use crate::{ConnectorLine, Question, RouteFound};

#[derive(Template)]
#[template(path = "connectors.html")]
struct Page {
    frame: Frame,
    domain: String,
    found: Option<RouteFound>,
    lines: Vec<Line>,
}

struct Line {
    connector: ConnectorLine,
    waiting: String,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let pairs = entered(&query.unwrap_or_default());
    let domain = pairs.into_iter().find(|(name, _)| name == "domain");
    let domain = domain.map(|(_, domain)| domain);
    let found = match domain.clone() {
        Some(domain) => Some(one(&web, &who, Question::Route { domain }).await?),
        None => None,
    };
    let lines: Vec<ConnectorLine> = rows(&web, &who, Question::Connectors).await?;
    let line = |connector: ConnectorLine| Line {
        waiting: number(connector.waiting),
        connector,
    };
    Ok(html(&Page {
        frame: Frame::around(&web, who, Tab::Connectors).await,
        domain: domain.unwrap_or_default(),
        found,
        lines: lines.into_iter().map(line).collect(),
    }))
}
