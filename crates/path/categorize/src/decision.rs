//! What was decided about a recipient.

use ground_directory::Account;
use wire_message::{Address, Class, EnhancedStatus};
use wire_smtp::reply::Reply;

/// What a recipient is, with the reason in words.
///
/// `Mailbox`, `Remote`, `Rewritten` and `Expanded` are accepted; `Nobody`, `NotHere`, `Misled` and `Later` are refused with
/// [`Decision::refusal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A mailbox here, under the address as given.
    Mailbox {
        /// Whose.
        account: Account,
        /// Why.
        reason: String,
    },
    /// Somewhere else, and the asker may send there.
    Remote {
        /// Why.
        reason: String,
    },
    /// Another address stands in its place: an alias of one target, or a catch-all. ENVID, NOTIFY, RET and ORCPT go on with
    /// it and no report is due (RFC 3461 s5.2.7.2).
    Rewritten {
        /// What stands in its place. Its end is never [`End::Nobody`].
        to: Child,
        /// Why.
        reason: String,
    },
    /// Many addresses stand in its place, two or more: it is a list, and a report may be due (RFC 3461 s5.2.7.3); see
    /// [`crate::reports_on_lists`].
    Expanded {
        /// What stands in its place; each address once. Some may be [`End::Nobody`], but not all.
        children: Vec<Child>,
        /// Why.
        reason: String,
    },
    /// Nobody here by that name. The sender's move.
    Nobody {
        /// Why.
        reason: String,
    },
    /// Not ours, and the asker may not send through us. The sender's move.
    NotHere {
        /// Why.
        reason: String,
    },
    /// The directory leads nowhere: aliases in a loop, too deep, or too many. The operator's move, so the sender is asked to
    /// try again instead of being told that the address is wrong.
    Misled {
        /// Why.
        reason: String,
        /// What is wrong, for the reply.
        status: EnhancedStatus,
    },
    /// The directory could not be asked. Time's move.
    Later {
        /// Why.
        reason: String,
    },
}

/// One of the addresses that stand in the place of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// The address.
    pub address: Address,
    /// Where it ends.
    pub end: End,
    /// How the recipient led here, in words.
    pub reason: String,
}

/// Where a way through aliases ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// In a mailbox here.
    Mailbox(Account),
    /// Somewhere else.
    Remote,
    /// Nowhere: an alias names somebody who is not here (any more). The sender is owed a report about this one.
    Nobody,
}

/// The relay that is denied: policy (RFC 3463 s3.8, X.7.1).
const DENIED: EnhancedStatus = EnhancedStatus::new(Class::Permanent, 7, 1);
/// Nobody by that name (RFC 3463 s3.2, X.1.1).
const NO_MAILBOX: EnhancedStatus = EnhancedStatus::new(Class::Permanent, 1, 1);
/// Our own trouble (RFC 3463 s3.4, X.3.0).
const NOT_NOW: EnhancedStatus = EnhancedStatus::new(Class::Temporary, 3, 0);

impl Decision {
    pub(crate) fn later(reason: String) -> Self {
        Decision::Later { reason }
    }

    /// The reason in words.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Decision::Mailbox { reason, .. }
            | Decision::Remote { reason }
            | Decision::Rewritten { reason, .. }
            | Decision::Expanded { reason, .. }
            | Decision::Nobody { reason }
            | Decision::NotHere { reason }
            | Decision::Misled { reason, .. }
            | Decision::Later { reason } => reason,
        }
    }

    /// Whether mail for the recipient comes to the account with this address, alone or among others.
    #[must_use]
    pub fn leads_to(&self, account: &str) -> bool {
        let is_it = |one: &Account| one.address.to_string() == account;
        let ends_there = |child: &Child| match &child.end {
            End::Mailbox(one) => is_it(one),
            End::Remote | End::Nobody => false,
        };
        match self {
            Decision::Mailbox { account, .. } => is_it(account),
            Decision::Rewritten { to, .. } => ends_there(to),
            Decision::Expanded { children, .. } => children.iter().any(ends_there),
            Decision::Remote { .. }
            | Decision::Nobody { .. }
            | Decision::NotHere { .. }
            | Decision::Misled { .. }
            | Decision::Later { .. } => false,
        }
    }

    /// What the client hears when the recipient is not accepted; `None` when it is.
    ///
    /// Strangers learn what is needed to act, not how the directory is built: the reason stays with the operator.
    #[must_use]
    pub fn refusal(&self, recipient: &Address) -> Option<Reply> {
        let (code, status, text) = match self {
            Decision::Mailbox { .. }
            | Decision::Remote { .. }
            | Decision::Rewritten { .. }
            | Decision::Expanded { .. } => return None,
            Decision::Nobody { .. } => (
                550,
                NO_MAILBOX,
                format!("<{recipient}>: nobody here by that name"),
            ),
            Decision::NotHere { .. } => (
                550,
                DENIED,
                format!("<{recipient}>: relay denied; log in to send through this server"),
            ),
            Decision::Misled { status, .. } => (
                451,
                *status,
                format!(
                    "<{recipient}>: the address leads nowhere by a mistake of ours; try again later"
                ),
            ),
            Decision::Later { .. } => (
                451,
                NOT_NOW,
                format!("<{recipient}>: cannot look this up right now; try again later"),
            ),
        };
        Some(Reply::new(code, status, &text))
    }
}
