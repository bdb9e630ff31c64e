//! The free text of VRFY, EXPN and HELP (RFC 5321 s4.1.1.6 to s4.1.1.8).

use super::CommandError;

/// What is asked about, as given: without control characters, not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup(String);

impl Lookup {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn parse(text: &str, usage: &'static str) -> Result<Lookup, CommandError> {
    match text.is_empty() {
        true => Err(CommandError::Syntax(usage)),
        false => Ok(Lookup(text.to_owned())),
    }
}
