//! A route: one thing that can be asked over HTTP, declared once. Router, rights and OpenAPI come from the declaration.

use bytes::Bytes;
use ground_directory::operator::Right;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use wire_message::Time;

use super::problem::Problem;
use crate::Question;

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// One way to ask.
pub(crate) struct Route {
    /// How it is asked.
    pub(crate) method: Method,
    /// Where, below [`super::ROOT`]; `{name}` is a parameter.
    pub(crate) path: &'static str,
    /// Its name in clients that are made from the description.
    pub(crate) name: &'static str,
    /// What it does, in a sentence.
    pub(crate) summary: &'static str,
    /// What it takes besides its body.
    pub(crate) parameters: &'static [Parameter],
    /// What its body is.
    pub(crate) body: Body,
    /// What comes back.
    pub(crate) gives: Gives,
    /// What the asker must have the right to.
    pub(crate) right: Right,
    /// The question that was meant.
    pub(crate) read: fn(&Asked<'_>) -> Result<Question, Problem>,
}

/// A parameter of the path or of the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) doc: &'static str,
    pub(crate) form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    /// As [`Place::Query`], and must be there.
    Needed,
    /// May be given again and again.
    Repeated,
}

/// What the text of a parameter is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Text,
    Id,
    Number,
    Flag,
    Moment,
    Word(&'static [(&'static str, &'static str)]),
}

/// What a route takes as its body.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    None,
    /// An object of this schema.
    Json(fn() -> Value),
    /// A message (RFC 5322).
    Message,
}

/// What a route gives.
#[derive(Clone, Copy)]
pub(crate) enum Gives {
    /// `{"rows": [...]}`, each of this schema.
    Rows(fn() -> Value),
    /// One object of this schema.
    One(fn() -> Value),
    /// Octets of this media type.
    Octets(&'static str),
}

impl Parameter {
    pub(crate) const fn path(name: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            place: Place::Path,
            doc,
            form: Form::Text,
        }
    }

    pub(crate) const fn query(name: &'static str, doc: &'static str) -> Self {
        Self {
            place: Place::Query,
            ..Self::path(name, doc)
        }
    }

    pub(crate) const fn needed(name: &'static str, doc: &'static str) -> Self {
        Self {
            place: Place::Needed,
            ..Self::path(name, doc)
        }
    }

    pub(crate) const fn repeated(name: &'static str, doc: &'static str) -> Self {
        Self {
            place: Place::Repeated,
            ..Self::path(name, doc)
        }
    }

    pub(crate) const fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }
}

impl Form {
    pub(crate) fn schema(self) -> Value {
        match self {
            Form::Text => json!({ "type": "string" }),
            Form::Id => {
                json!({ "type": "string", "pattern": "^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{13}$" })
            }
            Form::Number => json!({ "type": "integer", "minimum": 0 }),
            Form::Flag => json!({ "type": "boolean" }),
            Form::Moment => json!({ "type": "string" }),
            Form::Word(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                json!({ "type": "string", "enum": words })
            }
        }
    }
}

#[cfg(test)]
impl Route {
    /// Whether its body is an object.
    pub(crate) fn takes_json(&self) -> bool {
        matches!(self.body, Body::Json(_))
    }
}

/// What came with a request, and how it is read.
pub(crate) struct Asked<'a> {
    pub(crate) route: &'a Route,
    /// Of path and query, each name as often as it came.
    pub(crate) values: &'a [(String, String)],
    pub(crate) body: &'a Bytes,
    /// The present: ages and times from now are counted by it.
    pub(crate) now: Time,
}

impl Asked<'_> {
    /// Whether all that came is known to the route.
    pub(crate) fn known(&self) -> Result<(), Problem> {
        let known = |name: &str| self.route.parameters.iter().any(|one| one.name == name);
        match self.values.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(Problem::asker(format!("{name:?} is no parameter of this"))),
            None => Ok(()),
        }
    }

    pub(crate) fn maybe(&self, name: &str) -> Option<&str> {
        let mut values = self.values.iter();
        values
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<String, Problem> {
        let found = self.maybe(name).map(str::to_owned);
        found.ok_or_else(|| Problem::asker(format!("{name} is missing")))
    }

    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let named = self.values.iter().filter(|(own, _)| own == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    pub(crate) fn parsed<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &str,
    ) -> Result<T, Problem> {
        let text = self.text(name)?;
        let parsed = text.parse();
        parsed.map_err(|_| Problem::asker(format!("{name}: {text:?} is not {expected}")))
    }

    pub(crate) fn maybe_parsed<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, Problem> {
        let given = self.maybe(name);
        given.map(|_| self.parsed(name, expected)).transpose()
    }

    /// The body as JSON; no body is an empty object.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body = match self.body.is_empty() {
            true => b"{}".as_slice(),
            false => self.body,
        };
        // By way of a value: an object whose names come twice is refused by neither, and its last one holds.
        let object: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| Problem::asker(format!("the body is no JSON object: {error}")))?;
        serde_json::from_value(Value::Object(object))
            .map_err(|error| Problem::asker(format!("the body: {error}")))
    }
}
