//! EHLO, HELO and LHLO (RFC 5321 s4.1.1.1, RFC 2033 s4.1).

use super::{CommandError, Dialect};

/// The longest name: a domain of 255 octets (RFC 5321 s4.5.3.1.2) or an address literal.
const NAME: usize = 255;

/// Which verb greeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelloVerb {
    /// With extensions.
    Ehlo,
    /// Without.
    Helo,
    /// LMTP's EHLO.
    Lhlo,
}

impl HelloVerb {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            HelloVerb::Ehlo => "EHLO",
            HelloVerb::Helo => "HELO",
            HelloVerb::Lhlo => "LHLO",
        }
    }
}

/// A greeting: how the peer calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Which verb it used.
    pub verb: HelloVerb,
    /// The name or address literal, as given: printable ASCII or UTF-8 without spaces, at most 255 octets.
    pub name: String,
}

pub(super) fn parse(verb: HelloVerb, text: &str, dialect: Dialect) -> Result<Hello, CommandError> {
    let lmtp = dialect == Dialect::Lmtp;
    if (verb == HelloVerb::Lhlo) != lmtp {
        return Err(CommandError::WrongDialect(verb.as_str()));
    }
    // Differs from RFC 5321 s4.1.1.1: any word will do. Many clients send names with underscores or bare
    // addresses, and s4.1.4 forbids refusing mail because the name does not check out.
    let word = !text.is_empty() && text.len() <= NAME && !text.contains([' ', '\t']);
    if !word {
        return Err(CommandError::Syntax(match verb {
            HelloVerb::Ehlo => "EHLO hostname",
            HelloVerb::Helo => "HELO hostname",
            HelloVerb::Lhlo => "LHLO hostname",
        }));
    }
    Ok(Hello {
        verb,
        name: text.to_owned(),
    })
}
