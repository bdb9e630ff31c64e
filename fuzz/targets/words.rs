//! Encoded words (RFC 2047): any text goes into one field and comes out again; any bytes can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::assert_strict;
use wire_message::header::{Head, HeadWriter, LINE_MAX, clean, display, encode_words};

/// The longest encoded word (RFC 2047 s2).
const WORD: usize = 75;

fuzz_target!(|data: &[u8]| {
    let shown = display(data);
    assert!(!shown.contains(char::is_control), "{shown:?}");
    assert_eq!(clean(&shown), shown);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let encoded = encode_words(text);
    assert!(encoded.is_ascii());
    let in_words = encoded != text;
    assert!(!in_words || encoded.split(' ').all(|word| word.len() <= WORD));
    // A word that fits on no line is broken, and the break is a space.
    let whole = encoded.split(' ').all(|word| word.len() < LINE_MAX);
    check_field(HeadWriter::new().field("Subject", &encoded), text, whole);
    check_field(HeadWriter::new().field("Subject", text), "", false);
    check_field(HeadWriter::new().exact("Subject", text), "", false);
});

/// One field, in lines that may travel; and with its text when that must come back.
fn check_field(writer: &HeadWriter, text: &str, comes_back: bool) {
    let written = writer.as_str().as_bytes();
    assert_strict(written);
    for line in written.split(|&b| b == b'\n') {
        assert!(line.len() <= LINE_MAX + 1, "{}", line.escape_ascii());
    }
    let head = Head::of(written);
    assert_eq!(head.bytes(), written);
    assert_eq!((head.fields().count(), head.count("Subject")), (1, 1));
    if comes_back {
        assert_eq!(head.subject().as_deref(), Some(clean(text).as_ref()));
    }
}
