//! What the settings say about mail in the book.

use std::collections::BTreeMap;
use std::time::Duration;

use ground_settings::Settings;

use crate::HopKey;

/// Octets of freshly accepted bodies kept in memory until they are claimed: a few thousand messages of usual size.
const FRESH_BODY_BYTES: usize = 32 << 20;

/// How long mail waits, and when its sender hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// From acceptance until it is returned.
    pub lifetime: Duration,
    /// Ages at which the sender is told that it still waits, rising.
    pub delay_notices: Vec<Duration>,
}

impl Patience {
    /// The age of the first notice after `age`, if one is owed before the lifetime ends.
    #[must_use]
    pub fn next_notice(&self, age: Duration) -> Option<Duration> {
        let due = |at: &&Duration| **at > age && **at < self.lifetime;
        self.delay_notices.iter().find(due).copied()
    }
}

/// What the book is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// A server: it claims mail, and owes the others a sign of life for as long as it does.
    Serve,
    /// A command, which is over in a moment: it claims nothing, and owes nobody anything.
    Command,
}

/// What a node brings to the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerOptions {
    /// This node's name; never shared by two that run at a time.
    pub node_name: String,
    /// What it is opened for.
    pub duty: Duty,
    /// For mail of every hop that is not named below.
    pub patience: Patience,
    /// For mail of hops with settings of their own.
    pub hop_patience: BTreeMap<HopKey, Patience>,
    /// The lifetime of reports.
    pub report_lifetime: Duration,
    /// How long a claim lasts unless renewed.
    pub lease: Duration,
    /// How long after a hold begins somebody should look.
    pub hold_alarm: Duration,
    /// Attempts at a recipient in a row that may begin and never end before it is held.
    pub poison_attempts: u32,
    /// How long this node must have been away for its mail to count as late.
    pub late_after: Duration,
    /// How late anything may be before the audit says so.
    pub slack: Duration,
    /// Octets of freshly accepted bodies kept in memory.
    pub fresh_body_bytes: usize,
}

impl LedgerOptions {
    /// What `settings` say, for the node of this name.
    #[must_use]
    pub fn from_settings(node_name: impl Into<String>, settings: &Settings) -> Self {
        let queue = &settings.queue;
        let own = settings.connectors.iter().map(|connector| {
            let schedule = connector.schedule(queue);
            let patience = Patience {
                lifetime: schedule.lifetime,
                delay_notices: schedule.delay_notice,
            };
            (HopKey::via(&connector.name), patience)
        });
        Self {
            node_name: node_name.into(),
            duty: Duty::Serve,
            patience: Patience {
                lifetime: queue.lifetime,
                delay_notices: queue.delay_notice.clone(),
            },
            hop_patience: own.collect(),
            report_lifetime: queue.report_lifetime,
            lease: queue.lease,
            hold_alarm: queue.hold_alarm,
            poison_attempts: queue.poison_attempts,
            late_after: queue.late_after,
            slack: settings.watch.slack,
            fresh_body_bytes: FRESH_BODY_BYTES,
        }
    }

    /// How patient mail for `hop` is.
    #[must_use]
    pub fn patience(&self, hop: &HopKey) -> &Patience {
        self.hop_patience.get(hop).unwrap_or(&self.patience)
    }
}
