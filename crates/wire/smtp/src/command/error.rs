//! Why a command line is refused, and the reply that says so.

use crate::reply::Reply;
use std::borrow::Cow;
use wire_message::address::AddressError;

/// A command line that cannot be obeyed as written. The move is the peer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such verb here.
    #[error("command not recognized")]
    Unknown,
    /// The other dialect's greeting verb.
    #[error("{0} is not spoken here")]
    WrongDialect(&'static str),
    /// Above the limit of its verb.
    #[error("line too long")]
    LineTooLong,
    /// A CR or LF that is not part of CRLF (RFC 5321 s2.3.8).
    #[error("bare CR or LF in a command")]
    BareLineEnd,
    /// Not UTF-8, or control characters.
    #[error("control or undecodable octets in a command")]
    NotText,
    /// The arguments are not of this form.
    #[error("syntax: {0}")]
    Syntax(&'static str),
    /// MAIL's path.
    #[error("bad sender address: {0}")]
    Sender(AddressError),
    /// RCPT's path.
    #[error("bad recipient address: {0}")]
    Recipient(AddressError),
    /// A parameter nobody here knows (RFC 5321 s4.1.1.11).
    #[error("unsupported parameter {0}")]
    UnknownParameter(String),
    /// A parameter whose value is malformed.
    #[error("bad value of {0}")]
    BadValue(&'static str),
    /// A parameter whose value is well formed and not implemented.
    #[error("unsupported value of {0}")]
    UnsupportedValue(&'static str),
    /// A parameter given twice (RFC 3461 s4, RFC 1870 s5).
    #[error("{0} given twice")]
    Twice(&'static str),
    /// An address beyond ASCII without SMTPUTF8 (RFC 6531 s3.5).
    #[error("an internationalized address needs SMTPUTF8")]
    NeedsUtf8,
    /// An AUTH mechanism we do not have (RFC 4954 s4).
    #[error("unrecognized authentication mechanism")]
    Mechanism,
    /// A base64 text that is none (RFC 4954 s4).
    #[error("cannot decode the base64 text")]
    Base64,
}

impl CommandError {
    /// The reply to send (codes: RFC 5321 s4.2.3, s4.1.1.11; RFC 3463 s3.6, s3.2).
    pub fn reply(&self) -> Reply {
        let (code, enhanced) = match self {
            CommandError::Unknown | CommandError::WrongDialect(_) => (500, "5.5.1"),
            CommandError::LineTooLong | CommandError::BareLineEnd | CommandError::NotText => {
                (500, "5.5.2")
            }
            CommandError::Syntax(_) | CommandError::BadValue(_) | CommandError::Twice(_) => {
                (501, "5.5.4")
            }
            CommandError::Base64 => (501, "5.5.2"),
            CommandError::Sender(_) => (501, "5.1.7"),
            CommandError::Recipient(_) => (501, "5.1.3"),
            CommandError::UnknownParameter(_) => (555, "5.5.4"),
            CommandError::UnsupportedValue(_) | CommandError::Mechanism => (504, "5.5.4"),
            CommandError::NeedsUtf8 => (553, "5.6.7"),
        };
        Reply::plain(code, Cow::Owned(format!("{enhanced} {self}")))
    }
}
