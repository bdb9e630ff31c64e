//! BDAT (RFC 3030 s2). DATA has no arguments and needs no file.

use super::CommandError;
use std::fmt;

/// The announcement of a chunk: its octets follow the CRLF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bdat {
    /// Octets that follow.
    pub size: u64,
    /// True when they end the message.
    pub last: bool,
}

const USAGE: &str = "BDAT octets [LAST]";

pub(super) fn parse(text: &str) -> Result<Bdat, CommandError> {
    let mut words = text.split_ascii_whitespace();
    let size = words.next().ok_or(CommandError::Syntax(USAGE))?;
    if !size.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CommandError::Syntax(USAGE));
    }
    let size = size.parse().map_err(|_| CommandError::Syntax(USAGE))?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(CommandError::Syntax(USAGE)),
    };
    match words.next() {
        None => Ok(Bdat { size, last }),
        Some(_) => Err(CommandError::Syntax(USAGE)),
    }
}

impl fmt::Display for Bdat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = if self.last { " LAST" } else { "" };
        write!(f, "BDAT {}{last}", self.size)
    }
}
