//! Suspects: recipients of whom a claim was lost. What is done so that the guilty is found and nobody else pays.
//!
//! Before an attempt at a suspect begins, the book has it ([`begin`]). A suspect whose attempt has begun and never ended is
//! tried while no other such one is, on the whole node: when the node dies of it again, that counts against it alone, and
//! those that only happened to be tried at the same moment are found innocent one by one. The suspects of one message are
//! tried together, as any job is: what kills is the message, as far as anybody can know, and each more attempt would be one
//! more crash.

use std::sync::Arc;
use std::time::Duration;

use path_ledger::RecipientId;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::Shared;
use crate::lists::Ready;

/// Between two tries to write a beginning while the store does not take it; the lease bounds them.
const PAUSE: Duration = Duration::from_millis(500);

/// The one place for a suspect that must be tried alone. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Stand {
    place: Arc<Semaphore>,
    freed: Arc<Notify>,
}

/// The stand is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct OnStand {
    freed: Arc<Notify>,
    #[expect(dead_code, reason = "held for its drop")]
    place: OwnedSemaphorePermit,
}

impl Stand {
    pub(crate) fn new() -> Self {
        Self {
            place: Arc::new(Semaphore::new(1)),
            freed: Arc::default(),
        }
    }

    pub(crate) fn take(&self) -> Option<OnStand> {
        let place = self.place.clone().try_acquire_owned().ok()?;
        Some(OnStand {
            freed: self.freed.clone(),
            place,
        })
    }

    pub(crate) fn is_free(&self) -> bool {
        self.place.available_permits() > 0
    }

    /// Rings when it may be free again. A bell that is missed costs the time between two looks.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }
}

impl Drop for OnStand {
    fn drop(&mut self) {
        self.freed.notify_waiters();
    }
}

/// Whether an attempt at this job has to be alone on the stand.
pub(crate) fn must_be_alone(ready: &Ready) -> bool {
    let recipients = &ready.job.recipients;
    recipients.iter().any(|one| one.suspicion > Some(0))
}

/// Lets an attempt begin: of suspects, once the book has it. `None` when no attempt may be made; the claims have gone back
/// then, or end by themselves.
pub(crate) async fn begin(shared: &Shared, mut ready: Ready) -> Option<Ready> {
    let suspects = suspects(&ready);
    if suspects.is_empty() {
        return Some(ready);
    }
    let message = ready.job.message;
    loop {
        match shared.ledger.begin(&suspects).await {
            Ok(reached) => {
                let recipients = &mut ready.job.recipients;
                recipients.retain(|one| !reached.escaped.contains(&one.id));
                if ready.held.is_live() && !ready.job.recipients.is_empty() {
                    return Some(ready);
                }
                // The answer came too late.
                give_back(shared, &ready).await;
                return None;
            }
            Err(error) if !ready.held.is_live() => {
                tracing::error!(%message, %error, "no attempt was made: it could not be written that it begins");
                // It may be in the book all the same.
                give_back(shared, &ready).await;
                return None;
            }
            Err(error) => {
                tracing::warn!(%message, %error, "it cannot be written yet that an attempt begins; trying again");
            }
        }
        if shared.stopping.is_cancelled() {
            give_back(shared, &ready).await;
            return None;
        }
        shared.ledger.world().clock.sleep(PAUSE).await;
    }
}

fn suspects(ready: &Ready) -> Vec<RecipientId> {
    let recipients = ready.job.recipients.iter();
    let suspects = recipients.filter(|one| one.suspicion.is_some());
    suspects.map(|one| one.id).collect()
}

async fn give_back(shared: &Shared, ready: &Ready) {
    let all = ready.job.recipients.iter();
    let ids: Vec<RecipientId> = all.map(|one| one.id).collect();
    if let Err(error) = shared.ledger.release(&ids).await {
        tracing::warn!(message = %ready.job.message, %error, "claims could not be given back; they end by themselves");
    }
}
