//! Moves committed pages from the write-ahead log into the database, so that the log stays short and commits never wait long.
//!
//! The long part (copying pages, flushing the database) is done by a thread of its own while commits go on. It cannot quite
//! finish, because the log grows meanwhile; the writer does the short rest between two groups, after which the log starts
//! again from its beginning. Beyond [`Bounds::hard`] the writer does all of it: commits wait rather than the disk fills.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::connection::{Connection, PAGE, Role};
use crate::StoreError;

/// Octets of the log at which something happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The thread begins to copy.
    pub(super) soft: u64,
    /// The writer copies itself.
    pub(super) hard: u64,
}

/// The rest of the log that the writer copies between two groups: a few milliseconds' work.
const REST: u64 = 2 << 20;

/// A checkpoint writes each page once, with no use for more cache than that.
const CACHE: usize = 1 << 20;

/// The writer's end of the checkpoints.
pub(super) struct Checkpoints {
    bounds: Bounds,
    begin: SyncSender<()>,
    running: Arc<AtomicBool>,
}

impl Checkpoints {
    /// Starts the thread; it ends when the writer does.
    pub(super) fn start(file: PathBuf, bounds: Bounds) -> Result<Self, StoreError> {
        let (begin, wait) = sync_channel(1);
        let running = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&running);
        std::thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || serve(&file, &wait, &shared))
            .map_err(|error| {
                StoreError::Unavailable(format!("no thread for checkpoints: {error}"))
            })?;
        Ok(Self {
            bounds,
            begin,
            running,
        })
    }

    /// Looks at the log after a commit.
    pub(super) fn after_commit(&self, writer: &Connection) {
        let (log, rest) = match measure(writer, "PRAGMA wal_checkpoint(NOOP)") {
            Ok(measured) => measured,
            Err(error) => return tracing::warn!(%error, "the log's length is not known"),
        };
        if log < self.bounds.soft || rest == 0 {
            return;
        }
        let running = self.running.load(Ordering::Acquire);
        if log >= self.bounds.hard || (!running && rest <= REST) {
            if let Err(error) = measure(writer, "PRAGMA wal_checkpoint(PASSIVE)") {
                tracing::warn!(%error, "the log could not be shortened");
            }
        } else if !running {
            self.running.store(true, Ordering::Release);
            if self.begin.try_send(()).is_err() {
                self.running.store(false, Ordering::Release);
            }
        }
    }
}

fn serve(file: &std::path::Path, wait: &Receiver<()>, running: &AtomicBool) {
    let mut connection = None;
    while wait.recv().is_ok() {
        connection = match connection.take() {
            Some(open) => Some(open),
            None => Connection::open(file, Role::Checkpointer, CACHE)
                .inspect_err(|error| tracing::warn!(%error, "no connection for checkpoints"))
                .ok(),
        };
        if let Some(open) = &connection
            && let Err(error) = measure(open, "PRAGMA wal_checkpoint(PASSIVE)")
        {
            tracing::warn!(%error, "a checkpoint failed; the next will try again");
            connection = None;
        }
        running.store(false, Ordering::Release);
    }
}

/// Runs a checkpoint pragma: octets of the log, and how many of them are not in the database yet.
fn measure(connection: &Connection, pragma: &'static str) -> Result<(u64, u64), StoreError> {
    let mut prepared = connection
        .raw()
        .prepare_cached(pragma)
        .map_err(super::connection::translate)?;
    let (log, copied): (i64, i64) = prepared
        .query_row((), |row| Ok((row.get(1)?, row.get(2)?)))
        .map_err(super::connection::translate)?;
    let octets = |frames: i64| u64::try_from(frames).unwrap_or(0) * u64::from(PAGE);
    Ok((octets(log), octets(log - copied)))
}
