//! Brings a database to the schema of this program: each step once, in order, in a transaction of its own.

use super::connection::{Connection, translate};
use crate::StoreError;
use crate::migration::{self, Applied, Step};

/// In order, without gaps. A step that a release has shipped is never changed again.
const STEPS: [Step; 4] = [
    Step {
        number: 1,
        name: "ledger",
        text: include_str!("../../schema/sqlite/001_ledger.sql"),
    },
    Step {
        number: 2,
        name: "directory and mailbox",
        text: include_str!("../../schema/sqlite/002_directory_and_mailbox.sql"),
    },
    Step {
        number: 3,
        name: "transfer",
        text: include_str!("../../schema/sqlite/003_transfer.sql"),
    },
    Step {
        number: 4,
        name: "senders",
        text: include_str!("../../schema/sqlite/004_senders.sql"),
    },
];

const BOOK: &str = "CREATE TABLE IF NOT EXISTS migration (
    number     INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   BLOB    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT";

/// Applies what is missing; refuses a database that is not ours, newer than us, or whose past differs from ours.
pub(super) fn migrate(connection: &mut Connection, now_millis: i64) -> Result<(), StoreError> {
    let applied = applied(connection)?;
    for step in migration::missing(&STEPS, &applied)? {
        apply(connection, step, now_millis)?;
    }
    Ok(())
}

/// Says no to a database that is not ours, or not of this program's schema, having only read it.
pub(super) fn look(connection: &Connection) -> Result<(), StoreError> {
    let rows = connection.read(migration::APPLIED, &[], usize::MAX);
    let rows = rows.map_err(|error| match error {
        StoreError::Refused(_) => StoreError::Unfit("the file is empty: no store yet".into()),
        StoreError::Elsewhere(_)
        | StoreError::Unavailable(_)
        | StoreError::Unfit(_)
        | StoreError::Full(_)
        | StoreError::Damaged(_)
        | StoreError::Conflict(_) => error,
    })?;
    let applied: Result<Vec<Applied>, StoreError> = rows.iter().map(Applied::from_row).collect();
    migration::current(&STEPS, &applied?)
}

/// Says no to a database of something else, having only read it.
pub(super) fn refuse_foreign(raw: &rusqlite::Connection) -> Result<(), StoreError> {
    let tables = "SELECT COUNT(*), COALESCE(SUM(name = 'migration'), 0) FROM sqlite_schema WHERE type = 'table'";
    let (all, books): (i64, i64) = raw
        .query_row(tables, (), |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(translate)?;
    if all > 0 && books == 0 {
        return Err(StoreError::Unfit(
            "the file is a database of something else (it has tables, but no record of our schema)"
                .into(),
        ));
    }
    Ok(())
}

fn applied(connection: &mut Connection) -> Result<Vec<Applied>, StoreError> {
    connection.batch(BOOK)?;
    let rows = connection.read(migration::APPLIED, &[], usize::MAX)?;
    rows.iter().map(Applied::from_row).collect()
}

fn apply(connection: &mut Connection, step: &Step, now_millis: i64) -> Result<(), StoreError> {
    let transaction = connection
        .raw()
        .unchecked_transaction()
        .map_err(translate)?;
    connection.batch(step.text)?;
    connection
        .raw()
        .execute(
            "INSERT INTO migration (number, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
            (
                step.number,
                step.name,
                step.checksum().as_slice(),
                now_millis,
            ),
        )
        .map_err(translate)?;
    transaction.commit().map_err(translate)?;
    tracing::info!(step = step.number, name = step.name, "schema step applied");
    Ok(())
}
