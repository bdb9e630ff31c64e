//! Mailboxes and the envelope's two paths (RFC 5321 s4.1.2; RFC 6531 s3.3 for what is not ASCII).
//!
//! A local part is kept by its meaning: `"jo"@a.example` and `jo@a.example` are one mailbox, and the shorter form is
//! what goes on the wire (RFC 5321 s4.1.2 asks for that). Its letters are kept as they came.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

mod domain;
mod error;
mod local;
mod path;
#[cfg(test)]
mod tests;

pub use domain::{Domain, DomainName};
pub use error::{AddressError, AddressProblem};
pub use path::{ForwardPath, ReversePath, split_path};

/// The longest local part, in octets as written on the wire (RFC 5321 s4.5.3.1.1).
pub const LOCAL_MAX: usize = 64;
/// The longest domain, in octets (RFC 5321 s4.5.3.1.2).
pub const DOMAIN_MAX: usize = 255;
/// The longest mailbox, in octets: a path of 256 (RFC 5321 s4.5.3.1.3) without its brackets.
pub const ADDRESS_MAX: usize = 254;
/// The longest label of a domain name, in octets (RFC 1035 s2.3.4).
pub const LABEL_MAX: usize = 63;

/// One mailbox: `local@domain`. Cloning it is cheap.
///
/// Two addresses are equal when their local parts are exactly equal and their domains are equal without regard to case
/// or to the form (U-label or A-label) they were written in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<Parts>);

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    local: Box<str>,
    domain: Domain,
}

impl Address {
    /// Reads a Mailbox (RFC 5321 s4.1.2), without angle brackets.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        if text.len() > ADDRESS_MAX {
            return Err(AddressProblem::AddressTooLong.at(ADDRESS_MAX));
        }
        let (local, rest) = local::parse(text)?;
        let at = text.len() - rest.len();
        let Some(domain) = rest.strip_prefix('@') else {
            let problem = if rest.is_empty() {
                AddressProblem::NoDomain
            } else {
                AddressProblem::LocalCharacter
            };
            return Err(problem.at(at));
        };
        let domain = Domain::parse(domain).map_err(|error| error.shifted(at + 1))?;
        // It is the domain that grew when it was mapped; the offset in what it grew to means nothing to whoever wrote it.
        Address::assemble(local, domain).map_err(|error| error.problem.at(at + 1))
    }

    /// Puts an address together from the meaning of a local part (no quotes, no escapes) and a domain.
    ///
    /// # Errors
    /// When the local part holds a control character or is too long, or the whole is.
    pub fn new(local: &str, domain: Domain) -> Result<Address, AddressError> {
        local::check(local)?;
        Address::assemble(local.to_owned(), domain)
    }

    fn assemble(local: String, domain: Domain) -> Result<Address, AddressError> {
        let local = local.into_boxed_str();
        let address = Address(Arc::new(Parts { local, domain }));
        // A U-label may be longer than what it was mapped from.
        if address.to_string().len() > ADDRESS_MAX {
            return Err(AddressProblem::AddressTooLong.at(ADDRESS_MAX));
        }
        Ok(address)
    }

    /// The meaning of the local part: without quotes or escapes.
    pub fn local(&self) -> &str {
        &self.0.local
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &Domain {
        &self.0.domain
    }

    /// Whether it can be sent to a peer without SMTPUTF8 as it stands.
    pub fn is_ascii(&self) -> bool {
        self.0.local.is_ascii() && self.0.domain.is_ascii()
    }

    /// The same mailbox in ASCII (A-labels), when its local part allows that.
    pub fn to_ascii(&self) -> Option<Address> {
        if self.is_ascii() {
            return Some(self.clone());
        }
        if !self.0.local.is_ascii() {
            return None;
        }
        Address::assemble(self.0.local.to_string(), self.0.domain.to_ascii_domain()).ok()
    }

    /// The form to look it up by: the local part in lower case, the domain in lower-case A-labels.
    pub fn key(&self) -> String {
        let local = self.0.local.to_lowercase();
        format!("{}@{}", local::Quoted(&local), self.0.domain.to_ascii())
    }
}

/// As on the wire, without angle brackets; quoted only when it must be.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", local::Quoted(&self.0.local), self.0.domain)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        Address::parse(text)
    }
}
