//! The reference manual, written from the definitions.

use std::fmt::Write;

use crate::catalogue;
use crate::define::{Need, Row, Section};

const INTRODUCTION: &str = "\
# Settings

Every setting of `postrider.toml`. This page is written from the definitions in `crates/ground/settings`; do not edit it:
`cargo run -p ground-settings --example manual > docs/settings.md`. `postrider check` tells what is wrong with a file,
by line, name and remedy.
";

/// One section as the manual shows it.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
    pub(crate) heading: String,
    pub(crate) doc: &'static str,
}

impl Page {
    pub(crate) fn new<S: Section>(heading: String) -> Self {
        Self {
            name: S::NAME,
            rows: S::rows(),
            heading,
            doc: S::DOC,
        }
    }
}

/// The reference manual of every setting, in Markdown: the text of `docs/settings.md`.
pub fn manual() -> String {
    let mut text = INTRODUCTION.to_owned();
    for page in catalogue() {
        write_page(&mut text, &page).expect("a String takes everything");
    }
    text
}

fn write_page(text: &mut String, page: &Page) -> std::fmt::Result {
    let heading = match page.name {
        "" => page.heading.clone(),
        _ => format!("`{}`", page.heading),
    };
    write!(text, "\n## {heading}\n\n{}\n", flowing(page.doc))?;
    page.rows.iter().try_for_each(|row| write_row(text, row))
}

fn write_row(text: &mut String, row: &Row) -> std::fmt::Result {
    write!(text, "\n### `{}`\n\n{}\n\n", row.name, flowing(row.doc))?;
    match row.unit {
        "" => writeln!(text, "- Form: {}", row.form)?,
        unit => writeln!(text, "- Form: {} of {unit}", row.form)?,
    }
    match row.need {
        Need::Required => writeln!(
            text,
            "- Required, for example `{} = {}`",
            row.name, row.value
        )?,
        Need::Optional if row.value == "unset" => writeln!(text, "- Default: unset")?,
        Need::Optional => writeln!(text, "- Default: `{}`", row.value)?,
    }
    if !row.bounds.is_empty() {
        writeln!(text, "- Bounds: {}", row.bounds)?;
    }
    for (word, meaning) in &row.words {
        writeln!(text, "- `\"{word}\"`: {}", flowing(meaning))?;
    }
    Ok(())
}

/// Documentation lines as one paragraph.
pub(crate) fn flowing(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}
