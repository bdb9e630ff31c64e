//! The SQLite engine: threads of its own on a real file, or inline where there is no file.

mod checkpoint;
mod connection;
mod group;
mod inline;
mod migrate;
mod readers;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ground_world::World;
use tokio::sync::{mpsc, oneshot};

use crate::bodies::LargeBodies;
use crate::line::{self, GroupBounds};
use crate::{Commits, Done, Lane, Options, Query, Row, StoreError, Unit};
use checkpoint::{Bounds, Checkpoints};
use connection::{Connection, Role};
use inline::Inline;

/// The database.
pub(crate) enum Sqlite {
    Threads(Threads),
    Inline(Box<Inline>),
}

/// The lines of the engine's threads.
pub(crate) struct Threads {
    writes: mpsc::Sender<line::Job>,
    reads: mpsc::Sender<readers::Job>,
    reads_apart: mpsc::Sender<readers::Job>,
    panic_next: Arc<AtomicBool>,
}

/// Opens the database under `path`; also says where its large bodies stand.
pub(crate) async fn open(
    path: &str,
    options: &Options,
    world: &World,
    commits: &Arc<Commits>,
) -> Result<(Sqlite, LargeBodies), StoreError> {
    if path == ":memory:" {
        let engine = Inline::private(options, world, commits)?;
        return Ok((Sqlite::Inline(Box::new(engine)), LargeBodies::Nowhere));
    }
    if path.is_empty() {
        return Err(StoreError::Unfit("sqlite: needs a path".into()));
    }
    let file = PathBuf::from(path);
    let bodies = PathBuf::from(format!("{path}-bodies"));
    world
        .disk
        .create_folder(&bodies)
        .await
        .map_err(|error| crate::bodies::trouble(&bodies, &error))?;
    let engine = match Inline::simulated(&file, options, world, commits)? {
        Some(inline) => Sqlite::Inline(Box::new(inline)),
        None => Sqlite::Threads(Threads::start(&file, options, world, commits).await?),
    };
    Ok((engine, LargeBodies::Folder(bodies)))
}

/// Opens what stands under `path` for reading only: nothing is made, nothing is brought up to date.
pub(crate) async fn look(
    path: &str,
    options: &Options,
    world: &World,
) -> Result<(Sqlite, LargeBodies), StoreError> {
    let file = PathBuf::from(path);
    let bodies = LargeBodies::Folder(PathBuf::from(format!("{path}-bodies")));
    if let Some(inline) = Inline::simulated(&file, options, world, &Arc::default())? {
        return Ok((Sqlite::Inline(Box::new(inline)), bodies));
    }
    match world.disk.open(&file).await {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::Unfit(format!("there is no file {path}")));
        }
        Err(error) => return Err(crate::bodies::trouble(&file, &error)),
    }
    Ok((
        Sqlite::Threads(Threads::look(&file, options).await?),
        bodies,
    ))
}

impl Sqlite {
    pub(crate) async fn write(&self, unit: Unit) -> Result<Done, StoreError> {
        match self {
            Self::Threads(threads) => line::ask(&threads.writes, unit).await,
            Self::Inline(inline) => inline.write(&unit).await,
        }
    }

    pub(crate) async fn read(
        &self,
        queries: Vec<Query>,
        lane: Lane,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        match self {
            Self::Threads(threads) => threads.read(queries, lane).await,
            Self::Inline(inline) => inline.read(&queries).await,
        }
    }

    pub(crate) fn break_writer(&self) {
        match self {
            Self::Threads(threads) => threads.panic_next.store(true, Ordering::Release),
            // There is no thread that could fail apart from its caller.
            Self::Inline(_) => {}
        }
    }
}

impl Threads {
    async fn start(
        file: &Path,
        options: &Options,
        world: &World,
        commits: &Arc<Commits>,
    ) -> Result<Self, StoreError> {
        let (writes, write_jobs) = mpsc::channel(options.waiting.max(1));
        let (reads, read_jobs) = mpsc::channel(options.waiting.max(1));
        let panic_next = Arc::new(AtomicBool::new(false));
        let bounds = Bounds {
            soft: options.log_bytes_soft,
            hard: options.log_bytes_hard,
        };
        let plan = writer::Plan {
            file: file.to_owned(),
            cache_bytes: options.cache_bytes,
            bounds: GroupBounds::of(options),
            now_millis: world.clock.now().as_millis(),
            panic_next: Arc::clone(&panic_next),
            checkpoints: Checkpoints::start(file.to_owned(), bounds)?,
            clock: world.clock.clone(),
            commits: commits.clone(),
            room: writer::Room {
                disk: world.disk.clone(),
                runtime: tokio::runtime::Handle::current(),
            },
        };
        writer::start(plan, write_jobs)?
            .await
            .map_err(|_| StoreError::Unavailable("the writer ended while it opened".into()))??;
        let cache = options.cache_bytes / 4;
        readers::start(
            file,
            Role::Reader,
            options.readers,
            cache,
            options.rows_per_query,
            read_jobs,
        )?;
        let (reads_apart, jobs) = mpsc::channel(options.waiting.max(1));
        let limit = options.rows_per_query;
        readers::start(file, Role::Reader, 1, cache, limit, jobs)?;
        Ok(Self {
            writes,
            reads,
            reads_apart,
            panic_next,
        })
    }

    /// Readers alone: whoever writes hears that there is no writer.
    async fn look(file: &Path, options: &Options) -> Result<Self, StoreError> {
        let cache = options.cache_bytes / 4;
        let looked_at = file.to_owned();
        let first = tokio::task::spawn_blocking(move || {
            let connection = Connection::open(&looked_at, Role::Looker, cache)?;
            migrate::look(&connection)
        });
        first
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))??;
        let (writes, _) = mpsc::channel(1);
        let (reads, read_jobs) = mpsc::channel(options.waiting.max(1));
        let (count, limit) = (options.readers, options.rows_per_query);
        readers::start(file, Role::Looker, count, cache, limit, read_jobs)?;
        Ok(Self {
            writes,
            reads_apart: reads.clone(),
            reads,
            panic_next: Arc::default(),
        })
    }

    async fn read(&self, queries: Vec<Query>, lane: Lane) -> Result<Vec<Vec<Row>>, StoreError> {
        let reads = match lane {
            Lane::Shared => &self.reads,
            Lane::Apart => &self.reads_apart,
        };
        let (answer, wait) = oneshot::channel();
        let leaving = Leaving::default();
        let job = readers::Job {
            queries,
            answer,
            given_up: Arc::clone(&leaving.given_up),
        };
        if reads.send(job).await.is_err() {
            return Err(StoreError::Unavailable("the readers have ended".into()));
        }
        wait.await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("a reader failed".into())))
    }
}

/// Tells the reader when the caller goes away.
#[derive(Default)]
struct Leaving {
    given_up: Arc<AtomicBool>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Release);
    }
}
