//! What a command says: tables for people, JSON for scripts, errors on standard error.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::Exit;
use crate::control::Answer;

/// A column of a table: its title, and the field it shows.
pub(super) type Column = (&'static str, &'static str);

/// Prints lines; a reader that went away (`| head`) ends the command quietly.
pub(super) fn out(text: &str) -> Result<(), Exit> {
    octets(text.as_bytes())?;
    octets(b"\n")
}

/// Prints octets as they are.
pub(super) fn octets(content: &[u8]) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(content).and_then(|()| out.flush());
    written.map_err(|error| {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Exit::Done
        } else {
            Exit::Unreachable
        }
    })
}

/// Prints an error.
pub(super) fn error(text: &str) {
    let mut err = std::io::stderr().lock();
    if writeln!(err, "postrider: {}", safe(text)).is_err() {
        // Nobody listens; the exit code says it too.
    }
}

/// Prints an answer: `columns` for people, every field for scripts.
pub(super) fn answer(answer: &Answer, json: bool, columns: &[Column]) -> Result<Exit, Exit> {
    match answer {
        Answer::Rows { rows } if json => {
            for row in rows {
                out(&row.to_string())?;
            }
        }
        Answer::Rows { rows } if rows.is_empty() => out("nothing")?,
        Answer::Rows { rows } => table(rows, columns)?,
        Answer::One { fact } if json => out(&fact.to_string())?,
        Answer::One { fact } => fields(fact)?,
        Answer::Octets { content } => octets(content)?,
        Answer::Refused { why, .. } => {
            error(why);
            return Ok(Exit::Refused);
        }
    }
    Ok(Exit::Done)
}

/// A table of these columns.
pub(super) fn table(rows: &[Value], columns: &[Column]) -> Result<(), Exit> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|(title, _)| *title));
    for row in rows {
        table.add_row(columns.iter().map(|(_, field)| text(row.get(*field))));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    out(&lines.collect::<Vec<_>>().join("\n"))
}

/// One object, a field a line.
pub(super) fn fields(fact: &Value) -> Result<(), Exit> {
    let Some(object) = fact.as_object() else {
        return out(&text(Some(fact)));
    };
    let width = object.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in object {
        out(&format!("{name:width$}  {}", text(Some(value))))?;
    }
    Ok(())
}

/// A field as people read it.
pub(super) fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => safe(text).replace('\n', " "),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(list)) if list.is_empty() => "-".to_owned(),
        Some(Value::Array(list)) => {
            let list = list.iter().map(|one| text(Some(one)));
            list.collect::<Vec<_>>().join(", ")
        }
        Some(object @ Value::Object(_)) => safe(&object.to_string()),
    }
}

/// Peers choose parts of what is shown: none of it may steer the terminal.
pub(super) fn safe(text: &str) -> String {
    let keep = |c: char| !c.is_control() || c == '\n' || c == '\t';
    text.chars()
        .map(|c| if keep(c) { c } else { '\u{fffd}' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_cannot_steer_the_terminal() {
        assert_eq!(safe("550 \u{1b}[2Jno\u{7}"), "550 \u{fffd}[2Jno\u{fffd}");
    }

    #[test]
    fn what_is_missing_is_a_dash() {
        assert_eq!(text(None), "-");
        assert_eq!(text(Some(&Value::Null)), "-");
        assert_eq!(text(Some(&serde_json::json!([]))), "-");
        assert_eq!(text(Some(&serde_json::json!(["a", "b"]))), "a, b");
    }
}
