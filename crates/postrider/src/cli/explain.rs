//! `postrider explain ID`: why it is where it is, what comes next, and how it came here.

use serde_json::Value;

use super::{Context, Exit, print};
use crate::control::{Answer, Question};

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The id of a message or recipient, a Message-ID, or an address.
    query: String,
}

impl Explain {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let answer = context.ask(Question::Explain { query: self.query }).await?;
        match &answer {
            Answer::Rows { rows } if !context.json => {
                for message in rows {
                    print::out(&(words(message).join("\n") + "\n"))?;
                }
                Ok(Exit::Done)
            }
            Answer::Rows { .. }
            | Answer::One { .. }
            | Answer::Octets { .. }
            | Answer::Refused { .. } => print::answer(&answer, context.json, &[]),
        }
    }
}

fn field(object: &Value, name: &str) -> String {
    print::text(object.get(name))
}

fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    let list = object.get(name).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// A message's explanation, a line each.
pub(super) fn words(message: &Value) -> Vec<String> {
    let name = |name| field(message, name);
    let (id, sender, subject) = (name("id"), name("sender"), name("subject"));
    let mut lines = vec![format!("{id}  from {sender}  {subject}")];
    for recipient in list(message, "recipients") {
        words_of_recipient(recipient, &mut lines);
    }
    lines
}

fn words_of_recipient(recipient: &Value, lines: &mut Vec<String>) {
    let name = |name| field(recipient, name);
    let (to, state, since) = (name("recipient"), name("state"), name("since"));
    lines.push(format!("  to {to}: {state} since {since}"));
    lines.push(format!("    why   {}: {}", name("reason"), name("why")));
    for due in list(recipient, "next") {
        let name = |name| field(due, name);
        let rule = match name("setting").as_str() {
            "-" => name("rule"),
            setting => format!("{}, {setting}", name("rule")),
        };
        let (at, what, meaning) = (name("at"), name("what"), name("meaning"));
        lines.push(format!("    next  {at}  {what}: {meaning} ({rule})"));
    }
    if let Some(way) = recipient.get("way").filter(|way| way.is_object()) {
        lines.extend(words_of_way(&name("next_hop"), way));
    }
    for step in list(recipient, "steps") {
        let name = |name| field(step, name);
        let (at, step, by, detail) = (name("at"), name("step"), name("by"), name("detail"));
        lines.push(format!("    step  {at}  {step} by {by}: {detail}"));
    }
}

/// What is not set, or does not apply, is not told.
fn words_of_way(next_hop: &str, way: &Value) -> [String; 2] {
    let told = way.as_object().into_iter().flatten();
    let told = told.filter(|(name, _)| name.as_str() != "reason");
    let told = told.map(|(name, value)| (name, print::text(Some(value))));
    let told = told.filter(|(_, value)| value != "-");
    let told: Vec<_> = told
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    [
        format!("    way   {next_hop}: {}", field(way, "reason")),
        format!("          {}", told.join("; ")),
    ]
}
