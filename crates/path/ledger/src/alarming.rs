//! What alarms are made of: mail that was held for too long or cannot be delivered, ways that nobody works for, and faults of
//! our own.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ground_store::{Row, StoreError};
use wire_message::Time;

use crate::columns::Columns;
use crate::{HopKey, Ledger, LedgerError, MessageId, RecipientId};

/// Next hops with a fault of ours that are remembered, at most.
const FAULTS_MAX: usize = 500;

/// Why mail is held, as far as alarms care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldKind {
    /// It cannot be read.
    Damaged,
    /// Attempts at it began and never ended.
    Poison,
    /// A person or a rule held it, and its alarm time has passed.
    Forgotten,
}

/// Mail that is held, and that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// Why, as far as alarms care.
    pub kind: HeldKind,
    /// Whose.
    pub id: RecipientId,
    /// Of which message.
    pub message: MessageId,
    /// Who holds it.
    pub by: String,
    /// Why, in words.
    pub reason: String,
    /// Since when it is an alarm.
    pub since: Time,
}

/// A next hop that cannot be used by our own fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurFault {
    /// Since when.
    pub since: Time,
    /// In words.
    pub words: String,
}

/// Faults of ours, as far as this node has met them.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<BTreeMap<HopKey, OurFault>>);

/// Each hold with the moment its alarm rang first since it began; damage and poison ring at once, so they come before all that
/// people hold.
const HELD: &str = "SELECT id, message, held_by, hold_reason, \
       (SELECT min(at) FROM event WHERE event.message = held.message AND event.recipient = held.id \
          AND event.kind = 'hold_forgotten' AND event.id > coalesce((SELECT max(begun.id) FROM event AS begun \
            WHERE begun.message = held.message AND begun.recipient = held.id AND begun.kind = 'held'), 0)) AS rung_at, \
       (SELECT max(at) FROM event WHERE event.message = held.message AND event.recipient = held.id \
          AND event.kind IN ('held', 'damaged')) AS held_at, accepted_at \
     FROM (SELECT id, message, held_by, hold_reason, accepted_at FROM recipient WHERE state = 'held' \
       ORDER BY CASE WHEN held_by = 'watch' OR hold_reason LIKE 'damaged: %' THEN 0 ELSE 1 END, id LIMIT $1) AS held";

const DEAD_LETTERS: &str = "SELECT message, finished_at FROM (\
       SELECT message, finished_at FROM recipient WHERE state = 'dead_letter' ORDER BY id DESC LIMIT $2) AS newest \
     WHERE finished_at > $1";

const IN_FLIGHT: &str =
    "SELECT next_hop FROM tally WHERE state = 'in_flight' GROUP BY next_hop HAVING sum(n) > 0";

/// Keys of connectors begin so; `;` comes after `:`.
const WAITING_FOR_CONNECTORS: &str = "SELECT next_hop, CAST(sum(n) AS BIGINT) FROM tally WHERE state IN ('queued', 'in_flight') \
     AND next_hop >= 'via:' AND next_hop < 'via;' GROUP BY next_hop HAVING sum(n) > 0";

const HOW_MANY_WAIT_FOR: &str = "SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM tally \
     WHERE state IN ('queued', 'in_flight', 'held') AND next_hop = $1";

const WAITING_FOR: &str = "SELECT message FROM recipient WHERE finished_at IS NULL AND next_hop = $1 ORDER BY id LIMIT $2";

impl Ledger {
    /// Mail that is held and that somebody should look at, `limit` holds at most.
    ///
    /// # Errors
    /// The store's.
    pub async fn held_too_long(&self, limit: u32) -> Result<Vec<HeldRow>, LedgerError> {
        let rows = self.read(HELD, vec![limit.into()]).await?;
        let held: Result<Vec<Option<HeldRow>>, StoreError> = rows.iter().map(HeldRow::of).collect();
        Ok(held?.into_iter().flatten().collect())
    }

    /// Messages that ended as dead letters after `since`, the newest first, and when.
    ///
    /// # Errors
    /// The store's.
    pub async fn dead_letters_since(
        &self,
        since: Time,
        limit: u32,
    ) -> Result<Vec<(MessageId, Time)>, LedgerError> {
        let values = vec![since.as_millis().into(), limit.into()];
        let rows = self.read(DEAD_LETTERS, values).await?;
        let one = |row: &Row| {
            let mut columns = Columns::of(row);
            Ok((MessageId::from_key(columns.int()?), columns.time()?))
        };
        let found: Result<_, StoreError> = rows.iter().map(one).collect();
        Ok(found?)
    }

    /// Next hops with something in flight.
    ///
    /// # Errors
    /// The store's.
    pub async fn hops_in_flight(&self) -> Result<Vec<HopKey>, LedgerError> {
        let rows = self.read(IN_FLIGHT, Vec::new()).await?;
        let keys = rows.iter().filter_map(|row| row.text(0).ok()?.parse().ok());
        Ok(keys.collect())
    }

    /// Connectors for which recipients are queued or in flight, whether they are up, down or paused; and how many.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting_for_connectors(&self) -> Result<Vec<(HopKey, u64)>, LedgerError> {
        let rows = self.read(WAITING_FOR_CONNECTORS, Vec::new()).await?;
        let one = |row: &Row| {
            let mut columns = Columns::of(row);
            Ok((columns.text()?.parse().ok(), columns.count()?))
        };
        let found: Result<Vec<_>, StoreError> = rows.iter().map(one).collect();
        // What waits for a key that cannot be read is held as damaged.
        let readable = found?.into_iter();
        Ok(readable
            .filter_map(|(key, all)| Some((key?, all)))
            .collect())
    }

    /// How many recipients wait for a next hop, in whatever state.
    ///
    /// # Errors
    /// The store's.
    pub async fn how_many_wait_for(&self, hop: &HopKey) -> Result<u64, LedgerError> {
        let rows = self.read(HOW_MANY_WAIT_FOR, vec![hop.value()]).await?;
        Ok(rows.first().map_or(Ok(0), |row| Columns::of(row).count())?)
    }

    /// Some of the messages that wait for a next hop.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting_for(
        &self,
        hop: &HopKey,
        limit: u32,
    ) -> Result<Vec<MessageId>, LedgerError> {
        let rows = self
            .read(WAITING_FOR, vec![hop.value(), limit.into()])
            .await?;
        let found: Result<_, StoreError> = rows
            .iter()
            .map(|row| row.int(0).map(MessageId::from_key))
            .collect();
        Ok(found?)
    }

    /// This node cannot use a next hop, by our own fault.
    pub fn fault_of_ours(&self, hop: &HopKey, words: &str) {
        let mut faults = self.faults();
        let since = self.now();
        if faults.len() >= FAULTS_MAX && !faults.contains_key(hop) {
            return;
        }
        let fault = faults.entry(hop.clone()).or_insert(OurFault {
            since,
            words: String::new(),
        });
        words.clone_into(&mut fault.words);
    }

    /// That is over.
    pub fn no_fault_of_ours(&self, hop: &HopKey) {
        self.faults().remove(hop);
    }

    /// Next hops that this node cannot use by our own fault.
    #[must_use]
    pub fn faults_of_ours(&self) -> Vec<(HopKey, OurFault)> {
        let faults = self.faults();
        let all = faults.iter();
        all.map(|(hop, fault)| (hop.clone(), fault.clone()))
            .collect()
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, BTreeMap<HopKey, OurFault>> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        let faults = self.book.faults.0.lock();
        faults.unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the wall clock is ahead of where the steady clock says it should be; negative when it is behind.
    #[must_use]
    pub fn clock_offset_millis(&self) -> i64 {
        self.book.clock.wall().as_millis() - self.lease_now().as_millis()
    }
}

impl HeldRow {
    /// None: nobody needs to look at it yet.
    fn of(row: &Row) -> Result<Option<Self>, StoreError> {
        let mut columns = Columns::of(row);
        let (id, message) = (columns.int()?, columns.int()?);
        let (by, reason) = (columns.string()?, columns.string()?);
        let (rung_at, held_at) = (columns.maybe_time()?, columns.maybe_time()?);
        let accepted_at = columns.time()?;
        let kind = match (by.as_str(), reason.as_str()) {
            (_, reason) if reason.starts_with(crate::DAMAGED) => HeldKind::Damaged,
            ("watch", reason) if reason.starts_with(crate::POISONED) => HeldKind::Poison,
            (_, _) => HeldKind::Forgotten,
        };
        let since = match kind {
            HeldKind::Damaged | HeldKind::Poison => Some(held_at.unwrap_or(accepted_at)),
            HeldKind::Forgotten => rung_at,
        };
        Ok(since.map(|since| Self {
            kind,
            id: RecipientId::from_key(id),
            message: MessageId::from_key(message),
            by,
            reason,
            since,
        }))
    }
}

/// Mail that ended as a dead letter is news for so long.
pub const DEAD_LETTER_NEWS: Duration = Duration::from_secs(86_400);
