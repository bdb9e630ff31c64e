//! Quoted-printable (RFC 2045 s6.7), for text that must pass where only ASCII does.

use crate::header::{FOLD_AT, LINE_MAX};

/// The longest encoded line, in bytes (RFC 2045 s6.7 rule 5).
const ENCODED_LINE_MAX: usize = 76;

/// Whether text lines can go as they are: ASCII, none over [`LINE_MAX`], no control characters but tab and line end.
pub(crate) fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    text.split("\r\n")
        .all(|line| line.len() <= LINE_MAX && line.bytes().all(plain))
}

/// Encodes text whose lines end in CRLF.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + FOLD_AT);
    for (number, line) in text.split("\r\n").enumerate() {
        if number > 0 {
            encoded.push_str("\r\n");
        }
        encode_line(line.as_bytes(), &mut encoded);
    }
    encoded
}

fn encode_line(line: &[u8], encoded: &mut String) {
    let mut column = 0;
    for (at, &byte) in line.iter().enumerate() {
        let last = at + 1 == line.len();
        let plain = match byte {
            b'=' => false,
            b'!'..=b'~' => true,
            // White space at the end of a line would be lost (rule 3).
            b' ' | b'\t' => !last,
            _ => false,
        };
        let width = if plain { 1 } else { 3 };
        if column + width >= ENCODED_LINE_MAX {
            encoded.push_str("=\r\n");
            column = 0;
        }
        column += width;
        if plain {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("={byte:02X}"));
        }
    }
}

/// Decodes; a broken escape stands for itself (RFC 2045 s6.7, note on robustness).
pub(crate) fn decode(encoded: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'=' {
            bytes.push(byte);
        } else if let Some(next) = soft_break(after) {
            rest = next;
        } else if let Some(escaped) = hex_pair(after) {
            bytes.push(escaped);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(byte);
        }
    }
    bytes
}

fn soft_break(after: &[u8]) -> Option<&[u8]> {
    after
        .strip_prefix(b"\r\n")
        .or_else(|| after.strip_prefix(b"\n"))
}

/// The byte that two hexadecimal digits at the start stand for.
pub(crate) fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, encoded: &str) {
        assert_eq!(encode(text), encoded);
        assert_eq!(decode(encoded.as_bytes()), text.as_bytes());
    }

    #[test]
    fn text_is_encoded_as_rfc_2045_demands() {
        check("", "");
        check("a=b\r\nü\r\n", "a=3Db\r\n=C3=BC\r\n");
        check("a \r\nb\t", "a=20\r\nb=09");
        check("a\nb\r", "a=0Ab=0D");
        let (first, second) = ("x".repeat(75), "x".repeat(5));
        check(&"x".repeat(80), &format!("{first}=\r\n{second}"));
        assert_eq!(decode(b"a=\nb=zz="), b"ab=zz=");
    }

    proptest! {
        #[test]
        fn every_text_comes_back_in_short_ascii_lines(text in "(\\PC{0,90}[ \t\r\n=]{0,2}){0,5}") {
            let encoded = encode(&text);
            prop_assert!(is_plain(&encoded));
            prop_assert!(encoded.split("\r\n").all(|line| line.len() <= ENCODED_LINE_MAX));
            prop_assert_eq!(decode(encoded.as_bytes()), text.into_bytes());
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            prop_assert!(decode(&bytes).len() <= bytes.len());
        }
    }
}
