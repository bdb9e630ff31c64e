//! Handing freshly accepted mail to this node's queue without another read.
//!
//! Memory is a hint here too. Whoever accepts reserves a [`Slot`] first; with it a recipient is born claimed, and after the
//! commit its job goes straight to the queue. Without one it is born queued, and the queue finds it. A job that is lost in
//! memory was claimed in the book, and the end of its claim brings it back.
//!
//! ```text
//!   accept                             queue
//!   reserve(hop) --> Slot              shut(hop), open(hop)
//!   (commit)
//!   slot.hand_over(job) -----------> Handovers::next() --> job + Place; dropping the Place makes room
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::{HopKey, Job, RecipientId};

/// Octets of bodies that jobs on their way keep in memory; the bodies of further ones are read from the store.
pub const BODIES_MAX: usize = 64 << 20;

/// How much may be handed over at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandoffLimits {
    /// Jobs between the session and the end of their place, for all hops.
    pub jobs: usize,
    /// The same for one hop, so that a slow one does not take the room of all others.
    pub jobs_per_hop: usize,
}

/// Where those who accept mail ask for room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handoff {
    gates: Arc<Gates>,
    jobs: mpsc::Sender<HandedOver>,
}

/// The queue's end.
#[derive(Debug)]
pub struct Handovers {
    jobs: mpsc::Receiver<HandedOver>,
}

/// A job, and the room it takes.
#[derive(Debug)]
pub struct HandedOver {
    /// Claimed in the book by this node's epoch.
    pub job: Job,
    /// Dropped when the job leaves the ready lists.
    pub place: Place,
}

/// Room for one job; free again when dropped.
#[derive(Debug)]
pub struct Place {
    gates: Arc<Gates>,
    hop: HopKey,
    /// Its number: places are numbered as they are taken.
    number: u64,
    /// Octets of the job's body in memory.
    octets: usize,
}

/// Reserved room for one job of one hop; given back when dropped unused.
#[derive(Debug)]
pub struct Slot {
    place: Place,
    jobs: mpsc::Sender<HandedOver>,
}

#[derive(Debug)]
struct Gates {
    limits: HandoffLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Octets of bodies.
    octets: usize,
    /// Hops with jobs on their way; an entry goes with its last job.
    by_hop: HashMap<HopKey, usize>,
    /// Hops known to be down or paused, or that the queue wants nothing more for.
    shut: HashSet<HopKey>,
    /// The number of the last place that was taken.
    last: u64,
    /// Places whose job is not committed yet, or is about to be handed over.
    reserved: BTreeMap<u64, HopKey>,
    /// Whom the jobs on their way are for, by the number of their place.
    on_the_way: BTreeMap<u64, Vec<RecipientId>>,
}

/// A moment between the taking of two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

impl Handoff {
    /// Both ends.
    #[must_use]
    pub fn new(limits: HandoffLimits) -> (Handoff, Handovers) {
        // As many as there are places: a job with a place never waits.
        let (sender, receiver) = mpsc::channel(limits.jobs.max(1));
        let gates = Arc::new(Gates {
            limits,
            taken: Mutex::default(),
        });
        let handoff = Handoff {
            gates,
            jobs: sender,
        };
        (handoff, Handovers { jobs: receiver })
    }

    /// For a process without a queue: there is never room, so all mail is born queued.
    #[must_use]
    pub fn to_nobody() -> Handoff {
        Handoff::new(HandoffLimits {
            jobs: 0,
            jobs_per_hop: 0,
        })
        .0
    }

    /// Room for a job of `hop`; `None` when there is none, the hop is shut, or nobody takes jobs any more.
    #[must_use]
    pub fn reserve(&self, hop: &HopKey) -> Option<Slot> {
        if self.jobs.is_closed() {
            return None;
        }
        let place = Place::take(&self.gates, hop)?;
        Some(Slot {
            place,
            jobs: self.jobs.clone(),
        })
    }

    /// From now on mail for `hop` is born queued.
    pub fn shut(&self, hop: &HopKey) {
        self.gates.hold().shut.insert(hop.clone());
    }

    /// Mail for `hop` is wanted again.
    pub fn open(&self, hop: &HopKey) {
        self.gates.hold().shut.remove(hop);
    }

    /// This moment.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.gates.hold().last)
    }

    /// Next hops for which a place was taken before `mark` whose job was not handed over yet: it may be in the book already.
    #[must_use]
    pub fn reserved_before(&self, mark: Mark) -> Vec<HopKey> {
        let taken = self.gates.hold();
        let reserved = taken.reserved.range(..=mark.0);
        reserved.map(|(_, hop)| hop.clone()).collect()
    }

    /// Whom the jobs are for that were handed over and have not left the queue's memory.
    #[must_use]
    pub fn on_the_way(&self) -> Vec<RecipientId> {
        let taken = self.gates.hold();
        taken.on_the_way.values().flatten().copied().collect()
    }

    /// Places that are counted as taken, less those that really are: 0, or something forgot to give one back.
    #[must_use]
    pub fn miscounted(&self) -> i64 {
        let taken = self.gates.hold();
        let real = taken.reserved.len() + taken.on_the_way.len();
        let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        signed(taken.all) - signed(real)
    }

    /// Counts the places that really are taken again.
    pub fn recount(&self) {
        let mut taken = self.gates.hold();
        taken.all = taken.reserved.len() + taken.on_the_way.len();
    }
}

impl Handovers {
    /// The next job. `None` once every [`Handoff`] is gone. Safe to cancel.
    pub async fn next(&mut self) -> Option<HandedOver> {
        self.jobs.recv().await
    }

    /// A job that was handed over already, if there is one.
    pub fn try_next(&mut self) -> Option<HandedOver> {
        self.jobs.try_recv().ok()
    }
}

impl Slot {
    /// The hop it is for.
    #[must_use]
    pub fn hop(&self) -> &HopKey {
        &self.place.hop
    }

    /// Gives the job to the queue. When the queue is gone the job's claim ends by itself.
    pub fn hand_over(mut self, mut job: Job) {
        self.place.keep_body(&mut job);
        self.place.sets_out(&job);
        let handed = HandedOver {
            job,
            place: self.place,
        };
        if let Err(refused) = self.jobs.try_send(handed) {
            tracing::debug!(%refused, "the queue takes no jobs any more; the claim will end by itself");
        }
    }
}

impl Place {
    fn take(gates: &Arc<Gates>, hop: &HopKey) -> Option<Place> {
        let mut taken = gates.hold();
        let of_hop = taken.by_hop.get(hop).copied().unwrap_or(0);
        let full = taken.all >= gates.limits.jobs || of_hop >= gates.limits.jobs_per_hop;
        if full || taken.shut.contains(hop) {
            return None;
        }
        taken.all += 1;
        taken.by_hop.insert(hop.clone(), of_hop + 1);
        taken.last += 1;
        let number = taken.last;
        taken.reserved.insert(number, hop.clone());
        drop(taken);
        Some(Place {
            gates: gates.clone(),
            hop: hop.clone(),
            number,
            octets: 0,
        })
    }

    /// Its job is on its way.
    fn sets_out(&self, job: &Job) {
        let recipients = job.recipients.iter().map(|one| one.id).collect();
        let mut taken = self.gates.hold();
        taken.reserved.remove(&self.number);
        taken.on_the_way.insert(self.number, recipients);
    }

    /// Lets the job keep its body in memory while there is room for it.
    fn keep_body(&mut self, job: &mut Job) {
        let octets = job.body.cached().map_or(0, bytes::Bytes::len);
        let mut taken = self.gates.hold();
        if taken.octets + octets > BODIES_MAX {
            job.body.forget();
            return;
        }
        taken.octets += octets;
        self.octets = octets;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.gates.hold();
        taken.all = taken.all.saturating_sub(1);
        taken.octets = taken.octets.saturating_sub(self.octets);
        taken.reserved.remove(&self.number);
        taken.on_the_way.remove(&self.number);
        let left = taken
            .by_hop
            .get(&self.hop)
            .map_or(0, |of_hop| of_hop.saturating_sub(1));
        if left == 0 {
            taken.by_hop.remove(&self.hop);
        } else {
            taken.by_hop.insert(self.hop.clone(), left);
        }
    }
}

impl Gates {
    fn hold(&self) -> MutexGuard<'_, Taken> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(jobs: usize, jobs_per_hop: usize) -> HandoffLimits {
        HandoffLimits { jobs, jobs_per_hop }
    }

    #[test]
    fn a_slow_hop_never_takes_the_room_of_the_others() {
        let (handoff, _handovers) = Handoff::new(limits(3, 2));
        let (slow, other) = (HopKey::mx("slow.test"), HopKey::mx("other.test"));
        let slots: Vec<_> = (0..3).map(|_| handoff.reserve(&slow)).collect();
        assert_eq!(slots.iter().flatten().count(), 2);
        let last = handoff.reserve(&other);
        assert!(last.is_some());
        assert!(handoff.reserve(&HopKey::mailbox()).is_none());
        drop(slots);
        assert!(handoff.reserve(&slow).is_some());
    }

    #[test]
    fn nothing_is_reserved_for_a_shut_hop_or_for_nobody() {
        let (handoff, handovers) = Handoff::new(limits(3, 2));
        let hop = HopKey::mailbox();
        handoff.shut(&hop);
        assert!(handoff.reserve(&hop).is_none());
        handoff.open(&hop);
        assert!(handoff.reserve(&hop).is_some());
        drop(handovers);
        assert!(handoff.reserve(&hop).is_none());
        assert!(Handoff::to_nobody().reserve(&hop).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_on_their_way_take_no_more_memory_than_their_bound() {
        let book = crate::fixture::book().await;
        book.one(crate::fixture::queued()).await;
        let mut job = book.claim().await.remove(0);
        let body = bytes::Bytes::from(vec![b'x'; BODIES_MAX / 2 + 1]);
        job.body = crate::BodyRef::new(1, body.len() as u64, Some(body));
        let (handoff, mut handovers) = Handoff::new(limits(3, 3));
        let hand = |job: &Job| {
            handoff
                .reserve(&job.next_hop)
                .unwrap()
                .hand_over(job.clone())
        };
        hand(&job);
        hand(&job);
        let (first, second) = (handovers.try_next().unwrap(), handovers.try_next().unwrap());
        assert!(first.job.body.cached().is_some() && second.job.body.cached().is_none());
        drop(first);
        hand(&job);
        assert!(handovers.try_next().unwrap().job.body.cached().is_some());
    }
}
