//! Closes the source, and hands its mail over.
//!
//! A closed store refuses every write of its tables by triggers of its own, made in the transaction that marks it: making one
//! waits for writers that are under way, and after it nobody writes, be it a server that nobody knew of, one that was stopped
//! in the middle and goes on, or an older program that knows nothing of moves. What such a server had accepted before is in
//! the rows that are copied; what it accepts afterwards it cannot store, and answers 4xx.

use std::sync::LazyLock;

use super::marker::{self, Marker, Role};
use super::tables::TABLES;
use super::{Outcome, Progress, Transfer, TransferError, options};
use crate::{Sql, Store, StoreError, Unit};

/// What a closed store says to whoever writes.
const CLOSED: &str = "the mail of this store is moving, or has moved, to another store";

/// The statements that close a store and those that open it again; units want texts that live as long as the program.
struct Fence {
    close: Vec<Sql>,
    open: Vec<Sql>,
}

static SQLITE: LazyLock<Fence> = LazyLock::new(|| {
    let (mut close, mut open) = (Vec::new(), Vec::new());
    for table in &TABLES {
        for verb in ["INSERT", "UPDATE", "DELETE"] {
            let (table, name) = (table.name, format!("moved_{}_{verb}", table.name));
            close.push(kept(format!(
                "CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{CLOSED}'); END"
            )));
            open.push(kept(format!("DROP TRIGGER {name}")));
        }
    }
    Fence { close, open }
});

static POSTGRES: LazyLock<Fence> = LazyLock::new(|| {
    let trigger = |table: &super::tables::Table| {
        kept(format!(
            "CREATE TRIGGER moved BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH STATEMENT EXECUTE FUNCTION refused('{CLOSED}')",
            table.name
        ))
    };
    let drop = |table: &super::tables::Table| kept(format!("DROP TRIGGER moved ON {}", table.name));
    Fence {
        close: TABLES.iter().map(trigger).collect(),
        open: TABLES.iter().map(drop).collect(),
    }
});

fn kept(text: String) -> Sql {
    Sql::new(Box::leak(text.into_boxed_str()))
}

fn fence(store: &Store) -> &'static Fence {
    match store.is_postgres() {
        true => &POSTGRES,
        false => &SQLITE,
    }
}

/// Opens a closed store again.
pub(super) fn reopen(store: &Store, other: &str) -> Unit {
    let mut unit = Unit::new();
    marker::remove(&mut unit, Role::Leaving, other);
    for sql in &fence(store).open {
        unit.write(*sql, Vec::new());
    }
    unit
}

impl Transfer<'_> {
    /// Closes the source, or finds it closed; the first write it ever gets.
    pub(super) async fn close_source(&self) -> Result<Store, TransferError> {
        let store = Store::open(&self.plan.from, options(), self.world).await;
        let store = store.map_err(TransferError::Source)?;
        let unit = match &self.source.marker {
            Some(_) => {
                marker::take_up(Role::Leaving, &self.target.id, &self.target.place, self.run)
            }
            None => {
                let marker = Marker {
                    role: Role::Leaving,
                    other: self.target.id.clone(),
                    place: self.target.place.clone(),
                    witness: String::new(),
                };
                let now = self.world.clock.now().as_millis();
                let mut unit = marker::mark(&marker, self.run, now);
                for sql in &fence(&store).close {
                    unit.write(*sql, Vec::new());
                }
                unit
            }
        };
        store.write(unit).await.map_err(|error| match error {
            StoreError::Conflict(_) => TransferError::Overtaken,
            error @ (StoreError::Refused(_)
            | StoreError::Full(_)
            | StoreError::Unavailable(_)
            | StoreError::Damaged(_)
            | StoreError::Unfit(_)
            | StoreError::Elsewhere(_)) => TransferError::Source(error),
        })?;
        // Between the first look and the closing a server may have been at work.
        let witness = marker::witness(&store).await;
        let witness = witness.map_err(TransferError::Source)?;
        let seen = self.target.marker.as_ref().map(|marker| &marker.witness);
        if seen != Some(&witness) {
            if self.source.marker.is_none() {
                let reopened = store.write(reopen(&store, &self.target.id)).await;
                reopened.map_err(TransferError::Source)?;
            }
            return Err(TransferError::Changed);
        }
        self.tell(Progress::Closed);
        Ok(store)
    }

    /// The source has no mail any more. The target has all of it, and nobody else can serve it.
    pub(super) async fn retire(&self, source: &Store) -> Result<(), TransferError> {
        let mut unit = Unit::new();
        let (leaving, left) = (Role::Leaving, Role::Left);
        marker::change(&mut unit, leaving, &self.target.id, self.run, left);
        let done = source.write(unit).await;
        done.map(drop).map_err(|error| match error {
            StoreError::Conflict(_) => TransferError::Overtaken,
            error @ (StoreError::Refused(_)
            | StoreError::Full(_)
            | StoreError::Unavailable(_)
            | StoreError::Damaged(_)
            | StoreError::Unfit(_)
            | StoreError::Elsewhere(_)) => TransferError::Source(error),
        })
    }

    /// The last step, which only a source that has left allows.
    pub(super) async fn let_target_serve(&self) -> Result<Outcome, TransferError> {
        let marker = marker::marker(&self.target.store).await;
        match marker.map_err(TransferError::Target)? {
            None => Ok(Outcome::HandedOverBefore),
            Some(Marker {
                role: Role::Arrived,
                other,
                ..
            }) if other == self.source.id => {
                let mut unit = Unit::new();
                marker::remove(&mut unit, Role::Arrived, &other);
                let done = self.target.store.write(unit).await;
                done.map_err(super::overtaken)?;
                Ok(Outcome::HandedOverBefore)
            }
            // It has gone on to a third store since.
            Some(_) => {
                let refused = self.target.store.in_service().await;
                refused.map_err(TransferError::Target)?;
                Ok(Outcome::HandedOverBefore)
            }
        }
    }
}
