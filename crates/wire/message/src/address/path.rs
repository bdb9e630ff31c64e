//! The two paths of an envelope: who a message comes from and whom it goes to (RFC 5321 s4.1.2).

use std::fmt;
use std::str::FromStr;

use super::{Address, AddressError, AddressProblem, Domain};

/// The argument of MAIL: who is told when something goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReversePath {
    /// `<>`: nobody (RFC 5321 s4.5.5). Reports travel with it, so that they never cause reports.
    Null,
    /// The sender's mailbox.
    Address(Address),
}

/// The argument of RCPT.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain: whoever looks after this server (RFC 5321 s2.3.5, s4.5.1).
    Postmaster,
    /// A mailbox.
    Address(Address),
}

impl ReversePath {
    /// Reads `<>` or `<mailbox>`. A source route before the mailbox is dropped (RFC 5321 appendix C).
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(text: &str) -> Result<ReversePath, AddressError> {
        let inner = inside_brackets(text)?;
        if inner.is_empty() {
            return Ok(ReversePath::Null);
        }
        parse_routed(inner).map(ReversePath::Address)
    }

    /// The sender, unless it is nobody.
    pub fn address(&self) -> Option<&Address> {
        match self {
            ReversePath::Null => None,
            ReversePath::Address(address) => Some(address),
        }
    }

    /// Whether it can be sent to a peer without SMTPUTF8 as it stands.
    pub fn is_ascii(&self) -> bool {
        self.address().is_none_or(Address::is_ascii)
    }
}

impl ForwardPath {
    /// Reads `<mailbox>` or `<postmaster>` (in any case). A source route is dropped (RFC 5321 s3.6.1).
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(text: &str) -> Result<ForwardPath, AddressError> {
        let inner = inside_brackets(text)?;
        if inner.eq_ignore_ascii_case("postmaster") {
            return Ok(ForwardPath::Postmaster);
        }
        parse_routed(inner).map(ForwardPath::Address)
    }

    /// The mailbox; a bare postmaster is the one of `home`.
    ///
    /// # Errors
    /// When `home` is so long that no address at it is valid.
    pub fn into_address(self, home: &Domain) -> Result<Address, AddressError> {
        match self {
            ForwardPath::Postmaster => Address::new("postmaster", home.clone()),
            ForwardPath::Address(address) => Ok(address),
        }
    }
}

/// Splits a command's argument after the path it starts with: `<"a>b"@c> SIZE=1` is `<"a>b"@c>` and ` SIZE=1`.
///
/// `None` when there is no `<` at the start, or no `>` outside quotes to match it.
pub fn split_path(text: &str) -> Option<(&str, &str)> {
    if !text.starts_with('<') {
        return None;
    }
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return text.split_at_checked(at + 1),
            _ => {}
        }
    }
    None
}

fn inside_brackets(text: &str) -> Result<&str, AddressError> {
    let inner = text
        .strip_prefix('<')
        .ok_or(AddressProblem::Brackets.at(0))?;
    inner
        .strip_suffix('>')
        .ok_or(AddressProblem::Brackets.at(text.len()))
}

/// `inner` is what stands after the opening bracket.
fn parse_routed(inner: &str) -> Result<Address, AddressError> {
    let mailbox = skip_source_route(inner)?;
    let at = 1 + inner.len() - mailbox.len();
    Address::parse(mailbox).map_err(|error| error.shifted(at))
}

/// Drops `@one,@two:` (A-d-l): it must be accepted and should be ignored (RFC 5321 s4.1.2).
fn skip_source_route(inner: &str) -> Result<&str, AddressError> {
    if !inner.starts_with('@') {
        return Ok(inner);
    }
    let error = AddressProblem::SourceRoute.at(1);
    // An address literal of IPv6 has colons of its own; only a colon outside brackets ends the route.
    let mut in_literal = false;
    let colon = inner.find(|c: char| {
        match c {
            '[' => in_literal = true,
            ']' => in_literal = false,
            _ => return c == ':' && !in_literal,
        }
        false
    });
    let (route, rest) = colon
        .and_then(|at| inner.split_at_checked(at))
        .ok_or(error)?;
    for hop in route.split(',') {
        let host = hop.strip_prefix('@').ok_or(error)?;
        Domain::parse(host).map_err(|_| error)?;
    }
    Ok(rest.strip_prefix(':').unwrap_or(rest))
}

/// With its brackets, as in MAIL FROM and in `Return-Path:`.
impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReversePath::Null => f.write_str("<>"),
            ReversePath::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl FromStr for ReversePath {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<ReversePath, AddressError> {
        ReversePath::parse(text)
    }
}

impl From<Address> for ReversePath {
    fn from(address: Address) -> ReversePath {
        ReversePath::Address(address)
    }
}

/// With its brackets, as in RCPT TO.
impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ForwardPath::Postmaster => f.write_str("<postmaster>"),
            ForwardPath::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl FromStr for ForwardPath {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<ForwardPath, AddressError> {
        ForwardPath::parse(text)
    }
}

impl From<Address> for ForwardPath {
    fn from(address: Address) -> ForwardPath {
        ForwardPath::Address(address)
    }
}
