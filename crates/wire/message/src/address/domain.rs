//! Domains: names in their two forms (U-labels and A-labels, RFC 5890) and address literals (RFC 5321 s4.1.3).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use idna::AsciiDenyList;

use super::{AddressError, AddressProblem, DOMAIN_MAX, LABEL_MAX};

/// What stands after the `@`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// A name to look up.
    Name(DomainName),
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`: a host by its number.
    Literal(IpAddr),
}

/// A domain name in lower case; equal to another when their A-labels are.
#[derive(Clone)]
pub struct DomainName {
    /// As it was written, in lower case.
    text: Arc<str>,
    /// The A-labels, when `text` is not ASCII.
    ascii: Option<Arc<str>>,
}

impl Domain {
    /// Reads a domain name or an address literal in its square brackets.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(text: &str) -> Result<Domain, AddressError> {
        if text.starts_with('[') {
            return parse_literal(text).map(Domain::Literal);
        }
        DomainName::parse(text).map(Domain::Name)
    }

    /// The form to look it up by and to give to peers without SMTPUTF8: A-labels, or the literal.
    pub fn to_ascii(&self) -> Cow<'_, str> {
        match self {
            Domain::Name(name) => Cow::Borrowed(name.ascii()),
            Domain::Literal(_) => Cow::Owned(self.to_string()),
        }
    }

    /// The name, when it is one.
    pub fn name(&self) -> Option<&DomainName> {
        match self {
            Domain::Name(name) => Some(name),
            Domain::Literal(_) => None,
        }
    }

    /// Whether it prints as ASCII.
    pub fn is_ascii(&self) -> bool {
        match self {
            Domain::Name(name) => name.ascii.is_none(),
            Domain::Literal(_) => true,
        }
    }

    /// The same domain, printed in A-labels.
    pub(super) fn to_ascii_domain(&self) -> Domain {
        match self {
            Domain::Literal(_) => self.clone(),
            Domain::Name(name) => Domain::Name(DomainName {
                text: name.ascii.as_ref().unwrap_or(&name.text).clone(),
                ascii: None,
            }),
        }
    }
}

impl DomainName {
    /// Reads a domain name: letters, digits and hyphens, or an internationalized name (UTS 46).
    ///
    /// Differs from RFC 5321 s4.1.2: an underscore is taken for a letter, because hosts so named exist and send mail.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn parse(text: &str) -> Result<DomainName, AddressError> {
        if text.len() > DOMAIN_MAX {
            return Err(AddressProblem::DomainTooLong.at(DOMAIN_MAX));
        }
        if text.is_ascii() {
            check_labels(text)?;
            let text = text.to_ascii_lowercase().into();
            return Ok(DomainName { text, ascii: None });
        }
        parse_international(text)
    }

    /// As written, in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The A-labels, in lower case: what DNS is asked.
    pub fn ascii(&self) -> &str {
        self.ascii.as_ref().unwrap_or(&self.text)
    }

    /// The U-labels, for people to read; a label that is no valid A-label stays as it is.
    pub fn unicode(&self) -> String {
        idna::domain_to_unicode(&self.text).0
    }
}

fn parse_international(text: &str) -> Result<DomainName, AddressError> {
    let ascii = a_labels(text).ok_or(AddressProblem::DomainNotIdna.at(0))?;
    if ascii.len() > DOMAIN_MAX {
        return Err(AddressProblem::DomainTooLong.at(0));
    }
    // Offsets in the A-labels mean nothing to whoever wrote U-labels.
    check_labels(&ascii).map_err(|error| error.problem.at(0))?;
    let unicode = idna::domain_to_unicode(text).0;
    // What we print must lead back to the same name.
    let leads_back = unicode.len() <= DOMAIN_MAX && a_labels(&unicode).as_ref() == Some(&ascii);
    if unicode.is_ascii() || !leads_back {
        let text = ascii.into();
        return Ok(DomainName { text, ascii: None });
    }
    Ok(DomainName {
        text: unicode.into(),
        ascii: Some(ascii.into()),
    })
}

fn a_labels(text: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii_cow(text.as_bytes(), AsciiDenyList::URL).ok()?;
    Some(ascii.into_owned())
}

fn check_labels(text: &str) -> Result<(), AddressError> {
    let mut at = 0;
    for label in text.split('.') {
        if label.is_empty() {
            return Err(AddressProblem::DomainEmptyLabel.at(at));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if let Some(wrong) = label.bytes().position(|b| !allowed(b)) {
            return Err(AddressProblem::DomainCharacter.at(at + wrong));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(AddressProblem::DomainHyphen.at(at));
        }
        if label.len() > LABEL_MAX {
            return Err(AddressProblem::LabelTooLong.at(at));
        }
        at += label.len() + 1;
    }
    Ok(())
}

/// RFC 5321 s4.1.3. A General-address-literal is refused: no tag but `IPv6` is registered.
fn parse_literal(text: &str) -> Result<IpAddr, AddressError> {
    const V6_TAG: &str = "IPv6:";
    let error = AddressProblem::Literal.at(0);
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or(error)?;
    match inner.split_at_checked(V6_TAG.len()) {
        Some((tag, number)) if tag.eq_ignore_ascii_case(V6_TAG) => {
            let number: Ipv6Addr = number.parse().map_err(|_| error)?;
            Ok(IpAddr::V6(number))
        }
        _ => {
            let number: Ipv4Addr = inner.parse().map_err(|_| error)?;
            Ok(IpAddr::V4(number))
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Domain::Name(name) => f.write_str(&name.text),
            Domain::Literal(IpAddr::V4(number)) => write!(f, "[{number}]"),
            Domain::Literal(IpAddr::V6(number)) => write!(f, "[IPv6:{number}]"),
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({self})")
    }
}

impl FromStr for Domain {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Domain, AddressError> {
        Domain::parse(text)
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DomainName({self})")
    }
}

impl FromStr for DomainName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<DomainName, AddressError> {
        DomainName::parse(text)
    }
}

impl PartialEq for DomainName {
    fn eq(&self, other: &DomainName) -> bool {
        self.ascii() == other.ascii()
    }
}

impl Eq for DomainName {}

impl PartialOrd for DomainName {
    fn partial_cmp(&self, other: &DomainName) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DomainName {
    fn cmp(&self, other: &DomainName) -> Ordering {
        self.ascii().cmp(other.ascii())
    }
}

impl Hash for DomainName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ascii().hash(state);
    }
}
