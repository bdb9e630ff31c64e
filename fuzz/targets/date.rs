//! Moments: both formats are printed and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::assert_reads_back;
use wire_message::Time;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let read = [Time::parse_rfc3339(text), Time::parse_rfc5322(text)];
    read.iter().flatten().for_each(check);
    if let Some(millis) = data.first_chunk() {
        check(&Time::from_millis(i64::from_le_bytes(*millis)));
    }
});

fn check(time: &Time) {
    assert!((Time::MIN..=Time::MAX).contains(time));
    assert_reads_back(time, &time.to_string(), Time::parse_rfc3339);
    let second = Time::from_millis(time.as_millis().div_euclid(1000) * 1000);
    assert_reads_back(&second, &time.rfc5322().to_string(), Time::parse_rfc5322);
}
