//! The PostgreSQL engine: tasks of its own on connections of their own, for any number of nodes on one database.
//!
//! Rules, counts and the schema are the database's (`schema/postgres/`), as they are with SQLite. One writer per node commits
//! what waits as one transaction; readers answer queries from the same server, which is always the one that takes writes, so
//! that what was answered is there when it is read.

mod bell;
mod connection;
mod dialer;
mod dust;
mod group;
mod migrate;
mod readers;
mod trouble;
mod url;
mod value;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ground_world::World;
use tokio::sync::{mpsc, oneshot};

use crate::line::{self, Answer, GroupBounds};
use crate::{Commits, Faults, Lane, Options, Query, Row, StoreError, Unit};
use bell::Bell;
use dialer::{Dialer, Role};
use dust::Broom;
use url::Server;
use writer::Writer;

/// The lines of the engine's tasks.
pub(crate) struct Postgres {
    writes: mpsc::Sender<line::Job>,
    reads: mpsc::Sender<readers::Job>,
    reads_apart: mpsc::Sender<readers::Job>,
    panic_next: Arc<AtomicBool>,
    faults: Faults,
    /// None where nothing is done that others could hear of.
    bell: Option<Bell>,
}

/// Where the database of `url` is, for people: without the password.
pub(crate) fn shown(url: &str) -> Result<String, StoreError> {
    Server::parse(url).map(|server| server.shown())
}

/// Whether `url` is for this engine.
pub(crate) fn is_meant(url: &str) -> bool {
    ["postgres:", "postgresql:"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
}

impl Postgres {
    /// Opens the database that `url` names.
    pub(crate) async fn open(
        url: &str,
        options: &Options,
        world: &World,
        commits: &Arc<Commits>,
    ) -> Result<Self, StoreError> {
        let server = Server::parse(url)?;
        let dialer = Arc::new(Dialer::new(server, options, world).await?);
        let mut connection = dialer.connect(Role::Writer).await?;
        let now = world.clock.now().as_millis();
        migrate::migrate(&mut connection, now).await?;
        let (writes, write_jobs) = mpsc::channel(options.waiting.max(1));
        let (reads, read_jobs) = mpsc::channel(options.waiting.max(1));
        let panic_next = Arc::new(AtomicBool::new(false));
        let faults = Faults::default();
        let writer = Writer {
            dialer: Arc::clone(&dialer),
            world: world.clone(),
            bounds: GroupBounds::of(options),
            deadline: options.write_deadline,
            panic_next: Arc::clone(&panic_next),
            faults: faults.clone(),
            connection: Some(connection),
            failures: 0,
            unfolded: 0,
            folds: 0,
            broom: Broom::with(&dialer, world),
            commits: commits.clone(),
        };
        tokio::spawn(writer.serve(write_jobs));
        readers::start(&dialer, options.readers, options.rows_per_query, read_jobs);
        let (reads_apart, jobs) = mpsc::channel(options.waiting.max(1));
        readers::start(&dialer, 1, options.rows_per_query, jobs);
        Ok(Self {
            writes,
            reads,
            reads_apart,
            panic_next,
            faults,
            bell: Some(Bell::hang(&dialer, world)),
        })
    }

    /// Opens what stands in the database for reading only: nothing is made, nothing is brought up to date.
    pub(crate) async fn look(
        url: &str,
        options: &Options,
        world: &World,
    ) -> Result<Self, StoreError> {
        let server = Server::parse(url)?;
        let dialer = Arc::new(Dialer::new(server, options, world).await?);
        migrate::look(&mut dialer.connect(Role::Reader).await?).await?;
        let (writes, _) = mpsc::channel(1);
        let (reads, read_jobs) = mpsc::channel(options.waiting.max(1));
        readers::start(&dialer, options.readers, options.rows_per_query, read_jobs);
        Ok(Self {
            writes,
            reads_apart: reads.clone(),
            reads,
            panic_next: Arc::default(),
            faults: Faults::default(),
            bell: None,
        })
    }

    /// Makes an empty database `name` on the server of `url`, for tests; its URL.
    pub(crate) async fn create_database(
        url: &str,
        name: &str,
        world: &World,
    ) -> Result<String, StoreError> {
        command(url, &format!("CREATE DATABASE {name}"), world).await?;
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let host = base.rsplit_once('/').map_or(base, |(host, _)| host);
        Ok(format!("{host}/{name}?{query}"))
    }

    /// Removes the database `name` of the server of `url`, whoever is connected to it, for tests.
    pub(crate) async fn drop_database(
        url: &str,
        name: &str,
        world: &World,
    ) -> Result<(), StoreError> {
        let text = format!("DROP DATABASE {name} WITH (FORCE)");
        command(url, &text, world).await
    }

    /// What tests make of it.
    pub(crate) fn faults(&self) -> Faults {
        self.faults.clone()
    }

    pub(crate) async fn write(&self, unit: Unit) -> Answer {
        line::ask(&self.writes, unit).await
    }

    pub(crate) async fn read(
        &self,
        queries: Vec<Query>,
        lane: Lane,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let reads = match lane {
            Lane::Shared => &self.reads,
            Lane::Apart => &self.reads_apart,
        };
        let (answer, wait) = oneshot::channel();
        if reads.send(readers::Job { queries, answer }).await.is_err() {
            return Err(StoreError::Unavailable("the readers have ended".into()));
        }
        wait.await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("a reader failed".into())))
    }

    pub(crate) fn tell_others(&self, word: &str) {
        if let Some(bell) = &self.bell {
            bell.say(word);
        }
    }

    pub(crate) async fn next_word(&self) -> String {
        match &self.bell {
            Some(bell) => bell.next().await,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn break_writer(&self) {
        self.panic_next.store(true, Ordering::Release);
    }
}

/// Has the server of `url` do what no transaction can hold.
async fn command(url: &str, text: &str, world: &World) -> Result<(), StoreError> {
    let server = Server::parse(url)?;
    let dialer = Dialer::new(server, &Options::default(), world).await?;
    let connection = dialer.connect(Role::Writer).await?;
    connection.batch(text).await.map_err(trouble::Trouble::told)
}
