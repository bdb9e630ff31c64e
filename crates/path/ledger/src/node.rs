//! A node lives by its epoch: each start takes a new one, and what an old epoch had claimed is lost to it.

use std::time::Duration;

use ground_store::{Sql, Store, StoreError, Unit};
use wire_message::Time;

use crate::columns::Columns;
use crate::event::EventKind;
use crate::{Ledger, LedgerError};

/// Nodes the ids have room for.
const NODES: i64 = 256;

/// The epoch is above every node's and every claim's, so that a lost node row revives no old claim. Nobody starts on a store
/// whose mail is on its way to or from another one; said here, so that no start slips in beside the mark.
const START: Sql = Sql::new(
    "INSERT INTO node (id, name, epoch, heartbeat_at) \
     SELECT (SELECT coalesce(max(id) + 1, 0) FROM node), $1, \
       (SELECT 1 + max(taken) FROM (\
          SELECT coalesce(max(epoch), 0) AS taken FROM node \
          UNION ALL SELECT coalesce(max(claimed_by), 0) FROM recipient WHERE state = 'in_flight') AS epochs), $2 \
     WHERE NOT EXISTS (SELECT 1 FROM transfer) \
     ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, heartbeat_at = excluded.heartbeat_at, \
       away_since = coalesce(node.away_since, node.heartbeat_at), \
       back_at = CASE WHEN excluded.heartbeat_at - node.heartbeat_at < $3 \
         THEN coalesce(node.back_at, excluded.heartbeat_at) ELSE excluded.heartbeat_at END \
     RETURNING id, epoch, away_since, back_at",
);

const BEFORE: &str = "SELECT heartbeat_at FROM node WHERE name = $1";

const GREATEST: &str = "SELECT max(key) FROM (\
       SELECT max(id) AS key FROM message UNION ALL SELECT max(id) FROM recipient \
       UNION ALL SELECT max(id) FROM attempt UNION ALL SELECT max(id) FROM event \
       UNION ALL SELECT max(id) FROM body) AS keys";

const HEARTBEAT: Sql = Sql::new("UPDATE node SET heartbeat_at = $3 WHERE name = $1 AND epoch = $2");

const CAUGHT_UP: Sql =
    Sql::new("UPDATE node SET away_since = NULL, back_at = NULL WHERE name = $1 AND epoch = $2");

/// What a node finds when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) node: i64,
    pub(crate) epoch: i64,
    /// The last sign of life of this node before.
    pub(crate) heartbeat_before: Option<Time>,
    /// Since when mail has waited because of it that is not treated yet.
    pub(crate) away_since: Option<Time>,
    /// When that treatment began first.
    pub(crate) back_at: Option<Time>,
    /// No id in the book is greater.
    pub(crate) greatest_key: i64,
}

/// Whether this node is still the one of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// It is.
    Alive,
    /// Another has started under its name: it must stop. Nothing it settles is taken.
    Replaced,
}

pub(crate) async fn start(
    store: &Store,
    name: &str,
    now: Time,
    late_after: Duration,
) -> Result<Started, LedgerError> {
    let read = |text, values| store.read(ground_store::Query::new(text, values));
    let before = read(BEFORE, vec![name.into()]).await?;
    let mut unit = Unit::new();
    let late_after = i64::try_from(late_after.as_millis()).unwrap_or(i64::MAX);
    let values = vec![name.into(), now.as_millis().into(), late_after.into()];
    unit.write_exactly(1, START, values);
    let done = match store.write(unit).await {
        Ok(done) => done,
        Err(error) => {
            store.in_service().await?;
            return Err(error.into());
        }
    };
    let row = done.returned.first().and_then(|rows| rows.first());
    let row = row.ok_or_else(|| StoreError::Damaged("a node's start gave no epoch".into()))?;
    let mut columns = Columns::of(row);
    let (node, epoch) = (columns.int()?, columns.int()?);
    let (away_since, back_at) = (columns.maybe_time()?, columns.maybe_time()?);
    if !(0..NODES).contains(&node) {
        return Err(StoreError::Damaged(format!("node {node} of {NODES}")).into());
    }
    let greatest = read(GREATEST, Vec::new()).await?;
    let greatest = greatest
        .first()
        .map(|row| row.optional_int(0))
        .transpose()?;
    let before = before.first().map(|row| row.int(0)).transpose()?;
    Ok(Started {
        node,
        epoch,
        heartbeat_before: before.map(Time::from_millis),
        away_since,
        back_at,
        greatest_key: greatest.flatten().unwrap_or(0),
    })
}

impl Ledger {
    /// Shows that this node lives.
    ///
    /// # Errors
    /// The store's.
    pub async fn heartbeat(&self) -> Result<Heartbeat, LedgerError> {
        let mut unit = Unit::new();
        let now = self.now().as_millis();
        let values = vec![self.node_name().into(), self.epoch().into(), now.into()];
        unit.write_exactly(1, HEARTBEAT, values);
        match self.book.store.write(unit).await {
            Ok(_) => Ok(Heartbeat::Alive),
            Err(StoreError::Conflict(_)) => Ok(Heartbeat::Replaced),
            Err(error) => Err(error.into()),
        }
    }

    /// How long mail may have waited because this node was away: from its last heartbeat to this start, with the starts
    /// before that crashed before [`Ledger::caught_up`]. Zero for a new node.
    #[must_use]
    pub fn downtime(&self) -> Duration {
        let started_at = self.book.started_at;
        let since = self.book.away_since;
        since.map_or(Duration::ZERO, |since| started_at.since(since))
    }

    /// Records that all mail that waited because this node was away is treated.
    ///
    /// # Errors
    /// The store's: a start after a crash would treat again what is left.
    pub async fn caught_up(&self) -> Result<(), LedgerError> {
        let mut unit = Unit::new();
        unit.write(
            CAUGHT_UP,
            vec![self.node_name().into(), self.epoch().into()],
        );
        self.book.store.write(unit).await?;
        Ok(())
    }

    /// The last sign of life of this node before it started.
    #[must_use]
    pub fn heartbeat_before(&self) -> Option<Time> {
        self.book.heartbeat_before
    }

    /// Records a fact about the whole node: settings loaded, the directory changed, a late policy applied.
    ///
    /// # Errors
    /// The store's.
    pub async fn record(
        &self,
        kind: EventKind,
        actor: &str,
        detail: &str,
    ) -> Result<(), LedgerError> {
        self.book
            .store
            .write(self.record_unit(kind, actor, detail))
            .await?;
        Ok(())
    }

    /// The same as a unit, to be joined with the write that makes it a fact.
    #[must_use]
    pub fn record_unit(&self, kind: EventKind, actor: &str, detail: &str) -> Unit {
        let mut unit = Unit::new();
        self.event(kind, actor, detail.to_owned())
            .write(self.new_key(), &mut unit);
        unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{book, options};

    #[tokio::test(start_paused = true)]
    async fn a_store_whose_mail_is_on_the_way_opens_no_book() {
        for role in ["arriving", "arrived", "leaving", "left"] {
            let book = book().await;
            let store = book.ledger.store().clone();
            let mark = Sql::new(
                "INSERT INTO transfer (id, role, other, place, witness, run, since) \
                 VALUES (1, $1, 'x', 'sqlite:elsewhere', '', 1, 1)",
            );
            let mut unit = Unit::new();
            unit.write_exactly(1, mark, vec![role.into()]);
            store.write(unit).await.unwrap();
            let world = book.ledger.world().clone();
            let opened = Ledger::open(store.clone(), world, options()).await;
            let why = opened.err().unwrap().to_string();
            assert!(why.contains("sqlite:elsewhere"), "{role}: {why}");
            // Also when the mark came after the first look.
            let late = Duration::from_secs(60);
            let started = start(&store, "node1", book.now(), late).await;
            let why = started.err().unwrap().to_string();
            assert!(why.contains("sqlite:elsewhere"), "{role}: {why}");
        }
    }
}
