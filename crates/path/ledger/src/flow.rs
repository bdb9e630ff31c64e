//! How much comes and goes, by next hop, in the last seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use ground_store::Row;
use serde::{Deserialize, Serialize};
use wire_message::Time;

use crate::columns::Columns;
use crate::id::{first_of, made_at};
use crate::{Ledger, LedgerError};

#[cfg(test)]
mod tests;

/// How far back is looked.
pub const FLOW_SPAN: Duration = Duration::from_secs(10);

/// Recipients that are looked at, the newest: when there are more, they tell of a shorter span.
const LOOKED_AT: u32 = 10_000;

/// How many come and go a second for one next hop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FlowLine {
    /// Which; empty for what is not routed yet.
    pub next_hop: String,
    /// Recipients that are born a second, by an acceptance or an expansion.
    pub arrive: f64,
    /// Recipients that reach a final state a second, whichever.
    pub end: f64,
}

/// Ids are ordered by time.
const ARRIVED: &str = "SELECT next_hop, count(*), min(id) FROM \
       (SELECT next_hop, id FROM recipient WHERE id >= $1 ORDER BY id DESC LIMIT $2) AS newest \
     GROUP BY next_hop ORDER BY next_hop";

const ENDED: &str = "SELECT next_hop, count(*), min(finished_at) FROM \
       (SELECT next_hop, finished_at FROM recipient WHERE finished_at >= $1 ORDER BY finished_at DESC LIMIT $2) AS newest \
     GROUP BY next_hop ORDER BY next_hop";

impl Ledger {
    /// What comes and goes, by next hop, as the last [`FLOW_SPAN`] has it; hops for which nothing does are left out.
    ///
    /// # Errors
    /// The store's.
    pub async fn flows(&self) -> Result<Vec<FlowLine>, LedgerError> {
        let now = self.now();
        let since = now - FLOW_SPAN;
        let looked_at = || LOOKED_AT.into();
        let arrived = vec![first_of(since).into(), looked_at()];
        let arrived = self.read(ARRIVED, arrived).await?;
        let ended = vec![since.as_millis().into(), looked_at()];
        let ended = self.read(ENDED, ended).await?;
        let mut lines = BTreeMap::new();
        count(&mut lines, &arrived, now, made_at, |line| &mut line.arrive)?;
        count(&mut lines, &ended, now, Time::from_millis, |line| {
            &mut line.end
        })?;
        Ok(lines.into_values().collect())
    }
}

fn count(
    lines: &mut BTreeMap<String, FlowLine>,
    rows: &[Row],
    now: Time,
    moment: fn(i64) -> Time,
    of: fn(&mut FlowLine) -> &mut f64,
) -> Result<(), LedgerError> {
    let mut counts = Vec::with_capacity(rows.len());
    let (mut all, mut first) = (0, i64::MAX);
    for row in rows {
        let mut columns = Columns::of(row);
        let (hop, n, since) = (columns.string()?, columns.count()?, columns.int()?);
        (all, first) = (all + n, first.min(since));
        counts.push((hop, n));
    }
    let span = match all < u64::from(LOOKED_AT) {
        true => FLOW_SPAN,
        // At least what a moment is told to.
        false => now.since(moment(first)).max(Duration::from_millis(1)),
    };
    for (hop, n) in counts {
        #[expect(clippy::cast_precision_loss, reason = "a rate for the eye")]
        let rate = n as f64 / span.as_secs_f64();
        let line = lines.entry(hop.clone()).or_insert_with(|| FlowLine {
            next_hop: hop,
            arrive: 0.0,
            end: 0.0,
        });
        *of(line) = rate;
    }
    Ok(())
}
