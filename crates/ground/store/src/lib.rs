//! The store: SQL, group commit, bodies.
//!
//! **For what.** One place where committed rows live. Everything durable in Postrider is a row here (or a large body's file
//! beside it), and every other crate reaches it through four things only:
//!
//! - [`Sql`]: one statement, written once where both engines take it, twice where they differ;
//! - [`Unit`]: writes that happen together or not at all, as data, so that floors can join theirs (a mailbox insert and the
//!   ledger's final state are one unit);
//! - [`Store::write`]: commits a unit, durably, before it answers. Units that wait at the same moment share one flush
//!   (group commit); one unit's failed expectation never touches its neighbours;
//! - [`Store::read`]: a query over committed rows, on connections of its own, never behind the writer.
//!
//! **Never.** No write answers before the flush. No state is kept here but the rows. No caller holds a lock or an open
//! transaction across an await.
//!
//! **The way through.** [`Store::open`] brings the schema up to date (`schema/`) · [`Store::write`] hands the unit to the
//! engine (`sqlite/writer.rs` gathers, `sqlite/group.rs` commits, `sqlite/checkpoint.rs` keeps the log short) ·
//! [`Store::read`] goes to a reader (`sqlite/readers.rs`) · [`bodies`] keeps the content of messages. In a simulated world
//! the same SQL runs inline on the calling task (`sqlite/inline.rs`). [`contract`] says what every engine must do.
//!
//! **Limits.** See [`Options`]; every wait inside has a deadline and reports [`StoreError::Unavailable`].

pub mod bodies;
#[doc(hidden)]
pub mod contract;
mod error;
mod faults;
mod row;
mod sqlite;
mod unit;

pub use error::{Expectation, StoreError};
pub use faults::Faults;
pub use row::{Row, Value};
pub use unit::{Done, Expect, Query, Sql, Statement, Unit};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ground_world::World;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Units of one group commit, at most.
    pub group_commit_count: usize,
    /// Octets of one group commit, at most (about: the sum of the units' values).
    pub group_commit_bytes: usize,
    /// Units, and queries, that may wait for the engine; more callers wait for a place in this line.
    pub waiting: usize,
    /// Read connections.
    pub readers: usize,
    /// Rows one query may give; one that would give more is refused.
    pub rows_per_query: usize,
    /// A write that is not answered in this time is reported as [`StoreError::Unavailable`], its outcome not known.
    pub write_deadline: Duration,
    /// A query that is not answered in this time is given up.
    pub read_deadline: Duration,
    /// Octets of page cache for the writer; each reader has a quarter of it. More is slower: SQLite may look through all of
    /// it at a commit, and the system keeps the file in memory anyway.
    pub cache_bytes: usize,
    /// Octets of the write-ahead log at which it is moved into the database beside the commits.
    pub log_bytes_soft: u64,
    /// Octets of the write-ahead log at which commits wait until it has been moved.
    pub log_bytes_hard: u64,
    /// How long a body's file may be without a row before it is listed as an orphan: an accept may be under way.
    pub orphan_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            group_commit_count: 256,
            group_commit_bytes: 8 << 20,
            waiting: 4096,
            readers: 4,
            rows_per_query: 100_000,
            write_deadline: Duration::from_secs(30),
            read_deadline: Duration::from_secs(30),
            cache_bytes: 16 << 20,
            log_bytes_soft: 32 << 20,
            log_bytes_hard: 256 << 20,
            orphan_grace: Duration::from_secs(60 * 60),
        }
    }
}

/// A handle on the committed rows; cheap to clone. The engine's threads end when the last handle is dropped.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    options: Options,
    world: World,
    faults: Faults,
    /// Where large bodies stand; none for a store in memory.
    bodies: Option<PathBuf>,
}

/// The engines. PostgreSQL stands beside SQLite here.
enum Engine {
    Sqlite(sqlite::Sqlite),
}

impl Store {
    /// Opens the store that `url` names and brings its schema up to date: `sqlite:PATH` (the file and its folder are made
    /// when missing), or `sqlite::memory:`, rows that live as long as the handle. In a simulated world `sqlite:PATH` lives on the
    /// simulated disk: it can be opened again after a simulated crash.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] for an URL nobody knows, a database of something else, of a newer program or with another past;
    /// otherwise what the disk said.
    pub async fn open(url: &str, options: Options, world: &World) -> Result<Self, StoreError> {
        let Some(path) = url.strip_prefix("sqlite:") else {
            return Err(StoreError::Unfit(format!(
                "{url:?} names no store; write sqlite:PATH"
            )));
        };
        let (engine, bodies) = sqlite::open(path, &options, world).await?;
        Ok(Self {
            shared: Arc::new(Shared {
                engine: Engine::Sqlite(engine),
                options,
                world: world.clone(),
                faults: Faults::default(),
                bodies,
            }),
        })
    }

    /// Commits `unit`, flushed, all of it or nothing.
    ///
    /// # Errors
    /// See [`StoreError`]. After [`StoreError::Unavailable`] alone the outcome is not known.
    pub async fn write(&self, unit: Unit) -> Result<Done, StoreError> {
        if unit.is_empty() {
            return Ok(Done::default());
        }
        let deadline = self.shared.options.write_deadline;
        let work = self.written(unit);
        match self.shared.world.clock.timeout(deadline, work).await {
            Ok(answer) => answer,
            Err(late) => Err(StoreError::Unavailable(format!(
                "a write was {late}; its outcome is not known"
            ))),
        }
    }

    async fn written(&self, unit: Unit) -> Result<Done, StoreError> {
        let faults = &self.shared.faults;
        if faults.none() {
            return self.commit(unit).await;
        }
        faults.before_write().await?;
        let done = self.commit(unit).await?;
        faults.after_write()?;
        Ok(done)
    }

    async fn commit(&self, unit: Unit) -> Result<Done, StoreError> {
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.write(unit).await,
        }
    }

    /// The committed rows that answer `query`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        let mut found = self.read_snapshot(vec![query]).await?;
        Ok(found.pop().unwrap_or_default())
    }

    /// Answers several queries from the same moment's committed rows.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_snapshot(&self, queries: Vec<Query>) -> Result<Vec<Vec<Row>>, StoreError> {
        let deadline = self.shared.options.read_deadline;
        let work = async {
            match &self.shared.engine {
                Engine::Sqlite(sqlite) => sqlite.read(queries).await,
            }
        };
        match self.shared.world.clock.timeout(deadline, work).await {
            Ok(answer) => answer,
            Err(late) => Err(StoreError::Unavailable(format!("a query was {late}"))),
        }
    }

    /// Makes writes through this handle and its clones fail or hang, for tests.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Makes the engine's writer fail once as a defect of ours would; it must recover by itself. For tests.
    #[doc(hidden)]
    pub fn break_writer(&self) {
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.break_writer(),
        }
    }
}
