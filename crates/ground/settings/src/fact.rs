//! The values that hold, each beside what the manual says of it; and what two readings of a file differ in.

use crate::define::{Need, Row, Section};
use crate::edit::KEPT;
use crate::form::Shape;
use crate::manual::flowing;

/// A section with the values that hold in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionFacts {
    /// Its name in the file; empty for the top of the file.
    pub name: &'static str,
    /// Which of several; empty for a section that is there once.
    pub title: String,
    /// As the manual heads it: `[queue]`.
    pub heading: String,
    /// What it is for.
    pub doc: String,
    /// Its settings.
    pub facts: Vec<Fact>,
}

/// A setting with the value that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub doc: String,
    /// How a value is written, and within which bounds.
    pub form: String,
    /// The value that holds, as the file would say it; a secret does not show.
    pub value: String,
    /// What holds when the file says nothing; none when it must be written.
    pub default: Option<String>,
    /// What kind of value it is.
    pub shape: Shape,
    /// The words it is one of.
    pub words: Vec<&'static str>,
}

/// A value that one reading has, and another has otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The setting, such as `queue.lifetime` or `connector.next_hop of partner`; a whole section when it came or went.
    pub setting: String,
    /// The value before; none when the section is new.
    pub before: Option<String>,
    /// The value after; none when the section is gone.
    pub after: Option<String>,
}

impl SectionFacts {
    /// Whether anything in it is not as by default.
    pub fn has_own(&self) -> bool {
        !self.facts.iter().all(Fact::is_default)
    }
}

impl Fact {
    /// The value as people write it: words without quotes, lists with commas between, [`KEPT`] for a secret, nothing when
    /// it is unset.
    pub fn plain(&self) -> String {
        if self.value == "unset" {
            return String::new();
        }
        // What is shown of it in part is cut off at its end.
        let hidden = self.value == "(secret)" || self.value.ends_with("...\"");
        if self.shape == Shape::Secret && hidden {
            return KEPT.to_owned();
        }
        plain(&self.value)
    }

    /// Whether the default holds.
    pub fn is_default(&self) -> bool {
        self.default.as_ref() == Some(&self.value)
    }
}

/// A value as the file says it, as people write it.
fn plain(written: &str) -> String {
    let read = format!("value = {written}").parse::<toml::Table>();
    let value = read.ok().and_then(|mut table| table.remove("value"));
    let text = |value: &toml::Value| {
        let text = value.as_str().map(str::to_owned);
        text.unwrap_or_else(|| value.to_string())
    };
    match value {
        Some(toml::Value::Array(values)) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        Some(value) => text(&value),
        None => written.to_owned(),
    }
}

/// What holds in `section`.
pub(crate) fn of<S: Section>(section: &S, heading: String) -> SectionFacts {
    let rows = S::rows().into_iter().zip(section.shown());
    SectionFacts {
        name: S::NAME,
        title: section.title().to_owned(),
        heading,
        doc: read_aloud(S::DOC),
        facts: rows.map(|(row, value)| fact(row, value)).collect(),
    }
}

/// Documentation as a sentence, without the marks of Markdown.
fn read_aloud(doc: &str) -> String {
    flowing(doc).replace('`', "")
}

fn fact(row: Row, value: String) -> Fact {
    let unit = match row.unit {
        "" => String::new(),
        unit => format!(" of {unit}"),
    };
    let bounds = match row.bounds.as_str() {
        "" => String::new(),
        bounds => format!("; {bounds}"),
    };
    Fact {
        name: row.name,
        doc: read_aloud(row.doc),
        form: format!("{}{unit}{bounds}", row.form),
        value,
        default: match row.need {
            Need::Optional => Some(row.value),
            Need::Required => None,
        },
        shape: row.shape,
        words: row.words.iter().map(|(word, _)| *word).collect(),
    }
}

/// What a section that is there once has otherwise.
pub(crate) fn one_differs<S: Section>(old: &S, new: &S, found: &mut Vec<Difference>) {
    let (rows, before, after) = (S::rows(), old.shown(), new.shown());
    let of = match old.title() {
        "" => String::new(),
        title => format!(" of {title}"),
    };
    for at in old.differs(new) {
        let Some(row) = rows.get(at) else { continue };
        let setting = match S::NAME {
            "" => row.name.to_owned(),
            section => format!("{section}.{}{of}", row.name),
        };
        found.push(Difference {
            setting,
            before: before.get(at).cloned(),
            after: after.get(at).cloned(),
        });
    }
}

/// What sections that are there several times have otherwise, each told by its title; and which came and went.
pub(crate) fn many_differ<S: Section>(old: &[S], new: &[S], found: &mut Vec<Difference>) {
    let whole = |section: &S| format!("{} {}", S::NAME, section.title());
    fn titled<'a, S: Section>(sections: &'a [S], title: &str) -> Option<&'a S> {
        sections.iter().find(|section| section.title() == title)
    }
    for section in old {
        match titled(new, section.title()) {
            Some(now) => one_differs(section, now, found),
            None => found.push(Difference {
                setting: whole(section),
                before: Some(written(section)),
                after: None,
            }),
        }
    }
    for section in new {
        if titled(old, section.title()).is_none() {
            found.push(Difference {
                setting: whole(section),
                before: None,
                after: Some(written(section)),
            });
        }
    }
}

/// The settings of a section that are not as without it.
fn written<S: Section>(section: &S) -> String {
    let rows = S::rows().into_iter().zip(section.shown());
    let own = rows.filter(|(row, value)| row.need == Need::Required || *value != row.value);
    let own = own.map(|(row, value)| format!("{} = {value}", row.name));
    own.collect::<Vec<_>>().join(", ")
}
