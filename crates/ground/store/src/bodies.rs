//! Bodies: the content of messages, stored once and counted.
//!
//! A small body stands in its row; a large one in a file, written while the message arrives and never wholly in memory. With
//! SQLite that is a file of the bodies folder, with PostgreSQL the rows of `body_chunk` under one name (`chunks.rs`); what is
//! said of files holds for both. The file is whole and flushed before a row can name it, so what can be left over after a
//! crash is a file without a row, never a row without a file. References are counted by triggers: a message that needs its
//! body, and each copy in a mailbox, count one; at zero the row goes, and its file is noted for removal in `body_file_done`.

mod chunks;
mod files;
mod read;
mod spool;

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::{Sql, StoreError, Unit, Value};

pub use files::Orphan;
pub use read::BodyReader;
pub use spool::{Spool, SpooledBody};

/// Octets of a chunk read from or written to a body's file: few system calls, little memory for each session.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Where large bodies stand.
#[derive(Debug)]
pub(crate) enum LargeBodies {
    /// A store in memory has none.
    Nowhere,
    /// As files of this folder.
    Folder(PathBuf),
    /// As rows.
    Rows,
}

/// A body on its way into the store.
#[derive(Debug, Clone)]
pub enum NewBody {
    /// Stands in the row.
    Inline(Bytes),
    /// Stands in a file already.
    File(SpooledBody),
}

impl NewBody {
    /// Octets.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(content) => content.len() as u64,
            Self::File(spooled) => spooled.size(),
        }
    }
}

const INSERT: Sql = Sql::new(
    "INSERT INTO body (id, size, checksum, refs, file, content) VALUES ($1, $2, $3, 0, $4, $5)",
);

/// Adds the row of `body` to `unit`, under an `id` that the caller gives (a message's own id does well). It is born without
/// references: the same unit must insert what refers to it.
pub fn insert(unit: &mut Unit, id: i64, body: &NewBody) {
    let size = Value::Int(i64::try_from(body.size()).unwrap_or(i64::MAX));
    let (checksum, file, content) = match body {
        NewBody::Inline(content) => {
            let checksum = Bytes::copy_from_slice(blake3::hash(content).as_bytes());
            (checksum, Value::Null, Value::Blob(content.clone()))
        }
        NewBody::File(spooled) => {
            let checksum = Bytes::copy_from_slice(spooled.checksum());
            (checksum, spooled.name().into(), Value::Null)
        }
    };
    let values = vec![id.into(), size, checksum.into(), file, content];
    unit.write_exactly(1, INSERT, values);
}

/// Only for a store that keeps large bodies at all.
fn nowhere() -> StoreError {
    StoreError::Refused("a store in memory keeps no bodies in files".into())
}

/// What a file operation's failure means for the caller.
pub(crate) fn trouble(path: &Path, error: &std::io::Error) -> StoreError {
    let said = format!("{}: {error}", path.display());
    if matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    ) {
        return StoreError::Full(said);
    }
    StoreError::Unavailable(said)
}
