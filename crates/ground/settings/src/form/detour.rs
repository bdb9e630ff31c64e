//! Detours of tests: `"192.0.2.25:25 -> 127.0.0.1:40025"`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::form::{quoted, written_as_text};
use crate::problem::Fault;

/// An address of a story, and the one that stands for it on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Detour {
    /// Where a connection is wanted to.
    pub from: SocketAddr,
    /// Where it goes instead.
    pub to: SocketAddr,
}

impl FromStr for Detour {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let read = || {
            let (from, to) = text.split_once(" -> ")?;
            Some((from.parse().ok()?, to.parse().ok()?))
        };
        let (from, to) = read().ok_or_else(|| {
            Fault::new(
                format!("{} is not a detour", quoted(text)),
                r#"write one such as "192.0.2.25:25 -> 127.0.0.1:40025""#,
            )
        })?;
        Ok(Self { from, to })
    }
}

impl fmt::Display for Detour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}

written_as_text!(
    Detour,
    r#"a detour such as "192.0.2.25:25 -> 127.0.0.1:40025""#
);
