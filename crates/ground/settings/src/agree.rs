//! Contradictions between sections: each is right alone, and they are wrong together.

use std::collections::HashMap;
use std::hash::Hash;

use crate::define::Section;
use crate::problem::Found;
use crate::read::{Agreement, Places};
use crate::section::{Connector, Limits, Listener};
use crate::{Endpoint, Locations, Settings};

/// Complains about every contradiction between sections.
pub(crate) fn agree(settings: &Settings, locations: &Locations, problems: &mut Vec<Found>) {
    let listeners = || settings.listeners.iter().zip(&locations.listeners);
    let connectors = || settings.connectors.iter().zip(&locations.connectors);

    unique::<Listener, _>("name", listeners().map(|(l, at)| (&l.name, at)), problems);
    unique::<Connector, _>("name", connectors().map(|(c, at)| (&c.name, at)), problems);
    let fixed = listeners().filter(|(listener, _)| !chosen_by_the_system(&listener.address));
    unique::<Listener, _>("address", fixed.map(|(l, at)| (&l.address, at)), problems);

    for (listener, at) in listeners() {
        let mut agreement = Agreement::new(Listener::NAME, at, problems);
        sessions(listener, &settings.limits, &mut agreement);
    }
    for (connector, at) in connectors() {
        let mut agreement = Agreement::new(Connector::NAME, at, problems);
        let lifetime = connector.lifetime.unwrap_or(settings.queue.lifetime);
        let notices = connector.delay_notice.as_deref().unwrap_or_default();
        if connector.lifetime.is_some() || locations.queue.sound("lifetime") {
            crate::section::agree_on_notices(lifetime, notices, &mut agreement);
        }
    }
}

/// No two sections of a kind have the same `field`.
fn unique<'a, S: Section, T: Eq + Hash + std::fmt::Display + 'a>(
    field: &'static str,
    values: impl Iterator<Item = (&'a T, &'a Places)>,
    problems: &mut Vec<Found>,
) {
    let mut seen: HashMap<&T, usize> = HashMap::new();
    for (index, (value, at)) in values.filter(|(_, at)| at.sound(field)).enumerate() {
        if seen.insert(value, index).is_some() {
            Agreement::new(S::NAME, at, problems).complain(
                &[field],
                format!("another {} has the {field} {value} already", S::NAME),
                "give each its own",
            );
        }
    }
}

/// Port 0 is a different port for each listener.
fn chosen_by_the_system(address: &Endpoint) -> bool {
    match address {
        Endpoint::Tcp(address) => address.port() == 0,
        Endpoint::Unix(_) => false,
    }
}

fn sessions(listener: &Listener, limits: &Limits, agreement: &mut Agreement<'_>) {
    let own = listener.max_sessions.unwrap_or(limits.max_sessions);
    if own > limits.max_sessions {
        agreement.complain(
            &["max_sessions"],
            format!(
                "{own} sessions are allowed here, and {} on all listeners together",
                limits.max_sessions
            ),
            "lower it, or raise max_sessions in [limits]",
        );
    }
}
