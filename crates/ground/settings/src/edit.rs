//! Changes of a file's text: one section at a time, with its comments left alone; and the text without its secrets.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, TableLike, Value, value};

use crate::form::Shape;
use crate::{Fault, catalogue};

#[cfg(test)]
mod tests;

/// Stands where a secret stands that is not to be shown, and is to stay as it is.
pub const KEPT: &str = "(kept)";

/// What becomes of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These settings get these values, as people write them: words without quotes, lists with commas between. An empty one is
    /// taken out of the file, so that its default holds.
    Set(Vec<(String, String)>),
    /// Another section of the kind, with these settings.
    Add(Vec<(String, String)>),
    /// The section goes.
    Remove,
}

/// The text with one section changed: `section` by its name in the file, and `title` by its name among several.
///
/// # Errors
/// The text is not TOML, or there is no such section.
pub fn edit(text: &str, section: &str, title: &str, change: &Change) -> Result<String, Fault> {
    let mut document = read(text)?;
    let several = several(section)?;
    match change {
        Change::Add(values) if several => {
            let mut table = Table::new();
            set(&mut table, section, values);
            added(&mut document, section)?.push(table);
        }
        Change::Set(values) if several => {
            set(one_of(&mut document, section, title)?, section, values)
        }
        Change::Remove if several => {
            let sections = added(&mut document, section)?;
            let place = sections.iter().position(|table| is_titled(table, title));
            sections.remove(place.ok_or_else(|| nobody(section, title))?);
        }
        Change::Set(values) if section.is_empty() => set(document.as_table_mut(), section, values),
        Change::Set(values) => {
            let item = document.entry(section).or_insert(Item::Table(Table::new()));
            let table = item.as_table_like_mut().ok_or_else(|| misplaced(section))?;
            set(table, section, values);
        }
        Change::Remove => drop(document.remove(section)),
        Change::Add(_) => return Err(misplaced(section)),
    }
    Ok(document.to_string())
}

/// The text with [`KEPT`] for each of its secrets.
///
/// # Errors
/// The text is not TOML, so that nobody knows where its secrets are.
pub fn conceal(text: &str) -> Result<String, Fault> {
    let mut document = read(text)?;
    each_secret(&mut document, |_, secret| *secret = KEPT.into());
    Ok(document.to_string())
}

/// The text with the secrets of `old` where it says [`KEPT`].
///
/// # Errors
/// One of the texts is not TOML, or there is no secret to keep.
pub fn reveal(text: &str, old: &str) -> Result<String, Fault> {
    let mut kept = Vec::new();
    each_secret(&mut read(old)?, |place, secret| {
        kept.push((place, secret.clone()));
    });
    let mut document = read(text)?;
    let mut missing = None;
    each_secret(&mut document, |place, secret| {
        if secret.as_str() != Some(KEPT) {
            return;
        }
        match kept.iter().find(|(own, _)| *own == place) {
            Some((_, old)) => *secret = old.clone(),
            None => missing = Some(place),
        }
    });
    match missing {
        None => Ok(document.to_string()),
        Some((section, title, setting)) => Err(Fault::new(
            format!("[{section}] {title} has no {setting} that could be kept"),
            format!("write it in place of {KEPT}"),
        )),
    }
}

fn read(text: &str) -> Result<DocumentMut, Fault> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        Fault::new(
            format!("this is not TOML: {}", error.message()),
            "mend it first",
        )
    })
}

/// Whether a section can be there more than once.
fn several(section: &str) -> Result<bool, Fault> {
    let pages = catalogue();
    let page = pages.iter().find(|page| page.name == section);
    let page = page.ok_or_else(|| misplaced(section))?;
    Ok(page.heading.starts_with("[["))
}

fn misplaced(section: &str) -> Fault {
    Fault::new(
        format!("the file cannot have a section [{section}] like this"),
        "see docs/settings.md",
    )
}

fn nobody(section: &str, title: &str) -> Fault {
    Fault::new(
        format!("the file has no [[{section}]] with the name {title}"),
        "load the page again: somebody may have changed it",
    )
}

/// The list of a section's kind, made when there is none.
fn added<'a>(document: &'a mut DocumentMut, section: &str) -> Result<&'a mut ArrayOfTables, Fault> {
    let item = document.entry(section);
    let item = item.or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut().ok_or_else(|| {
        Fault::new(
            format!("the sections {section} are written as one value"),
            format!("write each as [[{section}]]"),
        )
    })
}

fn one_of<'a>(
    document: &'a mut DocumentMut,
    section: &str,
    title: &str,
) -> Result<&'a mut Table, Fault> {
    let mut sections = added(document, section)?.iter_mut();
    let found = sections.find(|table| is_titled(table, title));
    found.ok_or_else(|| nobody(section, title))
}

fn is_titled(table: &Table, title: &str) -> bool {
    titled(table) == title
}

fn titled(table: &dyn TableLike) -> String {
    let name = table.get("name").and_then(Item::as_str);
    name.unwrap_or_default().to_owned()
}

fn set(table: &mut dyn TableLike, section: &str, values: &[(String, String)]) {
    for (name, text) in values {
        if text.trim().is_empty() {
            table.remove(name);
            continue;
        }
        let new = written(shape(section, name), text.trim());
        match table.get_mut(name).and_then(Item::as_value_mut) {
            Some(old) => {
                let decor = old.decor().clone();
                *old = new;
                *old.decor_mut() = decor;
            }
            None => drop(table.insert(name, value(new))),
        }
    }
}

fn shape(section: &str, setting: &str) -> Shape {
    let pages = catalogue();
    let page = pages.iter().find(|page| page.name == section);
    let row = page.and_then(|page| page.rows.iter().find(|row| row.name == setting));
    row.map_or(Shape::Text, |row| row.shape)
}

/// What somebody wrote, as TOML. What does not fit its shape stays text, and is refused with a reason when it is read.
fn written(shape: Shape, text: &str) -> Value {
    let number = |text: &str| {
        let whole = text.parse::<i64>().map(Value::from);
        whole.or_else(|_| text.parse::<f64>().map(Value::from))
    };
    let list = |of: fn(&str) -> Value| {
        let parts = text.split(',').map(str::trim);
        Value::Array(
            parts
                .filter(|part| !part.is_empty())
                .map(of)
                .collect::<Array>(),
        )
    };
    match shape {
        Shape::Text | Shape::Secret => text.into(),
        Shape::Truth => text
            .parse::<bool>()
            .map_or_else(|_| text.into(), Value::from),
        Shape::Number => number(text).unwrap_or_else(|_| text.into()),
        Shape::Texts => list(|part| part.into()),
        Shape::Numbers => list(|part| {
            part.parse::<i64>()
                .map_or_else(|_| part.into(), Value::from)
        }),
    }
}

/// Where a secret stands: section, its name among several, setting.
type Place = (String, String, String);

fn each_secret(document: &mut DocumentMut, mut with: impl FnMut(Place, &mut Value)) {
    for page in catalogue() {
        let secrets = page.rows.iter().filter(|row| row.shape == Shape::Secret);
        for row in secrets {
            let mut look = |table: &mut dyn TableLike| {
                let place = (page.name.to_owned(), titled(table), row.name.to_owned());
                let found = table.get_mut(row.name).and_then(Item::as_value_mut);
                if let Some(secret) = found
                    && secret
                        .as_str()
                        .is_some_and(|text| text == KEPT || (row.conceals)(text))
                {
                    with(place, secret);
                }
            };
            tables(document, page.name).into_iter().for_each(&mut look);
        }
    }
}

/// Every table of a section, however it is written.
fn tables<'a>(document: &'a mut DocumentMut, section: &str) -> Vec<&'a mut dyn TableLike> {
    if section.is_empty() {
        return vec![document.as_table_mut()];
    }
    match document.get_mut(section) {
        Some(Item::ArrayOfTables(sections)) => {
            let tables = sections.iter_mut();
            tables.map(|table| table as &mut dyn TableLike).collect()
        }
        Some(Item::Value(Value::Array(array))) => {
            let tables = array.iter_mut().filter_map(Value::as_inline_table_mut);
            tables.map(|table| table as &mut dyn TableLike).collect()
        }
        Some(item) => item.as_table_like_mut().into_iter().collect(),
        None => Vec::new(),
    }
}
