//! The next hop of a domain: a pure decision over the connectors.

use std::cmp::Reverse;

use ground_settings::{AddressSpace, Connector, NextHop};
use path_ledger::HopKey;
use wire_message::Domain;

/// Where mail for a domain goes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The next hop.
    pub hop: HopKey,
    /// The connector that decides, by name; `None` when none fits.
    pub connector: Option<String>,
    /// Its address space that fits, and its cost.
    pub fit: Option<(AddressSpace, u32)>,
    /// Why, in words.
    pub reason: String,
}

/// The next hop of mail for `domain`, which is not ours.
#[must_use]
pub fn route(connectors: &[Connector], domain: &Domain) -> Route {
    let name = domain.to_ascii();
    let Some((connector, space)) = choose(connectors, &name) else {
        return Route {
            hop: by_mx(&name),
            connector: None,
            fit: None,
            reason: format!("no connector serves {name}, so its mail goes by MX"),
        };
    };
    let (hop, way) = match &connector.next_hop {
        NextHop::Mx => (by_mx(&name), "by MX".to_owned()),
        fixed @ (NextHop::Host(..) | NextHop::Address(_) | NextHop::Unix(_)) => {
            (by_connector(&connector.name), format!("to {fixed}"))
        }
    };
    let others = connectors.len().saturating_sub(1);
    let over = if others == 0 {
        ""
    } else {
        ", the closest and cheapest"
    };
    Route {
        hop,
        connector: Some(connector.name.clone()),
        fit: Some((space.clone(), connector.cost)),
        reason: format!(
            "the connector {} serves {space} at cost {}{over}, so mail for {name} goes {way}",
            connector.name, connector.cost
        ),
    }
}

/// The connector that serves `domain`, and the address space that fits: the closest, then the cheapest, then the first.
pub(crate) fn choose<'a>(
    connectors: &'a [Connector],
    domain: &str,
) -> Option<(&'a Connector, &'a AddressSpace)> {
    connectors
        .iter()
        .flat_map(|connector| {
            connector
                .address_space
                .iter()
                .map(move |space| (connector, space))
        })
        .filter_map(|(connector, space)| {
            let closeness = space.matches(domain)?;
            Some((Reverse(closeness), connector.cost, (connector, space)))
        })
        .min_by_key(|(closeness, cost, _)| (*closeness, *cost))
        .map(|(_, _, chosen)| chosen)
}

fn by_mx(domain: &str) -> HopKey {
    HopKey::mx(domain)
}

fn by_connector(name: &str) -> HopKey {
    HopKey::via(name)
}
