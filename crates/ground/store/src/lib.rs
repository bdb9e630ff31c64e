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
//! engine, where a group forms (`line.rs`): SQLite's has a thread (`sqlite/writer.rs`, `sqlite/group.rs`; `sqlite/checkpoint.rs`
//! keeps the log short), PostgreSQL's a task that sends the group in one piece (`postgres/writer.rs`, `postgres/group.rs`;
//! `postgres/dialer.rs` finds the server that takes writes; `postgres/bell.rs` carries hints between nodes) · [`Store::read`]
//! goes to a reader (`*/readers.rs`), by [`Store::apart`] to one that is kept for the watch · [`bodies`] keeps the content of messages. In a simulated world SQLite runs inline on the
//! calling task (`sqlite/inline.rs`). [`mod@transfer`] moves a whole store into another. [`contract`] says
//! what every engine must do.
//!
//! **Limits.** See [`Options`]; every wait inside has a deadline and reports [`StoreError::Unavailable`].

pub mod bodies;
#[doc(hidden)]
pub mod contract;
mod error;
mod faults;
mod line;
mod measure;
mod migration;
mod postgres;
mod row;
mod sqlite;
pub mod transfer;
mod unit;

pub use error::{Expectation, StoreError};
pub use faults::Faults;
pub use measure::{Buckets, Commits, Histogram};
pub use row::{Row, Value};
pub use unit::{Done, Expect, Query, Sql, Statement, Unit};

use std::sync::Arc;
use std::time::Duration;

use bodies::LargeBodies;
use ground_world::World;
use ground_world::mishap::Spot;

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
    /// What PostgreSQL's list of connections calls ours.
    pub connections_name: &'static str,
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
            connections_name: "postrider",
        }
    }
}

/// A handle on the committed rows; cheap to clone. The engine's threads end when the last handle is dropped.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    lane: Lane,
}

/// Whose readers answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Those of everybody.
    Shared,
    /// One that is kept for those who must not wait behind everybody else.
    Apart,
}

struct Shared {
    engine: Engine,
    options: Options,
    world: World,
    faults: Faults,
    large_bodies: LargeBodies,
    commits: Arc<Commits>,
}

enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens the store that `url` names and brings its schema up to date.
    ///
    /// - `sqlite:PATH`: the file and its folder are made when missing. In a simulated world it lives on the simulated disk and
    ///   can be opened again after a simulated crash. `sqlite::memory:`: rows that live as long as the handle.
    /// - `postgres://user:password@host:port,host:port/database`: PostgreSQL 15 or newer, a database of its own. The hosts are
    ///   asked, the one that took writes last first, until one takes writes: at the start and whenever the connection is lost.
    ///   One that is silent holds up the others for half a second. `?sslmode=verify-full` is
    ///   what counts when nothing is said: the server's certificate must be good for the host's name, under the system's
    ///   roots or, with `&sslrootcert=FILE`, under those alone. `require` encrypts without asking who answers, `disable`
    ///   does neither. A host may be a socket's folder (`%2Frun%2Fpostgresql`). Needs a tokio runtime, and the real world.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] for an URL nobody knows, a database of something else, of a newer program or with another past;
    /// otherwise what the disk said.
    pub async fn open(url: &str, options: Options, world: &World) -> Result<Self, StoreError> {
        let commits = Arc::<Commits>::default();
        let (engine, large_bodies) = if let Some(path) = url.strip_prefix("sqlite:") {
            let (engine, bodies) = sqlite::open(path, &options, world, &commits).await?;
            (Engine::Sqlite(engine), bodies)
        } else if postgres::is_meant(url) {
            let engine = postgres::Postgres::open(url, &options, world, &commits).await?;
            (Engine::Postgres(engine), LargeBodies::Rows)
        } else {
            return Err(nobodys(url));
        };
        Ok(Self::around(engine, large_bodies, options, world, commits))
    }

    /// Opens the store that `url` names for reading only: nothing is made there, nothing is brought up to date, and every write
    /// is refused.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::Unfit`] also when there is no store, or one of an older program.
    pub async fn look(url: &str, options: Options, world: &World) -> Result<Self, StoreError> {
        let (engine, large_bodies) = if let Some(path) = url.strip_prefix("sqlite:") {
            let (engine, bodies) = sqlite::look(path, &options, world).await?;
            (Engine::Sqlite(engine), bodies)
        } else if postgres::is_meant(url) {
            let engine = postgres::Postgres::look(url, &options, world).await?;
            (Engine::Postgres(engine), LargeBodies::Rows)
        } else {
            return Err(nobodys(url));
        };
        Ok(Self::around(
            engine,
            large_bodies,
            options,
            world,
            Arc::default(),
        ))
    }

    fn around(
        engine: Engine,
        large_bodies: LargeBodies,
        options: Options,
        world: &World,
        commits: Arc<Commits>,
    ) -> Self {
        let faults = match &engine {
            Engine::Sqlite(_) => Faults::default(),
            Engine::Postgres(postgres) => postgres.faults(),
        };
        Self {
            shared: Arc::new(Shared {
                engine,
                options,
                world: world.clone(),
                faults,
                large_bodies,
                commits,
            }),
            lane: Lane::Shared,
        }
    }

    /// The same rows by a reader that others do not use: who reads there does not wait behind them.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            lane: Lane::Apart,
        }
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
        self.meet(Spot::Write).await;
        let answer = match self.shared.world.clock.timeout(deadline, work).await {
            Ok(answer) => answer,
            Err(late) => Err(StoreError::Unavailable(format!(
                "a write was {late}; its outcome is not known"
            ))),
        };
        self.meet(Spot::Written).await;
        answer
    }

    async fn meet(&self, spot: Spot) {
        self.shared.world.mishap().meet(spot).await;
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
        let _time = self.shared.faults.time_held();
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.write(unit).await,
            Engine::Postgres(postgres) => postgres.write(unit).await,
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
        self.meet(Spot::Read).await;
        let _time = self.shared.faults.time_held();
        let work = async {
            match &self.shared.engine {
                Engine::Sqlite(sqlite) => sqlite.read(queries, self.lane).await,
                Engine::Postgres(postgres) => postgres.read(queries, self.lane).await,
            }
        };
        match self.shared.world.clock.timeout(deadline, work).await {
            Ok(answer) => answer,
            Err(late) => Err(StoreError::Unavailable(format!("a query was {late}"))),
        }
    }

    /// What this process has committed.
    #[must_use]
    pub fn commits(&self) -> &Commits {
        &self.shared.commits
    }

    /// Whether other nodes may have the same rows.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.is_postgres()
    }

    /// Says a word to the other nodes on the same database, soon: a hint, which may be lost, and which nobody waits for. No
    /// line end may stand in it. Where there can be no other node nothing happens.
    pub fn tell_others(&self, word: &str) {
        match &self.shared.engine {
            Engine::Sqlite(_) => {}
            Engine::Postgres(postgres) => postgres.tell_others(word),
        }
    }

    /// The next word of another node. Never, where there can be none.
    pub async fn next_word(&self) -> String {
        match &self.shared.engine {
            Engine::Sqlite(_) => std::future::pending().await,
            Engine::Postgres(postgres) => postgres.next_word().await,
        }
    }

    /// The text of `sql` for this store's engine: for queries that differ.
    #[must_use]
    pub fn text_of(&self, sql: Sql) -> &'static str {
        match &self.shared.engine {
            Engine::Sqlite(_) => sql.sqlite,
            Engine::Postgres(_) => sql.postgres,
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.shared.engine, Engine::Postgres(_))
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
            Engine::Postgres(postgres) => postgres.break_writer(),
        }
    }
}

/// Where the store of `url` is, for people: without a password.
///
/// # Errors
/// [`StoreError::Unfit`] for an URL nobody knows.
pub fn shown(url: &str) -> Result<String, StoreError> {
    if url.starts_with("sqlite:") {
        return Ok(url.to_owned());
    }
    if postgres::is_meant(url) {
        return postgres::shown(url);
    }
    Err(nobodys(url))
}

fn nobodys(url: &str) -> StoreError {
    // Only what cannot be a password.
    let scheme = url.split(':').next().unwrap_or_default();
    StoreError::Unfit(format!(
        "{scheme:?} names no store; write sqlite:PATH or postgres://USER@HOST/DATABASE"
    ))
}
