//! Known dates, and there-and-back over all of them.

use proptest::prelude::*;

use super::*;

fn check(millis: i64, rfc3339: &str, rfc5322: &str) {
    let time = Time::from_millis(millis);
    assert_eq!(time.to_string(), rfc3339);
    assert_eq!(time.rfc5322().to_string(), rfc5322);
}

#[test]
fn moments_print_as_both_formats_demand() {
    check(
        0,
        "1970-01-01T00:00:00.000Z",
        "Thu, 1 Jan 1970 00:00:00 +0000",
    );
    check(
        1_795_426_200_123,
        "2026-11-23T09:30:00.123Z",
        "Mon, 23 Nov 2026 09:30:00 +0000",
    );
    check(
        951_782_400_000,
        "2000-02-29T00:00:00.000Z",
        "Tue, 29 Feb 2000 00:00:00 +0000",
    );
    check(
        i64::MIN,
        "0000-01-01T00:00:00.000Z",
        "Sat, 1 Jan 0000 00:00:00 +0000",
    );
    check(
        i64::MAX,
        "9999-12-30T22:00:00.000Z",
        "Thu, 30 Dec 9999 22:00:00 +0000",
    );
    check(
        -1,
        "1969-12-31T23:59:59.999Z",
        "Wed, 31 Dec 1969 23:59:59 +0000",
    );
}

#[test]
fn message_dates_are_read_tolerantly() {
    let wanted = Time::from_millis(1_795_426_200_000);
    for text in [
        "Mon, 23 Nov 2026 09:30:00 +0000",
        "23 Nov 2026 09:30 +0000",
        "Mon, 23 Nov 2026 10:30:00 +0100 (CET)",
        "Mon, 23 Nov 26 04:30:00 EST",
        "Sun, 23 Nov 2026 09:30:00 GMT",
        "  Mon, 23 Nov 2026 01:30:00 PST ",
        "Mon, 23 Nov 2026 09:30:00 -0000",
        "Mon,\r\n 23 Nov 2026\r\n\t09:30:00 UT",
    ] {
        assert_eq!(Time::parse_rfc5322(text), Ok(wanted), "{text:?}");
    }
}

#[test]
fn what_is_no_date_is_refused() {
    for text in [
        "",
        "yesterday",
        "Mon, 32 Nov 2026 09:30:00 +0000",
        "23 Nov 2026",
    ] {
        assert!(Time::parse_rfc5322(text).is_err(), "{text:?}");
        assert!(Time::parse_rfc3339(text).is_err(), "{text:?}");
    }
    assert!(Time::parse_rfc5322(&"(".repeat(100_000)).is_err());
}

#[test]
fn sums_saturate_and_differences_never_go_below_zero() {
    let noon = Time::from_millis(43_200_000);
    assert_eq!(noon + Duration::MAX, Time::MAX);
    assert_eq!(noon - Duration::MAX, Time::MIN);
    assert_eq!(
        (noon + Duration::from_secs(60)).since(noon),
        Duration::from_secs(60)
    );
    assert_eq!(noon.since(noon + Duration::from_secs(60)), Duration::ZERO);
}

proptest! {
    #[test]
    fn every_moment_comes_back_from_rfc3339(millis: i64) {
        let time = Time::from_millis(millis);
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn every_second_comes_back_from_rfc5322(seconds in -62_167_219_200i64..253_402_207_200) {
        let time = Time::from_millis(seconds * 1000);
        prop_assert_eq!(Time::parse_rfc5322(&time.rfc5322().to_string()), Ok(time));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "[ -~\r\n]{0,60}|\\PC{0,60}") {
        prop_assert!(Time::parse_rfc5322(&text).is_err() || Time::parse_rfc5322(&text).is_ok());
        prop_assert!(Time::parse_rfc3339(&text).is_err() || Time::parse_rfc3339(&text).is_ok());
    }
}
