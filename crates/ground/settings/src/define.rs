//! The vocabulary in which a setting is defined once: `section!`, `words!`, starts and checks.

use crate::form::{Shape, Value};
use crate::problem::Fault;
use crate::read::{Agreement, Fields};

/// A section of the file: its name, its settings, and how it is read.
pub(crate) trait Section: Default {
    /// The TOML table's name; empty for the top of the file.
    const NAME: &'static str;
    /// What the section is for.
    const DOC: &'static str;
    /// Its settings, for the manual and for "did you mean".
    fn rows() -> Vec<Row>;
    /// Reads every setting, each its default where it is absent or bad.
    fn read(fields: &mut Fields<'_, '_>) -> Self;
    /// Every setting as it would be written, in the order of [`Section::rows`].
    fn shown(&self) -> Vec<String>;
    /// Where `other` has another value: the places in [`Section::rows`]. Secrets that show alike differ, too.
    fn differs(&self, other: &Self) -> Vec<usize>;
    /// What tells one of several apart: its name; empty for a section that is there once.
    fn title(&self) -> &str {
        ""
    }
    /// Complains about settings of this section that contradict each other.
    fn agree(&self, agreement: &mut Agreement<'_>);
}

/// One setting as the manual shows it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) form: String,
    pub(crate) unit: &'static str,
    pub(crate) bounds: String,
    pub(crate) need: Need,
    pub(crate) value: String,
    pub(crate) shape: Shape,
    pub(crate) conceals: fn(&str) -> bool,
    pub(crate) words: Vec<(&'static str, &'static str)>,
}

impl Row {
    pub(crate) fn new<T: Value>(
        name: &'static str,
        doc: &'static str,
        start: Start<T>,
        check: Check<T>,
    ) -> Self {
        Self {
            name,
            doc,
            form: T::form(),
            unit: check.unit,
            bounds: check.bounds,
            need: start.need,
            value: start.value.show(),
            shape: T::SHAPE,
            conceals: T::conceals,
            words: T::words(),
        }
    }
}

/// Whether a setting must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It has a default.
    Optional,
    /// It must stand in the file.
    Required,
}

/// The value a setting has before the file is read.
#[derive(Debug)]
pub(crate) struct Start<T> {
    pub(crate) value: T,
    pub(crate) need: Need,
}

/// The setting's default.
pub(crate) fn default<T>(value: T) -> Start<T> {
    Start {
        value,
        need: Need::Optional,
    }
}

/// The setting must be written; `example` stands in the manual and in `Default`.
pub(crate) fn required<T>(example: T) -> Start<T> {
    Start {
        value: example,
        need: Need::Required,
    }
}

/// What a value of the right form must also satisfy.
pub(crate) struct Check<T> {
    bounds: String,
    unit: &'static str,
    test: Judge<T>,
}

type Judge<T> = Box<dyn Fn(&T) -> Result<(), Fault>>;

impl<T: 'static> Check<T> {
    /// A check in words and as a function.
    pub(crate) fn new(
        bounds: impl Into<String>,
        test: impl Fn(&T) -> Result<(), Fault> + 'static,
    ) -> Self {
        Self {
            bounds: bounds.into(),
            unit: "",
            test: Box::new(test),
        }
    }

    /// Names what a plain number counts.
    pub(crate) fn of(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// Judges a value.
    pub(crate) fn test(&self, value: &T) -> Result<(), Fault> {
        (self.test)(value)
    }
}

/// Everything of the right form is allowed.
pub(crate) fn any<T: 'static>() -> Check<T> {
    Check::new("", |_| Ok(()))
}

/// From `low` to `high`, both included.
pub(crate) fn range<T: Value + PartialOrd + 'static>(low: T, high: T) -> Check<T> {
    let bounds = format!("{} to {}", low.show(), high.show());
    Check::new(bounds.clone(), move |value| {
        if *value < low {
            return Err(out_of_bounds(value, "below", &low, &bounds));
        }
        if *value > high {
            return Err(out_of_bounds(value, "above", &high, &bounds));
        }
        Ok(())
    })
}

fn out_of_bounds<T: Value>(value: &T, side: &str, limit: &T, bounds: &str) -> Fault {
    Fault::new(
        format!("{} is {side} {}", value.show(), limit.show()),
        format!("choose a value from {bounds}"),
    )
}

/// The check holds for the value, when there is one.
pub(crate) fn given<T: 'static>(check: Check<T>) -> Check<Option<T>> {
    Check {
        bounds: check.bounds.clone(),
        unit: check.unit,
        test: Box::new(move |value| value.as_ref().map_or(Ok(()), |value| check.test(value))),
    }
}

/// The check holds for each value of a list.
pub(crate) fn each<T: 'static>(check: Check<T>) -> Check<Vec<T>> {
    let bounds = match check.bounds.as_str() {
        "" => String::new(),
        bounds => format!("each {bounds}"),
    };
    Check {
        bounds,
        unit: check.unit,
        test: Box::new(move |values| values.iter().try_for_each(|value| check.test(value))),
    }
}

/// The list has at least one value, and the check holds for each.
pub(crate) fn some<T: 'static>(check: Check<T>) -> Check<Vec<T>> {
    let each = each(check);
    let bounds = match each.bounds.as_str() {
        "" => "at least one".to_owned(),
        bounds => format!("at least one, {bounds}"),
    };
    Check {
        bounds,
        unit: each.unit,
        test: Box::new(move |values: &Vec<T>| {
            if values.is_empty() {
                return Err(Fault::new("the list is empty", "give at least one value"));
            }
            each.test(values)
        }),
    }
}

/// A list of moments that only grow.
pub(crate) fn rising<T: PartialOrd + 'static>(check: Check<Vec<T>>) -> Check<Vec<T>> {
    let bounds = format!("{}, rising", check.bounds);
    Check {
        bounds,
        unit: check.unit,
        test: Box::new(move |values: &Vec<T>| {
            check.test(values)?;
            if values.is_sorted_by(|earlier, later| earlier < later) {
                return Ok(());
            }
            Err(Fault::new(
                "the values do not rise",
                "put each once, smallest first",
            ))
        }),
    }
}

/// One line of printable ASCII with a length from `low` to `high`.
pub(crate) fn line(low: usize, high: usize) -> Check<String> {
    let bounds = format!("{low} to {high} printable ASCII characters");
    Check::new(bounds.clone(), move |text: &String| {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if printable && (low..=high).contains(&text.len()) {
            return Ok(());
        }
        Err(Fault::new(
            format!("{} is not a line of the allowed length", text.show()),
            format!("write {bounds}"),
        ))
    })
}

/// Nothing in a section contradicts anything else in it.
pub(crate) fn always<S>(_: &S, _: &mut Agreement<'_>) {}

/// Defines a section of the file: `field: Type = start, check;`, with the documentation above each; `of` a setting that tells
/// several of them apart.
///
/// The struct, its `Default`, its reader and its page in the manual all come from this one list.
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        pub struct $type:ident = $name:literal $(of $title:ident)?, $agree:path;
        $(
            $(#[doc = $field_doc:literal])+
            $field:ident: $value:ty = $start:expr, $check:expr;
        )+
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $type {
            $( $(#[doc = $field_doc])+ pub $field: $value, )+
        }

        impl Default for $type {
            fn default() -> Self {
                Self { $( $field: $start.value, )+ }
            }
        }

        impl $crate::define::Section for $type {
            const NAME: &'static str = $name;
            const DOC: &'static str = concat!($($doc, "\n"),+);

            fn rows() -> Vec<$crate::define::Row> {
                vec![$( $crate::define::Row::new::<$value>(
                    stringify!($field), concat!($($field_doc, "\n"),+), $start, $check,
                ) ),+]
            }

            fn read(fields: &mut $crate::read::Fields<'_, '_>) -> Self {
                Self { $( $field: fields.value::<$value>(stringify!($field), $start, $check), )+ }
            }

            fn shown(&self) -> Vec<String> {
                vec![$( $crate::form::Value::show(&self.$field) ),+]
            }

            fn differs(&self, other: &Self) -> Vec<usize> {
                let same = [$( self.$field == other.$field ),+];
                let places = same.iter().enumerate();
                places.filter(|(_, same)| !**same).map(|(at, _)| at).collect()
            }

            $( fn title(&self) -> &str {
                &self.$title
            } )?

            fn agree(&self, agreement: &mut $crate::read::Agreement<'_>) {
                $agree(self, agreement);
            }
        }
    };
}
pub(crate) use section;

/// Defines a closed set of words: an enum, its text form, and each word's line in the manual.
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        pub enum $type:ident {
            $( $(#[doc = $word_doc:literal])+ $variant:ident = $word:literal, )+
        }
        $( absent { $( $absent:literal = $remedy:literal, )+ } )?
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $( $(#[doc = $word_doc])+ $variant, )+
        }

        impl $type {
            /// Every word with its meaning, in the order of the manual.
            pub const WORDS: &'static [(&'static str, &'static str)] =
                &[$( ($word, concat!($($word_doc),+)) ),+];

            /// The word as it stands in the file.
            pub fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::problem::Fault;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $( $word => Ok(Self::$variant), )+
                    other => Err($crate::form::unknown_word(
                        other,
                        Self::WORDS,
                        &[$( $( ($absent, $remedy) ),+ )?],
                    )),
                }
            }
        }

        impl $crate::form::Value for $type {
            fn form() -> String {
                $crate::form::list_of_words(Self::WORDS)
            }

            fn read(value: &$crate::form::Written<'_>) -> Result<Self, Vec<$crate::form::Misread>> {
                $crate::form::read_text(value, &Self::form())
            }

            fn show(&self) -> String {
                $crate::form::quoted(self.word())
            }

            fn words() -> Vec<(&'static str, &'static str)> {
                Self::WORDS.to_vec()
            }
        }
    };
}
pub(crate) use words;
