//! Scripted failures of a store, for tests: what a disk, a network or a hung machine does to a write.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ground_world::clock::Clock;
use tokio::sync::{Notify, oneshot};

use crate::StoreError;

/// Makes writes fail or hang. Clones share it.
#[derive(Clone, Debug)]
pub struct Faults {
    shared: Arc<Script>,
}

#[derive(Debug)]
struct Script {
    /// Whether anything was ever scripted: a store in earnest pays one look at this.
    any: AtomicBool,
    refused: Mutex<VecDeque<StoreError>>,
    unanswered: Mutex<usize>,
    held: AtomicBool,
    /// Wakes who was held in the order of their coming, which a watch channel does not.
    released: Notify,
    time_held: AtomicBool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            shared: Arc::new(Script {
                any: AtomicBool::new(false),
                refused: Mutex::default(),
                unanswered: Mutex::default(),
                held: AtomicBool::new(false),
                released: Notify::new(),
                time_held: AtomicBool::new(false),
            }),
        }
    }
}

impl Faults {
    /// The next write is not stored and answers `error`; more calls line up behind it.
    pub fn fail_next_write(&self, error: StoreError) {
        hold(&self.shared.refused).push_back(error);
        self.shared.any.store(true, Ordering::Release);
    }

    /// The next write is stored, but answers [`StoreError::Unavailable`].
    pub fn lose_next_answer(&self) {
        *hold(&self.shared.unanswered) += 1;
        self.shared.any.store(true, Ordering::Release);
    }

    /// Writes hang from now on, before they reach the database, until [`Faults::release_writes`] or their deadline.
    pub fn hold_writes(&self) {
        self.shared.held.store(true, Ordering::Release);
        self.shared.any.store(true, Ordering::Release);
    }

    /// Held writes go on.
    pub fn release_writes(&self) {
        self.shared.held.store(false, Ordering::Release);
        self.shared.released.notify_waiters();
    }

    /// Everything scripted and not met yet is forgotten, and held writes go on.
    pub fn stop(&self) {
        hold(&self.shared.refused).clear();
        *hold(&self.shared.unanswered) = 0;
        self.release_writes();
    }

    /// Keeps tokio's paused clock from now on while the database is asked: it would run ahead to the next deadline.
    pub(crate) fn hold_time(&self) {
        self.shared.time_held.store(true, Ordering::Release);
    }

    pub(crate) fn time_held(&self) -> Option<TimeHeld> {
        let held = self.shared.time_held.load(Ordering::Acquire);
        held.then(TimeHeld::begin)
    }

    /// A pause of a task for which whoever holds the clock waits: by that clock it would never end, so it goes by the
    /// machine's own.
    pub(crate) async fn pause(&self, clock: &Clock, time: Duration) {
        if !self.shared.time_held.load(Ordering::Acquire) {
            return clock.sleep(time).await;
        }
        let slept = tokio::task::spawn_blocking(move || std::thread::sleep(time)).await;
        // It cannot panic; a runtime that ends cuts it short.
        drop(slept);
    }

    pub(crate) fn none(&self) -> bool {
        !self.shared.any.load(Ordering::Acquire)
    }

    pub(crate) async fn before_write(&self) -> Result<(), StoreError> {
        loop {
            // Before the look, or a release between the two would wake nobody.
            let released = self.shared.released.notified();
            if !self.shared.held.load(Ordering::Acquire) {
                break;
            }
            released.await;
        }
        match hold(&self.shared.refused).pop_front() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    pub(crate) fn after_write(&self) -> Result<(), StoreError> {
        let mut unanswered = hold(&self.shared.unanswered);
        if *unanswered == 0 {
            return Ok(());
        }
        *unanswered -= 1;
        Err(StoreError::Unavailable("the answer was lost".into()))
    }
}

/// As long as this lives, a paused clock stands still: it does while a blocking task runs.
pub(crate) struct TimeHeld {
    _release: oneshot::Sender<()>,
}

impl TimeHeld {
    pub(crate) fn begin() -> Self {
        let (release, released) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            // The sender is only ever dropped.
            released.blocking_recv().ok();
        });
        Self { _release: release }
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
