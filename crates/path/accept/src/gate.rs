//! The gate: how many sessions there are, in all, on each listener and from each peer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ground_settings::{Limits, Listener};

/// Counts sessions. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    by_listener: HashMap<Arc<str>, u32>,
    by_peer: HashMap<IpAddr, u32>,
}

/// A place for one session; free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    counts: Arc<Mutex<Counts>>,
    listener: Arc<str>,
    peer: Option<IpAddr>,
}

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// All sessions, or those of the listener.
    Everywhere,
    /// Those of the peer.
    Peer,
}

impl Gate {
    /// A place on `listener`, whoever it is for. `limits` are those of the whole server.
    pub(crate) fn enter(&self, listener: &Listener, limits: &Limits) -> Result<Seat, Crowded> {
        let mut counts = hold(&self.counts);
        let name: Arc<str> = listener.name.as_str().into();
        let here = counts.by_listener.get(&name).copied().unwrap_or(0);
        let full_here = listener.max_sessions.is_some_and(|most| here >= most);
        if counts.all >= limits.max_sessions || full_here {
            return Err(Crowded::Everywhere);
        }
        counts.all += 1;
        counts.by_listener.insert(name.clone(), here + 1);
        Ok(Seat {
            counts: self.counts.clone(),
            listener: name,
            peer: None,
        })
    }

    /// Sessions at present.
    #[cfg(test)]
    pub(crate) fn sessions(&self) -> u32 {
        hold(&self.counts).all
    }
}

impl Seat {
    /// Says who it is for: known only after a PROXY header.
    pub(crate) fn name_peer(&mut self, peer: IpAddr, limits: &Limits) -> Result<(), Crowded> {
        let peer = peer.to_canonical();
        let mut counts = hold(&self.counts);
        let from_there = counts.by_peer.get(&peer).copied().unwrap_or(0);
        if from_there >= limits.max_sessions_per_peer {
            return Err(Crowded::Peer);
        }
        counts.by_peer.insert(peer, from_there + 1);
        self.peer = Some(peer);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = hold(&self.counts);
        counts.all = counts.all.saturating_sub(1);
        leave(&mut counts.by_listener, &self.listener);
        if let Some(peer) = &self.peer {
            leave(&mut counts.by_peer, peer);
        }
    }
}

fn leave<K: Eq + std::hash::Hash + Clone>(counts: &mut HashMap<K, u32>, key: &K) {
    let Some(count) = counts.get_mut(key) else {
        return;
    };
    *count = count.saturating_sub(1);
    if *count == 0 {
        counts.remove(key);
    }
}

fn hold(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    // Nothing in here panics half way, so a poisoned lock guards whole data.
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
