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
                rows.iter().try_for_each(tell)?;
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

fn tell(message: &Value) -> Result<(), Exit> {
    let name = |name| field(message, name);
    let (id, sender, subject) = (name("id"), name("sender"), name("subject"));
    print::out(&format!("{id}  from {sender}  {subject}"))?;
    for recipient in list(message, "recipients") {
        tell_recipient(recipient)?;
    }
    print::out("")
}

fn tell_recipient(recipient: &Value) -> Result<(), Exit> {
    let name = |name| field(recipient, name);
    let (to, state, since) = (name("recipient"), name("state"), name("since"));
    print::out(&format!("  to {to}: {state} since {since}"))?;
    print::out(&format!("    why   {}: {}", name("reason"), name("why")))?;
    for due in list(recipient, "next") {
        let name = |name| field(due, name);
        let rule = match name("setting").as_str() {
            "-" => name("rule"),
            setting => format!("{}, {setting}", name("rule")),
        };
        let (at, what, meaning) = (name("at"), name("what"), name("meaning"));
        print::out(&format!("    next  {at}  {what}: {meaning} ({rule})"))?;
    }
    if let Some(way) = recipient.get("way").filter(|way| way.is_object()) {
        tell_way(&name("next_hop"), way)?;
    }
    for step in list(recipient, "steps") {
        let name = |name| field(step, name);
        let (at, step, by, detail) = (name("at"), name("step"), name("by"), name("detail"));
        print::out(&format!("    step  {at}  {step} by {by}: {detail}"))?;
    }
    Ok(())
}

/// What is not set, or does not apply, is not told.
fn tell_way(next_hop: &str, way: &Value) -> Result<(), Exit> {
    print::out(&format!("    way   {next_hop}: {}", field(way, "reason")))?;
    let told = way.as_object().into_iter().flatten();
    let told = told.filter(|(name, _)| name.as_str() != "reason");
    let told = told.map(|(name, value)| (name, print::text(Some(value))));
    let told = told.filter(|(_, value)| value != "-");
    let told: Vec<_> = told
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    print::out(&format!("          {}", told.join("; ")))
}
