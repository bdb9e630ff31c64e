//! Ids are unique, ordered, and printed as people can read them.

use super::*;

const START: Time = Time::from_millis(1_800_000_000_000);

#[test]
fn ids_rise_strictly_whatever_the_clock_does() {
    let source = IdSource::above(0, 3);
    let mut last = 0;
    for step in [0, 0, 1, -5_000, 0, 60_000, -1] {
        let now = Time::from_millis(START.as_millis() + step);
        for _ in 0..10_000 {
            let id = source.next(now);
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }
}

#[test]
fn ids_carry_moment_and_node_and_stay_above_what_the_book_has() {
    let id = IdSource::above(0, 200).next(START);
    assert_eq!((id >> 21) + BEGINNING, START.as_millis());
    assert_eq!((id >> 13) & 255, 200);
    let later = IdSource::above(id, 0).next(Time::EPOCH);
    assert!(later > id && later >> 21 == (id >> 21) + 1);
}

#[test]
fn an_id_is_read_back_from_what_is_printed_in_either_case() {
    for key in [0, 1, 31, 32, i64::MAX, IdSource::above(0, 9).next(START)] {
        let id = MessageId::from_key(key);
        let text = id.to_string();
        assert_eq!(text.len(), 13);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.to_lowercase().parse(), Ok(id));
    }
    assert_eq!(
        "OIL0000000000".parse(),
        "0110000000000".parse::<MessageId>()
    );
}

#[test]
fn what_is_no_id_is_refused() {
    for text in [
        "",
        "123",
        "U000000000000",
        "ZZZZZZZZZZZZZ",
        "00000000000000",
        "0000000000é0",
    ] {
        assert_eq!(text.parse::<MessageId>(), Err(IdError), "{text}");
    }
}
