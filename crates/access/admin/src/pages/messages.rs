//! *Messages*: everything that is in transit, and history, by any field; and what can be done to a selection.

mod shelf;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use ground_directory::operator::Right;
use path_ledger::{Filter, Listed, PAGE, State as Where};
use wire_message::Time;

use super::frame::{Frame, Link, Tab, Visitor};
use super::time::{Moment, octets};
use super::{Refusal, html, rows};
use crate::Question;
use crate::api::{Problem, filter};
use crate::web::{Web, Who};
use shelf::{DAMAGED, DEAD_LETTERS, HELD, MESSAGES, SHELVES, Shelf};

#[derive(Template)]
#[template(path = "messages.html")]
struct Page {
    frame: Frame,
    shelf: &'static Shelf,
    shelves: Vec<Link>,
    /// Each field of the search as it was entered.
    fields: Vec<Field>,
    states: Vec<Choice>,
    /// The query with its page.
    query: String,
    live: String,
}

/// What changes while one looks.
#[derive(Template)]
#[template(path = "messages_live.html")]
struct Part {
    path: &'static str,
    word: String,
    may_act: bool,
    rows: Vec<Row>,
    /// What the selection "all that match" means, in the words of the command line.
    means: String,
    /// The query without its page.
    query: String,
    /// The next page.
    next: Option<String>,
}

struct Field {
    name: &'static str,
    label: &'static str,
    value: String,
    hint: &'static str,
}

struct Choice {
    word: &'static str,
    meaning: &'static str,
    selected: &'static str,
}

struct Row {
    id: String,
    recipient_id: String,
    recipient: String,
    sender: String,
    state: &'static str,
    next_hop: String,
    attempts: u32,
    received: Moment,
    /// When it is tried, or else looked at.
    next_step: Option<Moment>,
    why: String,
    size: String,
}

const FIELDS: &[(&str, &str, &str)] = &[
    ("sender", "Sender", "address; <> for reports"),
    ("recipient", "Recipient", "address"),
    ("domain", "Domain", "of the recipient"),
    ("next_hop", "Next hop", "mx:example.org"),
    ("older_than", "Older than", "2h, 4d"),
    ("due_before", "Due before", "1h, or a moment"),
    ("reply_contains", "Reply contains", "greylist"),
    (
        "reason_contains",
        "Reason contains",
        "damaged, of a hold or an end",
    ),
    ("node", "Node", "its name"),
    ("id", "Id", "13 letters and digits"),
];

/// The pairs of a query that say something; a form sends its empty fields, too.
pub(super) fn entered(query: &str) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.map(|(name, value)| (name.into_owned(), value.trim().to_owned()));
    pairs
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| match (name.as_str(), value.as_str()) {
            // An empty field is no condition, so the null sender is written as it stands in the envelope.
            ("sender", "<>") => (name, String::new()),
            _ => (name, value),
        })
        .collect()
}

/// The filter that a query means.
pub(super) fn meant(web: &Web, pairs: &[(String, String)]) -> Result<Filter, Refusal> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(filter(pairs, web.world().clock.now())?)
}

type Asked = (State<Web>, Visitor, RawQuery);

pub(super) async fn page(asked: Asked) -> Result<Response, Refusal> {
    shelf(&MESSAGES, asked).await
}

pub(super) async fn held(asked: Asked) -> Result<Response, Refusal> {
    shelf(&HELD, asked).await
}

pub(super) async fn damaged(asked: Asked) -> Result<Response, Refusal> {
    shelf(&DAMAGED, asked).await
}

pub(super) async fn dead_letters(asked: Asked) -> Result<Response, Refusal> {
    shelf(&DEAD_LETTERS, asked).await
}

async fn shelf(
    shelf: &'static Shelf,
    (State(web), Visitor(who), RawQuery(query)): Asked,
) -> Result<Response, Refusal> {
    let pairs = conditions(shelf, &query.unwrap_or_default());
    let live = part(&web, &who, shelf, &pairs).await?;
    let link = |one: &Shelf| Link {
        name: one.name,
        path: one.path,
        current: if one.path == shelf.path {
            "page"
        } else {
            "false"
        },
    };
    let after = pairs.iter().find(|(name, _)| name == "after");
    let page = Page {
        shelf,
        shelves: SHELVES.into_iter().map(link).collect(),
        fields: fields(&pairs),
        states: states(&pairs),
        frame: Frame::around(&web, who, Tab::Messages).await,
        query: written(&pairs, after.map(|(_, after)| after.as_str())),
        live,
    };
    Ok(html(&page))
}

/// The list of a shelf as it is now, by the part of its path behind the slash.
pub(super) async fn live(web: &Web, who: &Who, name: &str, query: &str) -> Result<String, Refusal> {
    let named = SHELVES
        .into_iter()
        .find(|shelf| shelf.path.strip_prefix('/') == Some(name));
    let shelf = named.ok_or_else(|| Problem::asker(format!("there is no list {name:?}")))?;
    part(web, who, shelf, &conditions(shelf, query)).await
}

/// What a query asks of a shelf: its own conditions hold whatever the query says.
fn conditions(shelf: &Shelf, query: &str) -> Vec<(String, String)> {
    let mut pairs = entered(query);
    for (name, value) in shelf.conditions {
        pairs.retain(|(own, _)| own != name);
        pairs.push(((*name).to_owned(), (*value).to_owned()));
    }
    pairs
}

/// The part of the page that changes.
async fn part(
    web: &Web,
    who: &Who,
    shelf: &'static Shelf,
    pairs: &[(String, String)],
) -> Result<String, Refusal> {
    let mut filter = meant(web, pairs)?;
    let limit = filter.limit.unwrap_or(PAGE);
    filter.limit = Some(limit);
    let question = Question::List {
        filter: filter.clone(),
    };
    let found: Vec<Listed> = rows(web, who, question).await?;
    let last = found.last().map(|row| row.recipient_id.to_string());
    let full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = last
        .filter(|_| full)
        .map(|after| written(pairs, Some(&after)));
    let means = Filter {
        after: None,
        limit: None,
        ..filter
    };
    let now = web.world().clock.now();
    let part = Part {
        path: shelf.path,
        word: who.word().to_owned(),
        may_act: who.rights.contains(Right::Act),
        rows: found.into_iter().map(|row| shown(row, now)).collect(),
        means: means.to_string(),
        query: written(pairs, None),
        next,
    };
    part.render().map_err(|error| Refusal::ours(&error))
}

fn value_of(pairs: &[(String, String)], name: &str) -> String {
    let found = pairs.iter().find(|(own, _)| own == name);
    match found {
        Some((own, value)) if own == "sender" && value.is_empty() => "<>".to_owned(),
        Some((_, value)) => value.clone(),
        None => String::new(),
    }
}

fn fields(pairs: &[(String, String)]) -> Vec<Field> {
    let field = |(name, label, hint): &(&'static str, &'static str, &'static str)| Field {
        name,
        label,
        value: value_of(pairs, name),
        hint,
    };
    FIELDS.iter().map(field).collect()
}

fn states(pairs: &[(String, String)]) -> Vec<Choice> {
    let chosen = value_of(pairs, "state");
    let choice = |state: &Where| Choice {
        word: state.word(),
        meaning: state.meaning(),
        selected: if state.word() == chosen {
            "selected"
        } else {
            ""
        },
    };
    Where::ALL.iter().map(choice).collect()
}

/// The query without its page, and with another.
fn written(pairs: &[(String, String)], after: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs.iter().filter(|(name, _)| name != "after") {
        match (name.as_str(), value.as_str()) {
            ("sender", "") => query.append_pair(name, "<>"),
            _ => query.append_pair(name, value),
        };
    }
    if let Some(after) = after {
        query.append_pair("after", after);
    }
    query.finish()
}

fn shown(row: Listed, now: Time) -> Row {
    let why = match row.reason.is_empty() {
        true => row.last_reply,
        false => row.reason,
    };
    Row {
        id: row.id.to_string(),
        recipient_id: row.recipient_id.to_string(),
        recipient: row.recipient,
        sender: row.sender,
        state: row.state.word(),
        next_hop: row.next_hop,
        attempts: row.attempts,
        received: Moment::of(row.received_at, now),
        next_step: Moment::maybe(row.next_try.or(row.deadline_at), now),
        why,
        size: octets(row.size),
    }
}
