//! Rules of line ends and of replies, told apart from the code that is tested.

use bytes::BytesMut;
use std::fmt::Debug;
use wire_smtp::reply::{REPLY_LINE, Reply, ReplyReader};

/// Whether every CR and LF is part of CRLF (RFC 5321 s2.3.8).
pub fn is_strict(octets: &[u8]) -> bool {
    let mut before = 0;
    for &octet in octets {
        if (before == b'\r') != (octet == b'\n') {
            return false;
        }
        before = octet;
    }
    before != b'\r'
}

/// Asserts that every CR and LF is part of CRLF.
pub fn assert_strict(octets: &[u8]) {
    let shown = octets.escape_ascii();
    assert!(is_strict(octets), "a bare CR or LF in {shown}");
}

/// Asserts that octets sent after 354 hold the end of the message, and only at their end.
pub fn assert_one_end(octets: &[u8]) {
    let wire = [b"\r\n", octets].concat();
    let end = wire.windows(5).position(|five| five == b"\r\n.\r\n");
    let shown = octets.escape_ascii();
    assert_eq!(end.map(|at| at + 5), Some(wire.len()), "{shown}");
}

/// Reads octets that are whole replies of ours, each line within its limit.
pub fn read_replies(octets: &[u8]) -> Vec<Reply> {
    assert_strict(octets);
    for line in octets.split_inclusive(|&octet| octet == b'\n') {
        assert!(line.len() <= REPLY_LINE, "{}", line.escape_ascii());
    }
    let mut input = BytesMut::from(octets);
    let mut reader = ReplyReader::default();
    let mut replies = Vec::new();
    while let Some(reply) = reader.next(&mut input).expect("we speak in replies") {
        replies.push(reply);
    }
    assert!(input.is_empty() && !reader.is_midway(), "half a reply");
    replies
}

/// Asserts that what we print is read as the same value.
pub fn assert_reads_back<T, E>(value: &T, shown: &str, read: impl Fn(&str) -> Result<T, E>)
where
    T: Debug + PartialEq,
    E: Debug,
{
    let again = read(shown).expect("what we print can be read");
    assert_eq!(&again, value, "{shown:?}");
}

/// Asserts that two ways of arrival led to the same.
pub fn same<T: Debug + PartialEq>(whole: &T, cut: &T) {
    assert_eq!(whole, cut, "the cuts of the input changed its meaning");
}
