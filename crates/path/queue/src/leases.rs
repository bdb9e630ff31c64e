//! The leases of jobs that live in this process, renewed while whoever holds them is alive and within its time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use path_ledger::{Job, Ledger, RecipientId};
use tokio::time::Instant;
use wire_message::Time;

use crate::Shared;

/// Claims renewed by one write.
const A_WRITE: usize = 500;

/// How long a job may wait in memory for a connection; its hop's task lives as long.
const WAITING_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The registry. Clones share it.
#[derive(Clone)]
pub(crate) struct Leases {
    ledger: Ledger,
    live: Arc<Mutex<Live>>,
}

#[derive(Debug, Default)]
struct Live {
    next: u64,
    jobs: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    recipients: Arc<[RecipientId]>,
    /// On the ledger's lease clock.
    until: Time,
    /// Not renewed past this: whoever holds it hangs.
    give_up: Instant,
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
        let entry = Entry {
            recipients,
            until: job.lease.until,
            give_up: self.ledger.world().clock.instant() + WAITING_MAX,
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

    /// Renews what ends within two thirds of a lease.
    async fn renew(&self) {
        let lease = self.ledger.options().lease;
        let soon = self.ledger.lease_now() + lease * 2 / 3;
        let now = self.ledger.world().clock.instant();
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

    fn renewed(&self, jobs: &[(u64, Arc<[RecipientId]>)], escaped: &[RecipientId], until: Time) {
        let escaped: std::collections::HashSet<_> = escaped.iter().collect();
        let mut live = self.lock();
        for (key, ids) in jobs {
            let Some(entry) = live.jobs.get_mut(key) else {
                continue;
            };
            match ids.iter().all(|id| escaped.contains(id)) {
                true => entry.until = Time::EPOCH,
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
        }
    }

    /// Whose lease it is.
    pub(crate) fn recipients(&self) -> Arc<[RecipientId]> {
        let Kept { leases, key } = &*self.0;
        let live = leases.lock();
        let entry = live.jobs.get(key);
        entry
            .map(|entry| entry.recipients.clone())
            .unwrap_or_default()
    }

    /// Whether the claim is still ours, as far as is known here.
    pub(crate) fn is_live(&self) -> bool {
        let Kept { leases, key } = &*self.0;
        let now = leases.ledger.lease_now();
        let live = leases.lock();
        live.jobs.get(key).is_some_and(|entry| entry.until > now)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.leases.lock().jobs.remove(&self.key);
    }
}

/// Looks every third of a lease.
pub(crate) async fn renew_for_ever(shared: Arc<Shared>) {
    loop {
        let pause = shared.ledger.options().lease / 3;
        shared.ledger.world().clock.sleep(pause).await;
        shared.leases.renew().await;
    }
}
