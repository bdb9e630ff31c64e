//! The one reason why a recipient is where it is.

use ground_settings::Settings;
use path_ledger::{DAMAGED, HopKey, HopKind, HopState, HopStatus, NodeState, POISONED, State};
use serde_json::{Map, Value};

use super::Facts;
use super::words::{Fact, Reason};

/// A reason and what is known about it, the most telling first.
pub(super) struct Why {
    pub(super) reason: Reason,
    facts: Vec<(Fact, String)>,
}

impl Why {
    /// The sentence of the reason, and its facts.
    pub(super) fn in_words(&self) -> String {
        let facts = self
            .facts
            .iter()
            .map(|(fact, value)| format!("{fact}: {value}"));
        let facts = facts.collect::<Vec<_>>().join("; ");
        match facts.as_str() {
            "" => self.reason.meaning().to_owned(),
            facts => format!("{} ({facts})", self.reason.meaning()),
        }
    }

    pub(super) fn as_fields(&self) -> Map<String, Value> {
        let field = |(fact, value): &(Fact, String)| (fact.to_string(), Value::from(value.clone()));
        self.facts.iter().map(field).collect()
    }
}

/// Facts without a value are none.
fn because<const N: usize>(reason: Reason, facts: [(Fact, String); N]) -> Why {
    let known = facts.into_iter().filter(|(_, value)| !value.is_empty());
    Why {
        reason,
        facts: known.collect(),
    }
}

/// Finds the reason.
pub(super) fn why(facts: &Facts<'_>) -> Why {
    let recipient = facts.recipient;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let settled = recipient.state == State::Held || recipient.state.is_final();
    if let (Some(damage), false) = (facts.damage(), settled) {
        return because(Reason::Damaged, [(Fact::Damage, damage.to_owned())]);
    }
    let over = recipient.expires_at.is_some_and(|end| end <= facts.now);
    match recipient.state {
        State::Held => held(facts),
        State::InFlight => in_flight(facts),
        State::Categorizing | State::Queued if over => {
            because(Reason::LifetimeEnded, [said(facts)])
        }
        State::Categorizing => because(Reason::Directory, [said(facts)]),
        State::Queued => queued(facts),
        State::Delivered
        | State::Relayed
        | State::Expanded
        | State::Returned
        | State::Discarded
        | State::DeadLetter => {
            let (cause, by) = (text(&recipient.cause), text(&recipient.actor));
            because(Reason::Finished, [(Fact::Cause, cause), (Fact::By, by)])
        }
    }
}

fn said(facts: &Facts<'_>) -> (Fact, String) {
    (Fact::Reply, facts.recipient.last_reply.clone())
}

fn to(facts: &Facts<'_>) -> (Fact, String) {
    (Fact::NextHop, facts.recipient.next_hop.clone())
}

fn held(facts: &Facts<'_>) -> Why {
    let recipient = facts.recipient;
    let why = recipient.hold_reason.as_deref().unwrap_or_default();
    let reason = if why.starts_with(DAMAGED) {
        Reason::HeldDamaged
    } else if why.starts_with(POISONED) {
        Reason::HeldPoison
    } else {
        Reason::Held
    };
    let by = recipient.held_by.clone().unwrap_or_default();
    let damage = facts.damage().unwrap_or_default().to_owned();
    let facts = [
        (Fact::By, by),
        (Fact::Because, why.to_owned()),
        (Fact::Damage, damage),
    ];
    because(reason, facts)
}

fn in_flight(facts: &Facts<'_>) -> Why {
    let recipient = facts.recipient;
    let epoch = recipient.claimed_by.unwrap_or_default();
    let node = facts.nodes.iter().find(|node| node.epoch == epoch);
    let alive = node.is_some_and(|node| node.state == NodeState::Up);
    let ended = recipient.claimed_until.is_some_and(|end| end <= facts.now);
    let reason = match (alive, ended) {
        (true, false) => Reason::Claimed,
        (true, true) | (false, _) => Reason::ClaimEnded,
    };
    let name = node.map(|node| node.name.clone()).unwrap_or_default();
    let known = [
        to(facts),
        (Fact::Node, name),
        (Fact::Epoch, epoch.to_string()),
        (Fact::Tries, recipient.tries.to_string()),
    ];
    because(reason, known)
}

fn queued(facts: &Facts<'_>) -> Why {
    let recipient = facts.recipient;
    let waits = recipient.retry_at > facts.now;
    if let Some(why) = facts.hop.as_ref().and_then(|hop| of_hop(facts, hop)) {
        return why;
    }
    if let Some(name) = gone(facts.settings, &recipient.next_hop) {
        return because(Reason::NoSuchConnector, [(Fact::Connector, name)]);
    }
    if let Some(reason) = of_nodes(facts) {
        return because(reason, [to(facts)]);
    }
    let suspicion = recipient.suspicion.map(|count| count.to_string());
    match (waits, suspicion) {
        (true, Some(suspicion)) => {
            let blamed = (Fact::Suspicion, suspicion);
            because(Reason::Suspect, [to(facts), blamed, said(facts)])
        }
        (true, None) => {
            let tries = (Fact::Tries, recipient.tries.to_string());
            let peer = (Fact::Peer, recipient.last_peer.clone());
            because(Reason::OwnTime, [said(facts), peer, tries, to(facts)])
        }
        (false, _) => {
            let max = facts.recipient.next_hop.parse().ok();
            let max = max.and_then(|hop| path_route::plan(facts.settings, &hop).ok());
            let max = max.map(|plan| plan.max_connections.to_string());
            let known = [
                to(facts),
                (Fact::InFlight, facts.in_flight.to_string()),
                (Fact::MaxConnections, max.unwrap_or_default()),
                said(facts),
            ];
            because(Reason::Due, known)
        }
    }
}

/// A hop that keeps all its mail waiting, unless this one waits longer for its own part.
fn of_hop(facts: &Facts<'_>, hop: &HopStatus) -> Option<Why> {
    let own_is_later = facts.recipient.retry_at > hop.opens_at().max(facts.now);
    match hop.state {
        HopState::Up => None,
        HopState::Down | HopState::Paused if own_is_later => None,
        HopState::Down => {
            let known = [
                to(facts),
                (Fact::Reply, hop.last_reply.clone()),
                (Fact::Peer, hop.last_peer.clone()),
                (Fact::Failures, hop.failures.to_string()),
            ];
            Some(because(Reason::HopDown, known))
        }
        HopState::Paused if hop.opens_at() <= facts.now => None,
        HopState::Paused => {
            let known = [
                to(facts),
                (Fact::By, hop.paused_by.clone().unwrap_or_default()),
                (Fact::Because, hop.reason.clone().unwrap_or_default()),
            ];
            Some(because(Reason::HopPaused, known))
        }
    }
}

/// The connector of this way, if it is not in the settings.
fn gone(settings: &Settings, next_hop: &str) -> Option<String> {
    let hop: HopKey = next_hop.parse().ok()?;
    match hop.kind() {
        HopKind::Mailbox | HopKind::Mx(_) => None,
        HopKind::Via(name) => {
            let there = settings.connectors.iter().any(|one| one.name == name);
            (!there).then(|| name.to_owned())
        }
    }
}

fn of_nodes(facts: &Facts<'_>) -> Option<Reason> {
    let mut up = facts
        .nodes
        .iter()
        .filter(|node| node.state == NodeState::Up);
    let first = up.next();
    let working = first.into_iter().chain(up).any(|node| !node.draining);
    match (first, working) {
        (None, _) => Some(Reason::NoNode),
        (Some(_), false) => Some(Reason::NodesDrained),
        (Some(_), true) => None,
    }
}
