//! Brings a database to the schema of this program: each step once, in order, in a transaction of its own.

use super::connection::{Connection, translate};
use crate::StoreError;

struct Migration {
    number: i64,
    name: &'static str,
    text: &'static str,
}

/// In order, without gaps. A step that a release has shipped is never changed again.
const MIGRATIONS: [Migration; 2] = [
    Migration {
        number: 1,
        name: "ledger",
        text: include_str!("../../schema/sqlite/001_ledger.sql"),
    },
    Migration {
        number: 2,
        name: "directory and mailbox",
        text: include_str!("../../schema/sqlite/002_directory_and_mailbox.sql"),
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
    for (step, (number, checksum)) in MIGRATIONS.iter().zip(&applied) {
        if step.number != *number || checksum != blake3::hash(step.text.as_bytes()).as_bytes() {
            return Err(StoreError::Unfit(format!(
                "schema step {number} differs from this program's step {} ({}); the database was made by another program or \
                 changed by hand",
                step.number, step.name
            )));
        }
    }
    if let Some((newest, _)) = applied.get(MIGRATIONS.len()..).and_then(<[_]>::last) {
        return Err(StoreError::Unfit(format!(
            "it was written by a newer program (schema step {newest}, this program knows {}); run that program or a newer one",
            MIGRATIONS.len()
        )));
    }
    for step in MIGRATIONS.iter().skip(applied.len()) {
        apply(connection, step, now_millis)?;
    }
    Ok(())
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

/// Numbers and checksums of the steps applied so far, in order.
fn applied(connection: &mut Connection) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    connection.batch(BOOK)?;
    let book = "SELECT number, checksum FROM migration ORDER BY number";
    let rows = connection.read(book, &[], usize::MAX)?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.blob(1)?.to_vec())))
        .collect()
}

fn apply(connection: &mut Connection, step: &Migration, now_millis: i64) -> Result<(), StoreError> {
    let transaction = connection
        .raw()
        .unchecked_transaction()
        .map_err(translate)?;
    connection.batch(step.text)?;
    let checksum = blake3::hash(step.text.as_bytes());
    connection
        .raw()
        .execute(
            "INSERT INTO migration (number, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
            (
                step.number,
                step.name,
                checksum.as_bytes().as_slice(),
                now_millis,
            ),
        )
        .map_err(translate)?;
    transaction.commit().map_err(translate)?;
    tracing::info!(step = step.number, name = step.name, "schema step applied");
    Ok(())
}
