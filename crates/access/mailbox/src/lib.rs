//! The mailbox: folders, messages and UIDs, the one model under every protocol.
//!
//! **For what.** What was delivered here, and the one way to put it there:
//!
//! - [`deliver_unit`] is a delivery as writes. It is joined with the ledger's final state for the recipient, so that a
//!   message is in the mailbox exactly when the ledger says so, and exactly once: a recipient has one row of mail, by
//!   constraint;
//! - [`Mailboxes::obstacle`] says why such a unit met a conflict: no account any more, over quota, delivered already;
//! - [`Mailboxes::folders`], [`Mailboxes::mails`] and [`Mailboxes::read`] show what is there;
//! - [`remove_unit`] and [`empty_unit`] take mail out again.
//!
//! **A copy costs no body.** Mail refers to the body that the ledger stored, and counts itself in `body.refs`; its own trace
//! fields (`Return-Path:`, `Delivered-To:`) are a prefix in the row. The unit of a delivery must stand **before** the
//! statements that make the recipient final: those may give up the last other reference to the body, and with it the body.
//!
//! **UIDs** (RFC 9051 s2.3.1.1) are given in SQL inside the same unit: rising, never used again within one `uid_validity`.
//!
//! **Never.** Nothing here decides whether a refusal is temporary or final: [`Obstacle::status`] has both. Nothing is
//! written but through units that the caller commits.
//!
//! **Limits.** [`MAILS_PER_PAGE`]; a quota is the account's, compared inside the unit with the exact sum of all folders.

mod deliver;
mod list;
mod read;
mod remove;

pub use deliver::{Delivery, Firmness, INBOX, Obstacle, deliver_unit};
pub use list::{Folder, FolderId, MAILS_PER_PAGE, Mail, MailId};
pub use read::MailReader;
pub use remove::{empty_unit, remove_unit};

use ground_store::{Store, StoreError};
use thiserror::Error;

/// A handle on all mailboxes; cheap to clone.
#[derive(Clone)]
pub struct Mailboxes {
    store: Store,
}

impl Mailboxes {
    /// The mailboxes in `store`.
    #[must_use]
    pub fn open(store: Store) -> Self {
        Self { store }
    }
}

/// Mail could not be looked at.
#[derive(Debug, Clone, Error)]
pub enum MailboxError {
    /// There is no such mail (any more). The reader's move.
    #[error("there is no such mail here")]
    NoSuchMail,
    /// The row is there and its body is not. The operator's move: see `postrider inspect`.
    #[error("the body of mail {mail} is gone")]
    BodyGone {
        /// The mail's row.
        mail: i64,
    },
    /// The store's answer, with its own mover.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests;
