//! The same SQL without threads: each unit and query runs on the calling task, so that a simulation is the same every time.
//!
//! The database is in memory. A simulated disk keeps it under its path, so that it outlives the handle: what a simulated
//! crash loses is memory, never what was committed.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ground_world::World;

use super::connection::Connection;
use super::migrate::migrate;
use super::{group, readers};
use crate::{Commits, Done, Options, Query, Row, StoreError, Unit};

/// What a commit takes besides the values: room a simulated disk must have for any write.
const COMMIT_BYTES: u64 = 4096;

type Database = Mutex<Option<Connection>>;

pub(crate) struct Inline {
    database: Arc<Database>,
    world: World,
    row_limit: usize,
    commits: Arc<Commits>,
}

impl Inline {
    /// A database that nobody else sees.
    pub(super) fn private(
        options: &Options,
        world: &World,
        commits: &Arc<Commits>,
    ) -> Result<Self, StoreError> {
        Self::opened(Arc::default(), options, world, commits)
    }

    /// The database under `file` on the simulated disk; none when the disk is real.
    pub(super) fn simulated(
        file: &Path,
        options: &Options,
        world: &World,
        commits: &Arc<Commits>,
    ) -> Result<Option<Self>, StoreError> {
        match world.disk.simulated_content(file, Database::default) {
            Some(database) => Self::opened(database, options, world, commits).map(Some),
            None => Ok(None),
        }
    }

    fn opened(
        database: Arc<Database>,
        options: &Options,
        world: &World,
        commits: &Arc<Commits>,
    ) -> Result<Self, StoreError> {
        {
            let mut held = hold(&database);
            let mut connection = match held.take() {
                Some(kept) => kept,
                None => Connection::in_memory(options.cache_bytes)?,
            };
            migrate(&mut connection, world.clock.now().as_millis())?;
            *held = Some(connection);
        }
        Ok(Self {
            database,
            world: world.clone(),
            row_limit: options.rows_per_query,
            commits: commits.clone(),
        })
    }

    pub(super) async fn write(&self, unit: &Unit) -> Result<Done, StoreError> {
        tokio::task::yield_now().await;
        let bytes = COMMIT_BYTES.saturating_add(unit.weight() as u64);
        self.world
            .disk
            .simulated_write(bytes)
            .map_err(|error| crate::bodies::trouble(Path::new("the database"), &error))?;
        // On the simulated clock a commit takes no time.
        self.commits.note(Duration::ZERO, 1);
        self.with(|connection| {
            let mut answers = group::commit(connection, std::iter::once(unit));
            answers
                .pop()
                .unwrap_or_else(|| Err(StoreError::Unavailable("no answer".into())))
        })
    }

    pub(super) async fn read(&self, queries: &[Query]) -> Result<Vec<Vec<Row>>, StoreError> {
        tokio::task::yield_now().await;
        self.with(|connection| readers::snapshot(connection, queries, self.row_limit))
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match hold(&self.database).as_mut() {
            Some(connection) => work(connection),
            None => Err(StoreError::Unavailable("the database is not open".into())),
        }
    }
}

fn hold(database: &Database) -> MutexGuard<'_, Option<Connection>> {
    database.lock().unwrap_or_else(PoisonError::into_inner)
}
