//! Heads of messages: the fields tile the head, and what people see is one clean line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire_message::header::{Field, Head, clean, find_end, unfold};

fuzz_target!(|data: &[u8]| {
    let head = Head::of(data);
    match find_end(data) {
        Some(end) => {
            assert_eq!(head.bytes().len(), end.head);
            assert!(matches!(
                data.get(end.head..end.body),
                Some(b"\r\n" | b"\n")
            ));
        }
        None => assert_eq!(head.bytes(), data),
    }
    assert_eq!(Head::of(head.bytes()).bytes(), head.bytes());
    let mut at = 0;
    for field in head.fields() {
        assert_eq!(field.range.start, at);
        assert!(field.range.end > at);
        at = field.range.end;
        check_field(&head, &field);
    }
    assert_eq!(at, head.bytes().len());
    let shown = [head.from(), head.to(), head.subject(), head.message_id()];
    shown.iter().flatten().for_each(|text| check_shown(text));
    assert_eq!(head.needs_smtputf8(), !head.bytes().is_ascii());
    assert_eq!(head.count_received(), head.count("received"));
    let date = head.date().map(|date| date.to_string());
    assert_ne!(date.as_deref(), Some(""));
});

fn check_field(head: &Head<'_>, field: &Field<'_>) {
    assert!(
        field
            .name
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b':')
    );
    assert!(head.count(field.name) > 0 && head.find(field.name).is_some());
    assert!(!field.unfolded().contains(&b'\n'));
    assert_eq!(unfold(field.value), field.unfolded());
    check_shown(&field.display());
}

fn check_shown(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    assert_eq!(clean(text), text);
}
