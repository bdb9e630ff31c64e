//! Delivery-status reports: what a sender is told of a message (RFC 3461 s6, RFC 3464, RFC 6522, RFC 6533).
//!
//! A report has three parts: words for a person, fields for a program, and the original message or its head. It is
//! composed in memory, so an original is returned in full only up to [`RETURN_MAX`] bytes.
//!
//! Which form each part takes follows from what it has to carry. The internationalized forms (`message/global...`) are
//! used when an address or the head of the original needs UTF-8, and only then, because many programs that read reports
//! know just the old ones.

use crate::address::Address;
use crate::date::Time;
use crate::enhanced::EnhancedStatus;
use crate::xtext::OriginalRecipient;

mod compose;
mod explain;
mod fields;
mod original;
mod parse;
mod part;
#[cfg(test)]
mod tests;

pub use original::{Extent, Original, RETURN_MAX};
pub use parse::ReportError;

/// What became of the message for one recipient: the `Action` field (RFC 3464 s2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It is in the mailbox.
    Delivered,
    /// It was handed on to a server that sends no success reports (RFC 3461 s6.2.3).
    Relayed,
    /// It was handed on to several recipients, without a promise of further reports.
    Expanded,
    /// It is not delivered yet; trying goes on.
    Delayed,
    /// It is given up.
    Failed,
}

/// A delivery-status report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who reports; shown as "Mail Delivery System".
    pub from: Address,
    /// Who is told: the reverse-path of the message. The report itself must travel with the null one (RFC 3461 s6.1).
    pub to: Address,
    /// The report's own Message-ID, without angle brackets.
    pub message_id: String,
    /// When the report was made.
    pub date: Time,
    /// The words for a person, lines ending in CRLF; `None` has them composed from the facts ([`Report::explain`]).
    pub text: Option<String>,
    /// Where the sender can see how it stands from now on: a web address, told in the words for a person alone.
    pub status_link: Option<String>,
    /// ENVID as the sender gave it, decoded.
    pub envelope_id: Option<String>,
    /// The server that reports, by its name.
    pub reporting_mta: String,
    /// The server the message came from, by its name.
    pub received_from_mta: Option<String>,
    /// When the message was accepted.
    pub arrival: Option<Time>,
    /// What became of it for each recipient; at least one.
    pub recipients: Vec<Outcome>,
    /// What is returned of the message.
    pub original: Original,
}

/// What became of the message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The recipient as the sender wrote it (ORCPT); `None` when the sender did not say.
    pub original_recipient: Option<OriginalRecipient>,
    /// The recipient as it stood when the attempt was made.
    pub final_recipient: Address,
    /// What became of it.
    pub action: Action,
    /// Why, as a code.
    pub status: EnhancedStatus,
    /// The server that was asked last, by its name.
    pub remote_mta: Option<String>,
    /// What that server, or our own, said.
    pub diagnostic: Option<Diagnostic>,
    /// When it was asked last.
    pub last_attempt: Option<Time>,
    /// When trying will end; only for [`Action::Delayed`].
    pub will_retry_until: Option<Time>,
    /// The id under which the server that was asked keeps the message, or we do.
    pub final_log_id: Option<String>,
}

/// The exact words of whoever decided (RFC 3464 s2.3.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whose words: `smtp` for a reply, `x-postrider` for our own.
    pub kind: String,
    /// The words, on one line.
    pub text: String,
}

/// A report as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// The whole message: lines end in CRLF and have at most 998 bytes.
    pub bytes: Vec<u8>,
    /// Whether it has bytes beyond ASCII, and so needs `BODY=8BITMIME`.
    pub eight_bit: bool,
    /// Whether its own head has, and so needs SMTPUTF8.
    pub smtputf8: bool,
}

impl Action {
    /// The word in the `Action` field.
    pub const fn word(self) -> &'static str {
        match self {
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
            Action::Delayed => "delayed",
            Action::Failed => "failed",
        }
    }

    fn from_word(word: &str) -> Option<Action> {
        [
            Action::Delivered,
            Action::Relayed,
            Action::Expanded,
            Action::Delayed,
            Action::Failed,
        ]
        .into_iter()
        .find(|action| action.word().eq_ignore_ascii_case(word))
    }
}

impl Report {
    /// What the report as a whole is about: the gravest of its outcomes.
    pub fn kind(&self) -> Action {
        let actions = self.recipients.iter().map(|outcome| outcome.action);
        actions.max().unwrap_or(Action::Failed)
    }

    /// The words for a person, composed from the facts: what happened, to whom, what was tried, what to do.
    pub fn explain(&self) -> String {
        explain::explain(self)
    }

    /// The report as a message.
    pub fn compose(&self) -> Composed {
        compose::compose(self)
    }

    /// Reads a report, ours or another server's.
    ///
    /// # Errors
    /// When it is no delivery-status report, or lacks a field that RFC 3464 demands.
    pub fn parse(message: &[u8]) -> Result<Report, ReportError> {
        parse::parse(message)
    }
}

impl Outcome {
    /// An outcome without the optional facts.
    pub fn new(final_recipient: Address, action: Action, status: EnhancedStatus) -> Outcome {
        Outcome {
            original_recipient: None,
            final_recipient,
            action,
            status,
            remote_mta: None,
            diagnostic: None,
            last_attempt: None,
            will_retry_until: None,
            final_log_id: None,
        }
    }
}
