//! Replies: a code, lines of text, and the enhanced code at their start (RFC 5321 s4.2, RFC 2034).
//!
//! For: saying and reading them word by word; a peer's reply is kept as it came. Never: deciding what to say.

mod ehlo;
mod reader;

pub use ehlo::{EhloResponse, Limits};
pub use reader::{REPLY_LINES, REPLY_OCTETS, ReplyFault, ReplyReader};

use bytes::BytesMut;
use std::borrow::Cow;
use std::fmt;
use wire_message::EnhancedStatus;

/// Octets of a reply line, CRLF included (RFC 5321 s4.5.3.1.5). Longer text of ours is wrapped.
pub const REPLY_LINE: usize = 512;
/// Octets of text in a line: without code, separator and CRLF.
const TEXT: usize = REPLY_LINE - 6;

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    /// Lines separated by LF, without code and separator, each at most [`TEXT`] octets when it is ours.
    text: Cow<'static, str>,
}

/// What the first digit of a code says (RFC 5321 s4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// 2yz: done.
    Success,
    /// 3yz: go on.
    Continue,
    /// 4yz: not now.
    Transient,
    /// 5yz: no.
    Permanent,
}

impl Reply {
    /// A reply with an enhanced code on each of its lines (RFC 2034 s4).
    ///
    /// Lines of `text` are separated by LF; control characters become `?`. A code outside 200 to 599 is our
    /// mistake and becomes 451.
    pub fn new(code: u16, enhanced: EnhancedStatus, text: &str) -> Reply {
        let prefix = format!("{enhanced} ");
        Reply::build(code, &prefix, text)
    }

    /// A reply whose text is written as it stands: without an enhanced code, or with one already in it.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Reply {
        let text = text.into();
        let clean = text.len() <= TEXT && !text.bytes().any(|b| b.is_ascii_control());
        match clean {
            true => Reply {
                code: sound(code),
                text,
            },
            false => Reply::build(code, "", &text),
        }
    }

    fn build(code: u16, prefix: &str, text: &str) -> Reply {
        let mut lines = Vec::new();
        for line in text.split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let line = line.replace(|c: char| c.is_ascii_control(), "?");
            for piece in wrap(&line, TEXT.saturating_sub(prefix.len())) {
                lines.push(format!("{prefix}{piece}"));
            }
        }
        Reply {
            code: sound(code),
            text: Cow::Owned(lines.join("\n")),
        }
    }

    /// What a peer said, word by word. `lines` are separated by LF.
    pub(crate) fn received(code: u16, lines: String) -> Reply {
        Reply {
            code,
            text: Cow::Owned(lines),
        }
    }

    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// What the first digit says.
    pub fn class(&self) -> Class {
        match self.code / 100 {
            2 => Class::Success,
            3 => Class::Continue,
            4 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    /// 2yz.
    pub fn is_success(&self) -> bool {
        self.class() == Class::Success
    }

    /// 4yz or 5yz.
    pub fn is_refusal(&self) -> bool {
        matches!(self.class(), Class::Transient | Class::Permanent)
    }

    /// The enhanced code at the start of the text, when its class agrees with the code (RFC 2034 s4).
    pub fn enhanced(&self) -> Option<EnhancedStatus> {
        let word = self.text.split([' ', '\n']).next()?;
        let enhanced: EnhancedStatus = word.parse().ok()?;
        let class = word.bytes().next()?;
        (u16::from(class.wrapping_sub(b'0')) == self.code / 100).then_some(enhanced)
    }

    /// The lines, each without code and separator, and with its enhanced code if it has one.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }

    /// The whole text, lines separated by LF.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends the wire form: `250-...` for all lines but the last, which is `250 ...` (RFC 5321 s4.2.1).
    pub fn write(&self, out: &mut BytesMut) {
        let digits = digits(self.code);
        let mut lines = self.lines().peekable();
        while let Some(line) = lines.next() {
            out.extend_from_slice(&digits);
            out.extend_from_slice(if lines.peek().is_some() { b"-" } else { b" " });
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// One line for people and for the ledger: `450 4.7.1 Greylisted`, lines joined by ` / `.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for (at, line) in self.lines().enumerate() {
            let separator = if at == 0 { " " } else { " / " };
            write!(f, "{separator}{line}")?;
        }
        Ok(())
    }
}

/// Codes have three digits, the first 2 to 5 (RFC 5321 s4.2).
fn sound(code: u16) -> u16 {
    match code {
        200..=599 => code,
        _ => 451,
    }
}

fn digits(code: u16) -> [u8; 3] {
    [code / 100, code / 10, code].map(|n| b'0' + u8::try_from(n % 10).unwrap_or(0))
}

/// Cuts a line into pieces of at most `most` octets, between characters.
fn wrap(line: &str, most: usize) -> Vec<&str> {
    let mut pieces = Vec::with_capacity(1);
    let mut rest = line;
    while rest.len() > most {
        let cut = rest.floor_char_boundary(most.max(4));
        let Some((piece, after)) = rest.split_at_checked(cut) else {
            break;
        };
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests;
