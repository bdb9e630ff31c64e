//! A node lives by its epoch: each start takes a new one, and what an old epoch had claimed is lost to it.
//!
//! **Signs of life.** A node that serves writes one every few seconds ([`Ledger::heartbeat`]). From the moment it began to
//! write the last that was taken it may begin attempts for [`NODE_LEASE`] ([`Ledger::is_alive`]), by its own steady clock.
//! The others see the count of signs change; a node whose count has not changed for [`SILENCE`] by *their* steady clocks is
//! fenced (see `neighbours`). Silence is longer than the lease, and each is measured on one machine: no wall clock, stepped
//! or wrong, makes two nodes work on the same mail. A fenced node learns it from its next sign of life, and starts anew.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ground_store::{Query, Row, Sql, Store, StoreError, Unit};
use serde::{Deserialize, Serialize};
use wire_message::Time;

use crate::clock::Step;
use crate::columns::Columns;
use crate::event::{Doer, EventKind};
use crate::options::Duty;
use crate::{Ledger, LedgerError, LedgerOptions};

#[cfg(test)]
mod tests;

/// How long a node may begin attempts after a sign of life; the others wait longer before they fence it.
pub const NODE_LEASE: Duration = Duration::from_secs(15);

/// How long a node's signs of life must have stood still before another fences it: above [`NODE_LEASE`] by more than the
/// rates of two clocks differ and a write that was under way takes.
pub const SILENCE: Duration = Duration::from_secs(20);

/// Nodes the ids have room for.
const NODES: i64 = 256;

/// Two that start at one time must not take the same number or epoch. SQLite has one writer anyway.
const ONE_AT_A_TIME: Sql = Sql::each(
    "UPDATE node SET epoch = epoch WHERE false",
    "LOCK TABLE node IN SHARE ROW EXCLUSIVE MODE",
);

/// The epoch is above every node's and every claim's, so that a lost node row revives no old claim. Mail has waited because
/// of us only while no node was there; while one of them has not treated all of it, each that starts treats it. Nobody starts
/// on a store whose mail is on its way to or from another one; said here, so that no start slips in beside the mark.
const START: Sql = Sql::new(
    "INSERT INTO node (id, name, epoch, state, heartbeat_at, away_since, back_at) \
     SELECT next_id, $1, next_epoch, $4, $2, away, CASE WHEN away IS NULL THEN NULL \
       WHEN $2 - last < $3 THEN coalesce(back, $2) ELSE $2 END \
     FROM (SELECT coalesce(min(id) FILTER (WHERE name = $1), max(id) + 1, 0) AS next_id, \
         min(back_at) FILTER (WHERE state = 'up') AS back, \
         max(heartbeat_at) FILTER (WHERE state <> 'command') AS last, \
         CASE WHEN $4 <> 'command' THEN coalesce(min(away_since) FILTER (WHERE state = 'up'), \
           max(heartbeat_at) FILTER (WHERE state <> 'command')) END AS away, \
         (SELECT 1 + max(taken) FROM (\
            SELECT coalesce(max(epoch), 0) AS taken FROM node \
            UNION ALL SELECT coalesce(max(claimed_by), 0) FROM recipient WHERE state = 'in_flight') AS epochs) AS next_epoch \
       FROM node) AS known WHERE NOT EXISTS (SELECT 1 FROM transfer) \
     ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, state = excluded.state, beats = 0, \
       heartbeat_at = excluded.heartbeat_at, away_since = excluded.away_since, back_at = excluded.back_at \
     RETURNING id, epoch, away_since, back_at, draining",
);

const LAST_SIGN: &str = "SELECT max(heartbeat_at) FROM node WHERE state <> 'command'";

const GREATEST: &str = "SELECT max(key) FROM (\
       SELECT max(id) AS key FROM message UNION ALL SELECT max(id) FROM recipient \
       UNION ALL SELECT max(id) FROM attempt UNION ALL SELECT max(id) FROM event \
       UNION ALL SELECT max(id) FROM body) AS keys";

const HEARTBEAT: Sql = Sql::new(
    "UPDATE node SET heartbeat_at = $3, beats = beats + 1 WHERE name = $1 AND epoch = $2 AND state = 'up' \
     RETURNING draining",
);

const FENCED: &str = "SELECT 1 FROM node WHERE name = $1 AND epoch = $2 AND state = 'fenced'";

const STOPPED: Sql = Sql::new(
    "UPDATE node SET state = 'stopped', heartbeat_at = $3 WHERE name = $1 AND epoch = $2 AND state = 'up'",
);

/// Whoever has treated all that waited has done it for every node.
const CAUGHT_UP: Sql = Sql::new(
    "UPDATE node SET away_since = NULL, back_at = NULL WHERE away_since IS NOT NULL \
     AND EXISTS (SELECT 1 FROM node AS self WHERE self.name = $1 AND self.epoch = $2)",
);

const DRAIN: Sql = Sql::new(
    "UPDATE node SET draining = $2 WHERE name = $1 AND draining <> $2 AND state <> 'command'",
);

const NODES_SHOWN: &str = "SELECT node.name, node.state, node.draining, node.epoch, node.heartbeat_at, \
       (SELECT count(*) FROM recipient WHERE recipient.state = 'in_flight' AND recipient.claimed_by = node.epoch) \
     FROM node WHERE node.state <> 'command' ORDER BY node.name";

/// What a node finds when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) node: i64,
    pub(crate) epoch: i64,
    /// The last sign of life of any node before.
    pub(crate) heartbeat_before: Option<Time>,
    /// Since when mail has waited for want of a node that is not treated yet.
    pub(crate) away_since: Option<Time>,
    /// When that treatment began first.
    pub(crate) back_at: Option<Time>,
    /// No id in the book is greater.
    pub(crate) greatest_key: i64,
    /// It takes no new work.
    pub(crate) draining: bool,
}

/// What a node hears of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heartbeat {
    /// It lives.
    Alive,
    /// Another has started under its name: it must stop. Nothing it settles is taken.
    Replaced,
    /// It gave no sign of life for so long that others took over what it had: it must start anew. Nothing it settles is taken.
    Fenced,
}

crate::words! {
    /// How a node is.
    pub enum NodeState {
        /// It serves.
        Up = "up",
        /// It ended in good order.
        Stopped = "stopped",
        /// It gave no sign of life, and others took over what it had claimed.
        Fenced = "fenced",
        /// It is no server but a command, which claims nothing.
        Command = "command",
    }
}

/// A node as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: NodeState,
    /// Whether it takes no new work.
    pub draining: bool,
    /// What its claims carry.
    pub epoch: i64,
    /// Its last sign of life, by its own clock.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::rfc3339::Moment")]
    pub heartbeat_at: Time,
    /// Recipients it has in flight.
    pub in_flight: u64,
}

/// A node's right to work, as far as it knows in memory.
#[derive(Debug)]
pub(crate) struct Life {
    /// When it ends unless another sign of life is taken, in milliseconds of the lease clock.
    until: AtomicI64,
    /// The same by the wall clock, which goes on when a whole machine is stopped in its tracks, and the steady one with it.
    until_wall: AtomicI64,
    draining: AtomicBool,
    /// Why the last sign of life was not taken.
    trouble: Mutex<Option<StoreError>>,
    /// Nodes that share the work, this one included.
    pub(crate) at_work: AtomicU32,
    /// Whether it comes first of all nodes.
    pub(crate) first: AtomicBool,
}

impl Life {
    /// A node that has started at `now`.
    pub(crate) fn begun(now: Time, duty: Duty, draining: bool) -> Self {
        let until = match duty {
            Duty::Serve => (now + NODE_LEASE).as_millis(),
            Duty::Command => i64::MAX,
        };
        Self {
            until: AtomicI64::new(until),
            until_wall: AtomicI64::new(until),
            draining: AtomicBool::new(draining),
            trouble: Mutex::default(),
            at_work: AtomicU32::new(1),
            first: AtomicBool::new(true),
        }
    }

    fn lives_on(&self, until: Time, until_wall: Time, draining: bool) {
        self.until.fetch_max(until.as_millis(), Ordering::AcqRel);
        self.until_wall
            .store(until_wall.as_millis(), Ordering::Release);
        self.draining.store(draining, Ordering::Release);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn is_over(&self) {
        self.until.store(0, Ordering::Release);
    }
}

pub(crate) async fn start(
    store: &Store,
    options: &LedgerOptions,
    now: Time,
) -> Result<Started, LedgerError> {
    let read = |text| store.read(Query::new(text, Vec::new()));
    let before = read(LAST_SIGN).await?;
    let before = before.first().map(|row| row.optional_int(0)).transpose()?;
    let mut unit = Unit::new();
    let late_after = i64::try_from(options.late_after.as_millis()).unwrap_or(i64::MAX);
    let state = match options.duty {
        Duty::Serve => NodeState::Up,
        Duty::Command => NodeState::Command,
    };
    unit.write(ONE_AT_A_TIME, Vec::new());
    let values = vec![
        (&options.node_name).into(),
        now.as_millis().into(),
        late_after.into(),
        state.word().into(),
    ];
    unit.write_exactly(1, START, values);
    let done = match store.write(unit).await {
        Ok(done) => done,
        Err(error) => {
            store.in_service().await?;
            return Err(error.into());
        }
    };
    let row = done.returned.iter().flatten().next();
    let row = row.ok_or_else(|| StoreError::Damaged("a node's start gave no epoch".into()))?;
    let mut columns = Columns::of(row);
    let (node, epoch) = (columns.int()?, columns.int()?);
    let (away_since, back_at) = (columns.maybe_time()?, columns.maybe_time()?);
    let draining = columns.flag()?;
    if !(0..NODES).contains(&node) {
        return Err(StoreError::Damaged(format!("node {node} of {NODES}")).into());
    }
    let greatest = read(GREATEST).await?;
    let greatest = greatest
        .first()
        .map(|row| row.optional_int(0))
        .transpose()?;
    Ok(Started {
        node,
        epoch,
        heartbeat_before: before.flatten().map(Time::from_millis),
        away_since,
        back_at,
        greatest_key: greatest.flatten().unwrap_or(0),
        draining,
    })
}

impl Ledger {
    /// Shows that this node lives, and hears whether it still may.
    ///
    /// # Errors
    /// The store's. The node may begin attempts until [`NODE_LEASE`] after the last that was taken.
    pub async fn heartbeat(&self) -> Result<Heartbeat, LedgerError> {
        let until = self.lease_now() + NODE_LEASE;
        let until_wall = self.book.clock.wall() + NODE_LEASE;
        let mut unit = Unit::new();
        unit.write(HEARTBEAT, self.signed());
        if let Some(step) = self.book.clock.new_step() {
            unit.join(self.clock_stepped(step));
        }
        let life = &self.book.life;
        let done = match self.store().write(unit).await {
            Ok(done) => done,
            Err(error) => {
                let mut trouble = life.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                *trouble = Some(error.clone());
                return Err(error.into());
            }
        };
        if let Some(row) = done.returned.iter().flatten().next() {
            life.lives_on(until, until_wall, row.flag(0)?);
            return Ok(Heartbeat::Alive);
        }
        life.is_over();
        let values = vec![self.node_name().into(), self.epoch().into()];
        let fenced = self.read(FENCED, values).await?;
        Ok(match fenced.is_empty() {
            true => Heartbeat::Replaced,
            false => Heartbeat::Fenced,
        })
    }

    /// What the history says of a step: told once, with the sign of life that is written next.
    fn clock_stepped(&self, step: Step) -> Unit {
        let seconds = step.by / 1000;
        let detail = format!(
            "the wall clock was stepped by {seconds} s, or the machine stood still; ages and deadlines go on as if it had not \
             been; to take the wall clock as it is, restart the node"
        );
        tracing::warn!(seconds, "{detail}");
        self.record_unit(
            EventKind::ClockStepped,
            Doer::Program,
            &self.node_name(),
            &detail,
        )
    }

    /// Name, epoch and the present.
    fn signed(&self) -> Vec<ground_store::Value> {
        let now = self.now().as_millis();
        vec![self.node_name().into(), self.epoch().into(), now.into()]
    }

    /// Whether this node may begin attempts and hand mail over: it has given a sign of life, and no other can have fenced it.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let life = &self.book.life;
        self.lease_now().as_millis() < life.until.load(Ordering::Acquire)
            && self.book.clock.wall().as_millis() < life.until_wall.load(Ordering::Acquire)
    }

    /// How long ago the last sign of life was given that the store has taken; a command gives none.
    #[must_use]
    pub fn sign_of_life_age(&self) -> Option<Duration> {
        let until = self.book.life.until.load(Ordering::Acquire);
        let given = (until > 0 && until < i64::MAX).then(|| Time::from_millis(until) - NODE_LEASE);
        given.map(|at| self.lease_now().since(at))
    }

    /// Whether this node takes new work: it lives, and nobody drains it.
    #[must_use]
    pub fn takes_work(&self) -> bool {
        self.is_alive() && !self.is_draining()
    }

    /// Whether somebody has told this node to take no new work.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.book.life.draining.load(Ordering::Acquire)
    }

    /// Why the last sign of life was not taken, if it was not.
    #[must_use]
    pub fn trouble(&self) -> Option<StoreError> {
        let trouble = self.book.life.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nodes that share the work, this one included: what one hop may be given is divided by it.
    #[must_use]
    pub fn nodes_at_work(&self) -> u32 {
        self.book.life.at_work.load(Ordering::Relaxed).max(1)
    }

    /// Whether this node does what one node can do for all: the index of the search, old history. Which one it is may change
    /// at any time, and for a moment it may be two or none.
    #[must_use]
    pub fn keeps_house(&self) -> bool {
        self.book.life.first.load(Ordering::Relaxed)
    }

    /// The node has ended in good order: what it still has claimed comes back at once, and nobody has to fence it.
    ///
    /// # Errors
    /// The store's: the others find out by its silence.
    pub async fn stopped(&self) -> Result<(), LedgerError> {
        self.book.life.is_over();
        let mut unit = Unit::new();
        unit.write(STOPPED, self.signed());
        self.store().write(unit).await?;
        Ok(())
    }

    /// Tells a node to take no new work, or to take it again; it hears of it with its next sign of life. False when there is
    /// no such node, or it is as it was.
    ///
    /// # Errors
    /// The store's.
    pub async fn drain(
        &self,
        node: &str,
        draining: bool,
        by: &str,
        reason: &str,
    ) -> Result<bool, LedgerError> {
        let kind = match draining {
            true => EventKind::NodeDrained,
            false => EventKind::NodeResumed,
        };
        let mut unit = Unit::new();
        let values = vec![node.into(), i64::from(draining).into()];
        unit.write_exactly(1, DRAIN, values);
        let detail = match reason.is_empty() {
            true => node.to_owned(),
            false => format!("{node}: {reason}"),
        };
        unit.join(self.record_unit(kind, Doer::Person, by, &detail));
        Ok(self.write_guarded(unit).await? == crate::Guarded::Done)
    }

    /// Every node, by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn nodes(&self) -> Result<Vec<NodeStatus>, LedgerError> {
        let rows = self.read(NODES_SHOWN, Vec::new()).await?;
        let nodes: Result<_, StoreError> = rows.iter().map(NodeStatus::of).collect();
        Ok(nodes?)
    }

    /// How long mail may have waited because no node was there: from the last sign of life of any to this start, with the
    /// starts before that crashed before [`Ledger::caught_up`]. Zero for the first node there ever was.
    #[must_use]
    pub fn downtime(&self) -> Duration {
        let started_at = self.book.clock.started_at();
        let since = self.book.away_since;
        since.map_or(Duration::ZERO, |since| started_at.since(since))
    }

    /// Records that all mail that waited because no node was there is treated.
    ///
    /// # Errors
    /// The store's: a start after a crash would treat again what is left.
    pub async fn caught_up(&self) -> Result<(), LedgerError> {
        let mut unit = Unit::new();
        unit.write(
            CAUGHT_UP,
            vec![self.node_name().into(), self.epoch().into()],
        );
        self.store().write(unit).await?;
        Ok(())
    }

    /// The last sign of life of any node before this one started.
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
        doer: Doer,
        actor: &str,
        detail: &str,
    ) -> Result<(), LedgerError> {
        self.store()
            .write(self.record_unit(kind, doer, actor, detail))
            .await?;
        Ok(())
    }

    /// The same as a unit, to be joined with the write that makes it a fact.
    #[must_use]
    pub fn record_unit(&self, kind: EventKind, doer: Doer, actor: &str, detail: &str) -> Unit {
        let mut unit = Unit::new();
        self.event(kind, doer, actor, detail.to_owned())
            .write(self.new_key(), &mut unit);
        unit
    }
}

impl NodeStatus {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let mut columns = Columns::of(row);
        Ok(Self {
            name: columns.string()?,
            state: columns.word("a node's state", NodeState::from_word)?,
            draining: columns.flag()?,
            epoch: columns.int()?,
            heartbeat_at: columns.time()?,
            in_flight: columns.count()?,
        })
    }
}
