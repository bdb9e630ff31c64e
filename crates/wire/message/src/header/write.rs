//! Writing heads: folded, within the line limit, and with no way for a value to become a field of its own.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{FOLD_AT, LINE_MAX};

/// How many bytes of text one encoded word carries: base64 of 45 is 60, which fits RFC 2047 s2 with its wrapping.
const ENCODED_WORD_BYTES: usize = 45;

/// The text on one line: runs of white space and control characters become one space, none at either end.
pub fn clean(text: &str) -> Cow<'_, str> {
    let gap = |c: char| c == ' ' || c.is_control();
    let tidy = !text.contains(char::is_control)
        && !text.contains("  ")
        && !text.starts_with(' ')
        && !text.ends_with(' ');
    if tidy {
        return Cow::Borrowed(text);
    }
    let words: Vec<&str> = text.split(gap).filter(|word| !word.is_empty()).collect();
    Cow::Owned(words.join(" "))
}

/// The text as encoded words when it is not ASCII (RFC 2047), as it is otherwise.
pub fn encode_words(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains("=?") {
        return Cow::Borrowed(text);
    }
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (chunk, after) = split_chars(rest, ENCODED_WORD_BYTES);
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(chunk)));
        rest = after;
    }
    Cow::Owned(words.join(" "))
}

/// Composes the fields of a head.
#[derive(Clone, Debug, Default)]
pub struct HeadWriter {
    out: String,
}

impl HeadWriter {
    /// An empty head.
    pub fn new() -> HeadWriter {
        HeadWriter::default()
    }

    /// Adds a field: the value is cleaned ([`clean`]) and folded at spaces; what is not ASCII stays UTF-8 (RFC 6532).
    pub fn field(&mut self, name: &str, value: &str) -> &mut HeadWriter {
        self.name(name);
        self.folded(&clean(value));
        self
    }

    /// Adds a field whose spaces all matter, such as an address: not folded when it fits on a line.
    pub fn exact(&mut self, name: &str, value: &str) -> &mut HeadWriter {
        if name.len() + ": ".len() + value.len() > LINE_MAX {
            return self.field(name, value);
        }
        self.name(name);
        self.out.push(' ');
        let harmless = |c: char| if c.is_control() { ' ' } else { c };
        self.out.extend(value.chars().map(harmless));
        self.out.push_str("\r\n");
        self
    }

    /// Adds the empty line that ends a head or a group of fields.
    pub fn end(&mut self) -> &mut HeadWriter {
        self.out.push_str("\r\n");
        self
    }

    /// What was written; lines end in CRLF.
    pub fn as_str(&self) -> &str {
        &self.out
    }

    /// What was written; lines end in CRLF.
    pub fn into_string(self) -> String {
        self.out
    }

    fn name(&mut self, name: &str) {
        let ftext = |c: &char| c.is_ascii_graphic() && *c != ':';
        self.out.extend(name.chars().filter(ftext));
        self.out.push(':');
    }

    /// Appends the words of a cleaned value, each after a space or a fold, and the line end.
    fn folded(&mut self, value: &str) {
        let line_start = self.out.rfind('\n').map_or(0, |at| at + 1);
        let mut column = self.out.len() - line_start;
        let mut first = true;
        for word in value.split(' ').filter(|word| !word.is_empty()) {
            let mut rest = word;
            while !rest.is_empty() {
                // Room on a fresh line: the limit less the space it starts with.
                let (chunk, after) = split_chars(rest, LINE_MAX - 1);
                let fits = column + 1 + chunk.len() <= FOLD_AT;
                let may_overflow = first && column + 1 + chunk.len() <= LINE_MAX;
                if !fits && !may_overflow {
                    self.out.push_str("\r\n");
                    column = 0;
                }
                self.out.push(' ');
                self.out.push_str(chunk);
                column += 1 + chunk.len();
                first = false;
                rest = after;
            }
        }
        self.out.push_str("\r\n");
    }
}

/// Splits after at most `max` bytes, between characters; `max` is at least 4, so that the first part is never empty.
fn split_chars(text: &str, max: usize) -> (&str, &str) {
    let end = text.floor_char_boundary(max);
    text.split_at_checked(end).unwrap_or((text, ""))
}
