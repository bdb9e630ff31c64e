//! What should not be, for the people who run the server: told once when it begins and once when it ends.

use std::collections::BTreeSet;
use std::fmt;

use path_ledger::{HopKey, RecipientId};
use tokio::sync::watch;

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// A recipient's deadline passed longer ago than `watch.slack`, and nothing happened.
    Overdue(RecipientId),
    /// Mail waits for a connector that is in the settings no longer.
    NoSuchConnector(HopKey),
    /// The book does not add up: accepted, less all that is accounted for.
    Difference(i64),
    /// An audit found this.
    Finding(String),
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alarm::Overdue(recipient) => write!(
                f,
                "recipient {recipient} is past its deadline: see postrider inspect"
            ),
            Alarm::NoSuchConnector(hop) => write!(
                f,
                "mail waits for {hop}, which the settings no longer name: reroute it, or bring the connector back"
            ),
            Alarm::Difference(difference) => write!(
                f,
                "the book does not add up, by {difference}: see postrider audit"
            ),
            Alarm::Finding(detail) => write!(f, "{detail}: see postrider audit"),
        }
    }
}

/// Where a sweep puts its findings.
#[derive(Debug, Clone)]
pub(crate) struct Alarms {
    raised: watch::Sender<BTreeSet<Alarm>>,
}

impl Alarms {
    pub(crate) fn new() -> (Self, watch::Receiver<BTreeSet<Alarm>>) {
        let (raised, seen) = watch::channel(BTreeSet::new());
        (Self { raised }, seen)
    }

    /// Replaces those that are `mine` by what was found now, and logs the difference.
    pub(crate) fn replace(&self, mine: impl Fn(&Alarm) -> bool, found: BTreeSet<Alarm>) {
        self.raised.send_if_modified(|raised| {
            let before: BTreeSet<Alarm> =
                raised.iter().filter(|alarm| mine(alarm)).cloned().collect();
            for begun in found.difference(&before) {
                tracing::error!(alarm = %begun, "an alarm");
            }
            for ended in before.difference(&found) {
                tracing::info!(alarm = %ended, "an alarm has ended");
            }
            let changed = before != found;
            raised.retain(|alarm| !mine(alarm));
            raised.extend(found);
            changed
        });
    }
}
