//! Moments in JSON: RFC 3339 strings in UTC.

use serde::{Deserialize, Deserializer, Serializer, de};
use wire_message::Time;

/// Writes a moment.
///
/// # Errors
/// The writer's.
pub fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// Reads a moment.
///
/// # Errors
/// The text is none.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

/// The same, for moments that may be missing (`null`).
pub mod maybe {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use wire_message::Time;

    /// Writes a moment, or `null`.
    ///
    /// # Errors
    /// The writer's.
    pub fn serialize<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a moment, or `null`.
    ///
    /// # Errors
    /// The text is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Time>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(de::Error::custom))
            .transpose()
    }
}

/// What a moment is in descriptions of JSON.
#[derive(Debug)]
pub struct Moment;

impl schemars::JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}
