//! Attempts at one time to all hops together, shared so that no hop can take them all.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use path_ledger::HopKey;

/// All permits. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Permits {
    shared: Arc<Mutex<Book>>,
}

#[derive(Debug)]
struct Book {
    total: usize,
    used: usize,
    by_hop: HashMap<HopKey, usize>,
}

/// One connection's right to be; given back when dropped, if not before.
#[derive(Debug)]
pub(crate) struct Permit {
    permits: Permits,
    hop: HopKey,
    given_back: AtomicBool,
}

impl Permits {
    pub(crate) fn new(total: u32) -> Self {
        let total = usize::try_from(total).unwrap_or(usize::MAX).max(1);
        let book = Book {
            total,
            used: 0,
            by_hop: HashMap::new(),
        };
        Self {
            shared: Arc::new(Mutex::new(book)),
        }
    }

    /// A permit for `hop`, when there is one and it has not more than its share of what is left.
    pub(crate) fn take(&self, hop: &HopKey) -> Option<Permit> {
        let mut book = self.hold();
        let own = book.by_hop.get(hop).copied().unwrap_or(0);
        if book.used >= book.total || own >= book.share(hop) {
            return None;
        }
        book.used += 1;
        book.by_hop.insert(hop.clone(), own + 1);
        Some(Permit {
            permits: self.clone(),
            hop: hop.clone(),
            given_back: AtomicBool::new(false),
        })
    }

    /// The settings changed.
    pub(crate) fn set_total(&self, total: u32) {
        self.hold().total = usize::try_from(total).unwrap_or(usize::MAX).max(1);
    }

    /// Whether there is none left.
    pub(crate) fn are_gone(&self) -> bool {
        let book = self.hold();
        book.used >= book.total
    }

    /// Permits in use.
    pub(crate) fn used(&self) -> usize {
        self.hold().used
    }

    /// So many are in use, whatever was counted.
    pub(crate) fn recount(&self, by_hop: &BTreeMap<HopKey, usize>) {
        let mut book = self.hold();
        book.used = by_hop.values().sum();
        book.by_hop = by_hop
            .iter()
            .filter(|(_, used)| **used > 0)
            .map(|(hop, used)| (hop.clone(), *used))
            .collect();
    }

    fn hold(&self) -> MutexGuard<'_, Book> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Whether others wait while this hop has more than its share: between two messages it steps back.
    pub(crate) fn is_over_share(&self) -> bool {
        let book = self.permits.hold();
        let own = book.by_hop.get(&self.hop).copied().unwrap_or(0);
        book.used >= book.total && own > book.share(&self.hop)
    }
}

impl Book {
    /// What one hop may have: everything but a quarter, which stays for newcomers, when it is alone; an equal part of all
    /// when there are many. One at least.
    fn share(&self, hop: &HopKey) -> usize {
        let others = self.by_hop.len() - usize::from(self.by_hop.contains_key(hop));
        let equal = self.total / (others + 1);
        equal.min(self.total - self.total / 4).max(1)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Permit {
    /// Once is enough.
    pub(crate) fn give_back(&self) {
        if self.given_back.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut book = self.permits.hold();
        book.used = book.used.saturating_sub(1);
        let own = book
            .by_hop
            .get(&self.hop)
            .map_or(0, |own| own.saturating_sub(1));
        if own == 0 {
            book.by_hop.remove(&self.hop);
        } else {
            book.by_hop.insert(self.hop.clone(), own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hop_takes_all_and_who_has_too_much_steps_back_when_others_come() {
        let permits = Permits::new(8);
        let (one, two) = (HopKey::mx("one.test"), HopKey::mx("two.test"));
        let of_one: Vec<_> = (0..8).map_while(|_| permits.take(&one)).collect();
        assert_eq!(of_one.len(), 6);
        let of_two: Vec<_> = (0..8).map_while(|_| permits.take(&two)).collect();
        assert_eq!(of_two.len(), 2);
        assert!(permits.are_gone());
        assert!(of_one[0].is_over_share());
        assert!(!of_two[0].is_over_share());
        drop(of_one);
        assert!(permits.take(&two).is_some());
    }
}
