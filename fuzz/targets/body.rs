//! Content on the wire: stuffed and read back it is the same; other readers' ends of lines never end it.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use postrider_fuzz::{Cuts, Dice, assert_one_end, assert_strict, is_strict, same};
use wire_smtp::body::{DataReader, DotStuffer, Fault, Step, TextCheck, TextLimits};

const NO_LIMITS: TextLimits = TextLimits {
    line: usize::MAX,
    size: u64::MAX,
};
const TIGHT: TextLimits = TextLimits { line: 12, size: 40 };

fuzz_target!(|data: &[u8]| {
    let mut dice = Dice(data);
    let (out, back) = (Cuts::read(&mut dice), Cuts::read(&mut dice));
    there_and_back(dice.0, out, back);
    for limits in [NO_LIMITS, TIGHT] {
        let whole = read(dice.0, Cuts::NONE, limits);
        same(&whole, &read(dice.0, out, limits));
        check_read(dice.0, &whole, limits);
        same(
            &checked(dice.0, Cuts::NONE, limits),
            &checked(dice.0, out, limits),
        );
    }
    let strict = is_strict(dice.0) && !dice.0.contains(&0);
    assert_eq!(checked(dice.0, out, NO_LIMITS).is_ok(), strict);
});

/// What is stored, stuffed in some cuts and read in others.
fn there_and_back(content: &[u8], out: Cuts<'_>, back: Cuts<'_>) {
    let (mut stuffer, mut wire) = (DotStuffer::new(), BytesMut::new());
    out.pieces(content)
        .for_each(|piece| stuffer.write(piece, &mut wire));
    stuffer.finish(&mut wire);
    assert_strict(&wire);
    assert_one_end(&wire);
    wire.extend_from_slice(b"QUIT\r\n");
    let read = read(&wire, back, NO_LIMITS);
    assert_eq!(read.left, b"QUIT\r\n");
    match content.contains(&0) {
        true => assert_eq!(read.end, Some(Some(Fault::Nul))),
        false => assert_eq!((read.end, read.content), (Some(None), repaired(content))),
    }
}

/// Every line end a CRLF, and one at the end: written as simply as can be.
fn repaired(content: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut octets = content.iter().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' => {
                octets.next_if_eq(&&b'\n');
                lines.extend_from_slice(b"\r\n");
            }
            b'\n' => lines.extend_from_slice(b"\r\n"),
            octet => lines.push(*octet),
        }
    }
    if !lines.is_empty() && !lines.ends_with(b"\r\n") {
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

/// What came of octets behind 354.
#[derive(Debug, PartialEq)]
struct Read {
    content: Vec<u8>,
    /// Whether the end was found, and the fault that was told there.
    end: Option<Option<Fault>>,
    /// What follows the end.
    left: Vec<u8>,
}

/// Content is kept as a driver keeps it: what has a fault is thrown away.
fn read(wire: &[u8], cuts: Cuts<'_>, limits: TextLimits) -> Read {
    let (mut reader, mut input) = (DataReader::new(limits), BytesMut::new());
    let (mut content, mut end) = (Vec::new(), None);
    for piece in cuts.pieces(wire) {
        input.extend_from_slice(piece);
        while end.is_none() {
            match reader.step(&mut input) {
                Step::NeedMore => break,
                Step::Chunk(chunk) => content.extend_from_slice(&chunk),
                Step::End(fault) => end = Some(fault),
            }
            assert_eq!(
                reader.size().min(limits.size).max(content.len() as u64),
                reader.size().min(limits.size)
            );
        }
    }
    assert!(is_strict(&content), "{}", content.escape_ascii());
    assert!(!content.contains(&0));
    let left = match end {
        Some(_) => input.to_vec(),
        None => Vec::new(),
    };
    // How much of faulty or unfinished content was given out is a matter of the cuts.
    if end != Some(None) {
        content.clear();
    }
    Read { content, end, left }
}

/// Compares with a reader that is as simple as can be: it splits at CRLF and looks for the dot.
fn check_read(wire: &[u8], read: &Read, limits: TextLimits) {
    let framed = [b"\r\n", wire].concat();
    let end = framed.windows(5).position(|five| five == b"\r\n.\r\n");
    assert_eq!(end.is_some(), read.end.is_some());
    let Some((text, left)) = end.and_then(|end| Some((wire.get(..end)?, wire.get(end + 3..)?)))
    else {
        return;
    };
    assert_eq!(read.left, left);
    if read.end == Some(None) {
        let mut expected = Vec::new();
        for line in lines(text) {
            // A stuffed dot does not count (RFC 5321 s4.5.3.1.6).
            let line = line.strip_prefix(b".").unwrap_or(line);
            assert!(line.len() <= limits.line.saturating_add(2));
            expected.extend_from_slice(line);
        }
        assert_eq!(read.content, expected);
        assert!(expected.len() as u64 <= limits.size);
    } else if limits == NO_LIMITS {
        assert!(!is_strict(text) || text.contains(&0));
    }
}

/// Lines with their CRLF.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
        let (line, after) = rest.split_at(at + 2);
        lines.push(line);
        rest = after;
    }
    assert!(rest.is_empty(), "the text ends where the dot's line begins");
    lines
}

fn checked(text: &[u8], cuts: Cuts<'_>, limits: TextLimits) -> Result<(), Fault> {
    let mut check = TextCheck::new(limits);
    for piece in cuts.pieces(text) {
        check.check(piece)?;
    }
    check.finish()
}
