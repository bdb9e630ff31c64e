//! Enhanced status codes: printed and read again, and split off a reply's text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::assert_reads_back;
use wire_message::EnhancedStatus;

fuzz_target!(|data: &[u8]| {
    if let Some(code) = data.first_chunk()
        && let Some(status) = EnhancedStatus::from_reply_code(u16::from_le_bytes(*code))
    {
        check(&status);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(status) = text.parse() {
        check(&status);
    }
    if let Some((status, rest)) = EnhancedStatus::split(text) {
        check(&status);
        assert!(text.ends_with(rest) && rest.len() < text.len());
    }
});

fn check(status: &EnhancedStatus) {
    assert_reads_back(status, &status.to_string(), str::parse);
    let again = EnhancedStatus::new(status.class(), status.subject(), status.detail());
    assert_eq!(&again, status);
    assert_ne!(status.meaning(), Some(""));
}
