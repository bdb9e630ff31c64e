//! Hints that something can be done now. Losing one costs a poll interval, never a message.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::HopKey;

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
