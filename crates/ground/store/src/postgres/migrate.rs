//! Brings a database to the schema of this program: each step once, in order, all in one transaction.
//!
//! Nodes that start at the same moment wait for each other here, and the second finds the work done.

use super::connection::Connection;
use super::trouble::Trouble;
use crate::migration::{self, Applied, Step};
use crate::{StoreError, Value};

/// In order, without gaps. A step that a release has shipped is never changed again.
const STEPS: [Step; 5] = [
    Step {
        number: 1,
        name: "ledger",
        text: include_str!("../../schema/postgres/001_ledger.sql"),
    },
    Step {
        number: 2,
        name: "directory and mailbox",
        text: include_str!("../../schema/postgres/002_directory_and_mailbox.sql"),
    },
    Step {
        number: 3,
        name: "transfer",
        text: include_str!("../../schema/postgres/003_transfer.sql"),
    },
    Step {
        number: 4,
        name: "views",
        text: include_str!("../../schema/postgres/004_views.sql"),
    },
    Step {
        number: 5,
        name: "senders",
        text: include_str!("../../schema/postgres/005_senders.sql"),
    },
];

/// Until the transaction ends, for this schema of this database. The lock of a whole table would ask for rights.
const LOCK: &str =
    "SELECT pg_advisory_xact_lock(hashtext('postrider migration'), hashtext(current_schema()))";

const TABLES: &str = "SELECT count(*), count(*) FILTER (WHERE relname = 'migration') FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())";

const BOOK: &str = "CREATE TABLE IF NOT EXISTS migration (
    number     BIGINT PRIMARY KEY,
    name       TEXT   NOT NULL,
    checksum   BYTEA  NOT NULL,
    applied_at BIGINT NOT NULL
)";

const NOTE: &str =
    "INSERT INTO migration (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";

/// Applies what is missing; refuses a database that is not ours, newer than us, or whose past differs from ours.
pub(super) async fn migrate(
    connection: &mut Connection,
    now_millis: i64,
) -> Result<(), StoreError> {
    batch(connection, "BEGIN").await?;
    let done = steps(connection, now_millis).await;
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    batch(connection, end).await?;
    done
}

/// Says no to a database that is not ours, or not of this program's schema, having only read it.
pub(super) async fn look(connection: &mut Connection) -> Result<(), StoreError> {
    refuse_foreign(connection).await?;
    let applied = applied(connection).await.map_err(|error| match error {
        StoreError::Unfit(_) => StoreError::Unfit("the database is empty: no store yet".into()),
        StoreError::Elsewhere(_)
        | StoreError::Unavailable(_)
        | StoreError::Refused(_)
        | StoreError::Full(_)
        | StoreError::Damaged(_)
        | StoreError::Conflict(_) => error,
    })?;
    migration::current(&STEPS, &applied)
}

async fn steps(connection: &mut Connection, now_millis: i64) -> Result<(), StoreError> {
    connection.read(LOCK, &[], 1).await?;
    refuse_foreign(connection).await?;
    batch(connection, BOOK).await?;
    let applied = applied(connection).await?;
    for step in migration::missing(&STEPS, &applied)? {
        batch(connection, step.text).await?;
        let values: [Value; 4] = [
            step.number.into(),
            step.name.into(),
            step.checksum().to_vec().into(),
            now_millis.into(),
        ];
        let note = connection.prepared(NOTE).await?;
        let noted = connection.write(&note, &values).await;
        noted.map_err(Trouble::told)?;
        tracing::info!(step = step.number, name = step.name, "schema step applied");
    }
    Ok(())
}

/// Says no to a database of something else, having only read it.
async fn refuse_foreign(connection: &mut Connection) -> Result<(), StoreError> {
    let rows = connection.read(TABLES, &[], 1).await?;
    let (all, books) = match rows.first() {
        Some(row) => (row.int(0)?, row.int(1)?),
        None => (0, 0),
    };
    if all > 0 && books == 0 {
        return Err(StoreError::Unfit(
            "the database belongs to something else (it has tables, but no record of our schema); give Postrider one of its own"
                .into(),
        ));
    }
    Ok(())
}

async fn applied(connection: &mut Connection) -> Result<Vec<Applied>, StoreError> {
    let rows = connection.read(migration::APPLIED, &[], usize::MAX).await;
    let rows = rows.map_err(|error| match error {
        StoreError::Refused(why) => {
            StoreError::Unfit(format!("its table 'migration' is not ours: {why}"))
        }
        StoreError::Unavailable(_)
        | StoreError::Unfit(_)
        | StoreError::Elsewhere(_)
        | StoreError::Full(_)
        | StoreError::Damaged(_)
        | StoreError::Conflict(_) => error,
    })?;
    rows.iter().map(Applied::from_row).collect()
}

async fn batch(connection: &Connection, text: &str) -> Result<(), StoreError> {
    let done = connection.batch(text).await;
    done.map_err(Trouble::told)
}
