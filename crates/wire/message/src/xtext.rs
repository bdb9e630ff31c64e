//! Text inside SMTP parameters: xtext (RFC 3461 s4) and its two relatives for UTF-8 addresses (RFC 6533 s3).
//!
//! xtext carries bytes as printable ASCII: `+` and two hexadecimal digits stand for what may not stand for itself.
//! The relatives carry characters, escaped as `\x{HEX}`: `utf-8-addr-xtext` is ASCII throughout,
//! `utf-8-addr-unitext` leaves characters beyond ASCII as they are.

use std::fmt::Write;

mod original;
#[cfg(test)]
mod tests;

pub use original::{ORCPT_MAX, OriginalRecipient, OriginalRecipientError};

/// The longest ENVID parameter, in characters as encoded (RFC 3461 s4.4).
pub const ENVID_MAX: usize = 100;
/// The most hexadecimal digits of one `\x{HEX}`: code points end at 10FFFF.
const HEX_MAX: usize = 6;

/// A parameter that is not encoded as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a character that is not allowed, or a broken escape, at byte {at}")]
pub struct XtextError {
    /// The byte offset in the encoded text.
    pub at: usize,
}

/// Encodes bytes as xtext (RFC 3461 s4).
pub fn encode(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if is_xchar(byte) {
            text.push(char::from(byte));
        } else {
            text.push('+');
            text.push(digit(byte >> 4));
            text.push(digit(byte & 0x0f));
        }
    }
    text
}

/// Decodes xtext. Differs from RFC 3461 s4: lower-case hexadecimal digits are taken too.
///
/// # Errors
/// Where a byte may not stand for itself, or an escape is broken.
pub fn decode(text: &str) -> Result<Vec<u8>, XtextError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut encoded = text.bytes().enumerate();
    while let Some((at, byte)) = encoded.next() {
        match byte {
            b'+' => {
                let mut nibble = || hex(encoded.next()?.1);
                let escaped = nibble().zip(nibble()).ok_or(XtextError { at })?;
                bytes.push(escaped.0 << 4 | escaped.1);
            }
            byte if is_xchar(byte) => bytes.push(byte),
            _ => return Err(XtextError { at }),
        }
    }
    Ok(bytes)
}

/// Encodes characters as `utf-8-addr-xtext`: ASCII only, for peers without SMTPUTF8 (RFC 6533 s3).
pub fn encode_utf8_xtext(value: &str) -> String {
    escape(value, is_qchar)
}

/// Encodes characters as `utf-8-addr-unitext`, for peers with SMTPUTF8 (RFC 6533 s3).
pub fn encode_unitext(value: &str) -> String {
    escape(value, |c| is_qchar(c) || is_beyond_ascii(c))
}

/// Decodes `utf-8-addr-xtext` or `utf-8-addr-unitext`.
///
/// Differs from RFC 6533 s3: any code point may be escaped, not only those that need it.
///
/// # Errors
/// Where a character may not stand for itself, or an escape is broken.
pub fn decode_unitext(text: &str) -> Result<String, XtextError> {
    let mut value = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let error = XtextError {
            at: text.len() - rest.len(),
        };
        if c == '\\' {
            let (escaped, after) = unescape(rest).ok_or(error)?;
            value.push(escaped);
            rest = after;
        } else if is_qchar(c) || is_beyond_ascii(c) {
            value.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or("");
        } else {
            return Err(error);
        }
    }
    Ok(value)
}

/// Writes every character that is not `plain` as `\x{HEX}`.
pub(crate) fn escape(value: &str, plain: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if plain(c) {
            text.push(c);
        } else {
            // Writing to a String cannot fail.
            write!(text, "\\x{{{:02X}}}", u32::from(c)).unwrap_or_default();
        }
    }
    text
}

/// Reads one `\x{HEX}` at the start of `text`: the character, and what follows.
pub(crate) fn unescape(text: &str) -> Option<(char, &str)> {
    let digits = text.strip_prefix("\\x{")?;
    let end = digits.bytes().take(HEX_MAX + 1).position(|b| b == b'}')?;
    let (hex, rest) = digits.split_at_checked(end)?;
    if hex.is_empty() || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
    Some((c, rest.get(1..)?))
}

/// `xchar`: what stands for itself in xtext.
fn is_xchar(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && byte != b'+' && byte != b'='
}

/// `QCHAR` of RFC 6533 s3.
fn is_qchar(c: char) -> bool {
    matches!(c, '!'..='~') && c != '+' && c != '=' && c != '\\'
}

fn is_beyond_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_control()
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
