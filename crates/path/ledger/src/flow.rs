//! How much comes and goes, by next hop, in the last seconds.

use std::time::Duration;

use ground_store::Row;
use serde::{Deserialize, Serialize};

use crate::columns::Columns;
use crate::id::first_of;
use crate::{Ledger, LedgerError};

#[cfg(test)]
mod tests;

/// How far back is counted: each recipient of these seconds is looked at.
pub const FLOW_SPAN: Duration = Duration::from_secs(5);

/// What came and went for one next hop in the last [`FLOW_SPAN`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FlowLine {
    /// Which; empty for what is not routed yet.
    pub next_hop: String,
    /// Recipients that were born, by an acceptance or an expansion.
    pub arrived: u64,
    /// Recipients that reached a final state, whichever.
    pub ended: u64,
    /// Over so many seconds.
    pub seconds: u64,
}

/// Ids are ordered by time.
const ARRIVED: &str =
    "SELECT next_hop, count(*) FROM recipient WHERE id >= $1 GROUP BY next_hop ORDER BY next_hop";

const ENDED: &str = "SELECT next_hop, count(*) FROM recipient WHERE finished_at >= $1 GROUP BY next_hop ORDER BY next_hop";

impl Ledger {
    /// What came and went in the last [`FLOW_SPAN`], by next hop; hops for which nothing did are left out.
    ///
    /// # Errors
    /// The store's.
    pub async fn flows(&self) -> Result<Vec<FlowLine>, LedgerError> {
        let since = self.now() - FLOW_SPAN;
        let arrived = self.read(ARRIVED, vec![first_of(since).into()]).await?;
        let ended = self.read(ENDED, vec![since.as_millis().into()]).await?;
        let mut lines = Vec::new();
        count(&mut lines, &arrived, |line| &mut line.arrived)?;
        count(&mut lines, &ended, |line| &mut line.ended)?;
        lines.sort_by(|a, b| a.next_hop.cmp(&b.next_hop));
        Ok(lines)
    }
}

fn count(
    lines: &mut Vec<FlowLine>,
    rows: &[Row],
    of: fn(&mut FlowLine) -> &mut u64,
) -> Result<(), LedgerError> {
    for row in rows {
        let mut columns = Columns::of(row);
        let (hop, n) = (columns.string()?, columns.count()?);
        match lines.iter_mut().find(|line| line.next_hop == hop) {
            Some(line) => *of(line) = n,
            None => {
                let mut line = FlowLine {
                    next_hop: hop,
                    arrived: 0,
                    ended: 0,
                    seconds: FLOW_SPAN.as_secs(),
                };
                *of(&mut line) = n;
                lines.push(line);
            }
        }
    }
    Ok(())
}
