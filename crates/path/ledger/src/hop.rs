//! Next hops: where mail goes next, and how that place is.
//!
//! Retry state belongs to the hop. A dead destination costs one row for each try, whatever waits for it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ground_store::{Query, Row, Sql, StoreError, Unit, Value};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire_message::Time;

use crate::columns::Columns;
use crate::event::{Doer, Event, EventKind};
use crate::recipient::line;
use crate::{Ledger, LedgerError};

mod pause;
#[cfg(test)]
mod tests;

pub use pause::{PAUSE_MAX, Paused, Resumed};

/// Names a next hop: `mailbox`, `via:NAME` (a connector with a fixed next hop) or `mx:DOMAIN` (found at each attempt).
/// Cloning is cheap.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct HopKey(Arc<str>);

/// What kind of place a next hop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopKind<'a> {
    /// The mailboxes here.
    Mailbox,
    /// The fixed next hop of this connector.
    Via(&'a str),
    /// The mail exchangers of this domain.
    Mx(&'a str),
}

/// The text names no next hop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no next hop: write mailbox, via:CONNECTOR or mx:DOMAIN")]
pub struct HopKeyError(String);

impl HopKey {
    /// The mailboxes here.
    #[must_use]
    pub fn mailbox() -> Self {
        Self("mailbox".into())
    }

    /// The fixed next hop of the connector of this name.
    #[must_use]
    pub fn via(connector: &str) -> Self {
        Self(format!("via:{connector}").into())
    }

    /// The mail exchangers of `domain`, which is kept in lower case.
    #[must_use]
    pub fn mx(domain: &str) -> Self {
        Self(format!("mx:{}", domain.to_lowercase()).into())
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it names.
    #[must_use]
    pub fn kind(&self) -> HopKind<'_> {
        match self.0.split_once(':') {
            Some(("via", connector)) => HopKind::Via(connector),
            Some((_mx, domain)) => HopKind::Mx(domain),
            None => HopKind::Mailbox,
        }
    }

    pub(crate) fn from_column(text: &str) -> Result<Option<Self>, StoreError> {
        if text.is_empty() {
            return Ok(None);
        }
        let key = text.parse::<HopKey>();
        key.map(Some)
            .map_err(|error| StoreError::Damaged(error.to_string()))
    }

    pub(crate) fn column(key: Option<&Self>) -> Value {
        Value::Text(key.map_or_else(|| "".into(), |key| key.0.clone()))
    }

    pub(crate) fn value(&self) -> Value {
        Value::Text(self.0.clone())
    }
}

impl fmt::Display for HopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for HopKey {
    type Err = HopKeyError;

    fn from_str(text: &str) -> Result<Self, HopKeyError> {
        let known = text == "mailbox"
            || matches!(text.split_once(':'), Some(("via" | "mx", rest)) if !rest.is_empty());
        if known {
            Ok(Self(text.into()))
        } else {
            Err(HopKeyError(text.to_owned()))
        }
    }
}

impl From<HopKey> for String {
    fn from(key: HopKey) -> String {
        key.0.as_ref().to_owned()
    }
}

impl TryFrom<String> for HopKey {
    type Error = HopKeyError;

    fn try_from(text: String) -> Result<Self, HopKeyError> {
        text.parse()
    }
}

crate::words! {
    /// How a next hop is.
    pub enum HopState {
        /// Nothing is known against it.
        Up = "up",
        /// It could not be reached; it is tried again at its own time, and what waits for it is not touched.
        Down = "down",
        /// A person stopped it for a while.
        Paused = "paused",
    }
}

/// What is known about a next hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HopStatus {
    /// Which.
    pub key: HopKey,
    /// How it is.
    pub state: HopState,
    /// When it is tried again, if it is down.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::rfc3339::Moment")]
    pub retry_at: Time,
    /// Tries in a row that did not reach it.
    pub failures: u32,
    /// What was last said; empty when nothing was.
    pub last_reply: String,
    /// By whom.
    pub last_peer: String,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// When the pause ends by itself.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub paused_until: Option<Time>,
    /// Why it is paused.
    pub reason: Option<String>,
}

impl HopStatus {
    /// A hop nothing is known about.
    #[must_use]
    pub fn unknown(key: HopKey) -> Self {
        Self {
            key,
            state: HopState::Up,
            retry_at: Time::EPOCH,
            failures: 0,
            last_reply: String::new(),
            last_peer: String::new(),
            paused_by: None,
            paused_until: None,
            reason: None,
        }
    }

    /// When it may be tried: a time that has passed, unless it is down or paused.
    #[must_use]
    pub fn opens_at(&self) -> Time {
        match self.state {
            HopState::Up => Time::EPOCH,
            HopState::Down => self.retry_at,
            HopState::Paused => self.paused_until.unwrap_or(Time::EPOCH),
        }
    }

    /// As it is at `now`: a pause is over when its time has come, though its row says so only after the next try.
    pub(crate) fn shown_at(self, now: Time) -> Self {
        if self.state != HopState::Paused || self.opens_at() > now {
            return self;
        }
        Self {
            state: HopState::Up,
            paused_by: None,
            paused_until: None,
            reason: None,
            ..self
        }
    }

    pub(crate) fn from_columns(columns: &mut Columns<'_>) -> Result<Option<Self>, StoreError> {
        // All NULL when an outer join found no row.
        let Some(key) = columns.maybe_string()? else {
            return Ok(None);
        };
        let key = key
            .parse()
            .map_err(|error: HopKeyError| StoreError::Damaged(error.to_string()))?;
        Ok(Some(Self {
            key,
            state: columns.word("a next hop's state", HopState::from_word)?,
            retry_at: columns.time()?,
            failures: u32::try_from(columns.count()?).unwrap_or(u32::MAX),
            last_reply: columns.string()?,
            last_peer: columns.string()?,
            paused_by: columns.maybe_string()?,
            paused_until: columns.maybe_time()?,
            reason: columns.maybe_string()?,
        }))
    }
}

/// The columns [`HopStatus::from_columns`] reads.
macro_rules! hop_columns {
    () => {
        "next_hop.key, next_hop.state, next_hop.retry_at, next_hop.failures, next_hop.last_reply, next_hop.last_peer, \
         next_hop.paused_by, next_hop.paused_until, next_hop.reason"
    };
}
pub(crate) use hop_columns;

/// A next hop with something queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyHop {
    /// Which.
    pub key: HopKey,
    /// How many are queued for it.
    pub queued: u64,
    /// When the first of them may be tried for its own part.
    pub next_retry_at: Time,
    /// How the hop is.
    pub status: HopStatus,
}

impl ReadyHop {
    /// When something can be done: its own time and the hop's have come.
    #[must_use]
    pub fn due_at(&self) -> Time {
        self.next_retry_at.max(self.status.opens_at())
    }
}

const ONE: &str = concat!("SELECT ", hop_columns!(), " FROM next_hop WHERE key = $1");

/// Walks from hop to hop along the index of queued rows: as many steps as there are hops, whatever waits for each.
const READY: &str = concat!(
    "WITH RECURSIVE waiting (key) AS (\
       SELECT min(next_hop) FROM recipient WHERE state = 'queued' \
       UNION ALL \
       SELECT (SELECT min(next_hop) FROM recipient WHERE state = 'queued' AND next_hop > waiting.key) \
         FROM waiting WHERE waiting.key IS NOT NULL), \
     ready (key, retry_at) AS (\
       SELECT waiting.key, (SELECT min(first_at) FROM (\
           SELECT min(retry_at) AS first_at FROM recipient \
             WHERE state = 'queued' AND next_hop = waiting.key AND ",
    line!(),
    " = 0 \
           UNION ALL \
           SELECT min(retry_at) FROM recipient \
             WHERE state = 'queued' AND next_hop = waiting.key AND ",
    line!(),
    " = 1) AS lanes) \
         FROM waiting WHERE waiting.key IS NOT NULL) \
     SELECT ready.key, ready.retry_at, \
       (SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM tally WHERE tally.state = 'queued' AND tally.next_hop = ready.key), ",
    hop_columns!(),
    " FROM ready LEFT JOIN next_hop ON next_hop.key = ready.key \
     WHERE ready.retry_at <= $1 AND (next_hop.key IS NULL OR next_hop.state = 'up' \
       OR (next_hop.state = 'down' AND next_hop.retry_at <= $1) \
       OR (next_hop.state = 'paused' AND next_hop.paused_until <= $1)) \
     ORDER BY ready.key"
);

const NEXT_DUE: &str = concat!(
    "SELECT min(first_at) FROM (\
       SELECT min(retry_at) AS first_at FROM recipient \
         WHERE state = 'queued' AND next_hop = $1 AND ",
    line!(),
    " = 0 \
       UNION ALL \
       SELECT min(retry_at) FROM recipient \
         WHERE state = 'queued' AND next_hop = $1 AND ",
    line!(),
    " = 1) AS lanes"
);

/// An event of a hop that was in the state of `$6`, written once: only the change is news.
const EVENT_ON_CHANGE: Sql = Sql::new(
    "INSERT INTO event (id, at, message, recipient, kind, actor, detail) \
     SELECT $1, $2, NULL, NULL, $3, $4, $5 \
     WHERE coalesce((SELECT CASE WHEN state = 'paused' AND paused_until <= $2 THEN 'up' ELSE state END \
       FROM next_hop WHERE key = $6), 'up') = $7",
);

/// A pause stays a pause: a failed try that was under way when it began only updates what is known.
const DOWN: Sql = Sql::new(
    "INSERT INTO next_hop (key, state, retry_at, failures, changed_at, last_reply, last_peer) \
     VALUES ($1, 'down', $2, $3, $4, $5, $6) \
     ON CONFLICT (key) DO UPDATE SET \
       state = CASE WHEN next_hop.state = 'paused' AND next_hop.paused_until > $4 THEN 'paused' ELSE 'down' END, \
       paused_by = CASE WHEN next_hop.state = 'paused' AND next_hop.paused_until > $4 THEN next_hop.paused_by END, \
       reason = CASE WHEN next_hop.state = 'paused' AND next_hop.paused_until > $4 THEN next_hop.reason END, \
       paused_until = CASE WHEN next_hop.state = 'paused' AND next_hop.paused_until > $4 THEN next_hop.paused_until END, \
       retry_at = $2, failures = $3, changed_at = $4, last_reply = $5, last_peer = $6",
);

/// Only as it was seen.
const PROBE: Sql = Sql::new(
    "UPDATE next_hop SET retry_at = $3 WHERE key = $1 AND state = 'down' AND retry_at = $2",
);

const UP: Sql = Sql::new(
    "UPDATE next_hop SET state = 'up', retry_at = 0, failures = 0, changed_at = $2, last_reply = '', \
     paused_by = NULL, paused_until = NULL, reason = NULL \
     WHERE key = $1 AND (state = 'down' OR (state = 'paused' AND paused_until <= $2))",
);

impl Ledger {
    /// What is known about a next hop.
    ///
    /// # Errors
    /// The store's.
    pub async fn hop(&self, key: &HopKey) -> Result<HopStatus, LedgerError> {
        let found = self.read(ONE, vec![key.value()]).await?;
        let status = match found.first() {
            Some(row) => HopStatus::from_columns(&mut Columns::of(row))?,
            None => None,
        };
        Ok(status.unwrap_or_else(|| HopStatus::unknown(key.clone())))
    }

    /// The next hops with something queued that can be tried at `horizon` or before: pass the present for what is due,
    /// a later moment to see what comes.
    ///
    /// # Errors
    /// The store's.
    pub async fn ready_hops(&self, horizon: Time) -> Result<Vec<ReadyHop>, LedgerError> {
        let found = self.read(READY, vec![horizon.as_millis().into()]).await?;
        let mut ready = Vec::with_capacity(found.len());
        for row in &found {
            match ready_hop(row) {
                Ok(hop) => ready.push(hop),
                // One key that cannot be read must not stop all others.
                Err(error) => self.damaged_hop(row.text(0)?, &error).await?,
            }
        }
        Ok(ready)
    }

    /// When the first recipient queued for `key` may be tried for its own part; `None` when nothing is queued.
    ///
    /// # Errors
    /// The store's.
    pub async fn next_due(&self, key: &HopKey) -> Result<Option<Time>, LedgerError> {
        let found = self.read(NEXT_DUE, vec![key.value()]).await?;
        let first = found.first().map(|row| row.optional_int(0)).transpose()?;
        Ok(first.flatten().map(Time::from_millis))
    }

    /// A next hop could not be reached: it is tried again at `retry_at`. Its messages are not touched.
    ///
    /// # Errors
    /// The store's.
    pub async fn hop_down(
        &self,
        key: &HopKey,
        retry_at: Time,
        failures: u32,
        reply: &str,
        peer: &str,
    ) -> Result<(), LedgerError> {
        let now = self.now();
        let mut unit = Unit::new();
        self.hop_event(&mut unit, EventKind::HopDown, key, HopState::Up, reply);
        unit.write_exactly(
            1,
            DOWN,
            vec![
                key.value(),
                retry_at.as_millis().into(),
                failures.into(),
                now.as_millis().into(),
                reply.into(),
                peer.into(),
            ],
        );
        self.store().write(unit).await?;
        Ok(())
    }

    /// Takes on the next try of a hop that is down and was seen as `status`: of several nodes one tries, and the others leave
    /// it alone for the time of a lease. Whether this one may.
    ///
    /// # Errors
    /// The store's.
    pub async fn hop_probe(&self, status: &HopStatus) -> Result<bool, LedgerError> {
        if self.nodes_at_work() == 1 {
            return Ok(true);
        }
        let (seen, until) = (status.retry_at, self.now() + self.options().lease);
        let mut unit = Unit::new();
        let values = vec![
            status.key.value(),
            seen.as_millis().into(),
            until.as_millis().into(),
        ];
        unit.write_exactly(1, PROBE, values);
        Ok(self.write_guarded(unit).await? == crate::Guarded::Done)
    }

    /// A next hop answered. Changes nothing unless it was down.
    ///
    /// # Errors
    /// The store's.
    pub async fn hop_up(&self, key: &HopKey) -> Result<(), LedgerError> {
        let mut unit = Unit::new();
        self.hop_event(
            &mut unit,
            EventKind::HopUp,
            key,
            HopState::Down,
            "it answers",
        );
        unit.write(UP, vec![key.value(), self.now().as_millis().into()]);
        self.store().write(unit).await?;
        self.wake_for(key);
        Ok(())
    }

    fn hop_event(&self, unit: &mut Unit, kind: EventKind, key: &HopKey, was: HopState, said: &str) {
        unit.write(
            EVENT_ON_CHANGE,
            vec![
                self.new_key().into(),
                self.now().as_millis().into(),
                kind.word().into(),
                self.node_name().into(),
                format!("{key}: {said}").into(),
                key.value(),
                was.word().into(),
            ],
        );
    }

    /// An event of the whole node, now.
    pub(crate) fn event(&self, kind: EventKind, doer: Doer, actor: &str, detail: String) -> Event {
        Event {
            at: self.now(),
            message: None,
            recipient: None,
            kind,
            doer,
            actor: actor.to_owned(),
            detail,
        }
    }

    pub(crate) async fn read(
        &self,
        text: impl Into<Cow<'static, str>>,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        self.store().read(Query::new(text, values)).await
    }
}

fn ready_hop(row: &Row) -> Result<ReadyHop, StoreError> {
    let mut columns = Columns::of(row);
    let key: HopKey = columns.parsed()?;
    Ok(ReadyHop {
        next_retry_at: columns.time()?,
        queued: columns.count()?,
        status: HopStatus::from_columns(&mut columns)?
            .unwrap_or_else(|| HopStatus::unknown(key.clone())),
        key,
    })
}
