//! Reports to senders: whatever is read of one can be sent on, and is then read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::assert_strict;
use wire_message::Report;
use wire_message::header::{Head, LINE_MAX};
use wire_message::report::Composed;

fuzz_target!(|data: &[u8]| {
    let Ok(foreign) = Report::parse(data) else {
        return;
    };
    // A foreign report may say what ours cannot; what ours says once, it says for ever.
    let ours = read(&foreign.compose());
    assert_eq!(read(&ours.compose()), ours);
    let unsaid = Report { text: None, ..ours };
    read(&unsaid.compose());
});

fn read(composed: &Composed) -> Report {
    let bytes = &composed.bytes;
    assert_strict(bytes);
    for line in bytes.split(|&b| b == b'\n') {
        assert!(line.len() <= LINE_MAX + 1, "{}", line.escape_ascii());
    }
    assert_eq!(composed.eight_bit, !bytes.is_ascii());
    assert_eq!(composed.smtputf8, Head::of(bytes).needs_smtputf8());
    Report::parse(bytes).expect("our own report can be read")
}
