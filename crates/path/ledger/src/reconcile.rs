//! What a watch compares with the rows, and puts right: claims and memory, counts and rows, next hops and attempts.
//!
//! Each write is guarded by what was seen, or counts again itself: between the look and the write anything may happen.

use std::time::Duration;

use ground_store::{Row, Sql, StoreError, Unit};
use wire_message::Time;

use crate::columns::Columns;
use crate::event::{Doer, EventKind};
use crate::{HopKey, Ledger, LedgerError, MessageId, RecipientId};

#[cfg(test)]
mod tests;

/// A claim of this node's epoch, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveClaim {
    /// Whose.
    pub id: RecipientId,
    /// Of which message.
    pub message: MessageId,
    /// The way it goes.
    pub next_hop: HopKey,
    /// Its end, unless it is renewed.
    pub until: Time,
}

/// A next hop that was shown as something it is not, and how it was put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopPutRight {
    /// Which.
    pub key: HopKey,
    /// In words.
    pub detail: String,
}

const CLAIMS: &str = "SELECT id, message, next_hop, claimed_until FROM recipient \
     WHERE state = 'in_flight' AND claimed_by = $1 AND id > $2 ORDER BY id LIMIT $3";

const DOWN_HOPS: &str =
    "SELECT key, retry_at, changed_at FROM next_hop WHERE state = 'down' ORDER BY key LIMIT $1";

/// When a message last got through by each way, among the newest attempts.
const SUCCESSES: &str = "SELECT next_hop, max(ended_at) FROM (\
       SELECT next_hop, ended_at, outcome FROM attempt ORDER BY id DESC LIMIT $1) AS newest \
     WHERE outcome = 'delivered' OR outcome = 'relayed' GROUP BY next_hop";

/// Tried at once; only as it was seen.
const HASTEN: Sql = Sql::new(
    "UPDATE next_hop SET retry_at = $3 WHERE key = $1 AND state = 'down' AND retry_at = $2",
);

/// Next hops that are down, looked at in one pass: a destination each.
const HOPS_A_PASS: i64 = 500;

/// Attempts that are looked through for successes in one pass: some seconds' worth under full load.
const ATTEMPTS_A_PASS: i64 = 5000;

/// Who waits, along the index of what is in transit.
const WAITING: &str = "SELECT recipient.id, recipient.next_hop, message.body FROM recipient \
       JOIN message ON message.id = recipient.message \
     WHERE recipient.finished_at IS NULL AND (recipient.next_hop, recipient.id) > ($1, $2) \
       AND (recipient.state = 'queued' OR recipient.state = 'categorizing') AND message.body IS NOT NULL \
     ORDER BY recipient.next_hop, recipient.id LIMIT $3";

/// The rows are counted again by the write itself. Counts of PostgreSQL are the sum of their changes.
const RECOUNT: Sql = Sql::each(
    "UPDATE tally SET n = (SELECT count(*) FROM recipient WHERE recipient.finished_at IS NULL AND recipient.state = tally.state \
       AND recipient.next_hop = tally.next_hop AND recipient.accepted_at / 3600000 = tally.hour) \
     WHERE state = $1 AND next_hop = $2",
    "INSERT INTO tally_change (state, next_hop, hour, n) \
     SELECT $1, $2, hour, CAST(sum(n) AS BIGINT) FROM (\
       SELECT accepted_at / 3600000 AS hour, count(*) AS n FROM recipient \
         WHERE finished_at IS NULL AND state = $1 AND next_hop = $2 GROUP BY accepted_at / 3600000 \
       UNION ALL SELECT hour, -n FROM tally WHERE state = $1 AND next_hop = $2) AS each \
     GROUP BY hour HAVING sum(n) <> 0",
);
const COUNT_MISSING: Sql = Sql::each(
    "INSERT INTO tally (state, next_hop, hour, n) \
     SELECT state, next_hop, accepted_at / 3600000, count(*) FROM recipient \
     WHERE finished_at IS NULL AND state = $1 AND next_hop = $2 GROUP BY 1, 2, 3 ON CONFLICT DO NOTHING",
    "UPDATE node SET epoch = epoch WHERE false AND name = $1 AND name = $2",
);
const COUNT_NONE: Sql = Sql::each(
    "DELETE FROM tally WHERE state = $1 AND next_hop = $2 AND n = 0",
    "UPDATE node SET epoch = epoch WHERE false AND name = $1 AND name = $2",
);

/// Where a look through the bodies of what waits goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BodyCursor {
    next_hop: String,
    id: i64,
}

/// What a slice of that look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BodiesChecked {
    /// Recipients whose message was read to its end.
    pub checked: u64,
    /// Those who are held now, for it cannot be read.
    pub damaged: Vec<RecipientId>,
    /// Where it goes on; none: this was the end.
    pub next: Option<BodyCursor>,
}

impl Ledger {
    /// Claims of this node's epoch after one, by id.
    ///
    /// # Errors
    /// The store's.
    pub async fn claims_here(
        &self,
        after: Option<RecipientId>,
        limit: u32,
    ) -> Result<Vec<LiveClaim>, LedgerError> {
        let after = after.map_or(-1, RecipientId::key);
        let values = vec![self.epoch().into(), after.into(), limit.into()];
        let rows = self.read(CLAIMS, values).await?;
        let claims: Result<_, StoreError> = rows.iter().map(LiveClaim::of).collect();
        Ok(claims?)
    }

    /// Next hops that are shown as down and are not, by the book itself: an attempt by that way has succeeded since; or that
    /// are to be tried again later than any schedule says. They are tried at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_hops_right(
        &self,
        longest: impl Fn(&HopKey) -> Duration,
    ) -> Result<Vec<HopPutRight>, LedgerError> {
        let now = self.now();
        let mut answered = std::collections::BTreeMap::new();
        for row in self.read(SUCCESSES, vec![ATTEMPTS_A_PASS.into()]).await? {
            answered.insert(row.text(0)?.to_owned(), Time::from_millis(row.int(1)?));
        }
        let mut done = Vec::new();
        for row in self.read(DOWN_HOPS, vec![HOPS_A_PASS.into()]).await? {
            // One whose key cannot be read is treated with what is queued for it; one that is due finds out by its next try.
            let Ok(shown) = Down::of(&row) else { continue };
            if shown.retry_at <= now {
                continue;
            }
            let since = answered.get(&shown.key.to_string()).copied();
            let wrong = match since.filter(|at| *at > shown.changed_at) {
                Some(at) => Some(format!("it was shown as down, but took a message at {at}")),
                None => {
                    let late = shown.retry_at > now + longest(&shown.key);
                    late.then(|| {
                        format!(
                            "it was to be tried at {}: later than any wait",
                            shown.retry_at
                        )
                    })
                }
            };
            let Some(wrong) = wrong else { continue };
            let mut unit = Unit::new();
            let (seen, to) = (shown.retry_at.as_millis(), now.as_millis());
            unit.write_exactly(1, HASTEN, vec![shown.key.value(), seen.into(), to.into()]);
            let detail = format!("{}: {wrong}; it is tried now", shown.key);
            unit.join(self.record_unit(
                EventKind::Reconciled,
                Doer::Program,
                &self.node_name(),
                &detail,
            ));
            if self.write_guarded(unit).await? == crate::Guarded::Done {
                self.wake_for(&shown.key);
                let key = shown.key;
                done.push(HopPutRight { key, detail });
            }
        }
        Ok(done)
    }

    /// Counts the rows of a state and next hop again, and makes the tally say so.
    ///
    /// # Errors
    /// The store's.
    pub async fn recount(&self, state: &str, next_hop: &str) -> Result<(), LedgerError> {
        let of = || vec![state.into(), next_hop.into()];
        let mut unit = Unit::new();
        for sql in [RECOUNT, COUNT_MISSING, COUNT_NONE] {
            unit.write(sql, of());
        }
        let detail = format!("the tally of {state} for {next_hop:?} was counted again");
        unit.join(self.record_unit(
            EventKind::Reconciled,
            Doer::Program,
            &self.node_name(),
            &detail,
        ));
        self.store().write(unit).await?;
        Ok(())
    }

    /// Reads the bodies of some recipients that wait, from `from` on, and holds those whose message cannot be read.
    ///
    /// # Errors
    /// The store's, when it cannot be asked: nothing is known of the bodies then.
    pub async fn check_bodies(
        &self,
        from: &BodyCursor,
        recipients: u32,
        octets: u64,
    ) -> Result<BodiesChecked, LedgerError> {
        let values = vec![(&from.next_hop).into(), from.id.into(), recipients.into()];
        let rows = self.read(WAITING, values).await?;
        let mut found = BodiesChecked::default();
        let (mut last, mut whole) = (None, std::collections::BTreeSet::new());
        let mut read = 0;
        for row in &rows {
            if read >= octets {
                break;
            }
            let (id, body) = (row.int(0)?, row.int(2)?);
            last = Some(BodyCursor {
                next_hop: row.text(1)?.to_owned(),
                id,
            });
            found.checked += 1;
            if whole.contains(&body) {
                continue;
            }
            match self.read_through(body).await {
                Ok(octets) => {
                    read += octets;
                    whole.insert(body);
                }
                Err(error @ StoreError::Damaged(_)) => {
                    let id = RecipientId::from_key(id);
                    if self.damaged(id, &error).await > 0 {
                        found.damaged.push(id);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        let full = read >= octets || found.checked >= u64::from(recipients);
        found.next = last.filter(|_| full);
        Ok(found)
    }

    /// Its checksum is compared on the way; answers with its octets.
    async fn read_through(&self, body: i64) -> Result<u64, StoreError> {
        let reader = self.store().read_body(body).await?;
        let Some(mut reader) = reader else {
            // It may have ended between two reads; what waits without one is found by the audit.
            return Ok(0);
        };
        let mut octets = 0;
        while let Some(piece) = reader.next().await? {
            octets += piece.len() as u64;
        }
        Ok(octets)
    }
}

struct Down {
    key: HopKey,
    retry_at: Time,
    changed_at: Time,
}

impl Down {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let mut columns = Columns::of(row);
        Ok(Self {
            key: columns.parsed()?,
            retry_at: columns.time()?,
            changed_at: columns.time()?,
        })
    }
}

impl LiveClaim {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let mut columns = Columns::of(row);
        Ok(Self {
            id: RecipientId::from_key(columns.int()?),
            message: MessageId::from_key(columns.int()?),
            next_hop: columns.parsed()?,
            until: columns.time()?,
        })
    }
}
