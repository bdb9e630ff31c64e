//! Acting on mail: exactly on the recipients that a preview of the same filter shows.

use ground_directory::operator::Right;
use path_ledger::Filter;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use wire_message::Time;

use super::look::filter;
use super::problem::Problem;
use super::route::{Asked, Body, Gives, Method, Parameter, Route};
use super::schema;
use crate::{Question, Verb};

/// What is done to which recipients, and why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    /// Which recipients: the conditions of a listing by the same names; `id` may be a list. At least one condition, or
    /// `"all": true` for everything in transit.
    #[serde(default)]
    filter: Conditions,
    /// Why; it stands in the history.
    #[serde(default)]
    reason: String,
    /// Only show to whom: an array of rows instead of what was done.
    #[serde(default)]
    dry_run: bool,
    /// Where to, when it is sent another way: `via:CONNECTOR`, `mx:DOMAIN` or `mailbox`; without it as the routes say now.
    to: Option<String>,
    /// A name that you choose, of up to 64 letters, digits, hyphens and underscores: until the answer comes, and for a while after
    /// it, `/acts/NAME` says how far it is.
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Conditions {
    all: bool,
    id: Vec<String>,
    state: Option<String>,
    next_hop: Option<String>,
    sender: Option<String>,
    recipient: Option<String>,
    domain: Option<String>,
    older_than: Option<String>,
    due_before: Option<String>,
    reply_contains: Option<String>,
    reason_contains: Option<String>,
    node: Option<String>,
    #[schemars(range(min = 1, max = 50_000))]
    limit: Option<u32>,
}

impl Conditions {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs: Vec<_> = self.id.iter().map(|id| ("id", id.clone())).collect();
        let single = [
            ("state", &self.state),
            ("next-hop", &self.next_hop),
            ("sender", &self.sender),
            ("recipient", &self.recipient),
            ("domain", &self.domain),
            ("older-than", &self.older_than),
            ("due-before", &self.due_before),
            ("reply-contains", &self.reply_contains),
            ("reason-contains", &self.reason_contains),
            ("node", &self.node),
        ];
        for (name, value) in single {
            pairs.extend(value.clone().map(|value| (name, value)));
        }
        pairs
    }

    /// The filter that was meant.
    fn meant(&self, now: Time) -> Result<Filter, Problem> {
        let pairs = self.pairs();
        if pairs.is_empty() && !self.all {
            return Err(Problem::asker(
                "name a condition in filter; to mean everything in transit, write \"all\": true there",
            ));
        }
        let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        Ok(Filter {
            limit: self.limit,
            ..filter(pairs, now)?
        })
    }
}

fn act(asked: &Asked<'_>) -> Result<Question, Problem> {
    let act: Act = asked.json()?;
    let word = asked.text("verb")?;
    let known = path_ledger::Verb::from_word(&word);
    let known = known.ok_or_else(|| Problem::asker(format!("{word:?} is no verb")))?;
    Ok(Question::Act {
        verb: verb(known, act.to)?,
        filter: act.filter.meant(asked.now)?,
        reason: act.reason,
        dry_run: act.dry_run,
        name: act.name,
    })
}

/// A verb, and where to when it needs it.
fn verb(known: path_ledger::Verb, to: Option<String>) -> Result<Verb, Problem> {
    Ok(match (known, to) {
        (path_ledger::Verb::Reroute, to) => Verb::Reroute { to },
        (_, Some(_)) => return Err(Problem::asker("only reroute takes \"to\"")),
        (path_ledger::Verb::Retry, None) => Verb::Retry,
        (path_ledger::Verb::Hold, None) => Verb::Hold,
        (path_ledger::Verb::Release, None) => Verb::Release,
        (path_ledger::Verb::Return, None) => Verb::Return,
        (path_ledger::Verb::Discard, None) => Verb::Discard,
        (path_ledger::Verb::Export, None) => Verb::Export,
    })
}

/// Which recipients a preview is of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// As for an act.
    filter: Conditions,
}

/// What is done to the recipients of a preview.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// Its name.
    preview: String,
    /// What is done.
    verb: path_ledger::Verb,
    /// Where to, when it is sent another way.
    to: Option<String>,
    /// Why; it stands in the history.
    #[serde(default)]
    reason: String,
}

/// Until when a next hop is paused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pause {
    /// RFC 3339, or a time from now as `2h`.
    until: String,
    /// Why; it stands in the history, and in the list of queues.
    reason: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// Why; it stands in the history.
    #[serde(default)]
    reason: String,
}

const HOP: &[Parameter] = &[Parameter::path(
    "hop",
    "The next hop: `mailbox`, `via:CONNECTOR` or `mx:DOMAIN`.",
)];

/// What is done in the background.
const fn post(
    path: &'static str,
    name: &'static str,
    summary: &'static str,
    body: fn() -> Value,
    gives: Gives,
    read: fn(&Asked<'_>) -> Result<Question, Problem>,
) -> Route {
    Route {
        method: Method::Post,
        path,
        name,
        summary,
        parameters: &[],
        body: Body::Json(body),
        gives,
        right: Right::Act,
        read,
    }
}

pub(super) const ROUTES: &[Route] = &[
    post(
        "/previews",
        "preview",
        "Exactly which recipients a filter means now: kept for a while, so that an act reaches those and no others.",
        schema::of::<Wanted>,
        Gives::One(schema::previewed),
        |asked| {
            let Wanted { filter } = asked.json()?;
            Ok(Question::Preview {
                filter: filter.meant(asked.now)?,
            })
        },
    ),
    post(
        "/acts",
        "begin",
        "Something is done, in the background, to the recipients of a preview, which is used up.",
        schema::of::<Begin>,
        Gives::One(schema::act_status),
        |asked| {
            let begin: Begin = asked.json()?;
            Ok(Question::Begin {
                preview: begin.preview,
                verb: verb(begin.verb, begin.to)?,
                reason: begin.reason,
            })
        },
    ),
    Route {
        method: Method::Get,
        parameters: &[Parameter::path("act", "Its name.")],
        body: Body::None,
        right: Right::View,
        ..post(
            "/acts/{act}",
            "progress",
            "How far an act is that was begun, or that has a name.",
            schema::any,
            Gives::One(schema::act_status),
            |asked| {
                Ok(Question::Progress {
                    act: asked.text("act")?,
                })
            },
        )
    },
    Route {
        parameters: HOP,
        ..post(
            "/hops/{hop}/pause",
            "hopPause",
            "A next hop is stopped for a while: mail for it waits.",
            schema::of::<Pause>,
            Gives::One(schema::any),
            |asked| {
                let Pause { until, reason } = asked.json()?;
                Ok(Question::PauseHop {
                    hop: asked.text("hop")?,
                    until,
                    reason,
                })
            },
        )
    },
    Route {
        parameters: HOP,
        ..post(
            "/hops/{hop}/resume",
            "hopResume",
            "A pause ends before its time.",
            schema::of::<Why>,
            Gives::One(schema::any),
            |asked| {
                let Why { reason } = asked.json()?;
                Ok(Question::ResumeHop {
                    hop: asked.text("hop")?,
                    reason,
                })
            },
        )
    },
    Route {
        method: Method::Post,
        path: "/recipients/{verb}",
        name: "act",
        summary: "Something is done to recipients, and recorded. What is in flight or final is left alone, and named as escaped.",
        parameters: &[
            Parameter::path("verb", "What is done.").form(super::route::Form::Word(
                path_ledger::Verb::VOCABULARY.words,
            )),
        ],
        body: Body::Json(schema::of::<Act>),
        gives: Gives::One(schema::acted),
        right: Right::Act,
        read: act,
    },
];
