//! Readers: a few threads with a connection each, which take queries from one line; a slow query holds up one of them only.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::connection::{Connection, Role, translate};
use crate::{Query, Row, StoreError};

/// SQLite looks every so many of its own instructions (well under a millisecond) whether the caller still waits.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

type Found = Result<Vec<Vec<Row>>, StoreError>;

/// Queries that are answered from one moment's rows.
pub(super) struct Job {
    pub(super) queries: Vec<Query>,
    pub(super) answer: oneshot::Sender<Found>,
    /// Set when the caller has gone: the query is then given up.
    pub(super) given_up: Arc<AtomicBool>,
}

type Line = Arc<Mutex<mpsc::Receiver<Job>>>;

/// Starts `count` readers; they end when nobody can send any more.
pub(super) fn start(
    file: &Path,
    role: Role,
    count: usize,
    cache_bytes: usize,
    row_limit: usize,
    jobs: mpsc::Receiver<Job>,
) -> Result<(), StoreError> {
    let line: Line = Arc::new(Mutex::new(jobs));
    for _ in 0..count.max(1) {
        let (file, line) = (file.to_owned(), Arc::clone(&line));
        std::thread::Builder::new()
            .name("store-reader".into())
            .spawn(move || serve(&file, role, cache_bytes, row_limit, &line))
            .map_err(|error| StoreError::Unavailable(format!("no thread for a reader: {error}")))?;
    }
    Ok(())
}

fn next(line: &Line) -> Option<Job> {
    line.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .blocking_recv()
}

fn serve(file: &Path, role: Role, cache_bytes: usize, row_limit: usize, line: &Line) {
    let mut connection: Option<Connection> = None;
    while let Some(job) = next(line) {
        if job.given_up.load(Ordering::Acquire) {
            continue;
        }
        let current = match connection.take() {
            Some(current) => Ok(current),
            None => Connection::open(file, role, cache_bytes),
        };
        let found = current.and_then(|current| {
            let found = watched(&current, &job, row_limit);
            if !matches!(found, Err(StoreError::Unavailable(_))) {
                connection = Some(current);
            }
            found
        });
        if job.answer.send(found).is_err() {
            tracing::debug!("a query was given up before its answer came");
        }
    }
}

/// Reads, unless the caller goes away meanwhile.
fn watched(connection: &Connection, job: &Job, row_limit: usize) -> Found {
    let given_up = Arc::clone(&job.given_up);
    let look = move || given_up.load(Ordering::Acquire);
    connection
        .raw()
        .progress_handler(STEPS_BETWEEN_LOOKS, Some(look))
        .map_err(translate)?;
    snapshot(connection, &job.queries, row_limit)
}

/// Answers all queries from the same committed rows.
pub(super) fn snapshot(connection: &Connection, queries: &[Query], row_limit: usize) -> Found {
    let read = |query: &Query| connection.read(&query.text, &query.values, row_limit);
    if let [query] = queries {
        return read(query).map(|rows| vec![rows]);
    }
    connection.step("BEGIN")?;
    let found = queries.iter().map(read).collect();
    connection.step("ROLLBACK")?;
    found
}
