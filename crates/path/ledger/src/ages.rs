//! How old what waits is: for each next hop, how many recipients of which age; and the oldest of each state.
//!
//! Ages are counted from the tally, which has them by the clock hour of their acceptance: they are whole clock hours, and it
//! costs what hops and hours cost, however many recipients wait.

use serde::{Deserialize, Serialize};
use wire_message::Time;

use crate::columns::Columns;
use crate::{Ledger, LedgerError, State};

#[cfg(test)]
mod tests;

/// Where one class of age ends and the next begins, in hours: under 1, from 1 to under 2, ..., 128 and more.
pub const AGE_BOUNDS: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Classes of age: one more than there are bounds between them.
pub const AGE_CLASSES: usize = AGE_BOUNDS.len() + 1;

/// How many recipients in transit to one next hop, or to all, are of which age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AgeLine {
    /// Which; empty for what is not routed yet, `null` for all together.
    pub next_hop: Option<String>,
    /// All of them.
    pub recipients: u64,
    /// Those of each class, the youngest first: see [`AGE_BOUNDS`].
    pub by_age: [u64; AGE_CLASSES],
}

const HOURS: &str = "SELECT next_hop, hour, CAST(sum(n) AS BIGINT) FROM tally GROUP BY next_hop, hour ORDER BY next_hop";

const HOUR_MILLIS: i64 = 3_600_000;

/// Ids are ordered by time. An index has those of each state in their order: the queue's hop by hop, of which only those with
/// mail of the oldest hour are looked at. Of what is in flight, which memory bounds, all are looked at: asked for `min(id)`
/// alone, PostgreSQL may walk through the whole history to the first of them.
const OLDEST: &str = "SELECT state, accepted_at FROM recipient WHERE id IN (\
       (SELECT id FROM recipient WHERE finished_at IS NULL AND next_hop = '' AND state = 'categorizing' ORDER BY id LIMIT 1), \
       (SELECT min(first) FROM (SELECT \
          (SELECT id FROM recipient WHERE finished_at IS NULL AND next_hop = old.next_hop AND state = 'queued' \
             ORDER BY next_hop, id LIMIT 1) AS first \
          FROM (SELECT DISTINCT next_hop FROM tally WHERE state = 'queued' AND n > 0 \
             AND hour = (SELECT min(hour) FROM tally WHERE state = 'queued' AND n > 0)) AS old) AS firsts), \
       (SELECT min(id + 0) FROM recipient WHERE state = 'in_flight'), \
       (SELECT min(id) FROM recipient WHERE state = 'held'))";

impl Ledger {
    /// The ages of all that waits, first together, then for each next hop by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn ages(&self) -> Result<Vec<AgeLine>, LedgerError> {
        let rows = self.read(HOURS, Vec::new()).await?;
        let now = self.now();
        let (mut total, mut lines) = (AgeLine::of(None), Vec::<AgeLine>::new());
        for row in &rows {
            let mut columns = Columns::of(row);
            let (hop, hour, count) = (columns.text()?, columns.int()?, columns.count()?);
            let class = age_class(hour, now);
            total.add(class, count);
            match lines.last_mut() {
                Some(line) if line.next_hop.as_deref() == Some(hop) => line.add(class, count),
                Some(_) | None => {
                    let mut line = AgeLine::of(Some(hop.to_owned()));
                    line.add(class, count);
                    lines.push(line);
                }
            }
        }
        lines.insert(0, total);
        Ok(lines)
    }
}

impl Ledger {
    /// When the oldest recipient of each state that is not final was accepted; states in which none is are left out.
    ///
    /// # Errors
    /// The store's.
    pub async fn oldest(&self) -> Result<Vec<(State, Time)>, LedgerError> {
        let rows = self.read(OLDEST, Vec::new()).await?;
        let mut oldest = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut columns = Columns::of(row);
            oldest.push((columns.word("a state", State::from_word)?, columns.time()?));
        }
        oldest.sort_unstable();
        Ok(oldest)
    }
}

/// Of what was accepted in this clock hour.
fn age_class(hour: i64, now: Time) -> usize {
    let age = (now.as_millis() / HOUR_MILLIS).saturating_sub(hour);
    let age = u64::try_from(age).unwrap_or(0);
    AGE_BOUNDS.partition_point(|bound| *bound <= age)
}

impl AgeLine {
    fn of(next_hop: Option<String>) -> Self {
        Self {
            next_hop,
            recipients: 0,
            by_age: [0; AGE_CLASSES],
        }
    }

    fn add(&mut self, class: usize, count: u64) {
        self.recipients += count;
        if let Some(place) = self.by_age.get_mut(class) {
            *place += count;
        }
    }
}
