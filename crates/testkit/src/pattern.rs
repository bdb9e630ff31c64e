//! What a story expects, compared with what there is.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use wire_message::Time;

/// How exactly a moment without a range is meant.
const TO_THE_SECOND: Duration = Duration::from_secs(1);

/// The story's beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning {
    /// When it was.
    pub(crate) at: Time,
    /// How much later than the story says things may have happened: the time that its telling took.
    pub(crate) slack: Duration,
}

/// One row of an answer, by column.
pub(crate) type Answer = Map<String, Value>;

/// A row as a story expects it: every column it names must match.
#[derive(Debug, Clone)]
pub(crate) struct RowPattern {
    columns: Vec<(String, Wanted)>,
}

#[derive(Debug, Clone)]
enum Wanted {
    /// Text with `*` for anything.
    Text(String),
    /// A moment, as time since the story's beginning.
    Moment { from: Duration, to: Duration },
}

impl RowPattern {
    /// Reads `column=value column="a value" column=+1h..+2h`.
    pub(crate) fn parse(line: &str) -> Result<RowPattern> {
        let (mut columns, mut rest) = (Vec::new(), line.trim());
        while !rest.is_empty() {
            let (name, after) = rest
                .split_once('=')
                .with_context(|| format!("expected column=value, got {rest:?}"))?;
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted
                    .split_once('"')
                    .context("expected the end of a quoted value")?,
                None => after.split_once(' ').unwrap_or((after, "")),
            };
            columns.push((name.to_owned(), Wanted::parse(value)?));
            rest = after.trim_start();
        }
        if columns.is_empty() {
            bail!("expected column=value, and the line ends");
        }
        Ok(RowPattern { columns })
    }

    /// The first column that is not as expected: its name and what it holds.
    fn differs(&self, row: &Answer, start: Beginning) -> Option<String> {
        self.columns.iter().find_map(|(name, wanted)| {
            let found = row.get(name);
            let Some(found) = found else {
                let names: Vec<_> = row.keys().map(String::as_str).collect();
                return Some(format!("no column {name}; there are {}", names.join(" ")));
            };
            let found = shown(found);
            (!wanted.matches(&found, start)).then(|| format!("{name}={found:?}"))
        })
    }
}

impl Wanted {
    fn parse(text: &str) -> Result<Wanted> {
        let Some(moment) = text.strip_prefix('+') else {
            return Ok(Wanted::Text(text.to_owned()));
        };
        let (from, to) = match moment.split_once("..+") {
            Some((from, to)) => (duration(from)?, duration(to)?),
            None => (duration(moment)?, duration(moment)? + TO_THE_SECOND),
        };
        Ok(Wanted::Moment { from, to })
    }

    fn matches(&self, found: &str, start: Beginning) -> bool {
        match self {
            Wanted::Text(pattern) => matches(pattern, found),
            Wanted::Moment { from, to } => found
                .parse::<Time>()
                .is_ok_and(|moment| (*from..=*to + start.slack).contains(&moment.since(start.at))),
        }
    }
}

/// A value as a story writes it: text as it is, `null` as nothing, a list as the number of its entries.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries.len().to_string(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// Compares all rows, in order; the complaint when they differ.
pub(crate) fn compare(
    wanted: &[RowPattern],
    found: &[Answer],
    start: Beginning,
) -> Result<(), String> {
    let mut complaint = None;
    if wanted.len() != found.len() {
        complaint = Some(format!("{} rows, not {}", found.len(), wanted.len()));
    }
    for (at, (pattern, row)) in wanted.iter().zip(found).enumerate() {
        complaint = complaint.or_else(|| {
            let differs = pattern.differs(row, start)?;
            Some(format!("row {}: {differs}", at + 1))
        });
    }
    let Some(complaint) = complaint else {
        return Ok(());
    };
    let mut text = complaint;
    for row in found {
        let columns = row.iter().filter(|(_, value)| !value.is_null());
        let columns = columns.map(|(name, value)| format!("{name}={:?}", shown(value)));
        text.push_str("\n    | ");
        text.push_str(&columns.collect::<Vec<_>>().join(" "));
    }
    Err(text)
}

/// Whether `text` fits `pattern`, in which `*` stands for anything, nothing included.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut pieces: Vec<&str> = tail.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// Reads `4d`, `1h30m`, `90s`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let wrong = || format!("expected a time such as 90s, 1h30m or 4d, got {text:?}");
    let (mut sum, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at_checked(digits).with_context(wrong)?;
        let letters = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_lowercase())
                .len();
        let (unit, after) = after.split_at_checked(letters).with_context(wrong)?;
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => bail!(wrong()),
        };
        let number: u64 = number.parse().ok().with_context(wrong)?;
        sum += Duration::from_millis(number.checked_mul(millis).with_context(wrong)?);
        rest = after;
    }
    if text.is_empty() {
        bail!(wrong());
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*b*", "abc", true),
            ("*bb*", "abc", false),
            ("ab*b", "ab", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn times_are_sums_of_numbers_with_units() {
        assert_eq!(duration("1h30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        for wrong in ["", "h", "5", "5x", "1h x"] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn rows_are_compared_by_number_and_by_named_column() {
        let start = Beginning {
            at: Time::from_millis(0),
            slack: Duration::ZERO,
        };
        let Value::Object(row) =
            serde_json::json!({"a": "x y", "n": 3, "none": null, "at": "1970-01-01T01:00:00.000Z"})
        else {
            panic!("an object")
        };
        let fits = |line: &str| {
            let pattern = RowPattern::parse(line).unwrap();
            compare(&[pattern], std::slice::from_ref(&row), start)
        };
        for good in ["a=\"x y\" n=3", "a=x*", "none=", "at=+1h", "at=+50m..+2h"] {
            assert_eq!(fits(good), Ok(()), "{good}");
        }
        for bad in ["a=x", "n=4", "missing=1", "at=+2h", "none=x", "a=+1h"] {
            assert!(fits(bad).is_err(), "{bad}");
        }
        assert!(compare(&[], &[row], start).is_err());
        assert!(RowPattern::parse("nonsense").is_err());
    }
}
