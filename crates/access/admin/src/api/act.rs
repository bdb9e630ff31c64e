//! Acting on mail: exactly on the recipients that a preview of the same filter shows.

use ground_directory::operator::Right;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

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
            ("node", &self.node),
        ];
        for (name, value) in single {
            pairs.extend(value.clone().map(|value| (name, value)));
        }
        pairs
    }
}

fn act(asked: &Asked<'_>) -> Result<Question, Problem> {
    let act: Act = asked.json()?;
    let pairs = act.filter.pairs();
    if pairs.is_empty() && !act.filter.all {
        return Err(Problem::asker(
            "name a condition in filter; to mean everything in transit, write \"all\": true there",
        ));
    }
    let mut filter = filter(
        pairs.iter().map(|(name, value)| (*name, value.as_str())),
        asked.now,
    )?;
    filter.limit = act.filter.limit;
    let word = asked.text("verb")?;
    let known = path_ledger::Verb::from_word(&word);
    let known = known.ok_or_else(|| Problem::asker(format!("{word:?} is no verb")))?;
    let verb = match (known, act.to) {
        (path_ledger::Verb::Reroute, to) => Verb::Reroute { to },
        (_, Some(_)) => return Err(Problem::asker("only reroute takes \"to\"")),
        (path_ledger::Verb::Retry, None) => Verb::Retry,
        (path_ledger::Verb::Hold, None) => Verb::Hold,
        (path_ledger::Verb::Release, None) => Verb::Release,
        (path_ledger::Verb::Return, None) => Verb::Return,
        (path_ledger::Verb::Discard, None) => Verb::Discard,
        (path_ledger::Verb::Export, None) => Verb::Export,
    };
    Ok(Question::Act {
        verb,
        filter,
        reason: act.reason,
        dry_run: act.dry_run,
    })
}

fn body() -> Value {
    schema::of::<Act>()
}

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Post,
    path: "/recipients/{verb}",
    name: "act",
    summary: "Something is done to recipients, and recorded. What is in flight or final is left alone, and named as escaped.",
    parameters: &[
        Parameter::path("verb", "What is done.").form(super::route::Form::Word(
            path_ledger::Verb::VOCABULARY.words,
        )),
    ],
    body: Body::Json(body),
    gives: Gives::One(schema::acted),
    right: Right::Act,
    read: act,
}];
