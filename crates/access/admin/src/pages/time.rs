//! Moments and ages as people read them; the exact moment stands beside each.

use std::time::Duration;

use wire_message::Time;

/// A moment on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339, UTC.
    pub(crate) exact: String,
    /// "3 h ago", "in 12 min".
    pub(crate) words: String,
}

impl Moment {
    pub(crate) fn of(at: Time, now: Time) -> Self {
        let words = match at > now {
            true => format!("in {}", span(at.since(now))),
            false => match now.since(at) {
                short if short < Duration::from_secs(1) => "now".to_owned(),
                age => format!("{} ago", span(age)),
            },
        };
        Self {
            exact: at.to_string(),
            words,
        }
    }

    pub(crate) fn maybe(at: Option<Time>, now: Time) -> Option<Self> {
        at.map(|at| Self::of(at, now))
    }

    /// Of a moment that is written as text already.
    pub(crate) fn read(text: &str, now: Time) -> Self {
        match text.parse() {
            Ok(at) => Self::of(at, now),
            Err(_) => Self {
                exact: text.to_owned(),
                words: text.to_owned(),
            },
        }
    }
}

/// A time in its two largest units.
pub(crate) fn span(time: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let seconds = time.as_secs();
    let mut rest = seconds;
    let mut words = Vec::new();
    for (each, unit) in UNITS {
        let whole = rest / each;
        rest %= each;
        if whole > 0 {
            words.push(format!("{whole} {unit}"));
        } else if !words.is_empty() {
            break;
        }
        if words.len() == 2 {
            break;
        }
    }
    match words.is_empty() {
        true => "0 s".to_owned(),
        false => words.join(" "),
    }
}

/// A number with its thousands apart.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Octets in the largest unit that leaves a whole part.
pub(crate) fn octets(n: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = UNITS.iter().find(|(each, _)| n >= *each);
    fits.map_or(format!("{n} B"), |(each, unit)| {
        format!("{}.{} {unit}", n / each, n % each * 10 / each)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_two_largest_units() {
        for (seconds, told) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (3661, "1 h 1 min"),
            (86_400 * 4 + 3600 * 2 + 5, "4 d 2 h"),
            (86_400 + 60, "1 d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn moments_are_told_from_now() {
        let now = Time::from_millis(1_800_000_000_000);
        for (seconds, told) in [(90, "in 1 min 30 s"), (0, "now")] {
            let at = now + Duration::from_secs(seconds);
            assert_eq!(Moment::of(at, now).words, told);
        }
        assert_eq!(
            Moment::of(now - Duration::from_secs(120), now).words,
            "2 min ago"
        );
        assert_eq!(Moment::read("never", now).words, "never");
    }

    #[test]
    fn large_numbers_are_read_by_thousands() {
        for (n, told) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_204_331, "1,204,331"),
        ] {
            assert_eq!(number(n), told);
        }
        for (n, told) in [(512, "512 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB")] {
            assert_eq!(octets(n), told);
        }
    }
}
