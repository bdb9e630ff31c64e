//! `postrider health`: for load balancers, by its exit code.

use serde_json::Value;

use super::{Context, Exit, print};
use crate::control::{Answer, Question};

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    let answer = context.ask(Question::Health).await?;
    print::answer(&answer, context.json, &[])?;
    let Answer::One { fact } = &answer else {
        return Ok(Exit::Refused);
    };
    match fact.get("healthy").and_then(Value::as_bool) {
        Some(true) => Ok(Exit::Done),
        Some(false) | None => Ok(Exit::Refused),
    }
}
