//! Text that never shows in a log, a page or a debug print.

use std::fmt;
use std::str::FromStr;

use crate::form::{Misread, Shape, Value, Written, read_text};
use crate::problem::Fault;

/// A password, or a URL that carries one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for Secret {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::new("it is empty", "write the secret, or remove it"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Value for Secret {
    const SHAPE: Shape = Shape::Secret;

    fn conceals(_: &str) -> bool {
        true
    }

    fn form() -> String {
        "text".to_owned()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        read_text(value, &Self::form())
    }

    fn show(&self) -> String {
        "(secret)".to_owned()
    }
}
