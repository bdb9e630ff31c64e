//! What can go wrong in the store, and whose move it is.

use thiserror::Error;

/// Which expectation of a unit was not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// Index of the statement in its unit.
    pub statement: usize,
    /// Rows it should have changed.
    pub expected: u64,
    /// Rows it would have changed.
    pub changed: u64,
}

/// A read or write that did not happen. Nothing of the unit is stored unless `Unavailable` says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Somebody else changed the rows first (a stale claim, a repeated act). Nothing was stored. The caller's move: look again.
    #[error("the rows have changed meanwhile: statement {} changed {} rows, not {}", .0.statement, .0.changed, .0.expected)]
    Conflict(Expectation),
    /// A constraint refused the unit: a defect of the caller. Nothing was stored.
    #[error("the store refused this: {0}")]
    Refused(String),
    /// The disk is full. Nothing was stored (only a flush that fails for want of room, just before a power cut, can leave the
    /// unit stored). The operator's move; works again as soon as there is room.
    #[error("the disk of the store is full: {0}")]
    Full(String),
    /// The store could not be reached, or did not answer in time; the write may or may not have happened.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A row or body is not what it should be (type, checksum). The operator's move: see `postrider inspect`.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The store cannot be opened by this program: written by a newer one, changed by hand, or no store at all. Nothing was
    /// touched. The operator's move.
    #[error("the store does not fit this program: {0}")]
    Unfit(String),
    /// The mail of this store is on its way to or from another one; the text says where. The operator's move.
    #[error("{0}")]
    Elsewhere(String),
}

impl StoreError {
    /// Whether an error met by one unit is its whole group's: trouble of the disk, the database or the way there.
    pub(crate) fn is_everybodys(&self) -> bool {
        match self {
            Self::Conflict(_) | Self::Refused(_) | Self::Damaged(_) => false,
            Self::Full(_) | Self::Unavailable(_) | Self::Unfit(_) | Self::Elsewhere(_) => true,
        }
    }
}
