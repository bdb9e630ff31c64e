//! The one writer: a thread that takes every unit waiting, commits them together, and answers all.
//!
//! A panic or a broken connection costs the group at hand (its callers hear that the outcome is not known) and nothing else:
//! the thread opens a fresh connection and goes on with the units that wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ground_world::clock::Clock;
use ground_world::disk::Disk;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpoints;
use super::connection::{Connection, Role};
use super::group;
use super::migrate::migrate;
use crate::line::{Answer, Group, GroupBounds, Job, tell};
use crate::{Commits, StoreError};

/// What the writer thread is made of.
pub(super) struct Plan {
    pub(super) file: PathBuf,
    pub(super) cache_bytes: usize,
    pub(super) bounds: GroupBounds,
    pub(super) now_millis: i64,
    pub(super) panic_next: Arc<AtomicBool>,
    pub(super) checkpoints: Checkpoints,
    pub(super) clock: Clock,
    pub(super) commits: Arc<Commits>,
    pub(super) room: Room,
}

/// Tells whether the disk is full: SQLite says so for most failures of that kind, but not for those of a flush or of its
/// shared memory.
pub(super) struct Room {
    pub(super) disk: Disk,
    pub(super) runtime: Handle,
}

/// How long the writer waits for more when much less waits than it committed last. Those it has just answered are on their
/// way with their next message, and whoever comes within this time shares the flush, which takes several times as long.
const GATHERING: Duration = Duration::from_micros(100);

/// Less room than this is none.
const NO_ROOM: u64 = 1 << 20;

impl Room {
    fn explain(&self, file: &Path, error: StoreError) -> StoreError {
        let StoreError::Unavailable(said) = error else {
            return error;
        };
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        match self.runtime.block_on(self.disk.free(folder)) {
            Ok(free) if free < NO_ROOM => StoreError::Full(said),
            Ok(_) | Err(_) => StoreError::Unavailable(said),
        }
    }
}

/// Opens the database on a new thread, which then serves `jobs` until nobody can send any more.
pub(super) fn start(
    mut plan: Plan,
    mut jobs: mpsc::Receiver<Job>,
) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
    let (opened, wait) = oneshot::channel();
    let work = move || {
        let mut connection = match open(&plan) {
            Ok(connection) => Some(connection),
            Err(error) => {
                tell(opened, Err(error));
                return;
            }
        };
        tell(opened, Ok(()));
        loop {
            let served = catch_unwind(AssertUnwindSafe(|| {
                serve(&mut plan, connection.take(), &mut jobs);
            }));
            match served {
                Ok(()) => return,
                Err(_) => tracing::error!("the store's writer failed; it goes on afresh"),
            }
        }
    };
    std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(work)
        .map_err(|error| StoreError::Unavailable(format!("no thread for the writer: {error}")))?;
    Ok(wait)
}

fn open(plan: &Plan) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(&plan.file, Role::Writer, plan.cache_bytes)?;
    migrate(&mut connection, plan.now_millis)?;
    Ok(connection)
}

fn serve(plan: &mut Plan, first: Option<Connection>, jobs: &mut mpsc::Receiver<Job>) {
    let mut connection = first;
    let mut carried = None;
    let mut last = 0;
    while let Some(job) = carried.take().or_else(|| jobs.blocking_recv()) {
        let mut group = Group::begin(plan.bounds, job);
        carried = group.gather(plan.bounds, jobs);
        if carried.is_none() && group.len() * 2 < last {
            std::thread::sleep(GATHERING);
            carried = group.gather(plan.bounds, jobs);
        }
        last = group.len();
        let current = match connection.take() {
            Some(current) => Ok(current),
            None => open(plan),
        };
        connection = match current {
            Ok(current) => commit(plan, current, group),
            Err(error) => {
                let error = plan.room.explain(&plan.file, error);
                tracing::error!(%error, "the store's writer cannot open the database");
                group.refuse(&error);
                None
            }
        };
    }
}

/// Commits and answers; keeps the connection unless it can no longer be trusted.
fn commit(plan: &mut Plan, mut connection: Connection, group: Group) -> Option<Connection> {
    if plan.panic_next.swap(false, Ordering::AcqRel) {
        std::panic::panic_any("the writer was told to fail");
    }
    let begun = plan.clock.instant();
    let answers = group::commit(&mut connection, group.units());
    let broken = answers
        .iter()
        .any(|answer| matches!(answer, Err(StoreError::Unavailable(_))));
    if !broken {
        let took = plan.clock.instant() - begun;
        plan.commits.note(took, group.len());
    }
    let explain = |answer: Answer| answer.map_err(|error| plan.room.explain(&plan.file, error));
    group.answer(answers.into_iter().map(explain));
    if broken {
        return None;
    }
    plan.checkpoints.after_commit(&connection);
    Some(connection)
}
