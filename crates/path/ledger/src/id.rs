//! Identifiers: never reused, ordered by time, printed as 13 characters.
//!
//! 63 bits: 42 of milliseconds since 2020 (until 2159), 8 of the node, 13 of a sequence. One generator makes the ids of
//! messages, recipients, bodies, attempts and events, so an id names at most one row of the whole book.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;
use wire_message::Time;

#[cfg(test)]
mod tests;

/// 2020-01-01T00:00:00Z in milliseconds of Unix time: where the ids begin.
const BEGINNING: i64 = 1_577_836_800_000;
const SEQUENCE_BITS: u32 = 13;
const NODE_BITS: u32 = 8;
/// Characters of a printed id: 13 x 5 bits hold the 63.
const CHARACTERS: u32 = 13;
/// Crockford's base 32: without I, L, O and U, which people misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an id: ids are 13 letters and digits, as the 250 reply and the queue list show them")]
pub struct IdError;

/// Names a message: stands in the `250` reply, in `Received:`, in every report, log line and page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(i64);

/// Names one recipient of one message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipientId(i64);

/// Names one event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(i64);

macro_rules! printed_id {
    ($name:ident) => {
        impl $name {
            /// The id of this row key.
            #[must_use]
            pub const fn from_key(key: i64) -> Self {
                Self(key)
            }

            /// The key of its row.
            #[must_use]
            pub const fn key(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                print(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                print(self.0, f)
            }
        }

        /// Reads the printed form in either case; `I` and `L` count as 1, `O` as 0.
        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                read(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": "Thirteen digits of Crockford's base 32.",
                    "pattern": "^[0-9A-HJKMNP-TV-Z]{13}$",
                })
            }
        }

        impl From<$name> for ground_store::Value {
            fn from(id: $name) -> Self {
                Self::Int(id.0)
            }
        }
    };
}

printed_id!(MessageId);
printed_id!(RecipientId);
printed_id!(EventId);

fn print(key: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = String::with_capacity(CHARACTERS as usize);
    for place in (0..CHARACTERS).rev() {
        let digit = (key >> (5 * place)) & 31;
        let letter = usize::try_from(digit).ok().and_then(|at| ALPHABET.get(at));
        text.push(char::from(*letter.unwrap_or(&b'0')));
    }
    f.pad(&text)
}

fn read(text: &str) -> Result<i64, IdError> {
    if text.len() != CHARACTERS as usize {
        return Err(IdError);
    }
    let mut key: i64 = 0;
    for letter in text.bytes() {
        key = key.checked_mul(32).ok_or(IdError)? | digit(letter)?;
    }
    Ok(key)
}

fn digit(letter: u8) -> Result<i64, IdError> {
    let letter = match letter.to_ascii_uppercase() {
        b'I' | b'L' => b'1',
        b'O' => b'0',
        other => other,
    };
    let at = ALPHABET.iter().position(|known| *known == letter);
    at.and_then(|at| i64::try_from(at).ok()).ok_or(IdError)
}

const fn millis_of(moment: Time) -> i64 {
    let millis = moment.as_millis().saturating_sub(BEGINNING);
    if millis < 0 { 0 } else { millis }
}

/// The first key of a moment: those made earlier are smaller, by any node.
pub(crate) const fn first_of(moment: Time) -> i64 {
    millis_of(moment).saturating_mul(1 << (SEQUENCE_BITS + NODE_BITS))
}

/// The moment of a key, to the millisecond.
pub(crate) const fn made_at(key: i64) -> Time {
    Time::from_millis(BEGINNING + (key >> (SEQUENCE_BITS + NODE_BITS)))
}

/// Makes ids, strictly increasing, whatever the clock does.
#[derive(Debug)]
pub(crate) struct IdSource {
    node: i64,
    /// The last id made, without its node: milliseconds and sequence.
    last: AtomicI64,
}

impl IdSource {
    /// A source for `node` (0 to 255) whose ids are all greater than `greatest`.
    pub(crate) fn above(greatest: i64, node: i64) -> Self {
        let millis = greatest >> (SEQUENCE_BITS + NODE_BITS);
        Self {
            node,
            // The next id of this millisecond or an earlier one comes a millisecond later.
            last: AtomicI64::new((millis << SEQUENCE_BITS) | ((1 << SEQUENCE_BITS) - 1)),
        }
    }

    /// The next id: of `now`, or just above the last one when the clock went back or the sequence of this millisecond is used up.
    pub(crate) fn next(&self, now: Time) -> i64 {
        let earliest = millis_of(now) << SEQUENCE_BITS;
        let step = |last: i64| last.saturating_add(1).max(earliest);
        let last = self
            .last
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(step(last)))
            .unwrap_or_else(|last| last);
        let moment = step(last);
        let sequence = moment & ((1 << SEQUENCE_BITS) - 1);
        let millis = moment >> SEQUENCE_BITS;
        (millis << (SEQUENCE_BITS + NODE_BITS)) | (self.node << SEQUENCE_BITS) | sequence
    }
}
