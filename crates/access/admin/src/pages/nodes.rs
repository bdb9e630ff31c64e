//! *Nodes*: the servers that share the store.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use ground_directory::operator::Right;
use path_ledger::NodeStatus;
use serde::Deserialize;

use super::directory::done;
use super::frame::{Frame, Tab, Visitor};
use super::time::{Moment, number};
use super::{Refusal, html, rows};
use crate::Question;
use crate::web::Web;

#[derive(Template)]
#[template(path = "nodes.html")]
struct Page {
    frame: Frame,
    nodes: Vec<Node>,
}

struct Node {
    name: String,
    state: &'static str,
    meaning: &'static str,
    draining: bool,
    epoch: i64,
    sign: Moment,
    in_flight: String,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    let nodes: Vec<NodeStatus> = rows(&web, &who, Question::Nodes).await?;
    let frame = Frame::around(&web, who, Tab::Nodes).await;
    let nodes = nodes.into_iter().map(|node| Node {
        state: node.state.word(),
        meaning: node.state.meaning(),
        draining: node.draining,
        epoch: node.epoch,
        sign: Moment::of(node.heartbeat_at, frame.now),
        in_flight: number(node.in_flight),
        name: node.name,
    });
    let nodes = nodes.collect();
    Ok(html(&Page { frame, nodes }))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    word: String,
    node: String,
    what: Drain,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Drain {
    Drain,
    Resume,
}

pub(super) async fn drain(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Refusal> {
    who.meant(Some(&wanted.word))?;
    who.may(Right::Administer)?;
    let question = Question::Drain {
        name: wanted.node,
        draining: matches!(wanted.what, Drain::Drain),
        reason: wanted.reason,
    };
    done(&web, &who, question, "/nodes").await
}
