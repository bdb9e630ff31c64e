//! Field values for people: unfolded (RFC 5322 s2.2.3) and with encoded words decoded (RFC 2047).

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::{memchr, memchr_iter};

use super::clean;

/// The longest encoded word that is decoded, in bytes. RFC 2047 s2 allows 75; some write longer ones.
const ENCODED_WORD_MAX: usize = 1024;

/// base64 as it is met in the wild: padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Puts a folded value on one line: removes line ends and the white space around it all (RFC 5322 s2.2.3).
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr(b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut line = Vec::with_capacity(value.len());
    for part in value.split(|&byte| byte == b'\n') {
        line.extend_from_slice(part.strip_suffix(b"\r").unwrap_or(part));
    }
    Cow::Owned(line)
}

/// A value for people: unfolded, encoded words decoded, on one line without control characters.
///
/// Charsets known: UTF-8, US-ASCII, ISO-8859-1 and Windows-1252; words in others stay encoded. Bytes that are no UTF-8
/// become U+FFFD.
pub fn display(value: &[u8]) -> String {
    let line = unfold(value);
    let line = String::from_utf8_lossy(&line);
    clean(&decode_words(&line)).into_owned()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Charset {
    Utf8,
    Windows1252,
}

/// Bytes of encoded words in a row: a character may be split between two of them, though RFC 2047 s5 forbids it.
struct Run {
    charset: Charset,
    bytes: Vec<u8>,
}

impl Run {
    fn text(&self) -> String {
        match self.charset {
            Charset::Utf8 => String::from_utf8_lossy(&self.bytes).into_owned(),
            Charset::Windows1252 => self.bytes.iter().copied().map(windows_1252).collect(),
        }
    }
}

fn decode_words(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut run: Option<Run> = None;
    let mut rest = line;
    while let Some((before, from)) = rest.find("=?").and_then(|at| rest.split_at_checked(at)) {
        let Some((charset, bytes, after)) = encoded_word(from) else {
            flush(&mut text, &mut run);
            text.push_str(before);
            text.push_str("=?");
            rest = from.get(2..).unwrap_or("");
            continue;
        };
        // White space between two encoded words is no part of the text (RFC 2047 s6.2).
        let joined = run.is_some() && before.trim().is_empty();
        if !joined {
            flush(&mut text, &mut run);
            text.push_str(before);
        }
        match &mut run {
            Some(run) if run.charset == charset => run.bytes.extend_from_slice(&bytes),
            _ => {
                flush(&mut text, &mut run);
                run = Some(Run { charset, bytes });
            }
        }
        rest = after;
    }
    flush(&mut text, &mut run);
    text.push_str(rest);
    text
}

fn flush(text: &mut String, run: &mut Option<Run>) {
    if let Some(run) = run.take() {
        text.push_str(&run.text());
    }
}

/// Reads `=?charset?encoding?text?=` at the start of `from`: charset, decoded bytes, and what follows.
fn encoded_word(from: &str) -> Option<(Charset, Vec<u8>, &str)> {
    let window = from.as_bytes().get(..ENCODED_WORD_MAX);
    let window = window.unwrap_or(from.as_bytes());
    let mut parts = window.get(2..)?.splitn(4, |&byte| byte == b'?');
    let charset = charset(parts.next()?)?;
    let encoding = parts.next()?;
    let encoded = parts.next()?;
    if !parts.next()?.starts_with(b"=") {
        return None;
    }
    let bytes = match encoding {
        b"B" | b"b" => BASE64.decode(encoded).ok()?,
        b"Q" | b"q" => decode_q(encoded),
        _ => return None,
    };
    // It ends with its fourth `?` and the `=` after that.
    let length = memchr_iter(b'?', window).nth(3)? + 2;
    Some((charset, bytes, from.get(length..)?))
}

fn charset(name: &[u8]) -> Option<Charset> {
    // RFC 2231 s5: a language may follow the charset.
    let name = name.split(|&byte| byte == b'*').next()?;
    match name.to_ascii_lowercase().as_slice() {
        b"utf-8" | b"utf8" | b"us-ascii" | b"ascii" => Some(Charset::Utf8),
        b"iso-8859-1" | b"latin1" | b"windows-1252" | b"cp1252" => Some(Charset::Windows1252),
        _ => None,
    }
}

/// The Q encoding (RFC 2047 s4.2); a broken escape stands for itself.
fn decode_q(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'_' => bytes.push(b' '),
            b'=' => match crate::quoted::hex_pair(after) {
                Some(escaped) => {
                    bytes.push(escaped);
                    rest = after.get(2..).unwrap_or_default();
                }
                None => bytes.push(byte),
            },
            byte => bytes.push(byte),
        }
    }
    bytes
}

/// Windows-1252, which those who say ISO-8859-1 mean (WHATWG Encoding s9).
fn windows_1252(byte: u8) -> char {
    const HIGH: &[char; 32] = &[
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    let high = usize::from(byte).checked_sub(0x80);
    match high.and_then(|at| HIGH.get(at)) {
        Some(&c) => c,
        None => char::from(byte),
    }
}
