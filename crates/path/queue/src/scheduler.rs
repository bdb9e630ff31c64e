//! Which hops have something to do: asked of the book for ever; hints and handed-over jobs only come sooner.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use path_ledger::{HandedOver, Handovers, HopKey};
use tokio::task::{Id, JoinError, JoinSet};
use wire_message::Time;

use crate::hop::{self, Cause, Hop, Rest};
use crate::{Shared, hop::ready};

/// The question takes at most this part of the time, however many hops there are.
const POLL_SHARE: u32 = 10;

pub(crate) async fn run(shared: Arc<Shared>, mut handovers: Handovers) {
    let clock = shared.ledger.world().clock.clone();
    let mut scheduler = Scheduler {
        shared,
        hops: HashMap::new(),
        tasks: JoinSet::new(),
        keys: HashMap::new(),
        resting: HashMap::new(),
        last_started: None,
    };
    let mut next_poll = clock.instant();
    let stopping = scheduler.shared.stopping.clone();
    let ledger = scheduler.shared.ledger.clone();
    loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            Some(ended) = scheduler.tasks.join_next_with_id() => scheduler.ended(ended),
            Some(handed) = handovers.next() => scheduler.take(handed),
            hops = ledger.wakeups().next_queued() => scheduler.hinted(hops),
            () = clock.sleep_until_instant(next_poll) => {
                let ((), took) = clock.timed(scheduler.poll()).await;
                next_poll = clock.instant() + scheduler.pause().max(took * POLL_SHARE);
            }
        }
    }
    while let Some(ended) = scheduler.tasks.join_next_with_id().await {
        scheduler.ended(ended);
    }
    scheduler.give_back(&mut handovers).await;
}

struct Scheduler {
    shared: Arc<Shared>,
    hops: HashMap<HopKey, Arc<Hop>>,
    tasks: JoinSet<(Arc<Hop>, Rest)>,
    /// Whose task is whose, for one that dies.
    keys: HashMap<Id, Arc<Hop>>,
    /// Hops that are not to be tried before a time, whatever hints say. The book may know better: the poll asks it.
    resting: HashMap<HopKey, Time>,
    /// Where the poll goes on when there are more hops than tasks.
    last_started: Option<HopKey>,
}

impl Scheduler {
    fn pause(&self) -> Duration {
        self.shared.settings().queue.poll_interval
    }

    /// Asks the book.
    async fn poll(&mut self) {
        let settings = self.shared.settings();
        self.shared
            .permits
            .set_total(settings.queue.max_concurrent_attempts);
        let now = self.shared.ledger.now();
        self.resting.retain(|_, until| *until > now);
        let mut due = match self.shared.ledger.ready_hops(now).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "the book cannot be asked what is due; trying again");
                return;
            }
        };
        // In turns, or the last of the alphabet would wait for ever when there are too many.
        let from = due.partition_point(|hop| Some(&hop.key) <= self.last_started.as_ref());
        due.rotate_left(from);
        for hop in due {
            self.resting.remove(&hop.key);
            self.start(&hop.key);
        }
    }

    fn hinted(&mut self, hops: std::collections::BTreeSet<HopKey>) {
        let now = self.shared.ledger.now();
        for key in hops {
            if self.resting.get(&key).is_none_or(|until| *until <= now) {
                self.start(&key);
            }
        }
    }

    /// Wakes a hop's task, or starts one when there is room and this node takes work.
    fn start(&mut self, key: &HopKey) {
        if let Some(hop) = self.hops.get(key) {
            return hop.hint();
        }
        if !self.shared.ledger.takes_work() {
            return;
        }
        let max = self.shared.settings().queue.max_concurrent_attempts;
        if self.hops.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
            return;
        }
        self.last_started = Some(key.clone());
        self.spawn(Hop::new(key.clone(), Cause::Book));
    }

    fn spawn(&mut self, hop: Arc<Hop>) {
        let shared = self.shared.clone();
        self.hops.insert(hop.key.clone(), hop.clone());
        let kept = hop.clone();
        let task = self.tasks.spawn(async move {
            let rest = hop::run(hop.clone(), shared).await;
            (hop, rest)
        });
        self.keys.insert(task.id(), kept);
    }

    /// A job that was accepted a moment ago.
    fn take(&mut self, handed: HandedOver) {
        let HandedOver { job, place } = handed;
        let key = job.next_hop.clone();
        let mut fresh = ready(&self.shared, job);
        fresh.place = Some(place);
        if let Some(hop) = self.hops.get(&key) {
            match hop.push(fresh) {
                Ok(()) => return,
                Err(refused) => fresh = *refused,
            }
        }
        let hop = Hop::new(key, Cause::HandOver);
        if hop.push(fresh).is_err() {
            tracing::error!(hop = %hop.key, "a new hop took no job");
        }
        self.spawn(hop);
    }

    fn ended(&mut self, ended: Result<(Id, (Arc<Hop>, Rest)), JoinError>) {
        let hop = match ended {
            Ok((id, (hop, rest))) => {
                self.keys.remove(&id);
                match rest {
                    Rest::Until(time) => {
                        self.resting.insert(hop.key.clone(), time);
                    }
                    Rest::Idle => {}
                }
                hop
            }
            Err(error) => {
                let Some(hop) = self.keys.remove(&error.id()) else {
                    return;
                };
                tracing::error!(hop = %hop.key, %error, "the task of a next hop crashed; what it had claimed comes back");
                hop
            }
        };
        // Another may work for the same hop already.
        if self
            .hops
            .get(&hop.key)
            .is_some_and(|known| Arc::ptr_eq(known, &hop))
        {
            self.hops.remove(&hop.key);
        }
    }

    /// Jobs that were handed over and taken by nobody go back.
    async fn give_back(&self, handovers: &mut Handovers) {
        let mut ids = Vec::new();
        while let Some(handed) = handovers.try_next() {
            ids.extend(handed.job.recipients.iter().map(|one| one.id));
        }
        if ids.is_empty() {
            return;
        }
        if let Err(error) = self.shared.ledger.release(&ids).await {
            tracing::warn!(%error, "claims could not be given back; they end by themselves");
        }
    }
}
