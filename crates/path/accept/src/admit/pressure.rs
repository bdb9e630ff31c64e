//! Pressure: new mail is turned away, with the reason, before what was accepted could suffer from it.
//!
//! The disk and the ledger are looked at about once a second, however many ask. Nothing has to be restarted: the next look
//! that finds room lets mail in again.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ground_settings::Limits;
use path_ledger::Ledger;
use tokio::time::Instant;
use wire_smtp::reply::Reply;

/// How old a look may be. At a gigabyte a second of writing it is off by one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a look may take; mail is not turned away because a look hangs.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);

/// The last look at disk and queue.
pub(crate) struct Pressure {
    folder: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// When somebody looks again; `None` before the first look.
    again: Option<Instant>,
    /// Octets; `None` when the disk could not be asked.
    free: Option<u64>,
    /// Recipients that are not final; `None` when the ledger could not be asked.
    waiting: Option<u64>,
    /// What it last said about the pressure, so that a change is logged once.
    pressed: bool,
}

impl Pressure {
    pub(crate) fn new(folder: PathBuf) -> Pressure {
        Pressure {
            folder,
            seen: Mutex::default(),
        }
    }

    /// Refuses with 452 4.3.1 when the disk or the queue has no room for a message of `announced` octets.
    pub(crate) async fn check(
        &self,
        ledger: &Ledger,
        limits: &Limits,
        announced: u64,
    ) -> Result<(), Reply> {
        if self.is_my_turn(ledger.world().clock.instant()) {
            self.look(ledger).await;
        }
        let mut seen = self.hold();
        let refusal = judge(*seen, limits, announced);
        let pressed = judge(*seen, limits, 0).is_some();
        if seen.pressed != pressed {
            seen.pressed = pressed;
            match &refusal {
                Some(reply) => tracing::warn!(%reply, "turning new mail away"),
                None => tracing::info!("there is room again; taking new mail"),
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Whether the last look is too old, and nobody else is at it.
    fn is_my_turn(&self, now: Instant) -> bool {
        let mut seen = self.hold();
        let due = seen.again.is_none_or(|again| again <= now);
        if due {
            seen.again = Some(now + LOOK_EVERY);
        }
        due
    }

    async fn look(&self, ledger: &Ledger) {
        let world = ledger.world();
        let looking = async { tokio::join!(world.disk.free(&self.folder), ledger.waiting()) };
        let Ok((free, waiting)) = world.clock.timeout(LOOK_DEADLINE, looking).await else {
            tracing::warn!("the disk or the ledger did not say in time how much room is left");
            return;
        };
        let mut seen = self.hold();
        match free {
            Ok(free) => seen.free = Some(free),
            Err(error) => {
                seen.free = None;
                let folder = self.folder.display();
                tracing::warn!(%folder, %error, "cannot ask how much disk is free");
            }
        }
        match waiting {
            Ok(waiting) => seen.waiting = Some(waiting),
            Err(error) => {
                seen.waiting = None;
                tracing::warn!(%error, "cannot ask how much mail waits");
            }
        }
    }

    fn hold(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What could not be asked is no reason to refuse: the store itself answers when it is full.
fn judge(seen: Seen, limits: &Limits, announced: u64) -> Option<Reply> {
    let floor = limits.min_free_disk.bytes().saturating_add(announced);
    if let Some(free) = seen.free.filter(|free| *free < floor) {
        let text = format!(
            "4.3.1 The disk is almost full ({} MB left); try again later",
            free / 1_000_000
        );
        return Some(Reply::plain(452, text));
    }
    let most = limits.queued_recipients;
    let waiting = seen.waiting.filter(|waiting| *waiting >= most)?;
    let text = format!("4.3.1 The queue is full ({waiting} recipients wait); try again later");
    Some(Reply::plain(452, text))
}
