//! Which version of the directory is the current one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ground_store::{Query, Sql, StoreError};
use tokio::time::Instant;

use crate::{Directory, DirectoryError};

/// How long a change that another node made may stay unseen here: a second costs one tiny read a second.
pub const VERSION_RECHECK: Duration = Duration::from_secs(1);

/// How long a lookup waits for another one that reads the version: a store that answers at all has answered by then.
const VERSION_DEADLINE: Duration = Duration::from_secs(10);

/// Moves the version; the first statement of every change.
pub(crate) const MOVE: Sql =
    Sql::new("UPDATE directory_version SET n = n + 1 WHERE id = 1 RETURNING n");

/// The newest version this node knows of, and when it looked.
#[derive(Default)]
pub(crate) struct Version {
    seen: Mutex<Option<Seen>>,
    /// Held by the one who reads the version while the others wait for it.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Seen {
    n: i64,
    at: Instant,
}

impl Version {
    /// Notes that version `n` was seen at `at`; an older one than known changes nothing.
    pub(crate) fn note(&self, n: i64, at: Instant) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.as_mut() {
            Some(known) if known.n > n => {}
            Some(known) => {
                *known = Seen {
                    n,
                    at: known.at.max(at),
                }
            }
            None => *seen = Some(Seen { n, at }),
        }
    }

    fn fresh(&self, now: Instant) -> Option<i64> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.filter(|seen| now.saturating_duration_since(seen.at) < VERSION_RECHECK)
            .map(|seen| seen.n)
    }
}

impl Directory {
    /// The version that cached answers must have been read at.
    pub(crate) async fn current_version(&self) -> Result<i64, DirectoryError> {
        let clock = &self.rooms.world.clock;
        let version = &self.rooms.version;
        if let Some(n) = version.fresh(clock.instant()) {
            return Ok(n);
        }
        let turn = clock
            .timeout(VERSION_DEADLINE, version.reading.lock())
            .await;
        let _reading = turn.map_err(|late| {
            StoreError::Unavailable(format!("the version of the directory was {late}"))
        })?;
        // Whoever held it before has just looked.
        if let Some(n) = version.fresh(clock.instant()) {
            return Ok(n);
        }
        let before = clock.instant();
        let query = Query {
            text: "SELECT n FROM directory_version WHERE id = 1".into(),
            values: Vec::new(),
        };
        let rows = self.rooms.store.read(query).await?;
        let row = rows
            .first()
            .ok_or_else(|| DirectoryError::Damaged("directory_version has no row".to_owned()))?;
        let n = row.int(0)?;
        version.note(n, before);
        Ok(n)
    }
}
