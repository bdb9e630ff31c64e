//! Steps of a schema, and whether a database's past is ours: the same for every engine.

use crate::{Row, StoreError};

/// One step.
pub(crate) struct Step {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Step {
    pub(crate) fn checksum(&self) -> [u8; blake3::OUT_LEN] {
        *blake3::hash(self.text.as_bytes()).as_bytes()
    }
}

/// The steps applied so far, in order.
pub(crate) const APPLIED: &str = "SELECT number, checksum FROM migration ORDER BY number";

/// A step that a database has seen.
pub(crate) struct Applied {
    number: i64,
    checksum: Vec<u8>,
}

impl Applied {
    /// A row of [`APPLIED`].
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.int(0)?,
            checksum: row.blob(1)?.to_vec(),
        })
    }
}

/// Whether a database that is only looked at has this program's schema, no older and no newer one.
pub(crate) fn current(steps: &[Step], applied: &[Applied]) -> Result<(), StoreError> {
    match missing(steps, applied)?.first() {
        None => Ok(()),
        Some(step) => Err(StoreError::Unfit(format!(
            "its schema is older than this program's (step {}, {}, is missing); start this program's server on it once, or run \
             postrider audit",
            step.number, step.name
        ))),
    }
}

/// The steps that a database still needs; refuses one that is newer than us or whose past differs from ours.
pub(crate) fn missing<'a>(
    steps: &'a [Step],
    applied: &[Applied],
) -> Result<&'a [Step], StoreError> {
    for (step, seen) in steps.iter().zip(applied) {
        if step.number != seen.number || step.checksum() != *seen.checksum {
            return Err(StoreError::Unfit(format!(
                "schema step {} differs from this program's step {} ({}); the database was made by another program or \
                 changed by hand",
                seen.number, step.number, step.name
            )));
        }
    }
    if let Some(newest) = applied.get(steps.len()..).and_then(<[_]>::last) {
        return Err(StoreError::Unfit(format!(
            "it was written by a newer program (schema step {}, this program knows {}); run that program or a newer one",
            newest.number,
            steps.len()
        )));
    }
    Ok(steps.get(applied.len()..).unwrap_or_default())
}
