//! Why is it where it is, what comes next, and how did it come here?
//!
//! **For what.** One pure function, [`explain`], from what is known of a recipient to an explanation: the reason of its state
//! with its facts, what happens next with the moment and the rule of each, the way it would take now, and what was decided at
//! each step so far. The command line shows it, and whoever else asks over the control socket.
//!
//! **The way through.** `control/execute/explain.rs` gathers the [`Facts`] · `why` finds the one reason · `next` the moments ·
//! `way` what the settings say now · `steps` the way so far · `words` are the closed sets of all that can be said, and
//! `manual` is `docs/words.md`, written from them.
//!
//! **Never.** Nothing is read or written here, and nothing is decided: what is said is what the stages do by the same rows.
//! A word that is not declared is not said.

mod manual;
mod next;
mod steps;
#[cfg(test)]
mod tests;
mod way;
mod why;
mod words;

pub use manual::manual;
pub use words::{Decided, Fact, Next, Probe, Reason, Rule, Verdict};

use std::borrow::Cow;

use ground_settings::Settings;
use path_ledger::{HopStatus, NodeStatus, State, Story, StoryRecipient};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire_message::Time;

pub use next::Due;
pub use steps::Taken;
pub use way::Way;

/// What is known of a recipient at one moment.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Its message, with everything that happened.
    pub story: &'a Story,
    /// Its own row, one of those of the story.
    pub recipient: &'a StoryRecipient,
    /// How its next hop is.
    pub hop: Option<HopStatus>,
    /// Recipients in flight to its next hop.
    pub in_flight: u64,
    /// Every node.
    pub nodes: &'a [NodeStatus],
    /// The settings of this moment.
    pub settings: &'a Settings,
    /// Who it is by the directory of this moment, in words; asked only of what is not final.
    pub directory: Option<String>,
    /// The moment.
    pub now: Time,
}

/// A recipient, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// Its id.
    pub recipient_id: String,
    /// Its address.
    pub recipient: String,
    /// Where it stands.
    pub state: State,
    /// What that means.
    pub meaning: Cow<'static, str>,
    /// Since when, as far as it is recorded: the last change of it that left a row.
    pub since: String,
    /// Which way it goes; empty before it is routed.
    pub next_hop: String,
    /// Why it is where it is.
    pub reason: Reason,
    /// The same in words, with its facts.
    pub why: String,
    /// What is known about the reason.
    pub facts: serde_json::Map<String, serde_json::Value>,
    /// What happens next, the soonest first.
    pub next: Vec<Due>,
    /// The way it would take now; none for what is final or has no way yet.
    pub way: Option<Way>,
    /// What was decided on the way so far, in order.
    pub steps: Vec<Taken>,
}

/// Explains a recipient.
#[must_use]
pub fn explain(facts: &Facts<'_>) -> Explanation {
    let recipient = facts.recipient;
    let why = why::why(facts);
    let steps = steps::steps(facts);
    let since = steps.iter().map(|step| step.moment).max();
    let since = since.unwrap_or(facts.story.received_at);
    Explanation {
        recipient_id: recipient.id.to_string(),
        recipient: recipient.address.clone(),
        state: recipient.state,
        meaning: recipient.state.meaning().into(),
        since: recipient.finished_at.unwrap_or(since).to_string(),
        next_hop: recipient.next_hop.clone(),
        reason: why.reason,
        why: why.in_words(),
        facts: why.as_fields(),
        next: next::next(facts, why.reason),
        way: way::way(facts),
        steps,
    }
}

impl Facts<'_> {
    /// The connector that its mail leaves by now.
    fn connector(&self) -> Option<String> {
        let hop = self.recipient.next_hop.parse().ok()?;
        path_route::plan(self.settings, &hop).ok()?.connector
    }

    /// What cannot be read of it or its message.
    fn damage(&self) -> Option<&str> {
        let own = self.recipient.damaged.as_deref();
        own.or(self.story.damaged.as_deref())
    }
}
