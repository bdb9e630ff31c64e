//! The head of a message (RFC 5322 s2.2): found, walked without copying, read for people, and written safely.
//!
//! Lines end in CRLF or in a bare LF; a bare CR ends nothing. A line that is neither a field nor the continuation of one
//! (an mbox `From ` line, say) is walked as a field without a name, so that the ranges of all fields tile the head.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use crate::date::Time;

mod decode;
#[cfg(test)]
mod tests;
mod write;

pub use decode::{display, unfold};
pub use write::{HeadWriter, clean, encode_words};

/// The longest head that is looked at, in bytes; what lies beyond is body to us. Larger than any honest head by far.
pub const HEAD_MAX: usize = 1024 * 1024;
/// The longest line without its CRLF, in bytes (RFC 5322 s2.1.1).
pub const LINE_MAX: usize = 998;
/// Where lines that we write are folded, in bytes (RFC 5322 s2.1.1).
pub const FOLD_AT: usize = 78;

/// Where a head ends and a body begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadEnd {
    /// The length of the head, with the line end of its last field.
    pub head: usize,
    /// Where the body starts: after the empty line.
    pub body: usize,
}

/// Finds the empty line after the head; `None` when there is none in the first [`HEAD_MAX`] bytes.
pub fn find_end(message: &[u8]) -> Option<HeadEnd> {
    let mut start = 0;
    while let Some(line) = line_at(bounded(message), start) {
        let body = start + line.len();
        if line == b"\r\n" || line == b"\n" {
            return Some(HeadEnd { head: start, body });
        }
        start = body;
    }
    None
}

/// The head of a message.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    bytes: &'a [u8],
}

/// One field of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, as written; empty for a line that is no field.
    pub name: &'a str,
    /// What follows the colon, folded as it was, without its last line end.
    pub value: &'a [u8],
    /// The bytes it takes in the head, from its name to its last line end.
    pub range: Range<usize>,
}

impl<'a> Head<'a> {
    /// The head of `message`: all before the empty line, or all when there is none (at most [`HEAD_MAX`] bytes).
    pub fn of(message: &'a [u8]) -> Head<'a> {
        let bytes = bounded(message);
        let end = find_end(bytes).map_or(bytes.len(), |end| end.head);
        Head {
            bytes: bytes.get(..end).unwrap_or(bytes),
        }
    }

    /// The bytes of the head, without the empty line after it.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Walks the fields from the top.
    pub fn fields(&self) -> Fields<'a> {
        Fields {
            head: self.bytes,
            at: 0,
        }
    }

    /// The first field of that name, in any case.
    pub fn find(&self, name: &str) -> Option<Field<'a>> {
        self.fields().find(|field| field.is(name))
    }

    /// How many fields have that name.
    pub fn count(&self, name: &str) -> usize {
        self.fields().filter(|field| field.is(name)).count()
    }

    /// How many hosts the message has passed (RFC 5321 s6.3).
    pub fn count_received(&self) -> usize {
        self.count("Received")
    }

    /// `Message-ID`, with its angle brackets when it has them.
    pub fn message_id(&self) -> Option<String> {
        let field = self.find("Message-ID")?;
        Some(clean(&field.text()).into_owned())
    }

    /// `Date`, when it can be read.
    pub fn date(&self) -> Option<Time> {
        let field = self.find("Date")?;
        let text = unfold(field.value);
        Time::parse_rfc5322(std::str::from_utf8(&text).ok()?).ok()
    }

    /// `From`, decoded for people.
    pub fn from(&self) -> Option<String> {
        self.display("From")
    }

    /// `To`, decoded for people.
    pub fn to(&self) -> Option<String> {
        self.display("To")
    }

    /// `Subject`, decoded for people.
    pub fn subject(&self) -> Option<String> {
        self.display("Subject")
    }

    /// Whether a peer without SMTPUTF8 could not take the message (RFC 6531 s3.2, RFC 6532 s3).
    pub fn needs_smtputf8(&self) -> bool {
        !self.bytes.is_ascii()
    }

    fn display(&self, name: &str) -> Option<String> {
        self.find(name).map(|field| field.display())
    }
}

impl<'a> Field<'a> {
    /// Whether the field has that name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value on one line, without white space around it (RFC 5322 s2.2.3).
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        unfold(self.value)
    }

    /// The value on one line, as text; bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.unfolded()).into_owned()
    }

    /// The value for people: on one line, encoded words decoded (RFC 2047), control characters removed.
    pub fn display(&self) -> String {
        display(self.value)
    }
}

/// The fields of a head, from the top.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    head: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let start = self.at;
        self.at += line_at(self.head, start)?.len();
        while let Some(line) = line_at(self.head, self.at) {
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                break;
            }
            self.at += line.len();
        }
        let range = start..self.at;
        let (name, value) = split_field(trim_line_end(self.head.get(range.clone())?));
        Some(Field { name, value, range })
    }
}

/// The name and value of a field; no name when it has no valid one (RFC 5322 s3.6.8; white space before the colon, s4.5).
fn split_field(field: &[u8]) -> (&str, &[u8]) {
    let Some((name, rest)) = memchr(b':', field).and_then(|at| field.split_at_checked(at)) else {
        return ("", field);
    };
    let name = name.trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return ("", field);
    }
    match (std::str::from_utf8(name), rest.get(1..)) {
        (Ok(name), Some(value)) => (name, value),
        _ => ("", field),
    }
}

/// The line at `start` with its line end; `None` at the end.
fn line_at(bytes: &[u8], start: usize) -> Option<&[u8]> {
    let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
    let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    rest.get(..end)
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn bounded(message: &[u8]) -> &[u8] {
    message.get(..HEAD_MAX).unwrap_or(message)
}
