//! Hints that something can be done now. Losing one costs a poll interval, never a message.
//!
//! What was queued by this node is told to the others too ([`Ledger::hear_neighbours`]): one of them may have room for it,
//! or its mail for the same hop waits for just that.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::{HopKey, Ledger};

/// Hops named in one hint; past that the next poll finds the rest.
const HOPS_NAMED: usize = 4096;

/// Rings when rows become ready: one bell for the queue, one for the categorizer.
#[derive(Debug, Default)]
pub struct Wakeups {
    hops: Mutex<BTreeSet<HopKey>>,
    queue: Notify,
    categorizer: Notify,
}

impl Wakeups {
    /// Waits until something was queued, and says for which hops.
    pub async fn next_queued(&self) -> BTreeSet<HopKey> {
        loop {
            self.queue.notified().await;
            let mut hops = self.hops.lock().unwrap_or_else(PoisonError::into_inner);
            if !hops.is_empty() {
                return std::mem::take(&mut *hops);
            }
        }
    }

    /// Waits until something is to be categorized.
    pub async fn next_categorizing(&self) {
        self.categorizer.notified().await;
    }

    pub(crate) fn queued(&self, hop: &HopKey) {
        let mut hops = self.hops.lock().unwrap_or_else(PoisonError::into_inner);
        if hops.len() < HOPS_NAMED && !hops.contains(hop) {
            hops.insert(hop.clone());
        }
        drop(hops);
        self.queue.notify_one();
    }

    pub(crate) fn categorizing(&self) {
        self.categorizer.notify_one();
    }
}

/// What other nodes hear when something is to be categorized. No hop is called so.
const CATEGORIZING: &str = "categorizing";

impl Ledger {
    /// Something was queued for `hop`: rings here, and at other nodes when there are any.
    pub(crate) fn wake_for(&self, hop: &HopKey) {
        if self.world().mishap().loses_hint() {
            return;
        }
        self.wakeups().queued(hop);
        if self.nodes_at_work() > 1 {
            self.store().tell_others(hop.as_str());
        }
    }

    /// Something is to be categorized.
    pub(crate) fn wake_categorizer(&self) {
        if self.world().mishap().loses_hint() {
            return;
        }
        self.wakeups().categorizing();
        if self.nodes_at_work() > 1 {
            self.store().tell_others(CATEGORIZING);
        }
    }

    /// Rings here for what other nodes have queued. Never ends.
    pub async fn hear_neighbours(&self) {
        loop {
            let word = self.store().next_word().await;
            if word == CATEGORIZING {
                self.wakeups().categorizing();
            } else if let Ok(hop) = word.parse() {
                self.wakeups().queued(&hop);
            }
        }
    }
}
