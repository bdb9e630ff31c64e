//! History ends: messages all of whose recipients ended long ago are removed, with their attempts and events.

use ground_store::{Sql, Unit};
use wire_message::Time;

use crate::event::{Doer, EventKind};
use crate::{Ledger, LedgerError};

#[cfg(test)]
mod tests;

/// Messages whose last recipient ended before `$1`.
const OLD: &str = "SELECT DISTINCT message FROM recipient WHERE finished_at < $1 AND NOT EXISTS (\
       SELECT 1 FROM recipient AS other WHERE other.message = recipient.message \
         AND (other.finished_at IS NULL OR other.finished_at >= $1)) LIMIT $2";

const SEARCH: Sql = Sql::new(
    "DELETE FROM search_due WHERE recipient IN (SELECT id FROM recipient WHERE message = $1)",
);
const ATTEMPTS: Sql = Sql::new("DELETE FROM attempt WHERE message = $1");
const EVENTS: Sql = Sql::new("DELETE FROM event WHERE message = $1");
/// The database itself refuses to let go of one that is not final.
const RECIPIENTS: Sql = Sql::new("DELETE FROM recipient WHERE message = $1");
const MESSAGE: Sql = Sql::new("DELETE FROM message WHERE id = $1");
/// Of hops, nodes and acts.
const GENERAL_EVENTS: Sql = Sql::new("DELETE FROM event WHERE message IS NULL AND at < $1");

impl Ledger {
    /// Removes the history of at most `limit` messages that ended before `before`. How many there were: call again while it
    /// is `limit`.
    ///
    /// # Errors
    /// The store's.
    pub async fn prune(&self, before: Time, limit: u32) -> Result<u64, LedgerError> {
        let values = vec![before.as_millis().into(), limit.into()];
        let old = self.read(OLD, values).await?;
        let mut unit = Unit::new();
        unit.write(GENERAL_EVENTS, vec![before.as_millis().into()]);
        for row in &old {
            let message = row.int(0)?;
            for sql in [SEARCH, ATTEMPTS, EVENTS, RECIPIENTS] {
                unit.write(sql, vec![message.into()]);
            }
            unit.write_exactly(1, MESSAGE, vec![message.into()]);
        }
        let pruned = old.len() as u64;
        if pruned > 0 {
            let detail = format!("the history of {pruned} messages that ended before {before}");
            self.event(EventKind::Pruned, Doer::Program, "watch", detail)
                .write(self.new_key(), &mut unit);
        }
        self.store().write(unit).await?;
        Ok(pruned)
    }

    /// Removes the files of bodies nobody refers to any more. How many there were.
    ///
    /// # Errors
    /// The disk's and the store's.
    pub async fn remove_done_files(&self) -> Result<usize, LedgerError> {
        Ok(self.store().remove_done_files().await?)
    }

    /// Removes files that a crash left between a body's file and its row: those that no row names, and that were last
    /// written before `before`, when whoever wrote them is known to be gone. How many there were.
    ///
    /// # Errors
    /// The disk's and the store's.
    pub async fn remove_orphan_files(&self, before: Time) -> Result<usize, LedgerError> {
        let mut removed = 0;
        // What another node's crash has left was perhaps written after this one started; nobody writes so slowly.
        let all = self.store().is_shared();
        for orphan in self.store().orphan_body_files().await? {
            if all || orphan.modified < before {
                self.store().discard_body_file(&orphan.name).await?;
                removed += 1;
            }
        }
        if removed > 0 {
            let detail = format!("removed {removed} files of messages that a crash cut off");
            self.record(
                EventKind::Reconciled,
                Doer::Program,
                &self.node_name(),
                &detail,
            )
            .await?;
        }
        Ok(removed)
    }
}
