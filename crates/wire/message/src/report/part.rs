//! The frame around the parts of a report: boundaries and content types (RFC 2046 s5.1).

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use memchr::memmem;

use crate::header::{Head, find_end};

/// The most parts that are read of a multipart: a report has three.
const PARTS_MAX: usize = 16;

/// One part: its head and its content.
pub(super) struct Part<'a> {
    pub(super) head: Head<'a>,
    pub(super) content: &'a [u8],
}

impl Part<'_> {
    /// The media type, in lower case, without parameters.
    pub(super) fn media_type(&self) -> String {
        let value = self.head.find("Content-Type");
        let value = value.map_or_else(|| "text/plain".to_owned(), |field| field.text());
        let media = value.split(';').next().unwrap_or("");
        media.trim().to_ascii_lowercase()
    }

    /// Whether the content is quoted-printable.
    pub(super) fn is_quoted_printable(&self) -> bool {
        let encoding = self.head.find("Content-Transfer-Encoding");
        encoding.is_some_and(|field| field.text().eq_ignore_ascii_case("quoted-printable"))
    }
}

/// A boundary that occurs nowhere in `contents`.
///
/// Derived from the contents by a hash, so that nobody can write a message that holds its own boundary; checked
/// nevertheless.
pub(super) fn boundary(contents: &[&[u8]]) -> String {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    loop {
        // "=_" cannot occur in quoted-printable or base64 (RFC 2045 s6.7).
        let candidate = format!("=_postrider_{:016x}", hasher.finish());
        let finder = memmem::Finder::new(&candidate);
        if !contents
            .iter()
            .any(|content| finder.find(content).is_some())
        {
            return candidate;
        }
        candidate.hash(&mut hasher);
    }
}

/// The value of a parameter of a structured field, such as `boundary` of `Content-Type` (RFC 2045 s5.1).
pub(super) fn parameter(value: &str, name: &str) -> Option<String> {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once(';') {
        let (key, after) = after.split_once('=')?;
        let after = after.trim_start();
        let (text, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find([';', ' ']).unwrap_or(after.len())),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(text.to_owned());
        }
        rest = after;
    }
    None
}

/// Splits the body of a multipart into its parts; what stands before the first and after the last is dropped.
pub(super) fn split<'a>(body: &'a [u8], boundary: &str) -> Vec<Part<'a>> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        if let Some(rest) = after_delimiter(line, &delimiter) {
            if let Some(content) = start.and_then(|start| body.get(start..at)) {
                parts.push(part(content));
            }
            start = Some(at + line.len());
            if rest.starts_with(b"--") || parts.len() == PARTS_MAX {
                break;
            }
        }
        at += line.len();
    }
    parts
}

/// What follows the delimiter in a line that is one: nothing, or `--` in the last (RFC 2046 s5.1.1).
fn after_delimiter<'a>(line: &'a [u8], delimiter: &str) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(delimiter.as_bytes())?.trim_ascii_end();
    (rest.is_empty() || rest == b"--").then_some(rest)
}

/// The line end before a delimiter belongs to the delimiter.
fn part(bytes: &[u8]) -> Part<'_> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let body = find_end(bytes).map_or(bytes.len(), |end| end.body);
    Part {
        head: Head::of(bytes),
        content: bytes.get(body..).unwrap_or_default(),
    }
}
