//! The ways out: each connector with the mail that waits for it, and the way that mail for a domain would take.

use std::collections::BTreeMap;

use ground_settings::{Connector, NextHop, Settings};
use path_ledger::QueueLine;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire_message::Domain;

/// A connector as the settings of this moment have it, and the mail that waits for its next hops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectorLine {
    /// Its name.
    pub name: String,
    /// The recipient domains it serves.
    pub address_space: Vec<String>,
    /// Where it hands over.
    pub next_hop: String,
    /// Among those that fit equally well the lowest wins.
    pub cost: u32,
    /// What it speaks.
    pub protocol: String,
    /// How it encrypts.
    pub tls: String,
    /// Who logs in.
    pub username: Option<String>,
    /// Recipients that wait for its next hops, held ones among them.
    pub waiting: u64,
    /// Its next hops that have mail, or a state worth telling.
    pub hops: Vec<String>,
}

/// The way that mail for a domain takes by the settings of this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteFound {
    /// The domain.
    pub domain: String,
    /// The next hop it is queued for.
    pub next_hop: String,
    /// The connector that decides; none: MX records do.
    pub connector: Option<String>,
    /// Its address space that fits.
    pub address_space: Option<String>,
    /// Its cost.
    pub cost: Option<u32>,
    /// Why this way, in words.
    pub reason: String,
}

/// Every connector, in the order of the file.
#[must_use]
pub fn connectors(settings: &Settings, lines: &[QueueLine]) -> Vec<ConnectorLine> {
    let mut by_connector: BTreeMap<String, Vec<&QueueLine>> = BTreeMap::new();
    for one in lines {
        if let Ok(hop) = one.next_hop.parse()
            && let Ok(plan) = path_route::plan(settings, &hop)
            && let Some(name) = plan.connector
        {
            by_connector.entry(name).or_default().push(one);
        }
    }
    let own = |name: &str| by_connector.get(name).map_or(&[][..], Vec::as_slice);
    let connectors = settings.connectors.iter();
    connectors.map(|one| line(one, own(&one.name))).collect()
}

fn line(connector: &Connector, own: &[&QueueLine]) -> ConnectorLine {
    let waiting = own
        .iter()
        .map(|line| line.queued + line.in_flight + line.held);
    ConnectorLine {
        name: connector.name.clone(),
        address_space: connector
            .address_space
            .iter()
            .map(ToString::to_string)
            .collect(),
        next_hop: match &connector.next_hop {
            NextHop::Mx => "the mail exchangers of the domain".to_owned(),
            fixed @ (NextHop::Host(..) | NextHop::Address(_) | NextHop::Unix(_)) => {
                fixed.to_string()
            }
        },
        cost: connector.cost,
        protocol: connector.protocol.to_string(),
        tls: connector.tls.to_string(),
        username: connector.username.clone(),
        waiting: waiting.sum(),
        hops: own.iter().map(|line| line.next_hop.clone()).collect(),
    }
}

/// The way that mail for `domain` takes, if it is not ours.
#[must_use]
pub fn route(settings: &Settings, domain: &Domain) -> RouteFound {
    let route = path_route::route(&settings.connectors, domain);
    let (space, cost) = route.fit.unzip();
    RouteFound {
        domain: domain.to_ascii().into_owned(),
        next_hop: route.hop.to_string(),
        connector: route.connector,
        address_space: space.map(|space| space.to_string()),
        cost,
        reason: route.reason,
    }
}
