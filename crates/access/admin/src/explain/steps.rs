//! What was decided on the way so far, and by what: the acceptance, the categorizer, the router, each attempt, each event.

use std::borrow::Cow;

use path_ledger::{Event, HopKey, HopKind, Origin, StoryAttempt, StoryRecipient};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire_message::Time;

use super::Facts;
use super::words::Decided;

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// When.
    pub at: String,
    /// What: a word of `docs/words.md`: a decision, the outcome of an attempt, or an event.
    pub step: Cow<'static, str>,
    /// What that means.
    pub meaning: Cow<'static, str>,
    /// What is known of it.
    pub detail: String,
    /// Who or what decided: a listener, the directory, the settings, a peer, a person, a rule, a sweep.
    pub by: String,
    #[serde(skip, default = "Taken::unknown")]
    pub(super) moment: Time,
}

impl Taken {
    /// Of one that was read.
    const fn unknown() -> Time {
        Time::EPOCH
    }

    fn decided(at: Time, step: Decided, detail: String, by: &str) -> Self {
        Self {
            at: at.to_string(),
            step: step.word().into(),
            meaning: step.meaning().into(),
            detail,
            by: by.to_owned(),
            moment: at,
        }
    }
}

/// All of it, in order.
pub(super) fn steps(facts: &Facts<'_>) -> Vec<Taken> {
    let recipient = facts.recipient;
    let mut later: Vec<Taken> = Vec::new();
    for (place, attempt) in recipient.attempts.iter().enumerate() {
        let again = recipient.attempts.get(place + 1);
        later.push(of_attempt(attempt, again, recipient));
    }
    let own = |event: &&Event| event.recipient.is_none_or(|of| of == recipient.id);
    later.extend(facts.story.events.iter().filter(own).map(of_event));
    later.sort_by_key(|step| step.moment);
    let mut steps = vec![accepted(facts)];
    steps.extend(categorized(facts));
    steps.extend(routed(facts));
    steps.extend(later);
    steps.extend(ended(recipient));
    steps
}

fn accepted(facts: &Facts<'_>) -> Taken {
    let story = facts.story;
    let what = match story.origin {
        Some(Origin::Report) => Decided::Written,
        Some(Origin::Smtp | Origin::Submission | Origin::Lmtp | Origin::Sendmail) | None => {
            Decided::Accepted
        }
    };
    let told = story.cause.map(|of| of.to_string()).unwrap_or_default();
    let known = [
        ("from", story.peer.as_str()),
        ("which said it is", &story.helo),
        ("over", &story.tls),
        ("logged in as", &story.auth),
        ("on", &told),
    ];
    let known = known.iter().filter(|(_, value)| !value.is_empty());
    let known: Vec<_> = known
        .map(|(label, value)| format!("{label} {value}"))
        .collect();
    let by = match (story.listener.as_str(), story.origin) {
        ("", origin) => origin.map(Origin::word).unwrap_or_default().to_owned(),
        (listener, _) => format!("listener {listener}"),
    };
    Taken::decided(story.received_at, what, known.join(", "), &by)
}

/// Who it was found to be. What the directory says now is told beside what was recorded.
fn categorized(facts: &Facts<'_>) -> Vec<Taken> {
    let (story, recipient) = (facts.story, facts.recipient);
    let at = story.received_at;
    let mut steps = Vec::new();
    let parent = story
        .recipients
        .iter()
        .find(|one| Some(one.id) == recipient.parent);
    if let Some(parent) = parent {
        let cause = parent.cause.as_deref().unwrap_or_default();
        let detail = format!("{}: {cause}", parent.address);
        let at = parent.finished_at.unwrap_or(at);
        steps.push(Taken::decided(at, Decided::InPlaceOf, detail, "directory"));
    }
    let now = facts.directory.as_ref();
    let now = now.map_or_else(String::new, |now| format!("at present: {now}"));
    let hop = recipient.next_hop.parse::<HopKey>().ok();
    let who = match hop.as_ref().map(HopKey::kind) {
        Some(HopKind::Mailbox) => Decided::Mailbox,
        Some(HopKind::Via(_) | HopKind::Mx(_)) => Decided::Remote,
        // What was replaced says so by its end.
        None if recipient.state.is_final() => return steps,
        None => Decided::Postponed,
    };
    let moment = steps.last().map_or(at, |step| step.moment);
    steps.push(Taken::decided(moment, who, now, "directory"));
    steps
}

fn routed(facts: &Facts<'_>) -> Option<Taken> {
    let at = facts.story.received_at;
    let hop: HopKey = facts.recipient.next_hop.parse().ok()?;
    let (what, by) = match hop.kind() {
        HopKind::Mailbox => return None,
        HopKind::Via(name) => (Decided::ByConnector, format!("[[connector]] {name}")),
        HopKind::Mx(_) => (Decided::ByMx, "DNS".to_owned()),
    };
    Some(Taken::decided(at, what, hop.to_string(), &by))
}

/// What an attempt met, and what was decided about it: the next one tells when it was tried again.
fn of_attempt(
    attempt: &StoryAttempt,
    again: Option<&StoryAttempt>,
    recipient: &StoryRecipient,
) -> Taken {
    let (step, meaning) = match attempt.outcome {
        Some(outcome) => (outcome.word(), outcome.meaning()),
        None => (Decided::Attempt.word(), Decided::Attempt.meaning()),
    };
    let next = match (again, recipient.state.is_final()) {
        (Some(again), _) => format!("; tried again at {}", again.started_at),
        (None, false) if recipient.retry_at > attempt.ended_at => {
            format!("; not tried again before {}", recipient.retry_at)
        }
        (None, _) => String::new(),
    };
    let asked = match attempt.last_command.as_str() {
        "" => String::new(),
        command => format!(" to {command}"),
    };
    let place = match attempt.address.as_str() {
        "" => String::new(),
        address => format!(" at {address}"),
    };
    Taken {
        at: attempt.ended_at.to_string(),
        step: step.into(),
        meaning: meaning.into(),
        detail: format!(
            "{:?}{asked}{place}, by {}{next}",
            attempt.reply, attempt.node
        ),
        by: match attempt.peer.as_str() {
            "" => attempt.next_hop.clone(),
            peer => peer.to_owned(),
        },
        moment: attempt.ended_at,
    }
}

fn of_event(event: &Event) -> Taken {
    Taken {
        at: event.at.to_string(),
        step: event.kind.word().into(),
        meaning: event.kind.meaning().into(),
        detail: event.detail.clone(),
        by: event.actor.clone(),
        moment: event.at,
    }
}

fn ended(recipient: &StoryRecipient) -> Option<Taken> {
    let at = recipient.finished_at?;
    let cause = recipient.cause.as_deref().unwrap_or_default();
    let detail = format!("{}: {cause}", recipient.state);
    let by = recipient.actor.as_deref().unwrap_or_default();
    Some(Taken::decided(at, Decided::Ended, detail, by))
}
