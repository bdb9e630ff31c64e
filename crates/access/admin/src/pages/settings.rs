//! *Settings*: what holds, section by section, each beside what it does; the file; what changed it. A change is tried before it
//! is taken: what is wrong with it, what it changes, whose mail goes another way.

mod trial;

use askama::Template;
use axum::extract::{RawForm, RawQuery, State};
use axum::response::Response;
use ground_directory::operator::Right;
use ground_settings::{Change, Fact, SectionFacts, Settings, Shape, edit};
use path_ledger::{EventFilter, EventKind, ListedEvent};

use super::form::Form;
use super::frame::{Frame, Tab, Visitor};
use super::messages::entered;
use super::time::Moment;
use super::{Refusal, html, one, rows};
use crate::api::Problem;
use crate::web::{Web, Who};
use crate::{Question, SettingsView};

pub(super) use trial::{save, try_text};

/// Changes of the past that are shown; all of them are events.
const HISTORY: u32 = 10;

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    frame: Frame,
    view: SettingsView,
    sections: Vec<SectionFacts>,
    /// Sections of which there can be another.
    more: [&'static str; 2],
    history: Vec<Changed>,
}

struct Changed {
    at: Moment,
    by: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "settings_text.html")]
struct Text {
    frame: Frame,
    view: SettingsView,
    text: String,
}

#[derive(Template)]
#[template(path = "settings_section.html")]
struct Section {
    frame: Frame,
    section: String,
    title: String,
    heading: String,
    doc: String,
    /// Whether it is another of its kind.
    new: bool,
    /// Whether it can go.
    many: bool,
    fields: Vec<Field>,
}

struct Field {
    fact: Fact,
    value: String,
    kind: &'static str,
    hint: String,
}

async fn view(web: &Web, who: &Who) -> Result<SettingsView, Refusal> {
    who.may(Right::Administer)?;
    one(web, who, Question::Settings).await
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    let view = view(&web, &who).await?;
    let filter = EventFilter {
        kinds: vec![EventKind::SettingsLoaded],
        limit: Some(HISTORY),
        ..EventFilter::default()
    };
    let events: Vec<ListedEvent> = rows(&web, &who, Question::Events { filter }).await?;
    let frame = Frame::around(&web, who, Tab::Settings).await;
    let changed = |one: ListedEvent| Changed {
        at: Moment::of(one.event.at, frame.now),
        by: one.event.actor,
        detail: one.event.detail,
    };
    let history = events.into_iter().map(changed).collect();
    Ok(html(&Page {
        sections: web.settings().facts(),
        more: ["connector", "listener"],
        history,
        view,
        frame,
    }))
}

pub(super) async fn text(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    let view = view(&web, &who).await?;
    let frame = Frame::around(&web, who, Tab::Settings).await;
    let text = readable(&view)?.to_owned();
    Ok(html(&Text { frame, view, text }))
}

/// The file's text, when it can be read.
fn readable(view: &SettingsView) -> Result<&str, Problem> {
    let trouble = view.trouble.as_deref().unwrap_or_default();
    let unreadable = || Problem::asker(format!("{} cannot be read: {trouble}", view.file));
    view.text.as_deref().ok_or_else(unreadable)
}

/// The section that a form is for.
struct Which {
    section: String,
    title: String,
    new: bool,
}

impl Which {
    fn of(value: impl Fn(&str) -> String) -> Self {
        Self {
            section: value("section"),
            title: value("title"),
            new: !value("new").is_empty(),
        }
    }

    /// What holds there; of a new section, what holds without it.
    fn facts(&self, held: &Settings) -> Result<SectionFacts, Problem> {
        let example = Settings {
            listeners: vec![Default::default()],
            connectors: vec![Default::default()],
            ..Settings::default()
        };
        let all = if self.new {
            example.facts()
        } else {
            held.facts()
        };
        let mut all = all.into_iter();
        let found =
            all.find(|facts| facts.name == self.section && (self.new || facts.title == self.title));
        found.ok_or_else(|| {
            Problem::asker(format!(
                "there is no section [{}] {}",
                self.section, self.title
            ))
        })
    }
}

pub(super) async fn section(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    who.may(Right::Administer)?;
    let pairs = entered(&query.unwrap_or_default());
    let value = |name: &str| {
        let found = pairs.iter().find(|(own, _)| own == name);
        found.map_or_else(String::new, |(_, value)| value.clone())
    };
    let which = Which::of(value);
    let facts = which.facts(&web.settings())?;
    Ok(html(&Section {
        frame: Frame::around(&web, who, Tab::Settings).await,
        many: facts.heading.starts_with("[["),
        heading: facts.heading,
        doc: facts.doc,
        fields: facts
            .facts
            .into_iter()
            .map(|fact| field(fact, which.new))
            .collect(),
        section: which.section,
        title: which.title,
        new: which.new,
    }))
}

fn field(fact: Fact, new: bool) -> Field {
    let empty = fact.is_default() || new;
    Field {
        value: if empty { String::new() } else { fact.plain() },
        hint: match (&fact.default, new) {
            (Some(_), _) if fact.is_default() => fact.plain(),
            (Some(default), _) => default.clone(),
            (None, true) => format!("for example {}", fact.plain()),
            (None, false) => "it must be written".to_owned(),
        },
        kind: match fact.shape {
            Shape::Secret => "password",
            Shape::Text | Shape::Number | Shape::Truth | Shape::Texts | Shape::Numbers => "text",
        },
        fact,
    }
}

/// A section as a form has it becomes a text, which is tried.
pub(super) async fn change(
    State(web): State<Web>,
    Visitor(who): Visitor,
    RawForm(form): RawForm,
) -> Result<Response, Refusal> {
    let form = Form::of(&who, &form)?;
    let view = view(&web, &who).await?;
    let which = Which::of(|name| form.value(name));
    let changes = match form.value("what").as_str() {
        "remove" => Change::Remove,
        _ => {
            let values = entries(&form, &which.facts(&web.settings())?);
            if which.new {
                Change::Add(values)
            } else {
                Change::Set(values)
            }
        }
    };
    let text = edit(readable(&view)?, &which.section, &which.title, &changes);
    let text = text.map_err(|fault| Problem::asker(format!("{}; {}", fault.what, fault.remedy)))?;
    trial::page(web, who, text, view.version).await
}

/// What was written into the fields, where it is not what stood there.
fn entries(form: &Form, facts: &SectionFacts) -> Vec<(String, String)> {
    let entry = |fact: &Fact| {
        let value = form.value(fact.name);
        let before = form.value(&format!("was.{}", fact.name));
        (value != before).then(|| (fact.name.to_owned(), value))
    };
    facts.facts.iter().filter_map(entry).collect()
}
