//! Lists of the directory and of operators, asked for page by page and shown whole.

use serde_json::Value;

use super::{Context, Exit, print};
use crate::control::{Answer, Question};

/// Asks for page after page until one is empty, and prints all. `key` is the field by which the list is sorted; `page` asks
/// for what comes after one.
pub(super) async fn print_all(
    context: &Context,
    columns: &[print::Column],
    key: &str,
    page: impl Fn(String) -> Question,
) -> Result<Exit, Exit> {
    let (mut after, mut all) = (String::new(), Vec::new());
    let spinner = context.spinner("reading page by page");
    loop {
        let answer = context.ask(page(std::mem::take(&mut after))).await?;
        let Answer::Rows { rows } = answer else {
            return print::answer(&answer, context.json, columns);
        };
        let last = rows.last().and_then(|row| row.get(key));
        let Some(last) = last.and_then(Value::as_str) else {
            break;
        };
        last.clone_into(&mut after);
        if context.json {
            // Whoever reads lines need not wait for the last page.
            for row in &rows {
                print::out(&row.to_string())?;
            }
        } else {
            all.extend(rows);
        }
    }
    drop(spinner);
    if context.json {
        return Ok(Exit::Done);
    }
    print::answer(&Answer::Rows { rows: all }, context.json, columns)
}
