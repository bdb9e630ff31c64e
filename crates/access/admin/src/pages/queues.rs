//! *Queues*: one row for each next hop.

use std::collections::BTreeMap;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use ground_directory::operator::Right;
use path_ledger::{AGE_BOUNDS, AGE_CLASSES, AgeLine, FlowLine, HopState, QueueLine};
use serde::Deserialize;

use super::directory::done;
use super::frame::{Frame, Tab, Visitor};
use super::time::{Moment, number};
use super::{Refusal, html, rows};
use crate::Question;
use crate::web::{Web, Who};

#[derive(Template)]
#[template(path = "queues.html")]
struct Page {
    frame: Frame,
    live: String,
}

/// What changes while one looks.
#[derive(Template)]
#[template(path = "queues_live.html")]
struct Part {
    word: String,
    may_act: bool,
    /// The heads of the columns of ages.
    ages: Vec<String>,
    lines: Vec<Line>,
}

struct Line {
    hop: String,
    name: String,
    link: String,
    state: &'static str,
    queued: String,
    in_flight: String,
    held: String,
    categorizing: String,
    rate_in: String,
    rate_out: String,
    oldest: Option<Moment>,
    next_try: Option<Moment>,
    last_reply: String,
    failures: u32,
    paused: Option<Pause>,
    ages: Vec<Cell>,
}

struct Pause {
    by: String,
    until: Option<Moment>,
    reason: String,
}

/// Recipients of one age, and how many they are among all of the row, in tenths.
pub(super) struct Cell {
    pub(super) n: String,
    pub(super) heat: u64,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    let live = live(&web, &who).await?;
    let frame = Frame::around(&web, who, Tab::Queues).await;
    Ok(html(&Page { frame, live }))
}

/// The part of the page that changes, as it is now.
pub(super) async fn live(web: &Web, who: &Who) -> Result<String, Refusal> {
    let lines: Vec<QueueLine> = rows(web, who, Question::Queue).await?;
    let ages: Vec<AgeLine> = rows(web, who, Question::Ages).await?;
    let flows: Vec<FlowLine> = rows(web, who, Question::Flows).await?;
    let now = web.world().clock.now();
    let ages = ages.iter();
    let ages: BTreeMap<&str, &AgeLine> = ages
        .filter_map(|aged| Some((aged.next_hop.as_deref()?, aged)))
        .collect();
    let flows = flows.iter();
    let flows: BTreeMap<&str, &FlowLine> =
        flows.map(|flow| (flow.next_hop.as_str(), flow)).collect();
    let line = |line: QueueLine| {
        let aged = ages.get(line.next_hop.as_str());
        let flow = flows.get(line.next_hop.as_str()).copied();
        let hop: String = form_urlencoded::byte_serialize(line.next_hop.as_bytes()).collect();
        let (name, link) = match line.next_hop.as_str() {
            "" => (
                "not routed yet".to_owned(),
                "/messages?state=categorizing".to_owned(),
            ),
            hop_name => (hop_name.to_owned(), format!("/messages?next_hop={hop}")),
        };
        Line {
            name,
            link,
            state: match line.state {
                HopState::Up => "up",
                HopState::Down => "down",
                HopState::Paused => "paused",
            },
            queued: number(line.queued),
            in_flight: number(line.in_flight),
            held: number(line.held),
            categorizing: number(line.categorizing),
            rate_in: rate(flow, |flow| flow.arrive),
            rate_out: rate(flow, |flow| flow.end),
            oldest: Moment::maybe(line.oldest, now),
            next_try: Moment::maybe(line.next_try, now),
            last_reply: line.last_reply,
            failures: line.failures,
            ages: cells(aged.map_or(&[0; AGE_CLASSES], |aged| &aged.by_age)),
            paused: line.paused_by.map(|by| Pause {
                by,
                until: Moment::maybe(line.paused_until, now),
                reason: line.pause_reason.unwrap_or_default(),
            }),
            hop: line.next_hop,
        }
    };
    let lines = lines.into_iter().map(line).collect();
    let part = Part {
        word: who.word().to_owned(),
        may_act: who.rights.contains(Right::Act),
        ages: heads(),
        lines,
    };
    part.render().map_err(|error| Refusal::ours(&error))
}

/// A second, to a tenth.
fn rate(flow: Option<&FlowLine>, of: fn(&FlowLine) -> f64) -> String {
    match flow.map_or(0.0, of) {
        none if none <= 0.0 => String::new(),
        few if few < 10.0 => format!("{few:.1}"),
        many => format!("{many:.0}"),
    }
}

/// "< 1 h", "1–2 h", ... "≥ 128 h".
fn heads() -> Vec<String> {
    let mut heads = Vec::new();
    let mut from = 0;
    for bound in AGE_BOUNDS {
        heads.push(match from {
            0 => format!("< {bound} h"),
            from => format!("{from}–{bound} h"),
        });
        from = bound;
    }
    heads.push(format!("≥ {from} h"));
    heads
}

/// How many of each class, and how much of all that is.
pub(super) fn cells(counts: &[u64]) -> Vec<Cell> {
    let all: u64 = counts.iter().sum();
    let cell = |n: &u64| Cell {
        n: if *n == 0 { String::new() } else { number(*n) },
        heat: (*n * 10).div_ceil(all.max(1)),
    };
    counts.iter().map(cell).collect()
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    word: String,
    hop: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    reason: String,
    what: What,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Pause,
    Resume,
}

pub(super) async fn pause(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Refusal> {
    who.meant(Some(&wanted.word))?;
    who.may(Right::Act)?;
    let Wanted {
        hop, until, reason, ..
    } = wanted;
    let question = match wanted.what {
        What::Pause => Question::PauseHop { hop, until, reason },
        What::Resume => Question::ResumeHop { hop, reason },
    };
    done(&web, &who, question, "/queues").await
}
