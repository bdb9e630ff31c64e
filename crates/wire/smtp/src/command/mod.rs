//! The commands of SMTP and LMTP: one line in, its meaning or the precise refusal out, and back.
//!
//! For: both machines and the tools that speak for them. Never: whether a command is in order here (the
//! server machine's part) or welcome (the driver's). One file per family.

mod auth;
mod chunk;
mod error;
mod greet;
mod line;
mod lookup;
mod mail;
mod params;
mod rcpt;

pub(crate) use auth::encode as encode_base64;
pub use auth::{AuthStart, Credentials, Mechanism, Secret, decode as decode_base64};
pub use chunk::Bdat;
pub use error::CommandError;
pub use greet::{Hello, HelloVerb};
pub use line::{LineFault, LineReader};
pub use lookup::Lookup;
pub use mail::{BodyType, MailParams, Ret};
pub use rcpt::{Notify, RcptParams};

/// Octets of a command line, CRLF included, without extensions (RFC 5321 s4.5.3.1.4).
pub const COMMAND_LINE: usize = 512;
/// What extensions add to MAIL: SIZE 26 (RFC 1870), BODY 17 (RFC 6152), SMTPUTF8 10 (RFC 6531), RET and
/// ENVID 120 (RFC 3461 s4.3, s4.4), AUTH 500 (RFC 4954).
pub const MAIL_EXTENSIONS: usize = 26 + 17 + 10 + 120 + 500;
/// What extensions add to RCPT: NOTIFY 28 and ORCPT 500 (RFC 3461 s4.1, s4.2).
pub const RCPT_EXTENSIONS: usize = 28 + 500;
/// Octets of AUTH and of the lines of its exchange (RFC 4954 s4.c).
pub const AUTH_LINE: usize = 12_288;

/// How long a command line may be, CRLF included, before what extensions add to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineLimit(usize);

impl Default for LineLimit {
    fn default() -> LineLimit {
        LineLimit(COMMAND_LINE)
    }
}

impl LineLimit {
    /// `octets`, or the least that must be taken ([`COMMAND_LINE`]) when that is more.
    pub fn new(octets: usize) -> LineLimit {
        LineLimit(octets.max(COMMAND_LINE))
    }

    /// The longest line of any verb.
    fn longest(self) -> usize {
        self.0.saturating_add(MAIL_EXTENSIONS).max(AUTH_LINE)
    }
}

/// Which of the sister protocols is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Between servers (RFC 5321).
    Smtp,
    /// From a person's program (RFC 6409): the same commands, AUTH comes first.
    Submission,
    /// To a mail store (RFC 2033): LHLO, and one reply per recipient after the content.
    Lmtp,
}

/// A command that is well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// EHLO, HELO, LHLO.
    Hello(Hello),
    /// MAIL FROM.
    Mail(MailParams),
    /// RCPT TO.
    Rcpt(RcptParams),
    /// DATA.
    Data,
    /// BDAT (RFC 3030).
    Bdat(Bdat),
    /// RSET.
    Rset,
    /// NOOP; its argument is ignored (RFC 5321 s4.1.1.9).
    Noop,
    /// QUIT.
    Quit,
    /// VRFY.
    Vrfy(Lookup),
    /// EXPN.
    Expn(Lookup),
    /// HELP, with its optional topic.
    Help(Option<Lookup>),
    /// STARTTLS (RFC 3207).
    StartTls,
    /// AUTH (RFC 4954).
    Auth(AuthStart),
}

/// The verbs we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Hello(HelloVerb),
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Expn,
    Help,
    StartTls,
    Auth,
}

impl Command {
    /// Reads one line, without its CRLF, that is as long as it must be taken at least. White space at its end is ignored
    /// (RFC 5321 s4.1.1).
    pub fn parse(line: &[u8], dialect: Dialect) -> Result<Command, CommandError> {
        Command::parse_within(line, dialect, LineLimit::default())
    }

    /// As [`Command::parse`], for lines up to `limit`.
    pub fn parse_within(
        line: &[u8],
        dialect: Dialect,
        limit: LineLimit,
    ) -> Result<Command, CommandError> {
        let end = line
            .iter()
            .position(|b| matches!(b, b' ' | b'\t'))
            .unwrap_or(line.len());
        let (word, rest) = line.split_at_checked(end).unwrap_or((line, b""));
        let verb = Verb::parse(word).ok_or(CommandError::Unknown)?;
        if line.len() + 2 > verb.line_limit(limit) {
            return Err(CommandError::LineTooLong);
        }
        let text = std::str::from_utf8(rest).map_err(|_| CommandError::NotText)?;
        if text.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return Err(CommandError::NotText);
        }
        verb.arguments(text.trim_matches([' ', '\t']), dialect)
    }
}

impl Verb {
    fn parse(word: &[u8]) -> Option<Verb> {
        if let Ok(four) = <[u8; 4]>::try_from(word) {
            return Verb::of_four(four.map(|b| b.to_ascii_uppercase()));
        }
        word.eq_ignore_ascii_case(b"STARTTLS")
            .then_some(Verb::StartTls)
    }

    fn of_four(word: [u8; 4]) -> Option<Verb> {
        Some(match &word {
            b"EHLO" => Verb::Hello(HelloVerb::Ehlo),
            b"HELO" => Verb::Hello(HelloVerb::Helo),
            b"LHLO" => Verb::Hello(HelloVerb::Lhlo),
            b"MAIL" => Verb::Mail,
            b"RCPT" => Verb::Rcpt,
            b"DATA" => Verb::Data,
            b"BDAT" => Verb::Bdat,
            b"RSET" => Verb::Rset,
            b"NOOP" => Verb::Noop,
            b"QUIT" => Verb::Quit,
            b"VRFY" => Verb::Vrfy,
            b"EXPN" => Verb::Expn,
            b"HELP" => Verb::Help,
            b"AUTH" => Verb::Auth,
            _ => return None,
        })
    }

    fn line_limit(self, LineLimit(octets): LineLimit) -> usize {
        match self {
            Verb::Mail => octets.saturating_add(MAIL_EXTENSIONS),
            Verb::Rcpt => octets.saturating_add(RCPT_EXTENSIONS),
            Verb::Auth => octets.max(AUTH_LINE),
            Verb::Hello(_) | Verb::Data | Verb::Bdat | Verb::Rset | Verb::Noop | Verb::Quit => {
                octets
            }
            Verb::Vrfy | Verb::Expn | Verb::Help | Verb::StartTls => octets,
        }
    }

    fn arguments(self, text: &str, dialect: Dialect) -> Result<Command, CommandError> {
        match self {
            Verb::Hello(verb) => greet::parse(verb, text, dialect).map(Command::Hello),
            Verb::Mail => mail::parse(text).map(Command::Mail),
            Verb::Rcpt => rcpt::parse(text).map(Command::Rcpt),
            Verb::Bdat => chunk::parse(text).map(Command::Bdat),
            Verb::Auth => auth::parse(text).map(Command::Auth),
            Verb::Vrfy => lookup::parse(text, "VRFY address").map(Command::Vrfy),
            Verb::Expn => lookup::parse(text, "EXPN list").map(Command::Expn),
            Verb::Help => Ok(Command::Help(lookup::parse(text, "HELP topic").ok())),
            Verb::Noop => Ok(Command::Noop),
            Verb::Data => alone(text, "DATA", Command::Data),
            Verb::Rset => alone(text, "RSET", Command::Rset),
            Verb::Quit => alone(text, "QUIT", Command::Quit),
            Verb::StartTls => alone(text, "STARTTLS", Command::StartTls),
        }
    }
}

/// A verb without arguments.
fn alone(text: &str, usage: &'static str, command: Command) -> Result<Command, CommandError> {
    match text.is_empty() {
        true => Ok(command),
        false => Err(CommandError::Syntax(usage)),
    }
}

#[cfg(test)]
mod tests;
