//! Amounts of bytes: `"25MB"` (thousands), `"256KiB"` (powers of 1024).

use std::fmt;
use std::str::FromStr;

use toml::de::DeValue;

use crate::form::{Misread, Value, Written, quoted, read_text, wrong_type};
use crate::problem::Fault;

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// An amount of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl Size {
    /// The amount in bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (count, unit) = text.split_at_checked(end).unwrap_or((text, ""));
        let unit = unit.strip_prefix(' ').unwrap_or(unit);
        let (_, bytes) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| not_a_size(text))?;
        let count: u64 = count.parse().map_err(|_| not_a_size(text))?;
        let total = count.checked_mul(*bytes).ok_or_else(|| not_a_size(text))?;
        Ok(Self(total))
    }
}

fn not_a_size(text: &str) -> Fault {
    Fault::new(
        format!("{} is not a size", quoted(text)),
        r#"write a whole number with the unit B, KB, KiB, MB, MiB, GB, GiB, TB or TiB, such as "25MB""#,
    )
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS
            .iter()
            .filter(|(_, bytes)| self.0 != 0 && self.0.is_multiple_of(*bytes))
            .min_by_key(|(_, bytes)| self.0 / bytes);
        match exact {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Value for Size {
    fn form() -> String {
        r#"a size such as "25MB" or "256KiB""#.to_owned()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        if let DeValue::Integer(number) = value.get_ref() {
            let remedy = format!(r#"say which unit, such as "{number}B""#);
            return Err(wrong_type(value, &Self::form(), &remedy));
        }
        read_text(value, &Self::form())
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

/// Units of 1024 bytes.
pub(crate) fn kib(count: u64) -> Size {
    Size(count.saturating_mul(1 << 10))
}

/// Units of 1,000,000 bytes.
pub(crate) fn mb(count: u64) -> Size {
    Size(count.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_and_printed() {
        for (text, bytes, printed) in [
            ("0B", 0, "0B"),
            ("1B", 1, "1B"),
            ("25MB", 25_000_000, "25MB"),
            ("25 MB", 25_000_000, "25MB"),
            ("256KiB", 262_144, "256KiB"),
            ("1024KiB", 1 << 20, "1MiB"),
            ("1000KB", 1_000_000, "1MB"),
            ("1001B", 1001, "1001B"),
            ("3TiB", 3 << 40, "3TiB"),
        ] {
            let size: Size = text.parse().expect(text);
            assert_eq!(size.bytes(), bytes, "{text}");
            assert_eq!(size.to_string(), printed);
            assert_eq!(printed.parse::<Size>(), Ok(size), "there and back");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "25",
            "MB",
            "-1B",
            "1.5MB",
            "1mb",
            "1MB1B",
            "1  MB",
            "18446744073709551615TB",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
