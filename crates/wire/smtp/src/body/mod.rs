//! The content of a message on the wire: dot stuffing out, dot unstuffing and strict line ends in.
//!
//! For: turning stored content into the form DATA wants, and back. Never: headers, MIME, storing.
//! Only CRLF ends a line and only CRLF.CRLF ends a message (RFC 5321 s2.3.8, s4.1.1.4). Whatever else
//! looks like a line end is a [`Fault`] coming in and is rewritten to CRLF going out, so that no two
//! servers can disagree about where a message ends ("SMTP smuggling").

mod stuff;
mod text;
mod unstuff;

pub use stuff::DotStuffer;
pub use text::TextCheck;
pub use unstuff::{DataReader, Step};

/// Octets of a text line without its CRLF (RFC 5321 s4.5.3.1.6: 1000 with it). The default of the setting.
pub const TEXT_LINE: usize = 998;

/// Why the content of a message cannot be accepted. The whole message is refused, at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A CR that no LF follows (RFC 5321 s2.3.8).
    #[error("a bare CR in the message")]
    BareCr,
    /// An LF that no CR precedes (RFC 5321 s2.3.8).
    #[error("a bare LF in the message")]
    BareLf,
    /// A NUL outside BINARYMIME (RFC 5322 s2.2, RFC 6152 s2).
    #[error("a NUL octet in the message")]
    Nul,
    /// A line above the limit.
    #[error("a line of the message is too long")]
    LongLine,
    /// More octets than the limit allows (RFC 1870 s6.3).
    #[error("the message is too big")]
    TooBig,
}

/// What a text body may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    /// Octets of a line, without its CRLF.
    pub line: usize,
    /// Octets of the message.
    pub size: u64,
}

impl Default for TextLimits {
    fn default() -> Self {
        TextLimits {
            line: TEXT_LINE,
            size: u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests;
