//! Moves a whole store into another, empty one, whichever engines they have.
//!
//! **Never two stores with the same mail in service, never none that can come to be.** Each store has an id, and at most one
//! mark that says why it does not serve ([`Store::in_service`]); a book is opened only where there is none:
//!
//! ```text
//!              source                          target
//!              (serves)                        (empty)
//!                                              arriving     marked before the first row comes
//!   close      leaving: refuses every write    arriving
//!                                              arrived      everything compared, in the transaction that marks it
//!   hand over  left, for ever                  arrived
//!                                              (serves)
//! ```
//!
//! Without [`Until::HandedOver`] the source is only read, and the target stays `arrived`: a copy that does not serve. The source is
//! closed by its own schema (`handover.rs`), so it does not matter who overlooked that it moves. Each arrow is one transaction,
//! in one store; wherever a crash falls, the same command goes on from the marks it finds.
//!
//! **Rows come in with every rule in force.** They are inserted as they are, in any state, what is referred to first: the
//! triggers that count births count them, so references, counts by state and totals are the target's own and cannot be off.
//! Three things the triggers cannot know: `search_due`, where a birth writes a row, is emptied of each batch in the batch's
//! transaction and then copied like any table; what was pruned stands in no row, so at the end the totals get the difference;
//! PostgreSQL's sequence of folder ids is set behind the greatest.
//!
//! **The cursor is the target itself.** Batches come in the order of the primary key, each in one transaction: the greatest key
//! that is there says where to go on. Files of large bodies are written, under their own names, before the batch that names
//! them; what an interrupted command left is written anew. Of two commands on one target the later writes, the earlier is told.
//!
//! **Damage moves as it is**: a body that is not what its checksum says, or whose file is gone, arrives so, and is told. A row
//! that the target's rules refuse, or text that is none, stops the copying and is named: nothing is left out silently. The one
//! change on the way: PostgreSQL's text cannot hold U+0000, which becomes U+FFFD there as in every write, and is told.

mod compare;
mod copy;
mod handover;
mod marker;
pub(crate) mod tables;

use std::time::Duration;

use ground_world::World;
use thiserror::Error;

use crate::{Options, Query, Store, StoreError};
use marker::{Marker, Role};
use tables::TABLES;

pub use compare::Notes;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The target is a copy that does not serve; the source is only read.
    Copied,
    /// The source is closed first, and in the end the target serves in its place.
    HandedOver,
}

/// What is to be moved.
#[derive(Debug, Clone)]
pub struct Plan {
    /// URL of the store that has the mail.
    pub from: String,
    /// URL of the empty one.
    pub to: String,
    /// How far to go.
    pub until: Until,
}

/// What is happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The source takes no more mail.
    Closed,
    /// Rows are copied: of this table at present, so many of all.
    Copying(&'static str, Rows),
    /// Rows are compared, on both sides.
    Comparing(&'static str, Rows),
    /// The source's mail is the target's; that one is let serve next.
    Left,
}

/// How many rows of how many, those of all tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rows {
    /// Done, those of earlier commands included.
    pub done: u64,
    /// All of the source.
    pub all: u64,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target is a whole copy and does not serve.
    Copied(Notes),
    /// The target serves, the source never again.
    HandedOver(Notes),
    /// An earlier command had done all of it; at most the last step was left.
    HandedOverBefore,
}

/// Why a store was not moved. The source serves as before unless [`Progress::Closed`] was told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransferError {
    /// The source's answer.
    #[error("the source: {0}")]
    Source(StoreError),
    /// The target's answer.
    #[error("the target: {0}")]
    Target(StoreError),
    /// The operator's move.
    #[error("source and target are the same store; name another, empty one")]
    Same,
    /// The operator's move.
    #[error("the target {place} is not empty: its table {table} has rows; name an empty one")]
    NotEmpty {
        /// Where it is.
        place: String,
        /// The first table with rows.
        table: &'static str,
    },
    /// The operator's move.
    #[error("the target {place} is being filled from {other} already; name another, empty one")]
    Others {
        /// Where it is.
        place: String,
        /// From where its mail comes.
        other: String,
    },
    /// The operator's move.
    #[error(
        "a server or a command has been at work on the source since the copying began, so the copy is of no use; empty the \
         target and begin again, with --finish to keep the source closed meanwhile"
    )]
    Changed,
    /// The operator's move.
    #[error(
        "another postrider migrate has taken this move over, or cancelled it; this one has stopped"
    )]
    Overtaken,
    /// The operator's move: nothing that cannot be copied is left out silently.
    #[error("the row {key} of the table {table} cannot be copied: {why}")]
    Row {
        /// Its table.
        table: &'static str,
        /// Its key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody wrote to one of the stores, or a defect of ours.
    #[error(
        "source and target differ in {0}; the target is not marked as complete; empty it and begin again"
    )]
    Differ(String),
    /// The operator's move.
    #[error("the source's mail is not on its way anywhere: there is nothing to cancel")]
    NothingToCancel,
}

/// A batch of rows and its flush take much less; a comparison's count of many millions of rows may take minutes.
const DEADLINE: Duration = Duration::from_secs(600);

/// Page cache of a SQLite target: keys of all indexes are inserted all over them.
const CACHE_BYTES: usize = 64 << 20;

/// Two reads of a side at one time, and those of its large bodies.
const READERS: usize = 4;

fn options() -> Options {
    Options {
        write_deadline: DEADLINE,
        read_deadline: DEADLINE,
        cache_bytes: CACHE_BYTES,
        readers: READERS,
        // Who asks for the connections of servers must not find these, nor those of a command that was killed a moment ago.
        connections_name: "postrider migrate",
        ..Options::default()
    }
}

/// One end.
#[derive(Clone)]
struct End {
    store: Store,
    id: String,
    /// Where it is, without a password.
    place: String,
    marker: Option<Marker>,
}

impl End {
    async fn of(store: Store, url: &str) -> Result<Self, StoreError> {
        Ok(Self {
            id: marker::id(&store).await?,
            place: crate::shown(url)?,
            marker: marker::marker(&store).await?,
            store,
        })
    }
}

/// A move that has begun.
struct Transfer<'a> {
    plan: &'a Plan,
    world: &'a World,
    source: End,
    target: End,
    /// Of this command.
    run: i64,
    /// Rows of each of [`TABLES`] in the source.
    counts: Vec<u64>,
    told: &'a (dyn Fn(Progress) + Sync),
}

/// Moves a store, or goes on with it, and says what happens.
///
/// # Errors
/// [`TransferError`]; the same again goes on from where it stopped, unless it says otherwise.
pub async fn transfer(
    plan: &Plan,
    world: &World,
    told: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, TransferError> {
    let source = Store::look(&plan.from, options(), world).await;
    let source = End::of(source.map_err(TransferError::Source)?, &plan.from).await;
    let source = source.map_err(TransferError::Source)?;
    // Before the target is made, which a mistake in the command would leave behind.
    fit_source(&source)?;
    let target = Store::open(&plan.to, options(), world).await;
    let target = End::of(target.map_err(TransferError::Target)?, &plan.to).await;
    let target = target.map_err(TransferError::Target)?;
    let mut transfer = Transfer {
        counts: counts(&source.store).await.map_err(TransferError::Source)?,
        plan,
        world,
        source,
        target,
        run: i64::try_from(world.chance.u64() >> 1).unwrap_or(i64::MAX),
        told,
    };
    if transfer.was_handed_over()? {
        return transfer.let_target_serve().await;
    }
    transfer.begin().await?;
    transfer.go().await
}

/// Connections that servers have to the database of `url`, this command's own looking not counted; always none for SQLite, whose server
/// is found by its control socket.
///
/// # Errors
/// The store's.
pub async fn connections(url: &str, world: &World) -> Result<u64, TransferError> {
    const CONNECTED: &str = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name = 'postrider'";
    let store = Store::look(url, options(), world).await;
    let store = store.map_err(TransferError::Source)?;
    if !store.is_postgres() {
        return Ok(0);
    }
    let rows = store.read(Query::new(CONNECTED, Vec::new())).await;
    let rows = rows.map_err(TransferError::Source)?;
    let count = rows.first().map_or(Ok(0), |row| row.int(0));
    Ok(u64::try_from(count.map_err(TransferError::Source)?).unwrap_or(0))
}

/// Takes a source back that was closed and not handed over.
///
/// # Errors
/// [`TransferError::NothingToCancel`], the store's, and [`StoreError::Elsewhere`] when its mail has moved.
pub async fn cancel(url: &str, world: &World) -> Result<(), TransferError> {
    // First of all looked at: a wrong path must not make a store.
    let looked = Store::look(url, options(), world).await;
    looked.map_err(TransferError::Source)?;
    let store = Store::open(url, options(), world).await;
    let store = store.map_err(TransferError::Source)?;
    let marker = marker::marker(&store)
        .await
        .map_err(TransferError::Source)?;
    match marker {
        None => Err(TransferError::NothingToCancel),
        Some(Marker {
            role: Role::Leaving,
            other,
            ..
        }) => {
            let reopened = store.write(handover::reopen(&store, &other)).await;
            reopened.map(drop).map_err(TransferError::Source)
        }
        Some(_) => store.in_service().await.map_err(TransferError::Source),
    }
}

/// A store whose own mail is arriving has none to give.
fn fit_source(source: &End) -> Result<(), TransferError> {
    match &source.marker {
        Some(Marker {
            role: Role::Arriving | Role::Arrived,
            place,
            ..
        }) => Err(TransferError::Source(StoreError::Elsewhere(format!(
            "its mail is still that of {place}; finish that move first"
        )))),
        Some(Marker {
            role: Role::Leaving | Role::Left,
            ..
        })
        | None => Ok(()),
    }
}

async fn counts(store: &Store) -> Result<Vec<u64>, StoreError> {
    let each = TABLES
        .iter()
        .map(|table| format!("(SELECT count(*) FROM {})", table.name));
    let text = format!("SELECT {}", each.collect::<Vec<_>>().join(", "));
    let rows = store.read(Query::new(text, Vec::new())).await?;
    let row = rows.first();
    let count = |place| row.map_or(Ok(0), |row| row.int(place));
    (0..TABLES.len())
        .map(|place| Ok(u64::try_from(count(place)?).unwrap_or(0)))
        .collect()
}

impl Transfer<'_> {
    /// Whether the source has left for this target. Its mail is then nowhere else.
    fn was_handed_over(&self) -> Result<bool, TransferError> {
        let Some(Marker {
            role, other, place, ..
        }) = &self.source.marker
        else {
            return Ok(false);
        };
        match (role, *other == self.target.id) {
            (Role::Left, true) => Ok(true),
            (Role::Left, false) => Err(TransferError::Source(StoreError::Elsewhere(format!(
                "its mail has moved to {place}"
            )))),
            // A closed source can be sent elsewhere: its earlier target can never serve without it.
            (Role::Leaving | Role::Arriving | Role::Arrived, _) => Ok(false),
        }
    }

    /// Marks an empty target, or takes up what stands in one.
    async fn begin(&mut self) -> Result<(), TransferError> {
        if self.source.id == self.target.id {
            return Err(TransferError::Same);
        }
        let witness = marker::witness(&self.source.store).await;
        let witness = witness.map_err(TransferError::Source)?;
        let now = self.world.clock.now().as_millis();
        let unit = match &self.target.marker {
            None => {
                self.demand_empty().await?;
                let marker = Marker {
                    role: Role::Arriving,
                    other: self.source.id.clone(),
                    place: self.source.place.clone(),
                    witness,
                };
                let unit = marker::mark_empty(&marker, self.run, now);
                self.target.marker = Some(marker);
                unit
            }
            Some(Marker {
                role: Role::Leaving | Role::Left,
                ..
            }) => {
                let refused = self.target.store.in_service().await;
                return refused.map_err(TransferError::Target);
            }
            Some(Marker { other, place, .. }) if *other != self.source.id => {
                return Err(TransferError::Others {
                    place: self.target.place.clone(),
                    other: place.clone(),
                });
            }
            Some(marker) if marker.witness != witness => return Err(TransferError::Changed),
            Some(marker) => {
                marker::take_up(marker.role, &self.source.id, &self.source.place, self.run)
            }
        };
        self.target.store.write(unit).await.map_err(overtaken)?;
        Ok(())
    }

    async fn demand_empty(&self) -> Result<(), TransferError> {
        let counts = counts(&self.target.store).await;
        let counts = counts.map_err(TransferError::Target)?;
        for (table, count) in TABLES.iter().zip(counts) {
            if count > 0 && table.birth == tables::Birth::Empty {
                return Err(TransferError::NotEmpty {
                    place: self.target.place.clone(),
                    table: table.name,
                });
            }
        }
        Ok(())
    }

    async fn go(&mut self) -> Result<Outcome, TransferError> {
        let closed = match self.plan.until {
            Until::HandedOver => Some(self.close_source().await?),
            Until::Copied => None,
        };
        let arrived = self.target.marker.as_ref().map(|marker| marker.role) == Some(Role::Arrived);
        if !arrived {
            self.copy().await?;
        }
        let notes = self.compare().await?;
        if !arrived {
            // Nobody is kept from an open source: what was compared must still be what is there.
            let witness = marker::witness(&self.source.store).await;
            let seen = self.target.marker.as_ref().map(|marker| &marker.witness);
            if seen != Some(&witness.map_err(TransferError::Source)?) {
                return Err(TransferError::Changed);
            }
            self.mark_arrived().await?;
        }
        let Some(source) = closed else {
            return Ok(Outcome::Copied(notes));
        };
        self.retire(&source).await?;
        self.tell(Progress::Left);
        self.let_target_serve().await?;
        Ok(Outcome::HandedOver(notes))
    }

    fn tell(&self, progress: Progress) {
        (self.told)(progress);
    }

    fn all(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// A guard of the target that was not met: another command has changed the mark.
fn overtaken(error: StoreError) -> TransferError {
    match error {
        StoreError::Conflict(_) => TransferError::Overtaken,
        StoreError::Refused(_)
        | StoreError::Full(_)
        | StoreError::Unavailable(_)
        | StoreError::Damaged(_)
        | StoreError::Unfit(_)
        | StoreError::Elsewhere(_) => TransferError::Target(error),
    }
}
