//! Tokens: 256 bits made by chance that a browser or a program shows. Whoever shows one is known by it; the store keeps its
//! hash only, so that nobody comes by a token by reading the store. A lookup by the hash of what nobody can guess tells no
//! time that helps.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use ground_store::Value;
use ground_world::chance::Chance;

use crate::DirectoryError;

/// How the token of a program begins, so that people, and programs that look for lost secrets, see what it is.
pub const API_TOKEN_PREFIX: &str = "prt_";

/// A token that was just made: the only moment at which its text is known. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub(crate) fn new(prefix: &str, chance: &Chance) -> Result<Self, DirectoryError> {
        let secret = chance.secret::<32>();
        let secret = secret.map_err(|error| DirectoryError::NoChance(error.to_string()))?;
        Ok(Self(format!("{prefix}{}", BASE64URL_NOPAD.encode(&secret))))
    }

    /// Its text, of letters, digits, `-` and `_`: for the one who is to hold it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> Value {
        hash(&self.0)
    }
}

/// What the store knows a token by.
pub(crate) fn hash(token: &str) -> Value {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec().into()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
