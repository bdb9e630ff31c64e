//! The leases of jobs that live in this process, renewed while whoever holds them is alive and within its time.
//!
//! This is also what the node's memory holds of the book, all of it: the reconciler compares the two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ground_world::supervise::Pulse;
use path_ledger::{HopKey, Job, Ledger, MessageId, RecipientId};
use tokio::time::Instant;
use wire_message::Time;

use crate::Shared;

/// Claims renewed by one write.
const A_WRITE: usize = 500;

/// How long a job may wait in memory for a connection; its hop's task lives as long.
const WAITING_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The task that renews leases shows that it lives within this time: some writes, each within the store's own deadline.
pub(crate) const RENEWAL_PULSE: Duration = Duration::from_secs(120);

/// The registry. Clones share it.
#[derive(Clone)]
pub(crate) struct Leases {
    ledger: Ledger,
    live: Arc<Mutex<Live>>,
}

#[derive(Debug, Default)]
struct Live {
    next: u64,
    jobs: BTreeMap<u64, Entry>,
    /// Claims under way: what they claim may be in the book and not here yet.
    claiming: BTreeMap<u64, HopKey>,
}

#[derive(Debug)]
struct Entry {
    message: MessageId,
    recipients: Arc<[RecipientId]>,
    /// On the ledger's lease clock.
    until: Time,
    /// Not renewed past this: whoever holds it hangs.
    give_up: Instant,
    /// When the first of its recipients must have gone back, if no attempt has begun.
    expires_at: Time,
    stage: Stage,
}

/// Whether an attempt has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for a connection.
    Waiting,
    /// It is in a worker's hand, or being settled.
    InHand,
}

/// Keeps one job's lease; given up with the job, or with the task that dies. Clones keep the same.
#[derive(Debug, Clone)]
pub(crate) struct Held(Arc<Kept>);

struct Kept {
    leases: Leases,
    key: u64,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({})", self.key)
    }
}

/// A claim is under way until this is dropped.
pub(crate) struct Claiming {
    leases: Leases,
    key: u64,
}

/// A job as the reconciler sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InMemory {
    pub(crate) key: u64,
    pub(crate) message: MessageId,
    pub(crate) recipients: Arc<[RecipientId]>,
    pub(crate) stage: Stage,
}

impl Leases {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            live: Arc::default(),
        }
    }

    /// Keeps the lease of `job` from now on.
    pub(crate) fn hold(&self, job: &Job) -> Held {
        let recipients = job.recipients.iter().map(|one| one.id).collect();
        let ends = job.recipients.iter().map(|one| one.expires_at).min();
        let entry = Entry {
            message: job.message,
            recipients,
            until: job.lease.until,
            give_up: self.ledger.world().clock.instant() + WAITING_MAX,
            expires_at: ends.unwrap_or(Time::MAX),
            stage: Stage::Waiting,
        };
        let mut live = self.lock();
        live.next += 1;
        let key = live.next;
        live.jobs.insert(key, entry);
        drop(live);
        Held(Arc::new(Kept {
            leases: self.clone(),
            key,
        }))
    }

    /// A claim for `hop` begins.
    pub(crate) fn claiming(&self, hop: &HopKey) -> Claiming {
        let mut live = self.lock();
        live.next += 1;
        let key = live.next;
        live.claiming.insert(key, hop.clone());
        drop(live);
        Claiming {
            leases: self.clone(),
            key,
        }
    }

    /// This moment: what is here now, and what comes later.
    pub(crate) fn mark(&self) -> u64 {
        self.lock().next
    }

    /// Next hops for which a claim began before `mark` and is not over.
    pub(crate) fn claiming_before(&self, mark: u64) -> Vec<HopKey> {
        let live = self.lock();
        let claiming = live.claiming.range(..=mark);
        claiming.map(|(_, hop)| hop.clone()).collect()
    }

    /// Everything that lives.
    pub(crate) fn in_memory(&self) -> Vec<InMemory> {
        let live = self.lock();
        let jobs = live.jobs.iter();
        jobs.map(|(key, entry)| InMemory {
            key: *key,
            message: entry.message,
            recipients: entry.recipients.clone(),
            stage: entry.stage,
        })
        .collect()
    }

    /// The claim of a job is not ours any more: no attempt at it begins.
    pub(crate) fn disown(&self, key: u64) {
        if let Some(entry) = self.lock().jobs.get_mut(&key) {
            entry.until = Time::EPOCH;
        }
    }

    /// Renews what ends within two thirds of a lease. Mail whose lifetime ends while it waits is given back instead, so that
    /// its sender is told on time.
    async fn renew(&self) {
        let lease = self.ledger.options().lease;
        let soon = self.ledger.lease_now() + lease * 2 / 3;
        let now = self.ledger.world().clock.instant();
        self.give_back_expired().await;
        let ending: Vec<(u64, Arc<[RecipientId]>)> = {
            let live = self.lock();
            let ending = live.jobs.iter();
            let ending = ending.filter(|(_, entry)| entry.until <= soon && entry.give_up > now);
            ending
                .map(|(key, entry)| (*key, entry.recipients.clone()))
                .collect()
        };
        for some in ending.chunks(A_WRITE) {
            let ids: Vec<_> = some
                .iter()
                .flat_map(|(_, ids)| ids.iter().copied())
                .collect();
            let until = self.ledger.lease_now() + lease;
            match self.ledger.renew(&ids).await {
                Ok(reached) => self.renewed(some, &reached.escaped, until),
                Err(error) => tracing::warn!(%error, "claims could not be renewed; trying again"),
            }
        }
    }

    async fn give_back_expired(&self) {
        let now = self.ledger.now();
        let ids: Vec<RecipientId> = {
            let mut live = self.lock();
            let over = live.jobs.values_mut().filter(|entry| {
                let waits = entry.stage == Stage::Waiting && entry.until > Time::EPOCH;
                waits && entry.expires_at <= now
            });
            over.flat_map(|entry| {
                entry.until = Time::EPOCH;
                entry.recipients.to_vec()
            })
            .collect()
        };
        if ids.is_empty() {
            return;
        }
        if let Err(error) = self.ledger.release(&ids).await {
            tracing::warn!(%error, "claims could not be given back; they end by themselves");
        }
    }

    fn renewed(&self, jobs: &[(u64, Arc<[RecipientId]>)], escaped: &[RecipientId], until: Time) {
        let escaped: BTreeSet<_> = escaped.iter().collect();
        let mut live = self.lock();
        for (key, ids) in jobs {
            let Some(entry) = live.jobs.get_mut(key) else {
                continue;
            };
            match ids.iter().all(|id| escaped.contains(id)) {
                true => entry.until = Time::EPOCH,
                // Given up meanwhile, it stays so.
                false if entry.until == Time::EPOCH => {}
                false => entry.until = until,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The attempt begins: its lease is renewed for so long and no longer.
    pub(crate) fn work_for(&self, limit: Duration) {
        let Kept { leases, key } = &*self.0;
        let give_up = leases.ledger.world().clock.instant() + limit;
        if let Some(entry) = leases.lock().jobs.get_mut(key) {
            entry.give_up = give_up;
            entry.stage = Stage::InHand;
        }
    }

    /// Of which message, and whose lease it is.
    pub(crate) fn whose(&self) -> Option<(MessageId, Arc<[RecipientId]>)> {
        let Kept { leases, key } = &*self.0;
        let live = leases.lock();
        let entry = live.jobs.get(key)?;
        Some((entry.message, entry.recipients.clone()))
    }

    /// Whether the claim is still ours, as far as is known here.
    pub(crate) fn is_live(&self) -> bool {
        let Kept { leases, key } = &*self.0;
        let now = leases.ledger.lease_now();
        let live = leases.lock();
        live.jobs.get(key).is_some_and(|entry| entry.until > now)
    }

    /// Whether it was given up: nobody will renew it.
    pub(crate) fn is_disowned(&self) -> bool {
        let Kept { leases, key } = &*self.0;
        let live = leases.lock();
        let entry = live.jobs.get(key);
        entry.is_none_or(|entry| entry.until == Time::EPOCH)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.leases.lock().jobs.remove(&self.key);
    }
}

impl Drop for Claiming {
    fn drop(&mut self) {
        self.leases.lock().claiming.remove(&self.key);
    }
}

/// Looks every third of a lease.
pub(crate) async fn renew_for_ever(shared: Arc<Shared>, pulse: Pulse) {
    loop {
        let pause = shared.ledger.options().lease / 3;
        pulse.sleep(pause).await;
        shared.leases.renew().await;
    }
}
