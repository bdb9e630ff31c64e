//! How values are written: numbers, words, times, sizes, addresses, and lists of them.

mod cidr;
mod detour;
mod endpoint;
mod number;
mod path;
mod period;
mod secret;
mod size;
mod space;
mod store;
mod text;
mod web;

pub use cidr::Cidr;
pub use detour::Detour;
pub use endpoint::{Endpoint, NextHop};
pub use period::Period;
pub(crate) use period::{days, hours, minutes, seconds};
pub use secret::Secret;
pub use size::Size;
pub(crate) use size::{kib, mb};
pub use space::{AddressSpace, Specificity};
pub use store::Store;
pub use text::Hostname;
pub use web::{Secured, WebAddress};

use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use crate::problem::{Fault, did_you_mean};

/// A value as it stands in the file.
pub(crate) type Written<'text> = Spanned<DeValue<'text>>;

/// A fault and the byte of the file where it stands.
#[derive(Debug)]
pub(crate) struct Misread {
    pub(crate) at: usize,
    pub(crate) fault: Fault,
}

/// What kind of TOML value a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// A string that never shows.
    Secret,
    /// A whole number or a fraction.
    Number,
    /// True or false.
    Truth,
    /// A list of strings.
    Texts,
    /// A list of whole numbers.
    Numbers,
}

/// A type a setting can have.
pub(crate) trait Value: Sized {
    /// What it is in TOML.
    const SHAPE: Shape = Shape::Text;
    /// The form in words, with an example.
    fn form() -> String;
    /// Reads the value, or says everything that is wrong with it.
    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>>;
    /// The value as it would be written in the file.
    fn show(&self) -> String;
    /// The closed set of words it is one of, each with its meaning.
    fn words() -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
    /// Whether this text, as it stands in the file, must not be shown.
    fn conceals(_text: &str) -> bool {
        false
    }
}

impl<T: Value> Value for Option<T> {
    const SHAPE: Shape = T::SHAPE;

    fn conceals(text: &str) -> bool {
        T::conceals(text)
    }

    fn form() -> String {
        T::form()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        T::read(value).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "unset".to_owned(), T::show)
    }

    fn words() -> Vec<(&'static str, &'static str)> {
        T::words()
    }
}

impl<T: Value> Value for Vec<T> {
    const SHAPE: Shape = match T::SHAPE {
        Shape::Number | Shape::Numbers => Shape::Numbers,
        Shape::Text | Shape::Secret | Shape::Truth | Shape::Texts => Shape::Texts,
    };

    fn form() -> String {
        format!("list; each is {}", T::form())
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        let DeValue::Array(array) = value.get_ref() else {
            return Err(wrong_type(
                value,
                &Self::form(),
                "put it in brackets: [...]",
            ));
        };
        let mut values = Vec::new();
        let mut misreads = Vec::new();
        for element in array.iter() {
            match T::read(element) {
                Ok(value) => values.push(value),
                Err(more) => misreads.extend(more),
            }
        }
        if misreads.is_empty() {
            return Ok(values);
        }
        Err(misreads)
    }

    fn show(&self) -> String {
        let values: Vec<String> = self.iter().map(T::show).collect();
        format!("[{}]", values.join(", "))
    }

    fn words() -> Vec<(&'static str, &'static str)> {
        T::words()
    }
}

/// Implements `Value` for a type written as a string, from its `FromStr` and `Display`.
macro_rules! written_as_text {
    ($type:ty, $form:literal) => {
        impl $crate::form::Value for $type {
            fn form() -> String {
                $form.to_owned()
            }

            fn read(value: &$crate::form::Written<'_>) -> Result<Self, Vec<$crate::form::Misread>> {
                $crate::form::read_text(value, $form)
            }

            fn show(&self) -> String {
                $crate::form::quoted(&self.to_string())
            }
        }
    };
}
use written_as_text;

/// Reads a string and parses it.
pub(crate) fn read_text<T: FromStr<Err = Fault>>(
    value: &Written<'_>,
    form: &str,
) -> Result<T, Vec<Misread>> {
    let DeValue::String(text) = value.get_ref() else {
        return Err(wrong_type(value, form, "put it in quotes"));
    };
    text.parse().map_err(|fault| misread(value, fault))
}

/// One fault at the place of `value`.
pub(crate) fn misread(value: &Written<'_>, fault: Fault) -> Vec<Misread> {
    vec![Misread {
        at: value.span().start,
        fault,
    }]
}

/// The value is of another TOML type than the form asks for.
pub(crate) fn wrong_type(value: &Written<'_>, form: &str, remedy: &str) -> Vec<Misread> {
    let what = format!("it is {}, expected {form}", kind(value.get_ref()));
    misread(value, Fault::new(what, remedy))
}

/// The TOML type in words.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// A TOML basic string (TOML 1.0, "String").
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// `"a", "b" or "c"`.
pub(crate) fn list_of_words(words: &[(&str, &str)]) -> String {
    let quoted: Vec<String> = words.iter().map(|(word, _)| quoted(word)).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// A word outside its closed set. Of `absent` words it is known what they would mean; each has its remedy.
pub(crate) fn unknown_word(
    written: &str,
    words: &[(&str, &str)],
    absent: &[(&str, &str)],
) -> Fault {
    if let Some((_, remedy)) = absent.iter().find(|(word, _)| *word == written) {
        let (written, words) = (quoted(written), list_of_words(words));
        return Fault::new(
            format!("this version has no {written}, only {words}"),
            *remedy,
        );
    }
    let what = format!("{} is not one of {}", quoted(written), list_of_words(words));
    match did_you_mean(written, words.iter().map(|(word, _)| *word)) {
        Some(meant) => Fault::new(what, format!("did you mean {}?", quoted(meant))),
        None => Fault::new(what, "choose one of them"),
    }
}
