//! The way a recipient would take now, by the settings of this moment: they are looked up at each attempt, never frozen.

use ground_settings::Period;
use path_ledger::{HopKey, HopKind, HopState};
use path_route::Way as Where;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Facts;

/// A way, and the limits on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Way {
    /// Why this way, in words.
    pub reason: String,
    /// The next hop that its domain would be given if it were routed now, where that is another.
    pub rerouted: Option<String>,
    /// How the next hop is.
    pub hop: HopState,
    /// The connector that decides.
    pub connector: Option<String>,
    /// Its address space that fits.
    pub address_space: Option<String>,
    /// Its cost.
    pub cost: Option<u32>,
    /// Where it hands over.
    pub server: String,
    /// What is spoken; none into a mailbox here.
    pub protocol: Option<String>,
    /// How it is encrypted.
    pub tls: Option<String>,
    /// Who logs in.
    pub username: Option<String>,
    /// Connections at one time.
    pub max_connections: Option<u32>,
    /// Messages over one connection.
    pub max_messages_per_connection: Option<u32>,
    /// Waits between attempts; the last repeats.
    pub retry: Vec<String>,
    /// Ages at which the sender is told.
    pub delay_notice: Vec<String>,
    /// Longest stay, from acceptance, for what is accepted now.
    pub lifetime: String,
}

/// `None` for what is final, has no way yet, or whose way cannot be read or is gone.
pub(super) fn way(facts: &Facts<'_>) -> Option<Way> {
    if facts.recipient.state.is_final() {
        return None;
    }
    let hop: HopKey = facts.recipient.next_hop.parse().ok()?;
    match hop.kind() {
        HopKind::Mailbox => Some(into_mailbox(facts)),
        HopKind::Via(_) | HopKind::Mx(_) => out(facts, &hop),
    }
}

fn show(periods: &[std::time::Duration]) -> Vec<String> {
    let show = |period: &std::time::Duration| Period(*period).to_string();
    periods.iter().map(show).collect()
}

fn hop_state(facts: &Facts<'_>) -> HopState {
    facts.hop.as_ref().map_or(HopState::Up, |hop| hop.state)
}

fn into_mailbox(facts: &Facts<'_>) -> Way {
    let schedule = facts.settings.queue.schedule();
    Way {
        reason: "it goes into a mailbox here, in one commit with its final state".to_owned(),
        rerouted: None,
        hop: hop_state(facts),
        connector: None,
        address_space: None,
        cost: None,
        server: "here".to_owned(),
        protocol: None,
        tls: None,
        username: None,
        max_connections: None,
        max_messages_per_connection: None,
        retry: show(&schedule.retry),
        delay_notice: show(&schedule.delay_notice),
        lifetime: Period(schedule.lifetime).to_string(),
    }
}

fn out(facts: &Facts<'_>, hop: &HopKey) -> Option<Way> {
    let plan = path_route::plan(facts.settings, hop).ok()?;
    let address: Option<wire_message::Address> = facts.recipient.address.parse().ok();
    let route = address.map(|to| path_route::route(&facts.settings.connectors, to.domain()));
    let same = route.as_ref().filter(|route| route.hop == *hop);
    let (space, cost) = same.and_then(|route| route.fit.clone()).unzip();
    let other = route.as_ref().filter(|route| route.hop != *hop);
    let server = match plan.way {
        Where::Mx { domain, port } => format!("the mail exchangers of {domain}, port {port}"),
        Where::Host { name, port } => format!("{name}:{port}"),
        Where::Address { address } => address.to_string(),
        Where::Unix { path } => path.display().to_string(),
    };
    Some(Way {
        reason: same.map_or(plan.reason, |route| route.reason.clone()),
        rerouted: other.map(|route| route.hop.to_string()),
        hop: hop_state(facts),
        connector: plan.connector,
        address_space: space.map(|space| space.to_string()),
        cost,
        server,
        protocol: Some(plan.protocol.to_string()),
        tls: Some(plan.tls.to_string()),
        username: plan.login.map(|login| login.username),
        max_connections: Some(plan.max_connections),
        max_messages_per_connection: Some(plan.max_messages_per_connection),
        retry: show(&plan.schedule.retry),
        delay_notice: show(&plan.schedule.delay_notice),
        lifetime: Period(plan.schedule.lifetime).to_string(),
    })
}
