//! AUTH with PLAIN (RFC 4616) and LOGIN (RFC 4954; draft-murchison-sasl-login for LOGIN).

use super::CommandError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// How a person proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// One message: authorization identity, user name, password.
    Plain,
    /// Two prompts: user name, password.
    Login,
}

impl Mechanism {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
        }
    }

    /// The mechanism of this name, in any case.
    pub fn parse(name: &str) -> Option<Mechanism> {
        [Mechanism::Plain, Mechanism::Login]
            .into_iter()
            .find(|m| name.eq_ignore_ascii_case(m.as_str()))
    }
}

/// A password. It never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a password.
    pub fn new(secret: impl Into<String>) -> Secret {
        Secret(secret.into())
    }

    /// The password, for the check alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// What a person offers as proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// As whom they want to act; empty for themselves (RFC 4616 s2).
    pub authorize: String,
    /// Who they are.
    pub user: String,
    /// The proof.
    pub password: Secret,
}

impl Credentials {
    /// A person acting for themselves.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Credentials {
        Credentials {
            authorize: String::new(),
            user: user.into(),
            password: Secret::new(password),
        }
    }

    /// Reads PLAIN's message (RFC 4616 s2): `[authzid] NUL authcid NUL passwd`.
    pub(crate) fn from_plain(message: &[u8]) -> Option<Credentials> {
        let text = std::str::from_utf8(message).ok()?;
        let mut parts = text.split('\0');
        let authorize = parts.next()?.to_owned();
        let user = parts.next()?.to_owned();
        let password = Secret::new(parts.next()?);
        let whole = parts.next().is_none() && !user.is_empty() && !password.reveal().is_empty();
        whole.then_some(Credentials {
            authorize,
            user,
            password,
        })
    }

    /// Writes PLAIN's message in base64.
    pub(crate) fn to_plain(&self) -> String {
        let password = self.password.reveal();
        STANDARD.encode(format!("{}\0{}\0{password}", self.authorize, self.user))
    }
}

/// The AUTH command itself.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthStart {
    /// The mechanism asked for.
    pub mechanism: Mechanism,
    /// The initial response, decoded (`=` is an empty one).
    pub initial: Option<Vec<u8>>,
}

impl fmt::Debug for AuthStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let initial = self.initial.as_ref().map(|_| "***");
        f.debug_struct("AuthStart")
            .field("mechanism", &self.mechanism)
            .field("initial", &initial)
            .finish()
    }
}

pub(super) fn parse(text: &str) -> Result<AuthStart, CommandError> {
    let mut words = text.split_ascii_whitespace();
    let name = words
        .next()
        .ok_or(CommandError::Syntax("AUTH mechanism [initial-response]"))?;
    let mechanism = Mechanism::parse(name).ok_or(CommandError::Mechanism)?;
    let initial = match words.next() {
        None => None,
        Some("=") => Some(Vec::new()),
        Some(text) => Some(decode(text.as_bytes())?),
    };
    match words.next() {
        None => Ok(AuthStart { mechanism, initial }),
        Some(_) => Err(CommandError::Syntax("AUTH mechanism [initial-response]")),
    }
}

/// Decodes one base64 text of the exchange (RFC 4954 s4: padded, nothing else in the line).
pub fn decode(text: &[u8]) -> Result<Vec<u8>, CommandError> {
    STANDARD.decode(text).map_err(|_| CommandError::Base64)
}

/// Encodes one base64 text of the exchange.
pub(crate) fn encode(text: &str) -> String {
    STANDARD.encode(text)
}
