//! Known heads, there-and-back, and what an attacker would put into values.

use proptest::prelude::*;

use super::*;

const MESSAGE: &[u8] = b"Received: from a\r\n\tby b; now\r\nreceived : from c\nSUBJECT: =?utf-8?Q?J=C3=BCr?=\r\n\
\x20=?utf-8?B?Z2Vu?= lives\r\nMessage-ID:\r\n <1@a>\r\nDate: Mon, 23 Nov 2026 09:30:00 +0000\r\nTo: you\r\n\r\nFrom: body\r\n";

/// The fields of a head, as name and raw value.
fn check(head: &[u8], wanted: &[(&str, &[u8])]) {
    let fields: Vec<Field> = Head::of(head).fields().collect();
    let got: Vec<(&str, &[u8])> = fields.iter().map(|f| (f.name, f.value)).collect();
    assert_eq!(got, wanted, "{:?}", String::from_utf8_lossy(head));
}

#[test]
fn fields_are_walked_whole_whatever_their_line_ends() {
    check(b"", &[]);
    check(b"\r\nA: b", &[]);
    check(
        b"A:b\r\nC : d\n e\n\nbody",
        &[("A", b"b"), ("C", b" d\n e")],
    );
    check(b"A: b\rC: d", &[("A", b" b\rC: d")]);
    check(b" x\r\nA:\r\n", &[("", b" x"), ("A", b"")]);
    check(
        b"From me now\r\nA: b\r\n",
        &[("", b"From me now"), ("A", b" b")],
    );
    check(b"From 10:30\r\nA: b", &[("", b"From 10:30"), ("A", b" b")]);
    check(b"\xfc: b\r\n: c\r\n", &[("", b"\xfc: b"), ("", b": c")]);
}

#[test]
fn the_known_fields_are_found_and_read() {
    let head = Head::of(MESSAGE);
    assert_eq!(head.count_received(), 2);
    assert_eq!(head.subject().unwrap(), "Jürgen lives");
    assert_eq!(head.message_id().unwrap(), "<1@a>");
    assert_eq!(head.date(), Some(Time::from_millis(1_795_426_200_000)));
    assert_eq!((head.from(), head.to()), (None, Some("you".to_owned())));
    assert_eq!(
        head.find("received").unwrap().unfolded().as_ref(),
        b"from a\tby b; now"
    );
    assert!(!head.needs_smtputf8());
    assert!(Head::of("Subject: ü\r\n\r\n".as_bytes()).needs_smtputf8());
    assert!(!Head::of("Subject: u\r\n\r\nü".as_bytes()).needs_smtputf8());
}

#[test]
fn the_end_of_the_head_is_the_first_empty_line() {
    assert_eq!(
        find_end(b"A: b\r\n\r\nc"),
        Some(HeadEnd { head: 6, body: 8 })
    );
    assert_eq!(find_end(b"A: b\n\nc"), Some(HeadEnd { head: 5, body: 6 }));
    assert_eq!(find_end(b"\r\nc"), Some(HeadEnd { head: 0, body: 2 }));
    assert_eq!(find_end(b"A: b\r\n \r\nc"), None);
    assert_eq!(find_end(b"A: b\r\r\n"), None);
    let mut long = b"A: b\r\n".repeat(HEAD_MAX / 6 + 1);
    long.extend_from_slice(b"\r\n");
    assert_eq!(find_end(&long), None);
    assert_eq!(Head::of(&long).bytes().len(), HEAD_MAX);
}

#[test]
fn encoded_words_are_decoded_for_people() {
    for (value, wanted) in [
        ("plain", "plain"),
        ("=?utf-8?q?a_b=3F?= c", "a b? c"),
        ("=?utf-8?B?w7w=?=  =?UTF-8?B?w7w?=", "üü"),
        ("=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "ü"),
        ("=?iso-8859-1?Q?=FC=80?= =?utf-8?Q?=C3=BC?=", "ü€ü"),
        ("=?utf-8*de?Q?x?=", "x"),
        ("=?utf-8?Q?a=0D=0AEvil:_b?=", "a Evil: b"),
        ("=?koi8-r?Q?x?= y", "=?koi8-r?Q?x?= y"),
        (
            "=?utf-8?X?x?= =?utf-8?B?!?= =?=?utf-8?Q?b?=",
            "=?utf-8?X?x?= =?utf-8?B?!?= =?b",
        ),
        ("=?utf-8?Q?unending", "=?utf-8?Q?unending"),
        ("a\u{fc}", "a\u{fc}"),
    ] {
        assert_eq!(display(value.as_bytes()), wanted, "{value:?}");
    }
}

#[test]
fn a_value_can_not_become_a_field_of_its_own() {
    let mut writer = HeadWriter::new();
    writer.field("Sub\r\nject", "a\r\nBcc: evil\0\n\r\n\r\nbody");
    writer.exact("To", "a\r\nBcc: evil");
    assert_eq!(
        writer.as_str(),
        "Subject: a Bcc: evil body\r\nTo: a  Bcc: evil\r\n"
    );
}

#[test]
fn long_values_are_folded_and_longest_words_broken() {
    let mut writer = HeadWriter::new();
    writer.field("A", &"word ".repeat(30));
    writer.field("B", &"ü".repeat(2000));
    writer.field("C", &"x".repeat(200));
    writer.field("D", "");
    let head = writer.into_string();
    let lines: Vec<&str> = head.split("\r\n").collect();
    assert!(lines[0].len() <= FOLD_AT && lines[1].len() <= FOLD_AT);
    assert!(lines.iter().all(|line| line.len() <= LINE_MAX));
    assert!(head.contains(&format!("C: {}\r\nD:\r\n", "x".repeat(200))));
    let back = Head::of(head.as_bytes());
    assert_eq!(back.find("A").unwrap().display(), "word ".repeat(30).trim());
    assert_eq!(
        back.find("B").unwrap().display().replace(' ', ""),
        "ü".repeat(2000)
    );
}

proptest! {
    #[test]
    fn any_cleaned_value_comes_back_from_its_field(text in "\\PC{0,40}|([a-z:ü]{0,12}[ \r\n\t]?){0,30}") {
        let mut writer = HeadWriter::new();
        writer.field("First", "x").field("Text", &text).field("Last", "y").end();
        let head = Head::of(writer.as_str().as_bytes());
        prop_assert_eq!(head.fields().count(), 3);
        let value = head.find("Text").unwrap().unfolded().into_owned();
        let wanted = clean(&text);
        prop_assert_eq!(String::from_utf8(value).unwrap(), wanted.as_ref());
    }

    #[test]
    fn any_text_comes_back_from_encoded_words(text in "\\PC{0,80}|[a-z =?]{0,40}") {
        let wanted = clean(&text).into_owned();
        let encoded = encode_words(&wanted);
        prop_assert!(encoded.is_ascii());
        prop_assert_eq!(display(encoded.as_bytes()), wanted);
    }

    #[test]
    fn the_fields_tile_the_head(message in "([A-C]?[:a \t]{0,3}[\r\nü]{0,3}){0,12}") {
        let head = Head::of(message.as_bytes());
        let mut at = 0;
        for field in head.fields() {
            prop_assert_eq!(field.range.start, at);
            at = field.range.end;
        }
        prop_assert_eq!(at, head.bytes().len());
    }

    #[test]
    fn display_never_lets_a_line_end_through(value: Vec<u8>, text in "(=\\?(utf-8|latin1)\\?[QB]\\?[a-f0-9=_]{0,8}\\?= ?){0,4}") {
        prop_assert!(!display(&value).contains(char::is_control));
        prop_assert!(!display(text.as_bytes()).contains(char::is_control));
    }
}
