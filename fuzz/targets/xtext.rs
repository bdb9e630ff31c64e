//! Text inside SMTP parameters, and original recipients: there and back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::assert_reads_back;
use wire_message::xtext::{self, OriginalRecipient};

fuzz_target!(|data: &[u8]| {
    let encoded = xtext::encode(data);
    assert!(
        encoded
            .bytes()
            .all(|b| matches!(b, b'!'..=b'~') && b != b'=')
    );
    assert_reads_back(&data.to_vec(), &encoded, xtext::decode);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Err(error) = xtext::decode(text) {
        assert!(text.is_char_boundary(error.at));
    }
    check_unitext(text);
    match xtext::decode_unitext(text) {
        Ok(value) => check_unitext(&value),
        Err(error) => assert!(text.is_char_boundary(error.at)),
    }
    if let Ok(recipient) = OriginalRecipient::parse(text) {
        check_recipient(&recipient);
    }
    if let Some((addr_type, value)) = text.split_once(';')
        && let Ok(recipient) = OriginalRecipient::new(addr_type, value)
    {
        check_recipient(&recipient);
    }
});

fn check_unitext(value: &str) {
    let (ascii, unicode) = (
        xtext::encode_utf8_xtext(value),
        xtext::encode_unitext(value),
    );
    assert!(ascii.is_ascii());
    for encoded in [ascii, unicode] {
        assert!(!encoded.contains(|c: char| c == ' ' || c == '=' || c.is_control()));
        assert_reads_back(&value.to_owned(), &encoded, xtext::decode_unitext);
    }
}

/// Either form is read as the same.
fn check_recipient(recipient: &OriginalRecipient) {
    assert!(!recipient.value().contains(char::is_control));
    assert!(recipient.to_string().is_ascii());
    for shown in [recipient.to_string(), recipient.to_unitext()] {
        assert_reads_back(recipient, &shown, OriginalRecipient::parse);
    }
}
