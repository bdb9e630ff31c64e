//! The other nodes: who has fallen silent is fenced, and what it had claimed comes back (see `node` for the two clocks).

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ground_store::{Row, Sql, StoreError, Unit};
use tokio::time::Instant;

use crate::columns::Columns;
use crate::event::{Doer, EventKind};
use crate::node::SILENCE;
use crate::{Guarded, Ledger, LedgerError};

/// The longest time between two looks in which silence is the other's. After a longer one everybody gets the whole of
/// [`SILENCE`] again: the store may have been away for all.
const LOOK_GAP: Duration = Duration::from_secs(8);

const SERVING: &str = "SELECT name, epoch, beats, draining FROM node WHERE state = 'up'";

/// Only who lives itself may judge, and only what was seen. While somebody is there to judge, no mail has waited for want of
/// a node.
const FENCE: Sql = Sql::new(
    "UPDATE node SET state = 'fenced', away_since = NULL, back_at = NULL WHERE name = $1 AND epoch = $2 AND beats = $3 AND state = 'up' \
     AND EXISTS (SELECT 1 FROM node AS self WHERE self.name = $4 AND self.epoch = $5 AND self.state = 'up')",
);

/// What one node has seen of the others: in its memory alone, for it is about time that passes here.
#[derive(Debug, Default)]
pub struct Neighbours {
    seen: HashMap<String, Seen>,
    looked: Option<Instant>,
}

/// A node's signs of life, and since when they have stood at this count.
#[derive(Debug, Clone, Copy)]
struct Seen {
    epoch: i64,
    beats: i64,
    since: Instant,
}

struct Serving {
    name: String,
    epoch: i64,
    beats: i64,
    draining: bool,
}

impl Ledger {
    /// Looks at the other nodes and fences those that have been silent for [`SILENCE`]; says which. To be called every few
    /// seconds with the same memory.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_at_neighbours(
        &self,
        neighbours: &mut Neighbours,
    ) -> Result<Vec<String>, LedgerError> {
        let rows = self.read(SERVING, Vec::new()).await?;
        let serving: Vec<Serving> = rows
            .iter()
            .map(Serving::of)
            .collect::<Result<_, StoreError>>()?;
        let at_work = serving.iter().filter(|node| !node.draining).count();
        let at_work = u32::try_from(at_work).unwrap_or(u32::MAX);
        self.book.life.at_work.store(at_work, Ordering::Relaxed);
        let first = serving.iter().min_by_key(|node| &node.name);
        let first = first.is_none_or(|node| node.epoch == self.epoch());
        self.book.life.first.store(first, Ordering::Relaxed);
        let silent = neighbours.silent(serving, self.world().clock.instant());
        let mut fenced = Vec::new();
        for node in silent.into_iter().filter(|one| one.epoch != self.epoch()) {
            if self.is_alive() && self.fence(&node).await? {
                fenced.push(node.name);
            }
        }
        Ok(fenced)
    }

    async fn fence(&self, node: &Serving) -> Result<bool, LedgerError> {
        let mut unit = Unit::new();
        let values = vec![
            (&node.name).into(),
            node.epoch.into(),
            node.beats.into(),
            self.node_name().into(),
            self.epoch().into(),
        ];
        unit.write_exactly(1, FENCE, values);
        let detail = format!(
            "{}: no sign of life for {} s; what epoch {} had claimed comes back",
            node.name,
            SILENCE.as_secs(),
            node.epoch
        );
        unit.join(self.record_unit(
            EventKind::NodeFenced,
            Doer::Program,
            &self.node_name(),
            &detail,
        ));
        let fenced = self.write_guarded(unit).await? == Guarded::Done;
        if fenced {
            tracing::warn!(detail, "a node was fenced");
        }
        Ok(fenced)
    }
}

impl Neighbours {
    /// Takes in what was seen at `now`; gives those that have stood still for too long.
    fn silent(&mut self, serving: Vec<Serving>, now: Instant) -> Vec<Serving> {
        let looked_away = self.looked.is_none_or(|last| now - last > LOOK_GAP);
        self.looked = Some(now);
        self.seen
            .retain(|name, _| serving.iter().any(|node| node.name == *name));
        let mut silent = Vec::new();
        for node in serving {
            let fresh = Seen {
                epoch: node.epoch,
                beats: node.beats,
                since: now,
            };
            let seen = self.seen.entry(node.name.clone()).or_insert(fresh);
            if looked_away || (seen.epoch, seen.beats) != (node.epoch, node.beats) {
                *seen = fresh;
            }
            if now - seen.since >= SILENCE {
                silent.push(node);
            }
        }
        silent
    }
}

impl Serving {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let mut columns = Columns::of(row);
        Ok(Self {
            name: columns.string()?,
            epoch: columns.int()?,
            beats: columns.int()?,
            draining: columns.flag()?,
        })
    }
}
