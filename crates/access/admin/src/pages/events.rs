//! *Events*: what happened besides acceptances and attempts, newest first; acts of people among them.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use path_ledger::{Doer, EVENTS_PAGE, EventFilter, EventKind, ListedEvent};

use super::frame::{Frame, Tab, Visitor};
use super::messages::entered;
use super::time::Moment;
use super::{Refusal, html, rows};
use crate::Question;
use crate::api::Problem;
use crate::web::Web;

#[derive(Template)]
#[template(path = "events.html")]
struct Page {
    frame: Frame,
    kinds: Vec<Choice>,
    people: &'static str,
    actor: String,
    of: String,
    events: Vec<Happened>,
    next: Option<String>,
}

struct Choice {
    word: &'static str,
    meaning: &'static str,
    selected: &'static str,
}

struct Happened {
    at: Moment,
    kind: &'static str,
    meaning: &'static str,
    by: String,
    person: bool,
    detail: String,
    of: Option<String>,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let pairs = entered(&query.unwrap_or_default());
    let value = |name: &str| {
        let mut pairs = pairs.iter();
        let found = pairs.find(|(own, _)| own == name);
        found.map_or(String::new(), |(_, value)| value.clone())
    };
    let filter = filter(&value)?;
    let question = Question::Events {
        filter: filter.clone(),
    };
    let events: Vec<ListedEvent> = rows(&web, &who, question).await?;
    let frame = Frame::around(&web, who, Tab::Events).await;
    let full = events.len() >= usize::try_from(EVENTS_PAGE).unwrap_or(usize::MAX);
    let last = events
        .last()
        .filter(|_| full)
        .map(|last| last.id.to_string());
    let next = last.map(|last| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = pairs.iter().filter(|(name, _)| name != "before");
        for (name, value) in kept {
            query.append_pair(name, value);
        }
        query.append_pair("before", &last).finish()
    });
    let chosen = filter.kinds.first().copied();
    let choice = |kind: &EventKind| Choice {
        word: kind.word(),
        meaning: kind.meaning(),
        selected: if Some(*kind) == chosen {
            "selected"
        } else {
            ""
        },
    };
    Ok(html(&Page {
        kinds: EventKind::ALL.iter().map(choice).collect(),
        people: if filter.doer.is_some() { "checked" } else { "" },
        actor: value("actor"),
        of: value("of"),
        events: events.into_iter().map(|one| shown(one, &frame)).collect(),
        frame,
        next,
    }))
}

fn filter(value: &impl Fn(&str) -> String) -> Result<EventFilter, Problem> {
    let given = |name| Some(value(name)).filter(|text| !text.is_empty());
    let unread = |text: String, what: &str| Problem::asker(format!("{text:?} is no {what}"));
    let id = |name| {
        let text = given(name);
        text.map(|text| text.parse().map_err(|_| unread(text, "id")))
            .transpose()
    };
    let kind = given("kind")
        .map(|text| EventKind::from_word(&text).ok_or_else(|| unread(text, "kind of event")));
    let before = given("before")
        .map(|text| text.parse().map_err(|_| unread(text, "id")))
        .transpose()?;
    Ok(EventFilter {
        kinds: kind.transpose()?.into_iter().collect(),
        doer: given("people").map(|_| Doer::Person),
        actor: given("actor"),
        of: id("of")?,
        before,
        ..EventFilter::default()
    })
}

fn shown(one: ListedEvent, frame: &Frame) -> Happened {
    let event = one.event;
    let recipient = event.recipient.map(|id| id.to_string());
    Happened {
        at: Moment::of(event.at, frame.now),
        kind: event.kind.word(),
        meaning: event.kind.meaning(),
        by: event.actor,
        person: event.doer == Doer::Person,
        detail: event.detail,
        of: event.message.map(|id| id.to_string()).or(recipient),
    }
}
