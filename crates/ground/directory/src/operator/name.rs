//! Names of operators and of tokens.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name, in octets: the schema's bound, too.
pub const NAME_MAX: usize = 64;

/// The name of an operator or of a token, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// The operator's move: another name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no name: it needs 1 to {NAME_MAX} of the letters a to z, digits, and . _ @ -")]
pub struct NameError(String);

impl Name {
    /// It, as it stands in the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Upper case is as good as lower case.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = text.to_ascii_lowercase();
        let known = |octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'@' | b'-');
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(known) {
            return Err(NameError(text.to_owned()));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_plain_and_in_lower_case() {
        let longest = "x".repeat(NAME_MAX);
        for (text, name) in [
            ("jo", Some("jo")),
            ("Jo.Doe_2@here-TEST", Some("jo.doe_2@here-test")),
            (longest.as_str(), Some(longest.as_str())),
            ("", None),
            ("jo doe", None),
            ("j\u{f6}", None),
            ("jo\0", None),
            (&"x".repeat(NAME_MAX + 1), None),
        ] {
            let read = text.parse::<Name>().ok();
            assert_eq!(read.as_ref().map(Name::as_str), name, "{text:?}");
        }
    }
}
