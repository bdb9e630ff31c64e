//! The ledger: the durable book of every message.
//!
//! **For what.** Every accepted message and each of its recipients is a row here from before the `250` until its history is
//! pruned. The stages of a message's way (accept, categorize, queue, deliver, notify, watch) meet only in these rows.
//!
//! **The way through.**
//!
//! ```text
//!            accept                 claim                  settle
//!   (nobody) ------> categorizing ------> queued ------> in_flight ------> delivered | relayed
//!               \___________________________/ ^               |    \-----> returned | dead_letter
//!                born routed, or even claimed  \--------------/
//!                                                deferred, hop down,
//!   held <----> queued  (a person, a rule,       claim lost
//!                        a failed check)
//!   what waits (not in flight) --> returned | discarded | dead_letter   (a person, a rule, or time)
//! ```
//!
//! One idea a file: [`Ledger::accept`] writes a message and where each recipient starts (`accept`) · `route` ends waiting for
//! the directory · `claim` makes queued mail the work of one node for a lease, `settle` ends it, `lost` brings back what was
//! not settled and holds what kills whoever tries it · `hop` knows how next hops are and which are due · `sweep` does what is
//! owed by time, by the one rule in `deadline`, and `damage` holds what cannot be read, `reconcile` puts right what differs ·
//! `listing`, `ages`, `trace`, `event`, `audit` and `inspect` show it, `search` finds messages by sender, recipient and
//! Message-ID, `own` those that an account sent, `link` names one to whoever may follow it, `filter` says which rows, `operate`
//! acts on them · `prune` ends history · `node` takes the epoch and shows that it lives, `neighbours` fences who does not ·
//! `handoff` and `wakeups` are hints in memory, and nothing but hints · `clock` tells the time of the book · `measure` counts
//! what this node does · `words` declares closed sets.
//!
//! **Never.** Nothing judges a message from a copy: a claim is re-checked by the write that settles it. No row that is not
//! final is without `deadline_at` and `expires_at` (the schema refuses it). Age counts from `accepted_at` and is never reset.
//! Nobody but this crate writes the tables of `001_ledger.sql`, and `store_secret`.
//!
//! **Limits.** Named beside what they bound.

mod accept;
mod ages;
mod alarming;
mod audit;
mod body;
mod claim;
mod clock;
mod columns;
mod damage;
mod deadline;
mod envelope;
mod event;
mod filter;
#[cfg(test)]
mod fixture;
mod flow;
mod handoff;
mod hop;
mod id;
mod inspect;
mod link;
mod listing;
mod lost;
mod measure;
#[cfg(test)]
mod model_tests;
mod neighbours;
mod node;
mod operate;
mod options;
mod own;
mod prune;
mod recipient;
mod reconcile;
pub mod rfc3339;
mod route;
mod search;
mod settle;
mod state;
mod sweep;
mod trace;
mod waiting;
mod wakeups;
mod words;

pub use accept::{Accepted, Birth, NewMessage, NewRecipient};
pub use ages::{AGE_BOUNDS, AGE_CLASSES, AgeLine};
pub use alarming::{DEAD_LETTER_NEWS, HeldKind, HeldRow, OurFault};
pub use audit::{Audit, Finding, FindingKind};
pub use body::{BodyRef, OpenBody};
pub use claim::{Job, JobRecipient, Lease, RENEWED_AFTER_EXPIRY, Reached};
pub use damage::DAMAGED;
pub use envelope::{Envelope, Origin};
pub use event::{Doer, EVENTS_PAGE, EVENTS_PAGE_MAX, Event, EventFilter, EventKind, ListedEvent};
pub use filter::{Filter, FilterError, IDS_MAX, PAGE, PAGE_MAX};
pub use flow::{FLOW_SPAN, FlowLine};
pub use handoff::{BODIES_MAX, HandedOver, Handoff, HandoffLimits, Handovers, Mark, Place, Slot};
pub use hop::{
    HopKey, HopKeyError, HopKind, HopState, HopStatus, PAUSE_MAX, Paused, ReadyHop, Resumed,
};
pub use id::{EventId, IdError, MessageId, RecipientId};
pub use inspect::{Inspection, ROWS_MAX, Table, Which, inspect, inspect_body};
pub use link::{STATUS_PATH, StatusLinks};
pub use listing::{Listed, QueueLine, Stage, Totals};
pub use lost::{LostClaims, POISONED};
pub use measure::{Counted, Way};
pub use neighbours::Neighbours;
pub use node::{Heartbeat, NODE_LEASE, NodeState, NodeStatus, SILENCE};
pub use operate::{Act, ActResult, Preview, PreviewRow, Return, Verb};
pub use options::{Duty, LedgerOptions, Patience};
pub use own::Owner;
pub use recipient::{Claim, End, Hold, Recipient};
pub use reconcile::{BodiesChecked, BodyCursor, HopPutRight, LiveClaim};
pub use route::{RouteResult, Routed, Unrouted};
pub use search::SEGMENT_WORDS;
pub use settle::{Attempt, AttemptOutcome, Settled, Settlement, Step};
pub use state::State;
pub use sweep::{DueRow, Sweep, Swept};
pub use trace::{STORIES_MAX, Story, StoryAttempt, StoryRecipient};
pub use wakeups::Wakeups;
pub use words::Vocabulary;

#[doc(hidden)]
pub use schemars;

use std::sync::{Arc, PoisonError, RwLock};

use ground_store::{Store, StoreError, Unit};
use ground_world::World;
use thiserror::Error;
use tokio::sync::OnceCell;
use wire_message::Time;

use body::FreshBodies;
use clock::BookClock;
use id::IdSource;

/// A handle on the book, held by one node in one epoch; cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    book: Arc<Book>,
    /// Where this handle reads and writes.
    store: Store,
}

struct Book {
    world: World,
    options: RwLock<Arc<LedgerOptions>>,
    epoch: i64,
    clock: BookClock,
    heartbeat_before: Option<Time>,
    away_since: Option<Time>,
    /// When the treatment of what waited meanwhile began first.
    back_at: Time,
    life: node::Life,
    ids: IdSource,
    fresh_bodies: FreshBodies,
    wakeups: Wakeups,
    faults: alarming::Faults,
    counts: measure::Counts,
    links: OnceCell<StatusLinks>,
}

/// What was asked of the book and did not happen.
#[derive(Debug, Clone, Error)]
pub enum LedgerError {
    /// The store's answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The caller's defect: a message goes to somebody.
    #[error("a message without recipients cannot be accepted")]
    NoRecipients,
    /// The caller's defect: a parent stands before its children.
    #[error("a recipient names a parent that does not stand before it")]
    NoSuchParent,
    /// The caller's defect: these rows cannot be treated together.
    #[error("{0}")]
    Mixed(&'static str),
}

impl Ledger {
    /// Opens the book for a node, which takes a new epoch. What its old epochs had in flight is queued again at once.
    ///
    /// # Errors
    /// The store's; [`StoreError::Elsewhere`] when its mail is on its way to or from another store, or has moved.
    pub async fn open(
        store: Store,
        world: World,
        options: LedgerOptions,
    ) -> Result<Self, LedgerError> {
        store.in_service().await?;
        let clock = BookClock::start(world.clock.clone());
        let started_at = clock.started_at();
        let node = node::start(&store, &options, started_at).await?;
        let ledger = Self {
            book: Arc::new(Book {
                ids: IdSource::above(node.greatest_key, node.node),
                life: node::Life::begun(started_at, options.duty, node.draining),
                fresh_bodies: FreshBodies::bounded(options.fresh_body_bytes),
                options: RwLock::new(Arc::new(options)),
                epoch: node.epoch,
                heartbeat_before: node.heartbeat_before,
                away_since: node.away_since,
                back_at: node.back_at.unwrap_or(started_at),
                clock,
                wakeups: Wakeups::default(),
                faults: alarming::Faults::default(),
                counts: measure::Counts::default(),
                links: OnceCell::new(),
                world,
            }),
            store,
        };
        let before = ledger.heartbeat_before();
        let away = before.map_or(0, |before| started_at.since(before).as_secs());
        let detail = format!("epoch {}; away for {away} s", node.epoch);
        let name = ledger.node_name();
        ledger
            .record(EventKind::NodeStarted, Doer::Program, &name, &detail)
            .await?;
        while ledger.lost_claims().await?.found > 0 {}
        Ok(ledger)
    }

    /// This node's epoch: what it claims carries it.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.book.epoch
    }

    /// The world it runs in.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.book.world
    }

    /// The store it is written in.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The same book by readers that others do not use: who reads there does not wait behind them.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            book: self.book.clone(),
            store: self.store.apart(),
        }
    }

    /// This node's name.
    #[must_use]
    pub fn node_name(&self) -> String {
        self.options().node_name.clone()
    }

    /// What the settings say at present.
    #[must_use]
    pub fn options(&self) -> Arc<LedgerOptions> {
        let options = self.book.options.read();
        options.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// New settings, for what is accepted, claimed and held from now on. The node keeps its name.
    pub fn set_options(&self, options: LedgerOptions) {
        let node_name = self.node_name();
        let mut current = self
            .book
            .options
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(LedgerOptions {
            node_name,
            ..options
        });
    }

    /// Bells that ring when rows become ready.
    #[must_use]
    pub fn wakeups(&self) -> &Wakeups {
        &self.book.wakeups
    }

    /// An id for a message about to be accepted.
    #[must_use]
    pub fn new_id(&self) -> MessageId {
        MessageId::from_key(self.new_key())
    }

    /// The present by the book's clock: what ages and deadlines are counted by. It is the wall clock's, unless that was
    /// stepped: a step makes no mail older or younger.
    #[must_use]
    pub fn now(&self) -> Time {
        self.book.clock.now()
    }

    /// The present by the clock this node counts its own leases by: it starts with the wall clock and is never stepped.
    #[must_use]
    pub fn lease_now(&self) -> Time {
        self.book.clock.steady()
    }

    fn new_lease_end(&self) -> Time {
        self.lease_now() + self.options().lease
    }

    fn new_key(&self) -> i64 {
        self.book.ids.next(self.now())
    }
}

/// `$first, $first+1, ...`: places for `count` values.
fn places(first: usize, count: usize) -> String {
    let places = (first..first + count).map(|place| format!("${place}"));
    places.collect::<Vec<_>>().join(", ")
}

/// Writes a unit whose expectations are its guard: whether the rows were still as the caller saw them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guarded {
    Done,
    Escaped,
}

impl Ledger {
    async fn write_guarded(&self, unit: Unit) -> Result<Guarded, LedgerError> {
        match self.store().write(unit).await {
            Ok(_) => Ok(Guarded::Done),
            Err(StoreError::Conflict(_)) => Ok(Guarded::Escaped),
            Err(error) => Err(error.into()),
        }
    }
}
