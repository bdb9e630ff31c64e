//! Which hops have something to do: asked of the book for ever; hints and handed-over jobs only come sooner.
//!
//! What is at work stands in the registry (`hops.rs`), so a scheduler that is replaced costs nobody an attempt.

use std::sync::Arc;
use std::time::Duration;

use ground_world::supervise::Pulse;
use path_ledger::{HandedOver, HopKey};

use crate::hops::Start;
use crate::{Shared, settlements};

/// The question takes at most this part of the time, however many hops there are.
const POLL_SHARE: u32 = 10;

/// The scheduler shows that it lives within this time of each question: the store's own deadline, twice.
pub(crate) const PULSE: Duration = Duration::from_secs(60);

pub(crate) async fn run(shared: Arc<Shared>, pulse: Pulse) {
    let clock = shared.ledger.world().clock.clone();
    let mut next_poll = clock.instant();
    // Where the poll goes on when there are more hops than tasks.
    let mut last_started = None;
    loop {
        let rest = next_poll.saturating_duration_since(clock.instant());
        pulse.beat_within("waiting", rest + PULSE);
        tokio::select! {
            biased;
            () = shared.stopping.cancelled() => break,
            handed = next_handed(&shared) => shared.hops.take(&shared, handed),
            hops = shared.ledger.wakeups().next_queued() => shared.hops.hinted(&shared, hops),
            () = clock.sleep_until_instant(next_poll) => {
                pulse.beat("asking what is due");
                let ((), took) = clock.timed(poll(&shared, &mut last_started)).await;
                let pause = shared.settings().queue.poll_interval;
                next_poll = clock.instant() + pause.max(took * POLL_SHARE);
            }
        }
    }
    shared.hop_tasks.close();
    shared.hop_tasks.wait().await;
    give_back(&shared).await;
}

/// The next job that is handed over. Whoever schedules holds the queue's end while it waits, and no longer.
async fn next_handed(shared: &Shared) -> HandedOver {
    let mut handovers = shared.handovers.lock().await;
    match handovers.next().await {
        Some(handed) => handed,
        None => std::future::pending().await,
    }
}

/// Asks the book.
async fn poll(shared: &Arc<Shared>, last_started: &mut Option<HopKey>) {
    let settings = shared.settings();
    shared
        .permits
        .set_total(settings.queue.max_concurrent_attempts);
    shared.hops.replace_hung(shared);
    settlements::end_hung(shared);
    let now = shared.ledger.now();
    shared.hops.forget_rest(now);
    let mut due = match shared.ledger.ready_hops(now).await {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(%error, "the book cannot be asked what is due; trying again");
            return;
        }
    };
    // In turns, or the last of the alphabet would wait for ever when there are too many.
    let from = due.partition_point(|hop| Some(&hop.key) <= last_started.as_ref());
    due.rotate_left(from);
    for hop in due {
        shared.hops.wake_up(&hop.key);
        if shared.hops.start(shared, &hop.key) == Start::Started {
            *last_started = Some(hop.key);
        }
    }
}

/// Jobs that were handed over and taken by nobody go back.
async fn give_back(shared: &Shared) {
    let mut handovers = shared.handovers.lock().await;
    let mut ids = Vec::new();
    while let Some(handed) = handovers.try_next() {
        ids.extend(handed.job.recipients.iter().map(|one| one.id));
    }
    if ids.is_empty() {
        return;
    }
    if let Err(error) = shared.ledger.release(&ids).await {
        tracing::warn!(%error, "claims could not be given back; they end by themselves");
    }
}
