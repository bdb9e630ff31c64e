//! `postrider audit`: does the book add up?

use serde_json::Value;

use super::{Context, Exit, print};
use crate::control::{Answer, Question};

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    let what = "adding up the book";
    let answer = context.ask_at_length(Question::Audit, what).await?;
    print::answer(&answer, context.json, &[])?;
    let Answer::One { fact } = &answer else {
        return Ok(Exit::Refused);
    };
    let zero = |name: &str| fact.get(name).is_none_or(|value| value.as_i64() == Some(0));
    let none = |name: &str| {
        fact.get(name)
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
    };
    if zero("difference") && none("findings") {
        return Ok(Exit::Done);
    }
    Ok(Exit::Refused)
}
