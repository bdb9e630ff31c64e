//! A moment in UTC, as the ledger, people (RFC 3339) and messages (RFC 5322 s3.3) write it.
//!
//! Limits: years 0000 to 9999, the years both formats can write; what lies outside is clamped. Resolution: 1 ms.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

#[cfg(test)]
mod tests;

/// The longest date text that is looked at, in bytes; a date with generous comments takes less.
pub const DATE_TEXT_MAX: usize = 256;

/// A moment: milliseconds since 1970-01-01T00:00:00Z, within the years 0000 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

/// The text is not a date in the format asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date: {0}")]
pub struct DateError(String);

impl Time {
    /// The earliest moment: 0000-01-01T00:00:00.000Z.
    pub const MIN: Time = Time(-62_167_219_200_000);
    /// The latest moment: 9999-12-30T22:00:00.000Z.
    ///
    /// A day short of the year's end, because calendars that know time zones end there.
    pub const MAX: Time = Time(253_402_207_200_000);
    /// 1970-01-01T00:00:00.000Z.
    pub const EPOCH: Time = Time(0);

    /// The moment `millis` milliseconds after 1970; clamped to [`Time::MIN`]..=[`Time::MAX`].
    pub const fn from_millis(millis: i64) -> Time {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Time(millis)
        }
    }

    /// Milliseconds since 1970; negative before.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    pub fn since(self, earlier: Time) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// Shows the moment as a message header does (RFC 5322 s3.3): `Mon, 23 Nov 2026 09:30:00 +0000`.
    pub fn rfc5322(self) -> Rfc5322 {
        Rfc5322(self)
    }

    /// Reads an RFC 3339 date-time, with any offset.
    ///
    /// # Errors
    /// When the text is not such a date-time; fractions finer than a millisecond are cut, not refused.
    pub fn parse_rfc3339(text: &str) -> Result<Time, DateError> {
        check_length(text)?;
        text.parse::<Timestamp>()
            .map(Time::from_timestamp)
            .map_err(|error| DateError(error.to_string()))
    }

    /// Reads an RFC 5322 date-time tolerantly: obsolete zones and short years (s4.3), comments, a wrong weekday.
    ///
    /// # Errors
    /// When the text is not such a date-time.
    pub fn parse_rfc5322(text: &str) -> Result<Time, DateError> {
        const PARSER: rfc2822::DateTimeParser =
            rfc2822::DateTimeParser::new().relaxed_weekday(true);
        check_length(text)?;
        PARSER
            .parse_timestamp(text.trim())
            .map(Time::from_timestamp)
            .map_err(|error| DateError(error.to_string()))
    }

    fn from_timestamp(timestamp: Timestamp) -> Time {
        Time::from_millis(timestamp.as_millisecond())
    }

    fn timestamp(self) -> Timestamp {
        // Every `Time` lies within jiff's range, so the fallback is never taken.
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

fn check_length(text: &str) -> Result<(), DateError> {
    if text.len() > DATE_TEXT_MAX {
        return Err(DateError(format!("longer than {DATE_TEXT_MAX} bytes")));
    }
    Ok(())
}

/// RFC 3339 in UTC with milliseconds: `2026-11-23T09:30:00.123Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

/// Reads RFC 3339, as [`Time::parse_rfc3339`].
impl FromStr for Time {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Time, DateError> {
        Time::parse_rfc3339(text)
    }
}

/// Saturates at [`Time::MAX`].
impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, wait: Duration) -> Time {
        Time::from_millis(self.0.saturating_add(millis(wait)))
    }
}

/// Saturates at [`Time::MIN`].
impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, wait: Duration) -> Time {
        Time::from_millis(self.0.saturating_sub(millis(wait)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, wait: Duration) {
        *self = *self + wait;
    }
}

impl SubAssign<Duration> for Time {
    fn sub_assign(&mut self, wait: Duration) {
        *self = *self - wait;
    }
}

fn millis(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}

/// A [`Time`] shown as RFC 5322 s3.3 writes it, in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Rfc5322(Time);

impl fmt::Display for Rfc5322 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = self.0.timestamp();
        write!(f, "{}", timestamp.strftime("%a, %-d %b %Y %H:%M:%S +0000"))
    }
}
