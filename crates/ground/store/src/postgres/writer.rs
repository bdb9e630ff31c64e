//! The one writer: a task that takes every unit waiting, commits them together, and answers all.
//!
//! A connection that is lost with a group on it costs that group (its callers hear that the outcome is not known) and nothing
//! else. The next group waits for a new connection, at the first address that takes writes; while there is none, each group
//! is refused after its try, and tries are spaced out.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use ground_world::World;
use tokio::sync::mpsc;

use super::connection::Connection;
use super::dialer::{Dialer, Role};
use super::dust::{Broom, FOLDS};
use super::group::{self, Fold, Stop};
use crate::line::{Answer, Group, GroupBounds, Job};
use crate::{Commits, Faults, StoreError};

/// Tries of a group that other nodes are in the way of. Each waits for the server's own deadlock clock (1 s), so this is
/// bounded by the group's deadline more than by this number.
const TRIES: u32 = 8;

/// The pause before such a group is tried again, about.
const PAUSE: Duration = Duration::from_millis(20);

/// The pause between tries to connect grows from the first of these to the second: soon enough for a fail-over to be felt
/// as a pause, and not a burden for a server that is starting.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
const LAST_BACK_OFF: Duration = Duration::from_secs(2);

/// Units after which the counts are folded: readers add up a few thousand changes at most, in a millisecond or so.
const FOLD_AFTER: usize = 1000;

/// What the writer is made of.
pub(super) struct Writer {
    pub(super) dialer: Arc<Dialer>,
    pub(super) world: World,
    pub(super) bounds: GroupBounds,
    pub(super) deadline: Duration,
    pub(super) panic_next: Arc<AtomicBool>,
    pub(super) faults: Faults,
    pub(super) connection: Option<Connection>,
    /// Tries to connect that failed since the last that did not.
    pub(super) failures: u32,
    /// Units since the counts were folded.
    pub(super) unfolded: usize,
    /// Folds since their dead rows were removed.
    pub(super) folds: u32,
    pub(super) broom: Broom,
    pub(super) commits: Arc<Commits>,
}

impl Writer {
    /// Serves `jobs` until nobody can send any more.
    pub(super) async fn serve(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            let served = AssertUnwindSafe(self.run(&mut jobs)).catch_unwind().await;
            match served {
                Ok(()) => return,
                Err(_) => tracing::error!("the store's writer failed; it goes on afresh"),
            }
        }
    }

    async fn run(&mut self, jobs: &mut mpsc::Receiver<Job>) {
        let mut carried = None;
        loop {
            let first = match carried.take() {
                Some(job) => Some(job),
                None => jobs.recv().await,
            };
            let Some(first) = first else { return };
            // Before the group is gathered: who gives up while the database is away is then not in it.
            let connection = self.connected().await;
            if first.is_given_up() {
                self.connection = connection.ok();
                continue;
            }
            let mut group = Group::begin(self.bounds, first);
            carried = group.gather(self.bounds, jobs);
            let done = match connection {
                Ok(connection) => self.commit(connection, &group).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(answers) => group.answer(answers),
                Err(error) => group.refuse(&error),
            }
        }
    }

    /// Commits within the deadline; keeps the connection unless it can no longer be trusted.
    async fn commit(
        &mut self,
        mut connection: Connection,
        group: &Group,
    ) -> Result<Vec<Answer>, StoreError> {
        if self.panic_next.swap(false, Ordering::AcqRel) {
            std::panic::panic_any("the writer was told to fail");
        }
        let fold = match self.unfolded {
            FOLD_AFTER.. => Fold::Counts,
            _ => Fold::No,
        };
        let begun = self.world.clock.instant();
        let work = self.tried(&mut connection, group, fold);
        let done = self.world.clock.timeout(self.deadline, work).await;
        let done = done.unwrap_or_else(|late| {
            Err(StoreError::Unavailable(format!(
                "the database was {late}; the outcome is not known"
            )))
        });
        match &done {
            Err(StoreError::Unavailable(why)) => {
                tracing::warn!(%why, "a connection to the database is given up");
            }
            Ok(_) | Err(_) => self.connection = Some(connection),
        }
        if done.is_ok() {
            let took = self.world.clock.instant() - begun;
            self.commits.note(took, group.len());
        }
        match fold {
            Fold::Counts if done.is_ok() => self.folded(),
            Fold::Counts | Fold::No => self.unfolded = self.unfolded.saturating_add(group.len()),
        }
        done
    }

    fn folded(&mut self) {
        self.unfolded = 0;
        self.folds += 1;
        if self.folds >= FOLDS {
            self.folds = 0;
            self.broom.sweep();
        }
    }

    async fn tried(
        &self,
        connection: &mut Connection,
        group: &Group,
        fold: Fold,
    ) -> Result<Vec<Answer>, StoreError> {
        let mut why = String::new();
        for _ in 0..TRIES {
            match group::commit(connection, group.units(), fold).await {
                Ok(answers) => return Ok(answers),
                Err(Stop::Again(said)) => {
                    tracing::debug!(%said, "another node was in the way of a group");
                    let pause = self.world.chance.jitter(PAUSE, 0.5);
                    self.faults.pause(&self.world.clock, pause).await;
                    why = said;
                }
                Err(Stop::Savepoints(error) | Stop::All(error)) => return Err(error),
            }
        }
        Err(StoreError::Unavailable(format!(
            "other nodes were in the way {TRIES} times: {why}"
        )))
    }

    /// The connection, made when there is none.
    async fn connected(&mut self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.connection.take()
            && !connection.is_closed()
        {
            return Ok(connection);
        }
        if self.failures > 0 {
            let doubled = FIRST_BACK_OFF.saturating_mul(1 << (self.failures - 1).min(16));
            let pause = self.world.chance.jitter(doubled.min(LAST_BACK_OFF), 0.2);
            self.faults.pause(&self.world.clock, pause).await;
        }
        match self.dialer.connect(Role::Writer).await {
            Ok(connection) => {
                self.failures = 0;
                Ok(connection)
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                tracing::error!(%error, "the store's writer cannot reach the database");
                Err(gone_away(error))
            }
        }
    }
}

/// A database that fitted when it was opened, and now refuses the login, is out of reach; callers try again later.
fn gone_away(error: StoreError) -> StoreError {
    match error {
        StoreError::Unfit(why) => StoreError::Unavailable(why),
        StoreError::Unavailable(_)
        | StoreError::Elsewhere(_)
        | StoreError::Full(_)
        | StoreError::Refused(_)
        | StoreError::Damaged(_)
        | StoreError::Conflict(_) => error,
    }
}
