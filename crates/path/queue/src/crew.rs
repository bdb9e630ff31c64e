//! The workers of one next hop. One that panics or hangs is replaced, and its message alone pays for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ground_world::supervise::{Failure, panic_words};
use path_ledger::{HopKey, RecipientId};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::Shared;
use crate::hop::Hop;
use crate::post::{Dropped, Post};
use crate::worker::{Conveyance, Worker, WorkerEnd};

/// All of them; dropped, they end.
pub(crate) struct Crew {
    hop: Arc<Hop>,
    shared: Arc<Shared>,
    workers: JoinSet<WorkerEnd>,
    /// Those who are counted on. One that hangs is not, though its task may not have ended.
    posts: HashMap<Id, Stationed>,
    /// In the order of their coming.
    next: u64,
}

struct Stationed {
    number: u64,
    post: Arc<Post>,
    end: AbortHandle,
}

/// A task that has ended.
pub(crate) type Ended = Result<(Id, WorkerEnd), JoinError>;

impl Crew {
    pub(crate) fn new(hop: Arc<Hop>, shared: Arc<Shared>) -> Self {
        Self {
            hop,
            shared,
            workers: JoinSet::new(),
            posts: HashMap::new(),
            next: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.posts.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// One more worker. Whether there was a permit for it.
    pub(crate) fn spawn(&mut self, first: Option<Conveyance>) -> bool {
        let Some(permit) = self.shared.permits.take(&self.hop.key) else {
            return false;
        };
        let clock = &self.shared.ledger.world().clock;
        let post = Arc::new(Post::new(permit, clock));
        let worker = Worker {
            hop: self.hop.clone(),
            shared: self.shared.clone(),
            post: post.clone(),
        };
        let end = self.workers.spawn(worker.run(first));
        self.next += 1;
        let number = self.next;
        self.posts.insert(end.id(), Stationed { number, post, end });
        self.count();
        true
    }

    /// The next task that ends. Safe to cancel.
    pub(crate) async fn join_next(&mut self) -> Option<Ended> {
        self.workers.join_next_with_id().await
    }

    /// Treats a task that has ended. How the worker ended; `None` for one that crashed, or that was replaced before.
    pub(crate) async fn ended(&mut self, ended: Ended) -> Option<WorkerEnd> {
        let (id, end) = match ended {
            Ok((id, end)) => (id, Ok(end)),
            Err(error) => (error.id(), Err(error)),
        };
        let stationed = self.posts.remove(&id)?;
        self.count();
        match end {
            Ok(end) => Some(end),
            Err(error) => {
                let words = panic_words(error);
                self.lost(&stationed.post, Failure::Ended, &words).await;
                None
            }
        }
    }

    /// Ends those who are at one stage for longer than they may; others take their places.
    pub(crate) async fn replace_hung(&mut self) {
        let hung = self.posts.iter();
        let hung = hung.filter_map(|(id, one)| Some((one.number, *id, one.post.silence()?)));
        let mut hung: Vec<_> = hung.collect();
        hung.sort_by_key(|(number, _, _)| *number);
        for (_, id, (stage, words)) in hung {
            let Some(stationed) = self.posts.remove(&id) else {
                continue;
            };
            // Each is a write: with a store that does not answer, many of them take longer than one step may.
            self.hop.pulse.beat("replacing workers");
            stationed.end.abort();
            // One that blocks its thread would keep it for ever.
            stationed.post.permit.give_back();
            self.count();
            let failure = Failure::Hung(stage);
            self.lost(&stationed.post, failure, &words).await;
        }
    }

    fn count(&self) {
        let workers = &self.hop.workers;
        workers.store(self.posts.len(), Ordering::Relaxed);
    }

    /// The book hears of the message it had in hand, or the message's lease ends.
    async fn lost(&self, post: &Post, failure: Failure, words: &str) {
        let held = post.lets_go();
        let Dropped { recipients, about } = Dropped::of(held.as_ref());
        let task = format!("worker for {}", self.hop.key);
        self.shared.supervisor.note(&task, failure, words, &about);
        crashed(&self.shared, &self.hop.key, &recipients, words).await;
    }
}

/// An attempt at these has begun and will never end: that is written, and counts against them.
pub(crate) async fn crashed(
    shared: &Shared,
    hop: &HopKey,
    recipients: &[RecipientId],
    words: &str,
) {
    if recipients.is_empty() {
        return;
    }
    let told = shared.ledger.attempt_crashed(recipients, words);
    if let Err(error) = told.await {
        tracing::warn!(%hop, %error, "a crash could not be recorded; the lease will bring the message back");
    }
}
