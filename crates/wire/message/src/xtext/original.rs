//! The recipient as the sender wrote it: the ORCPT parameter (RFC 3461 s4.2, RFC 6533 s3).

use std::fmt;
use std::str::FromStr;

use super::{XtextError, decode, decode_unitext, encode, encode_unitext, encode_utf8_xtext};
use crate::address::Address;

/// The longest ORCPT parameter, in characters as encoded (RFC 3461 s4.2).
pub const ORCPT_MAX: usize = 500;

/// The address type of internationalized addresses (RFC 6533 s3).
const UTF8: &str = "utf-8";
/// The address type of Internet mail (RFC 3461 s4.2).
const RFC822: &str = "rfc822";

/// An original recipient: an address type and an address in it, which need not be one that we can read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    addr_type: String,
    value: String,
}

/// What is wrong with an ORCPT parameter. The move is the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginalRecipientError {
    /// It is over [`ORCPT_MAX`] characters.
    #[error("longer than 500 characters")]
    TooLong,
    /// It has no `;`, or no atom before it.
    #[error("no address type before a semicolon")]
    NoType,
    /// Nothing after the `;`.
    #[error("no address after the semicolon")]
    Empty,
    /// The address is not encoded as its type demands.
    #[error("the address: {0}")]
    Encoding(#[from] XtextError),
    /// The address is not UTF-8.
    #[error("the address is not UTF-8")]
    NotUtf8,
    /// The decoded address has a control character, which no report could carry.
    #[error("the address has a control character")]
    Control,
}

impl OriginalRecipient {
    /// An address type (in any case) and an address, not encoded.
    ///
    /// # Errors
    /// When the type is no atom, or the address is empty or has control characters.
    pub fn new(addr_type: &str, value: &str) -> Result<Self, OriginalRecipientError> {
        let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*-/?^_`{|}~.".contains(&b);
        if addr_type.is_empty() || !addr_type.bytes().all(atom) {
            return Err(OriginalRecipientError::NoType);
        }
        if value.is_empty() {
            return Err(OriginalRecipientError::Empty);
        }
        if value.chars().any(char::is_control) {
            return Err(OriginalRecipientError::Control);
        }
        Ok(OriginalRecipient {
            addr_type: addr_type.to_ascii_lowercase(),
            value: value.to_owned(),
        })
    }

    /// Reads the value of a peer's parameter: at most [`ORCPT_MAX`] characters of `addr-type;encoded-address`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_parameter(text: &str) -> Result<Self, OriginalRecipientError> {
        if text.chars().count() > ORCPT_MAX {
            return Err(OriginalRecipientError::TooLong);
        }
        OriginalRecipient::parse(text)
    }

    /// Whether a peer may be given it as a parameter: beyond ASCII the form that every peer reads may be longer than the one
    /// that was written.
    pub fn fits_a_parameter(&self) -> bool {
        self.to_string().len() <= ORCPT_MAX
    }

    /// Reads `addr-type;encoded-address` of any length.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, OriginalRecipientError> {
        let (addr_type, encoded) = text.split_once(';').ok_or(OriginalRecipientError::NoType)?;
        let value = if addr_type.eq_ignore_ascii_case(UTF8) {
            decode_unitext(encoded)?
        } else {
            let bytes = decode(encoded)?;
            String::from_utf8(bytes).map_err(|_| OriginalRecipientError::NotUtf8)?
        };
        OriginalRecipient::new(addr_type, &value)
    }

    /// The address type, in lower case: `rfc822` or `utf-8`, rarely another.
    pub fn addr_type(&self) -> &str {
        &self.addr_type
    }

    /// The address, decoded.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The parameter's value for a peer with SMTPUTF8.
    pub fn to_unitext(&self) -> String {
        if self.addr_type == UTF8 {
            return format!("{UTF8};{}", encode_unitext(&self.value));
        }
        self.to_string()
    }

    /// Whether the decoded address is ASCII.
    pub fn is_ascii(&self) -> bool {
        self.value.is_ascii()
    }
}

impl From<&Address> for OriginalRecipient {
    fn from(address: &Address) -> OriginalRecipient {
        let addr_type = if address.is_ascii() { RFC822 } else { UTF8 };
        OriginalRecipient {
            addr_type: addr_type.to_owned(),
            value: address.to_string(),
        }
    }
}

/// The parameter's value, in ASCII: good for every peer.
impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = if self.addr_type == UTF8 {
            encode_utf8_xtext(&self.value)
        } else {
            encode(self.value.as_bytes())
        };
        write!(f, "{};{encoded}", self.addr_type)
    }
}

impl FromStr for OriginalRecipient {
    type Err = OriginalRecipientError;

    fn from_str(text: &str) -> Result<Self, OriginalRecipientError> {
        OriginalRecipient::parse(text)
    }
}
