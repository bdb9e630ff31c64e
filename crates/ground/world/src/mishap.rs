//! Defects of our own, brought about on purpose: a task that panics or hangs wherever it waits.
//!
//! Whatever in a server waits, waits for something of this crate or of the store. Each of these places is a [`Spot`], and a
//! task that comes by asks [`Mishap::meet`] whether something happens to it there. In the real world nothing ever does. In a
//! simulated one a test gives a node a world in which it may ([`World::mortal`](crate::World::mortal)), and says when.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::hold;

/// Where a task waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spot {
    /// For time to pass.
    Sleep,
    /// For work that may take a limited time only: a peer, the DNS, the disk.
    Limited,
    /// Before the store is asked.
    Read,
    /// Before the store is written to.
    Write,
    /// After it was, before whoever wrote knows.
    Written,
    /// Before one attempt to deliver begins.
    Attempt,
}

impl Spot {
    /// Every spot.
    pub const ALL: [Spot; 6] = [
        Spot::Sleep,
        Spot::Limited,
        Spot::Read,
        Spot::Write,
        Spot::Written,
        Spot::Attempt,
    ];

    /// Its word in stories.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Spot::Sleep => "sleep",
            Spot::Limited => "limited",
            Spot::Read => "read",
            Spot::Write => "write",
            Spot::Written => "written",
            Spot::Attempt => "attempt",
        }
    }

    /// The spot of this word, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Spot> {
        Spot::ALL.into_iter().find(|spot| spot.word() == word)
    }
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// It panics.
    Panic,
    /// It waits for ever.
    Hang,
}

/// What may happen to the tasks that work with a world. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Mishap {
    plan: Option<Arc<Plan>>,
}

/// Says when something happens to the tasks of one world. Clones share it.
#[derive(Clone, Debug)]
pub struct SimulatedMishap {
    plan: Arc<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    /// Whether anything is planned at all.
    armed: AtomicBool,
    met: AtomicU64,
    strikes: Mutex<Strikes>,
}

#[derive(Debug, Default)]
struct Strikes {
    /// Tasks that come by before the next single blow, and that blow.
    next: Option<(u64, Blow)>,
    /// What happens to everybody at a spot.
    always: BTreeMap<Spot, Blow>,
    /// Nobody hears a hint.
    no_hints: bool,
}

impl Mishap {
    /// Nothing ever happens.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// A world in which something may.
    pub(crate) fn planned() -> (Self, SimulatedMishap) {
        let plan = Arc::<Plan>::default();
        let mishap = Self {
            plan: Some(plan.clone()),
        };
        (mishap, SimulatedMishap { plan })
    }

    /// A task comes by.
    ///
    /// # Panics
    /// When a test wants it to.
    pub async fn meet(&self, spot: Spot) {
        let Some(plan) = &self.plan else { return };
        match plan.blow(spot) {
            None => {}
            Some(Blow::Hang) => std::future::pending().await,
            // In a test of its own this is what is tested; nobody else makes a plan.
            Some(Blow::Panic) => std::panic::panic_any(format!("a defect at {}", spot.word())),
        }
    }

    /// Whether a hint that something can be done now gets lost.
    #[must_use]
    pub fn loses_hint(&self) -> bool {
        let plan = self.plan.as_ref();
        plan.is_some_and(|plan| plan.armed.load(Ordering::Acquire) && hold(&plan.strikes).no_hints)
    }
}

impl Plan {
    fn blow(&self, spot: Spot) -> Option<Blow> {
        self.met.fetch_add(1, Ordering::Relaxed);
        if !self.armed.load(Ordering::Acquire) {
            return None;
        }
        hold(&self.strikes).blow(spot)
    }
}

impl Strikes {
    fn blow(&mut self, spot: Spot) -> Option<Blow> {
        if let Some(always) = self.always.get(&spot) {
            return Some(*always);
        }
        let (left, blow) = self.next.take()?;
        if left == 0 {
            return Some(blow);
        }
        self.next = Some((left - 1, blow));
        None
    }

    fn is_empty(&self) -> bool {
        self.next.is_none() && self.always.is_empty() && !self.no_hints
    }
}

impl SimulatedMishap {
    /// After `others` came by anywhere, the next one meets `blow`. One such blow is planned at a time: the last one said.
    pub fn strike_after(&self, others: u64, blow: Blow) {
        self.change(|strikes| strikes.next = Some((others, blow)));
    }

    /// Everybody who comes by `spot` meets `blow` until [`SimulatedMishap::stop`].
    pub fn strike_always(&self, spot: Spot, blow: Blow) {
        self.change(|strikes| {
            strikes.always.insert(spot, blow);
        });
    }

    /// Hints that something can be done now reach nobody, until [`SimulatedMishap::stop`].
    pub fn lose_hints(&self) {
        self.change(|strikes| strikes.no_hints = true);
    }

    /// Nothing happens any more. Who hangs already, hangs.
    pub fn stop(&self) {
        self.change(|strikes| *strikes = Strikes::default());
    }

    /// Whether a single blow is planned that met nobody yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        hold(&self.plan.strikes).next.is_some()
    }

    /// How many came by so far.
    #[must_use]
    pub fn met(&self) -> u64 {
        self.plan.met.load(Ordering::Relaxed)
    }

    fn change(&self, change: impl FnOnce(&mut Strikes)) {
        let mut strikes = hold(&self.plan.strikes);
        change(&mut strikes);
        self.plan
            .armed
            .store(!strikes.is_empty(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::World;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_blow_meets_the_task_it_is_planned_for_and_nobody_else() {
        let (safe, _simulation) = World::simulated(1);
        let (world, mishap) = safe.mortal();
        mishap.strike_after(1, Blow::Panic);
        let nap = |world: World| async move { world.clock.sleep(Duration::from_secs(1)).await };
        nap(safe.clone()).await;
        nap(world.clone()).await;
        assert!(
            tokio::spawn(nap(world.clone()))
                .await
                .unwrap_err()
                .is_panic()
        );
        nap(world).await;
        assert_eq!(mishap.met(), 3);
        assert!(!mishap.is_waiting());
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_hangs_at_a_spot_until_it_is_over() {
        let (safe, _simulation) = World::simulated(1);
        let (world, mishap) = safe.mortal();
        mishap.strike_always(Spot::Sleep, Blow::Hang);
        let hour = Duration::from_secs(3600);
        let nap = || async { world.clock.sleep(Duration::from_secs(1)).await };
        assert!(safe.clock.timeout(hour, nap()).await.is_err());
        mishap.stop();
        assert!(safe.clock.timeout(hour, nap()).await.is_ok());
    }
}
