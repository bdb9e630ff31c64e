//! What a store knows of itself: its id, and whether its mail is on the way.

use crate::{Query, Row, Sql, Store, StoreError, Unit, Value};

/// Why a store does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is being filled.
    Arriving,
    /// It has been filled and compared; the mail is still the source's.
    Arrived,
    /// It is closed, and its mail is being copied away.
    Leaving,
    /// Its mail is another store's.
    Left,
}

/// The words of the column `role`.
impl Role {
    const ALL: [Self; 4] = [Self::Arriving, Self::Arrived, Self::Leaving, Self::Left];

    const fn word(self) -> &'static str {
        match self {
            Self::Arriving => "arriving",
            Self::Arrived => "arrived",
            Self::Leaving => "leaving",
            Self::Left => "left",
        }
    }
}

/// The row of `transfer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) role: Role,
    /// The id of the store at the other end.
    pub(super) other: String,
    /// Where that is, without a password.
    pub(super) place: String,
    /// How the source stood when its mail began to arrive.
    pub(super) witness: String,
}

const ID: &str = "SELECT id FROM store";
const MARKER: &str = "SELECT role, other, place, witness FROM transfer";

const WITNESS: &str = "SELECT (SELECT max(epoch) FROM node), (SELECT max(heartbeat_at) FROM node), \
       (SELECT max(id) FROM event), (SELECT max(id) FROM message), (SELECT max(id) FROM attempt), \
       (SELECT max(n) FROM directory_version)";

const MARK: Sql = Sql::new(
    "INSERT INTO transfer (id, role, other, place, witness, run, since) VALUES (1, $1, $2, $3, $4, $5, $6)",
);
const TAKE_UP: Sql =
    Sql::new("UPDATE transfer SET other = $2, place = $3, run = $4 WHERE role = $1");
const CHANGE: Sql =
    Sql::new("UPDATE transfer SET role = $4 WHERE role = $1 AND other = $2 AND run = $3");
const GUARD: Sql = Sql::new("UPDATE transfer SET run = run WHERE role = $1 AND run = $2");
const REMOVE: Sql = Sql::new("DELETE FROM transfer WHERE role = $1 AND other = $2");

impl Store {
    /// Whether this store's mail is its own to handle: nothing else may be done with a store that is being filled, or whose mail
    /// is moving away or has moved.
    ///
    /// # Errors
    /// [`StoreError::Elsewhere`] says where the mail is and what to do; otherwise the store's.
    pub async fn in_service(&self) -> Result<(), StoreError> {
        let Some(Marker { role, place, .. }) = marker(self).await? else {
            return Ok(());
        };
        Err(StoreError::Elsewhere(match role {
            Role::Arriving => format!(
                "this store is half filled: mail is being moved here from {place}, whose server is the one to run until that is \
                 done; to go on with it, run the same postrider migrate again, with --finish to let this store serve"
            ),
            Role::Arrived => format!(
                "this store is a copy of {place}, where the mail still is; to let this one serve instead, run the same postrider \
                 migrate again with --finish"
            ),
            Role::Leaving => format!(
                "the mail of this store is being moved to {place}; to go on with it, run the same postrider migrate --finish \
                 again, or take it back with postrider migrate --cancel"
            ),
            Role::Left => format!(
                "the mail of this store has moved to {place}; set `store` to that in the configuration"
            ),
        }))
    }
}

/// The store's id.
pub(super) async fn id(store: &Store) -> Result<String, StoreError> {
    let rows = store.read(Query::new(ID, Vec::new())).await?;
    match rows.as_slice() {
        [row] => Ok(row.text(0)?.to_owned()),
        rows => Err(StoreError::Damaged(format!(
            "the store has {} ids, not one",
            rows.len()
        ))),
    }
}

/// Whether the store's mail is on the way, and how.
pub(super) async fn marker(store: &Store) -> Result<Option<Marker>, StoreError> {
    let rows = store.read(Query::new(MARKER, Vec::new())).await?;
    let marker = |row: &Row| {
        let word = row.text(0)?;
        let role = Role::ALL.into_iter().find(|role| role.word() == word);
        Ok(Marker {
            role: role.ok_or_else(|| StoreError::Damaged(format!("{word:?} is no role")))?,
            other: row.text(1)?.to_owned(),
            place: row.text(2)?.to_owned(),
            witness: row.text(3)?.to_owned(),
        })
    };
    rows.first().map(marker).transpose()
}

/// How a store stands: another text when a server, or a command that opens the book, has been at work on it.
pub(super) async fn witness(store: &Store) -> Result<String, StoreError> {
    let rows = store.read(Query::new(WITNESS, Vec::new())).await?;
    let show = |value: &Value| match value {
        Value::Int(int) => int.to_string(),
        Value::Null | Value::Text(_) | Value::Blob(_) => "-".to_owned(),
    };
    let values = rows.first().map(Row::values).unwrap_or_default();
    Ok(values.iter().map(show).collect::<Vec<_>>().join("/"))
}

/// Keeps servers from starting until the unit has ended, after those that are about to have done so. SQLite has one writer at a
/// time.
const LOCK: Sql = Sql::each("SELECT 1", "LOCK TABLE node IN SHARE ROW EXCLUSIVE MODE");

/// Nobody has started here. Who starts later finds the mark: a node's start writes its row only where there is none.
const NOBODY: Sql = Sql::new("UPDATE transfer SET run = run WHERE NOT EXISTS (SELECT 1 FROM node)");

/// Marks an empty store, unless a server has started on it at this moment.
pub(super) fn mark_empty(marker: &Marker, run: i64, now: i64) -> Unit {
    let mut unit = Unit::new();
    unit.write(LOCK, Vec::new());
    unit.join(mark(marker, run, now));
    unit.write_exactly(1, NOBODY, Vec::new());
    unit
}

/// Marks a store that has no mark.
pub(super) fn mark(marker: &Marker, run: i64, now: i64) -> Unit {
    let mut unit = Unit::new();
    let values = vec![
        marker.role.word().into(),
        marker.other.as_str().into(),
        marker.place.as_str().into(),
        marker.witness.as_str().into(),
        run.into(),
        now.into(),
    ];
    unit.write_exactly(1, MARK, values);
    unit
}

/// Takes up what an earlier command began; that one writes no more from now on. `other` and `place` are those of the other end.
pub(super) fn take_up(role: Role, other: &str, place: &str, run: i64) -> Unit {
    let mut unit = Unit::new();
    let values = vec![role.word().into(), other.into(), place.into(), run.into()];
    unit.write_exactly(1, TAKE_UP, values);
    unit
}

/// Nothing of the unit happens unless this command is the one that writes here. It is the first statement, and its lock keeps
/// another command out until the unit has ended.
pub(super) fn guarded(role: Role, run: i64) -> Unit {
    let mut unit = Unit::new();
    unit.write_exactly(1, GUARD, vec![role.word().into(), run.into()]);
    unit
}

/// Changes the role, by the command that writes here.
pub(super) fn change(unit: &mut Unit, from: Role, other: &str, run: i64, to: Role) {
    let values = vec![
        from.word().into(),
        other.into(),
        run.into(),
        to.word().into(),
    ];
    unit.write_exactly(1, CHANGE, values);
}

/// Removes the mark: the store serves again.
pub(super) fn remove(unit: &mut Unit, role: Role, other: &str) {
    unit.write_exactly(1, REMOVE, vec![role.word().into(), other.into()]);
}
