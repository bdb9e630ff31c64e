//! What is returned of the original message.

use bytes::Bytes;
use memchr::memchr3;

use crate::header::{Head, LINE_MAX};

/// The largest original that is returned in full, in bytes; of a larger one the head is returned. Reports are held in
/// memory while they are composed, and a sender has the message anyway.
pub const RETURN_MAX: usize = 1024 * 1024;

/// What is returned of the original message, in a state that can stand inside another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    extent: Extent,
    bytes: Bytes,
}

/// How much is returned (RFC 3461 s4.3: RET).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The head: `RET=HDRS`.
    Headers,
    /// All of it: `RET=FULL`.
    Full,
}

impl Original {
    /// Returns the whole message; its head when it is over [`RETURN_MAX`], or could not pass as it is: with lines over
    /// 998 bytes, NUL, or a CR or LF alone.
    pub fn full(message: Bytes) -> Original {
        if message.len() > RETURN_MAX || !can_be_enclosed(&message) {
            return Original::headers(&message);
        }
        Original {
            extent: Extent::Full,
            bytes: message,
        }
    }

    /// Returns the head of `message`, which may be the head alone or the whole.
    ///
    /// What no transport may carry is mended: lines end in CRLF, none is over 998 bytes, NUL and bare CR are gone.
    pub fn headers(message: &[u8]) -> Original {
        let mut head = Vec::new();
        for line in Head::of(message).bytes().split(|&byte| byte == b'\n') {
            push_mended(line, &mut head);
        }
        Original {
            extent: Extent::Headers,
            bytes: head.into(),
        }
    }

    /// How much is returned; less than was asked for when [`Original::full`] says so.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// The bytes that are returned.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Appends a line of a head, continued on further lines when it is too long.
fn push_mended(line: &[u8], head: &mut Vec<u8>) {
    let line: Vec<u8> = line
        .iter()
        .copied()
        .filter(|byte| !b"\r\0".contains(byte))
        .collect();
    if line.is_empty() {
        return;
    }
    let mut rest = line.as_slice();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(character_boundary(rest, LINE_MAX - 1));
        head.extend_from_slice(chunk);
        head.extend_from_slice(b"\r\n");
        if !after.is_empty() {
            head.push(b' ');
        }
        rest = after;
    }
}

/// The largest length up to `max` that does not split a character, if these are UTF-8.
fn character_boundary(bytes: &[u8], max: usize) -> usize {
    if bytes.len() <= max {
        return bytes.len();
    }
    let continues = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xC0 == 0x80);
    (max - 3..=max)
        .rev()
        .find(|at| !continues(at))
        .unwrap_or(max)
}

/// Whether no line is over the limit and no NUL, and no CR or LF but in CRLF, is anywhere (RFC 2045 s2.8; what came by
/// BINARYMIME may differ).
fn can_be_enclosed(message: &[u8]) -> bool {
    message.split_inclusive(|&byte| byte == b'\n').all(|line| {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        text.len() <= LINE_MAX && memchr3(b'\r', b'\n', 0, text).is_none()
    })
}
