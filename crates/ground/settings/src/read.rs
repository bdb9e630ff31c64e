//! Reading a TOML tree into sections, collecting every problem on the way.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::catalogue;
use crate::define::{Check, Need, Row, Section, Start};
use crate::form::{Value, kind};
use crate::problem::{Fault, Found, did_you_mean};

/// Where the settings of one section stand in the file.
#[derive(Debug, Default)]
pub(crate) struct Places {
    header: usize,
    written: BTreeMap<&'static str, usize>,
    unsound: Vec<&'static str>,
}

impl Places {
    /// Whether the setting stands in the file.
    pub(crate) fn written(&self, name: &str) -> bool {
        self.written.contains_key(name)
    }

    /// Whether the setting was read, or rightly left to its default.
    pub(crate) fn sound(&self, name: &str) -> bool {
        !self.unsound.contains(&name)
    }

    /// The first of `names` that is written, or the section itself.
    fn first_of(&self, names: &[&'static str]) -> (usize, &'static str) {
        let named = names
            .iter()
            .find_map(|name| self.written.get(name).map(|at| (*at, *name)));
        named.unwrap_or((self.header, names.first().copied().unwrap_or("")))
    }
}

/// The settings of one table, taken out by name; what is left over at the end is unknown.
pub(crate) struct Fields<'a, 'text> {
    section: &'static str,
    table: &'a DeTable<'text>,
    known: Vec<&'static str>,
    places: Places,
    problems: &'a mut Vec<Found>,
}

impl<'a, 'text> Fields<'a, 'text> {
    /// The fields of `table`, which starts at byte `header`.
    pub(crate) fn new(
        section: &'static str,
        header: usize,
        table: &'a DeTable<'text>,
        problems: &'a mut Vec<Found>,
    ) -> Self {
        let places = Places {
            header,
            ..Places::default()
        };
        Self {
            section,
            table,
            known: Vec::new(),
            places,
            problems,
        }
    }

    /// Reads one setting; a problem is noted, and the default stands in.
    pub(crate) fn value<T: Value + 'static>(
        &mut self,
        name: &'static str,
        start: Start<T>,
        check: Check<T>,
    ) -> T {
        let Some((_, written)) = self.find(name) else {
            if start.need == Need::Required {
                self.missing(name, &start.value);
            }
            return start.value;
        };
        let at = written.span().start;
        self.places.written.insert(name, at);
        let value = match T::read(written) {
            Ok(value) => value,
            Err(misreads) => {
                for misread in misreads {
                    self.refuse(name, misread.at, misread.fault);
                }
                return start.value;
            }
        };
        match check.test(&value) {
            Ok(()) => value,
            Err(fault) => {
                self.refuse(name, at, fault);
                start.value
            }
        }
    }

    /// Reads the section `[S::NAME]`, or its defaults.
    pub(crate) fn one<S: Section>(&mut self) -> (S, Places) {
        let Some((at, written)) = self.find(S::NAME) else {
            return (S::default(), Places::default());
        };
        if let Some(table) = written.get_ref().as_table() {
            return self.section(at, table);
        }
        let remedy = format!("write it once, as a section: [{}]", S::NAME);
        self.not_a_section(S::NAME, at, written.get_ref(), remedy);
        (S::default(), Places::default())
    }

    /// Reads every `[[S::NAME]]`, in the order of the file.
    pub(crate) fn many<S: Section>(&mut self) -> (Vec<S>, Vec<Places>) {
        let Some((at, written)) = self.find(S::NAME) else {
            return (Vec::new(), Vec::new());
        };
        let remedy = format!("write two brackets on each side: [[{}]]", S::NAME);
        let Some(array) = written.get_ref().as_array() else {
            let what = format!("it is {}, not a list of sections", kind(written.get_ref()));
            self.note(S::NAME, at, Fault::new(what, remedy));
            return (Vec::new(), Vec::new());
        };
        let mut sections = Vec::new();
        for element in array.iter() {
            let at = element.span().start;
            match element.get_ref().as_table() {
                Some(table) => sections.push(self.section(at, table)),
                None => self.not_a_section(S::NAME, at, element.get_ref(), remedy.clone()),
            }
        }
        sections.into_iter().unzip()
    }

    /// Notes every name that nobody asked for, and hands over where the rest stands.
    pub(crate) fn finish(self) -> Places {
        for (key, _) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if !self.known.contains(&name) {
                self.problems.push(Found {
                    at: key.span().start,
                    name: full_name(self.section, name),
                    fault: unknown_name(self.section, name, &self.known),
                });
            }
        }
        self.places
    }

    fn section<S: Section>(&mut self, at: usize, table: &'a DeTable<'text>) -> (S, Places) {
        let mut fields = Fields::new(S::NAME, at, table, self.problems);
        let section = S::read(&mut fields);
        let places = fields.finish();
        section.agree(&mut Agreement::new(S::NAME, &places, self.problems));
        (section, places)
    }

    fn find(&mut self, name: &'static str) -> Option<(usize, &'a Spanned<DeValue<'text>>)> {
        self.known.push(name);
        let mut entries = self.table.iter();
        let (key, value) = entries.find(|(key, _)| key.get_ref().as_ref() == name)?;
        Some((key.span().start, value))
    }

    fn refuse(&mut self, name: &'static str, at: usize, fault: Fault) {
        self.places.unsound.push(name);
        let name = full_name(self.section, name);
        self.problems.push(Found { at, name, fault });
    }

    fn missing<T: Value>(&mut self, name: &'static str, example: &T) {
        let fault = Fault::new(
            "it is required and missing",
            format!("add it, for example: {name} = {}", example.show()),
        );
        self.refuse(name, self.places.header, fault);
    }

    fn not_a_section(&mut self, name: &str, at: usize, value: &DeValue<'_>, remedy: String) {
        let what = format!("it is {}, not a section", kind(value));
        self.note(name, at, Fault::new(what, remedy));
    }

    fn note(&mut self, name: &str, at: usize, fault: Fault) {
        let name = name.to_owned();
        self.problems.push(Found { at, name, fault });
    }
}

/// Complaints about settings that are right alone and wrong together.
pub(crate) struct Agreement<'a> {
    section: &'static str,
    places: &'a Places,
    problems: &'a mut Vec<Found>,
}

impl<'a> Agreement<'a> {
    pub(crate) fn new(
        section: &'static str,
        places: &'a Places,
        problems: &'a mut Vec<Found>,
    ) -> Self {
        Self {
            section,
            places,
            problems,
        }
    }

    /// Whether the operator wrote the setting: a default never contradicts what is written.
    pub(crate) fn written(&self, name: &str) -> bool {
        self.places.written(name)
    }

    /// Notes that `names` contradict each other, at the first of them that is written.
    ///
    /// Says nothing when one of them is already refused: its default stands in, and would mislead.
    pub(crate) fn complain(
        &mut self,
        names: &[&'static str],
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if !names.iter().all(|name| self.places.sound(name)) {
            return;
        }
        let (at, name) = self.places.first_of(names);
        self.problems.push(Found {
            at,
            name: full_name(self.section, name),
            fault: Fault::new(what, remedy),
        });
    }
}

fn full_name(section: &str, name: &str) -> String {
    match section {
        "" => name.to_owned(),
        section => format!("{section}.{name}"),
    }
}

fn unknown_name(section: &str, name: &str, known: &[&'static str]) -> Fault {
    let what = match section {
        "" => format!("there is no setting or section {name}"),
        section => format!("there is no setting {name} in [{section}]"),
    };
    if let Some(meant) = did_you_mean(name, known.iter().copied()) {
        return Fault::new(what, format!("did you mean {meant}?"));
    }
    let homes: Vec<String> = catalogue()
        .iter()
        .filter(|page| page.rows.iter().any(|row: &Row| row.name == name))
        .map(|page| match page.name {
            "" => "the top of the file, above the first section".to_owned(),
            section => format!("[{section}]"),
        })
        .collect();
    if homes.is_empty() {
        return Fault::new(what, format!("remove it; known here: {}", known.join(", ")));
    }
    Fault::new(what, format!("move it to {}", homes.join(" or ")))
}
