//! Known encodings, and there-and-back.

use proptest::prelude::*;

use super::*;

/// An ORCPT parameter, what it means, and how it prints for peers without and with SMTPUTF8.
fn check(text: &str, wanted: Result<[&str; 4], OriginalRecipientError>) {
    let got = OriginalRecipient::parse(text).map(|orcpt| {
        let meaning = (orcpt.addr_type().to_owned(), orcpt.value().to_owned());
        [meaning.0, meaning.1, orcpt.to_string(), orcpt.to_unitext()]
    });
    assert_eq!(
        got,
        wanted.map(|texts| texts.map(str::to_owned)),
        "{text:?}"
    );
}

#[test]
fn original_recipients_are_read_and_printed() {
    check(
        "RFC822;jo+2Bx@a",
        Ok(["rfc822", "jo+x@a", "rfc822;jo+2Bx@a", "rfc822;jo+2Bx@a"]),
    );
    check(
        "rfc822;a+3db+20c@d",
        Ok([
            "rfc822",
            "a=b c@d",
            "rfc822;a+3Db+20c@d",
            "rfc822;a+3Db+20c@d",
        ]),
    );
    check(
        "x400;/C=US/",
        Err(OriginalRecipientError::Encoding(XtextError { at: 2 })),
    );
    check(
        "x400;/C+3DUS/",
        Ok(["x400", "/C=US/", "x400;/C+3DUS/", "x400;/C+3DUS/"]),
    );
    check(
        "utf-8;j\\x{FC}r@a",
        Ok(["utf-8", "jür@a", "utf-8;j\\x{FC}r@a", "utf-8;jür@a"]),
    );
    check(
        "utf-8;jür\\x{2B}@a",
        Ok([
            "utf-8",
            "jür+@a",
            "utf-8;j\\x{FC}r\\x{2B}@a",
            "utf-8;jür\\x{2B}@a",
        ]),
    );
}

#[test]
fn broken_parameters_say_what_is_wrong() {
    use OriginalRecipientError::*;
    for (text, wanted) in [
        ("jo@a", NoType),
        (";jo@a", NoType),
        ("rf c;jo@a", NoType),
        ("rfc822;", Empty),
        ("rfc822;a+", Encoding(XtextError { at: 1 })),
        ("rfc822;a+4", Encoding(XtextError { at: 1 })),
        ("rfc822;a+4x", Encoding(XtextError { at: 1 })),
        ("rfc822;jür", Encoding(XtextError { at: 1 })),
        ("rfc822;a+FF", NotUtf8),
        ("rfc822;a+0D+0ABcc", Control),
        ("utf-8;a\\x{D800}", Encoding(XtextError { at: 1 })),
        ("utf-8;a\\x{0000041}", Encoding(XtextError { at: 1 })),
        ("utf-8;a\\x{}", Encoding(XtextError { at: 1 })),
        ("utf-8;a\\x{0A}", Control),
        ("utf-8;a+b", Encoding(XtextError { at: 1 })),
    ] {
        check(text, Err(wanted));
    }
}

#[test]
fn a_parameter_has_a_bound_and_what_was_read_of_one_has_none() {
    let read = OriginalRecipient::from_parameter;
    assert!(
        read(&format!("rfc822;{}", "a".repeat(493))).is_ok_and(|orcpt| orcpt.fits_a_parameter())
    );
    let long = format!("rfc822;{}", "a".repeat(494));
    assert_eq!(read(&long), Err(OriginalRecipientError::TooLong));
    // 106 characters as they were written, 996 as every peer reads them.
    let grown = read(&format!("utf-8;{}", "\u{672c}".repeat(100))).unwrap();
    assert!(!grown.fits_a_parameter());
    assert_eq!(grown.to_string().parse(), Ok(grown));
}

proptest! {
    #[test]
    fn every_byte_comes_back_from_xtext(bytes: Vec<u8>) {
        let text = encode(&bytes);
        prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() && b != b'='));
        prop_assert_eq!(decode(&text), Ok(bytes));
    }

    #[test]
    fn every_character_comes_back_from_both_utf8_forms(value: String) {
        let ascii = encode_utf8_xtext(&value);
        prop_assert!(ascii.bytes().all(|b| b.is_ascii_graphic() && b != b'='));
        prop_assert_eq!(decode_unitext(&ascii), Ok(value.clone()));
        prop_assert_eq!(decode_unitext(&encode_unitext(&value)), Ok(value));
    }

    #[test]
    fn every_original_recipient_comes_back(kind in "rfc822|utf-8|x-y", value in "[ -~]{1,20}|\\PC{1,20}") {
        if let Ok(orcpt) = OriginalRecipient::new(&kind, &value) {
            prop_assert_eq!(orcpt.to_string().parse(), Ok(orcpt.clone()));
            prop_assert_eq!(OriginalRecipient::parse(&orcpt.to_unitext()), Ok(orcpt));
        }
    }

    #[test]
    fn what_is_accepted_comes_back(text in "(rfc822|utf-8);[a-f0-9A-F+=\\\\x{}ü]{0,20}|\\PC{0,20}") {
        if let Ok(orcpt) = OriginalRecipient::parse(&text) {
            prop_assert_eq!(orcpt.to_string().parse(), Ok(orcpt));
        }
    }
}
