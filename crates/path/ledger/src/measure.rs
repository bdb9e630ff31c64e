//! What this node counts as it happens, in memory and since it started: how many were accepted, how attempts ended, how long
//! recipients were on their way. The truth is in the rows; a crash or a lost answer of the store leaves these short of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ground_store::{Buckets, Histogram};

use crate::id::made_at;
use crate::{AttemptOutcome, HopKey, HopKind, Ledger, MessageId, Origin, State};

#[cfg(test)]
mod tests;

/// From a delivery here in an instant to mail that has waited for its whole lifetime.
const TIMES_TO_FINAL: &[Duration] = &[
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(4 * 3600),
    Duration::from_secs(12 * 3600),
    Duration::from_secs(24 * 3600),
    Duration::from_secs(2 * 24 * 3600),
    Duration::from_secs(4 * 24 * 3600),
];

crate::words! {
    /// Which kind of way mail goes.
    pub enum Way {
        /// Into a mailbox here.
        Mailbox = "mailbox",
        /// To the mail exchangers of a domain.
        Mx = "mx",
        /// To the fixed next hop of a connector.
        Connector = "connector",
    }
}

impl HopKey {
    /// Which kind of way this is.
    #[must_use]
    pub fn way(&self) -> Way {
        match self.kind() {
            HopKind::Mailbox => Way::Mailbox,
            HopKind::Mx(_) => Way::Mx,
            HopKind::Via(_) => Way::Connector,
        }
    }
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Messages accepted, by the way they came in.
    pub accepted: Vec<(Origin, u64)>,
    /// Attempts at a recipient that ended.
    pub attempts: Vec<(Way, AttemptOutcome, u64)>,
    /// How long recipients took from acceptance to a final state.
    pub ended: Vec<(State, Buckets)>,
}

#[derive(Debug)]
pub(crate) struct Counts {
    accepted: BTreeMap<Origin, AtomicU64>,
    attempts: BTreeMap<(Way, AttemptOutcome), AtomicU64>,
    ended: BTreeMap<State, Histogram>,
}

impl Default for Counts {
    fn default() -> Self {
        let ways = Way::ALL.iter().copied();
        let attempts = ways.flat_map(|way| AttemptOutcome::ALL.iter().map(move |one| (way, *one)));
        let ends = State::ALL.iter().filter(|state| state.is_final());
        Self {
            accepted: Origin::ALL.iter().map(|one| (*one, 0.into())).collect(),
            attempts: attempts.map(|one| (one, 0.into())).collect(),
            ended: ends
                .map(|state| (*state, Histogram::new(TIMES_TO_FINAL)))
                .collect(),
        }
    }
}

fn one_more<K: Ord>(of: &BTreeMap<K, AtomicU64>, key: &K) {
    if let Some(count) = of.get(key) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counts {
    pub(crate) fn accepted(&self, origin: Origin) {
        one_more(&self.accepted, &origin);
    }

    pub(crate) fn attempt(&self, way: Way, outcome: AttemptOutcome) {
        one_more(&self.attempts, &(way, outcome));
    }
}

impl Ledger {
    /// A recipient of this message has come to this state, which counts if it is final. Ids are of the moment of acceptance.
    pub(crate) fn count_end(&self, message: MessageId, state: State) {
        if let Some(times) = self.book.counts.ended.get(&state) {
            times.note(self.now().since(made_at(message.key())));
        }
    }

    /// What this node has counted since it started.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let counts = &self.book.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (accepted, attempts) = (counts.accepted.iter(), counts.attempts.iter());
        let ended = counts.ended.iter();
        Counted {
            accepted: accepted.map(|(origin, n)| (*origin, read(n))).collect(),
            attempts: attempts
                .map(|((way, outcome), n)| (*way, *outcome, read(n)))
                .collect(),
            ended: ended.map(|(state, times)| (*state, times.read())).collect(),
        }
    }
}
