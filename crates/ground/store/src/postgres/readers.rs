//! Readers: a few tasks with a connection each, which take queries from one line; a slow query holds up one of them only.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::connection::Connection;
use super::dialer::{Dialer, Role};
use super::trouble::Trouble;
use crate::line::tell;
use crate::{Query, Row, StoreError};

type Found = Result<Vec<Vec<Row>>, StoreError>;

/// Queries that are answered from one moment's rows.
pub(super) struct Job {
    pub(super) queries: Vec<Query>,
    pub(super) answer: oneshot::Sender<Found>,
}

type Line = Arc<Mutex<mpsc::Receiver<Job>>>;

/// Starts `count` readers; they end when nobody can send any more.
pub(super) fn start(
    dialer: &Arc<Dialer>,
    count: usize,
    row_limit: usize,
    jobs: mpsc::Receiver<Job>,
) {
    let line: Line = Arc::new(Mutex::new(jobs));
    for _ in 0..count.max(1) {
        let reader = Reader {
            dialer: Arc::clone(dialer),
            row_limit,
            connection: None,
        };
        tokio::spawn(reader.serve(Arc::clone(&line)));
    }
}

struct Reader {
    dialer: Arc<Dialer>,
    row_limit: usize,
    connection: Option<Connection>,
}

impl Reader {
    async fn serve(mut self, line: Line) {
        loop {
            let next = line.lock().await.recv().await;
            let Some(mut job) = next else { return };
            if job.answer.is_closed() {
                continue;
            }
            let found = tokio::select! {
                found = self.answer(&job.queries) => found,
                // The connection goes with the query; the server ends it at its own deadline at the latest.
                () = job.answer.closed() => continue,
            };
            tell(job.answer, found);
        }
    }

    /// Reading can be tried again: a connection that had been closed while it was idle, as by a restart of the server, is
    /// not the caller's concern.
    async fn answer(&mut self, queries: &[Query]) -> Found {
        if let Some(kept) = self.connection.take()
            && !kept.is_closed()
        {
            let found = self.read(kept, queries).await;
            if !matches!(found, Err(StoreError::Unavailable(_))) {
                return found;
            }
        }
        let fresh = self.dialer.connect(Role::Reader).await;
        self.read(fresh?, queries).await
    }

    /// Reads, and keeps the connection when it is good for more.
    async fn read(&mut self, mut connection: Connection, queries: &[Query]) -> Found {
        let found = snapshot(&mut connection, queries, self.row_limit).await;
        if found.is_ok() {
            self.connection = Some(connection);
        }
        found
    }
}

/// Answers all queries from the same committed rows. After an error the connection's state is not known.
async fn snapshot(connection: &mut Connection, queries: &[Query], limit: usize) -> Found {
    if let [query] = queries {
        let rows = connection.read(&query.text, &query.values, limit);
        return Ok(vec![rows.await?]);
    }
    let begin = connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    begin.await.map_err(Trouble::told)?;
    let mut found = Vec::with_capacity(queries.len());
    for query in queries {
        let rows = connection.read(&query.text, &query.values, limit);
        found.push(rows.await?);
    }
    let end = connection.batch("COMMIT");
    end.await.map_err(Trouble::told)?;
    Ok(found)
}
