//! Lengths of time: `"90s"`, `"1h30m"`, `"4d"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use toml::de::DeValue;

use crate::form::{Misread, Value, Written, quoted, read_text, wrong_type};
use crate::problem::Fault;

/// Units from the largest, each in milliseconds.
const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The text form of a [`Duration`], to the millisecond: parse with `FromStr`, print with `Display`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let mut rest = text;
        let mut total: u64 = 0;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let (count, after_count) = leading(rest, |c| c.is_ascii_digit());
            let (unit, after_unit) = leading(after_count, |c| c.is_ascii_alphabetic());
            let (_, millis) = UNITS
                .iter()
                .find(|(name, millis)| *name == unit && *millis < smallest)
                .ok_or_else(|| not_a_period(text))?;
            let count: u64 = count.parse().map_err(|_| not_a_period(text))?;
            let part = count.checked_mul(*millis);
            total = part
                .and_then(|part| total.checked_add(part))
                .ok_or_else(|| not_a_period(text))?;
            smallest = *millis;
            rest = after_unit;
        }
        if text.is_empty() {
            return Err(not_a_period(text));
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

fn leading(text: &str, belongs: fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn not_a_period(text: &str) -> Fault {
    Fault::new(
        format!("{} is not a length of time", quoted(text)),
        r#"write numbers with the units w, d, h, m, s, ms, largest first, such as "90s", "1h30m" or "4d""#,
    )
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        // Weeks are read, never printed: "30d" says more than "4w2d".
        for (unit, millis) in UNITS.iter().filter(|(unit, _)| *unit != "w") {
            let count = rest / millis;
            rest %= millis;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl Value for Duration {
    fn form() -> String {
        r#"a length of time such as "90s", "1h30m" or "4d""#.to_owned()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        if let DeValue::Integer(number) = value.get_ref() {
            let remedy = format!(r#"say which unit, such as "{number}s""#);
            return Err(wrong_type(value, &Self::form(), &remedy));
        }
        read_text::<Period>(value, &Self::form()).map(|period| period.0)
    }

    fn show(&self) -> String {
        quoted(&Period(*self).to_string())
    }
}

/// Whole seconds.
pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Whole minutes.
pub(crate) fn minutes(count: u64) -> Duration {
    seconds(count.saturating_mul(60))
}

/// Whole hours.
pub(crate) fn hours(count: u64) -> Duration {
    minutes(count.saturating_mul(60))
}

/// Days of 24 hours.
pub(crate) fn days(count: u64) -> Duration {
    hours(count.saturating_mul(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_and_printed() {
        for (text, millis, printed) in [
            ("0s", 0, "0s"),
            ("90s", 90_000, "1m30s"),
            ("1m30s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("4d", 345_600_000, "4d"),
            ("24h", 86_400_000, "1d"),
            ("2w", 1_209_600_000, "14d"),
            ("250ms", 250, "250ms"),
            ("1s1ms", 1001, "1s1ms"),
        ] {
            let period: Period = text.parse().expect(text);
            assert_eq!(period.0, Duration::from_millis(millis), "{text}");
            assert_eq!(period.to_string(), printed);
            assert_eq!(printed.parse::<Period>(), Ok(period), "there and back");
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in [
            "",
            "4",
            "d",
            "4x",
            "-1s",
            "1.5h",
            "1s1s",
            "1s1m",
            "1 h",
            "1h ",
            "4D",
            "\u{664}s",
            "99999999999999999999s",
            "18446744073709551615w",
            "1m18446744073709551615ms",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
