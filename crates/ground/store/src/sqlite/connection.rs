//! One SQLite connection: how it is opened, and how one statement runs on it.

use std::collections::HashMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, ToSql};

use crate::{Row, Sql, StoreError, Value};

/// How long SQLite waits for a lock somebody else holds (another process; a checkpoint's end).
const BUSY: Duration = Duration::from_secs(5);

/// Prepared statements kept by one connection; more than the program has, so that composed queries cannot push them out.
const PREPARED: usize = 512;

/// Octets of a page. Chosen by measurement, see `examples/group_commit.rs`.
pub(super) const PAGE: u32 = 4096;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Writer,
    Reader,
    Checkpointer,
    /// A reader that leaves the file and its log as they are, also when it is the last to close them.
    Looker,
}

/// A connection with its statements.
pub(super) struct Connection {
    raw: rusqlite::Connection,
    /// For each of the program's own statements, by the address of its text: which of the caller's values goes to
    /// SQLite's first, second, ... parameter (SQLite numbers `$name` parameters as they first appear).
    orders: HashMap<(usize, usize), Box<[usize]>>,
}

/// What one statement did.
pub(super) struct Ran {
    pub(super) changed: u64,
    pub(super) returned: Vec<Row>,
}

/// Makes the file when there is none, so that nobody but its owner reads people's mail and password hashes; the log beside it
/// gets the same mode from SQLite. Trouble is left to SQLite to tell, which meets it next.
fn make_private(file: &Path) {
    const OWNER_ONLY: u32 = 0o600;
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(file);
    match made {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            tracing::debug!(file = %file.display(), %error, "the database cannot be made")
        }
    }
}

impl Connection {
    /// Opens the database in `file`, made when it is not there.
    pub(super) fn open(file: &Path, role: Role, cache_bytes: usize) -> Result<Self, StoreError> {
        let access = match role {
            Role::Looker => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Role::Writer | Role::Reader | Role::Checkpointer => {
                make_private(file);
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
            }
        };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = rusqlite::Connection::open_with_flags(file, flags).map_err(translate)?;
        Self::prepare(raw, role, cache_bytes)
    }

    /// A database in memory that nobody else sees.
    pub(super) fn in_memory(cache_bytes: usize) -> Result<Self, StoreError> {
        let raw = rusqlite::Connection::open_in_memory().map_err(translate)?;
        Self::prepare(raw, Role::Writer, cache_bytes)
    }

    fn prepare(
        raw: rusqlite::Connection,
        role: Role,
        cache_bytes: usize,
    ) -> Result<Self, StoreError> {
        raw.busy_timeout(BUSY).map_err(translate)?;
        raw.set_prepared_statement_cache_capacity(PREPARED);
        // A plan does not depend on values. Else a statement is prepared anew at each of them, wherever one could decide whether a
        // partial index serves.
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(translate)?;
        if matches!(role, Role::Writer | Role::Looker) {
            // Before the journal mode: changing that writes to the file.
            super::migrate::refuse_foreign(&raw)?;
        }
        let kib = cache_bytes / 1024;
        if role == Role::Looker {
            raw.execute_batch(&format!(
                "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{kib};"
            ))
            .map_err(translate)?;
            return Ok(Self {
                raw,
                orders: HashMap::new(),
            });
        }
        // recursive_triggers: without it REPLACE deletes rows behind the back of the delete triggers.
        raw.execute_batch(&format!(
            "PRAGMA page_size = {PAGE};
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA recursive_triggers = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA wal_autocheckpoint = 0;
             PRAGMA cache_size = -{kib};"
        ))
        .map_err(translate)?;
        if role == Role::Reader {
            raw.execute_batch("PRAGMA query_only = ON")
                .map_err(translate)?;
        }
        Ok(Self {
            raw,
            orders: HashMap::new(),
        })
    }

    pub(super) fn raw(&self) -> &rusqlite::Connection {
        &self.raw
    }

    /// Runs statements without values, each to its end.
    pub(super) fn batch(&self, text: &str) -> Result<(), StoreError> {
        self.raw.execute_batch(text).map_err(translate)
    }

    /// Runs one of the program's own short statements (`BEGIN`, `COMMIT`, ...).
    pub(super) fn step(&self, text: &'static str) -> Result<(), StoreError> {
        let mut prepared = self.raw.prepare_cached(text).map_err(translate)?;
        prepared.raw_execute().map(drop).map_err(translate)
    }

    /// Runs one write.
    pub(super) fn write(&mut self, sql: &Sql, values: &[Value]) -> Result<Ran, StoreError> {
        let key = (sql.sqlite.as_ptr() as usize, sql.sqlite.len());
        let mut prepared = self.raw.prepare_cached(sql.sqlite).map_err(translate)?;
        let order = match self.orders.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(order(&prepared)?),
        };
        bind(&mut prepared, order, values)?;
        if prepared.column_count() == 0 {
            let changed = prepared.raw_execute().map_err(translate)?;
            return Ok(Ran {
                changed: u64::try_from(changed).unwrap_or(u64::MAX),
                returned: Vec::new(),
            });
        }
        let returned = rows(&mut prepared, usize::MAX)?;
        let changed = if prepared.readonly() {
            returned.len() as u64
        } else {
            self.raw.changes()
        };
        Ok(Ran { changed, returned })
    }

    /// Runs one query of at most `limit` rows.
    pub(super) fn read(
        &self,
        text: &str,
        values: &[Value],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut prepared = self.raw.prepare_cached(text).map_err(translate)?;
        if !prepared.readonly() {
            return Err(StoreError::Refused(
                "a query must only read; writes go into a unit".into(),
            ));
        }
        let order = order(&prepared)?;
        bind(&mut prepared, &order, values)?;
        rows(&mut prepared, limit)
    }
}

/// Which value (from 0) each of SQLite's parameters takes.
fn order(prepared: &rusqlite::Statement<'_>) -> Result<Box<[usize]>, StoreError> {
    let place = |index| {
        let name = prepared.parameter_name(index)?.strip_prefix('$')?;
        name.parse::<usize>().ok()?.checked_sub(1)
    };
    (1..=prepared.parameter_count())
        .map(|index| {
            place(index).ok_or_else(|| {
                StoreError::Refused("parameters of a statement are $1, $2, ...".into())
            })
        })
        .collect()
}

fn bind(
    prepared: &mut rusqlite::Statement<'_>,
    order: &[usize],
    values: &[Value],
) -> Result<(), StoreError> {
    let wanted = order.iter().max().map_or(0, |last| last + 1);
    if wanted != values.len() {
        let given = values.len();
        return Err(StoreError::Refused(format!(
            "a statement with {wanted} parameters was given {given} values"
        )));
    }
    for (index, place) in order.iter().enumerate() {
        let value = values.get(*place).unwrap_or(&Value::Null);
        prepared
            .raw_bind_parameter(index + 1, Parameter(value))
            .map_err(translate)?;
    }
    Ok(())
}

fn rows(prepared: &mut rusqlite::Statement<'_>, limit: usize) -> Result<Vec<Row>, StoreError> {
    let columns = prepared.column_count();
    let mut cursor = prepared.raw_query();
    let mut found = Vec::new();
    while let Some(row) = cursor.next().map_err(translate)? {
        if found.len() >= limit {
            return Err(StoreError::Refused(format!(
                "a query gave more than {limit} rows; ask for pages"
            )));
        }
        let values: Result<Vec<Value>, StoreError> = (0..columns)
            .map(|column| value(row.get_ref(column).map_err(translate)?))
            .collect();
        found.push(Row::new(values?));
    }
    Ok(found)
}

fn value(found: ValueRef<'_>) -> Result<Value, StoreError> {
    match found {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(int) => Ok(Value::Int(int)),
        ValueRef::Real(real) => Err(StoreError::Damaged(format!(
            "a floating point number ({real}) where none can be"
        ))),
        // Text that is not UTF-8 is damage of one value: who reads it as text says so, and the other rows are read.
        ValueRef::Text(text) => Ok(std::str::from_utf8(text)
            .map_or_else(|_| Value::Blob(Bytes::copy_from_slice(text)), Value::from)),
        ValueRef::Blob(octets) => Ok(Value::Blob(Bytes::copy_from_slice(octets))),
    }
}

struct Parameter<'a>(&'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(octets) => ValueRef::Blob(octets),
        }))
    }
}

/// SQLite's error in our words.
pub(super) fn translate(error: rusqlite::Error) -> StoreError {
    let said = error.to_string();
    let Some(code) = error.sqlite_error_code() else {
        return StoreError::Refused(said);
    };
    if code == ErrorCode::DiskFull {
        return StoreError::Full(said);
    }
    if code == ErrorCode::NotADatabase {
        return StoreError::Unfit(said);
    }
    if code == ErrorCode::DatabaseCorrupt {
        return StoreError::Damaged(said);
    }
    if matches!(
        code,
        ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SchemaChanged
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted
            | ErrorCode::FileLockingProtocolFailed
    ) {
        return StoreError::Unavailable(said);
    }
    StoreError::Refused(said)
}
