//! `postrider trace QUERY`: the whole story.

use serde_json::Value;

use super::{Context, Exit, print};
use crate::control::{Answer, Question};

#[derive(Debug, clap::Args)]
pub(super) struct Trace {
    /// An id, a Message-ID or an address.
    query: String,
}

impl Trace {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let answer = context.ask(Question::Trace { query: self.query }).await?;
        match &answer {
            Answer::Rows { rows } if !context.json => {
                for story in rows {
                    tell(story)?;
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
    object
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn tell(story: &Value) -> Result<(), Exit> {
    print::out(&format!(
        "{}  from {} ({} octets, by {})  {}",
        field(story, "id"),
        field(story, "sender"),
        field(story, "size"),
        field(story, "origin"),
        field(story, "subject"),
    ))?;
    for (label, name) in [
        ("accepted", "received_at"),
        ("peer", "peer"),
        ("helo", "helo"),
        ("tls", "tls"),
        ("logged in as", "auth"),
        ("Message-ID", "message_id"),
        ("reports on", "cause"),
        ("reports", "reports"),
    ] {
        let value = field(story, name);
        if value != "-" && !value.is_empty() {
            print::out(&format!("  {label}: {value}"))?;
        }
    }
    for recipient in list(story, "recipients") {
        tell_recipient(recipient, list(story, "recipients"))?;
    }
    for event in list(story, "events") {
        let (at, kind) = (field(event, "at"), field(event, "kind"));
        print::out(&format!(
            "  {at}  {kind} by {}: {}",
            field(event, "actor"),
            field(event, "detail")
        ))?;
    }
    print::out("")
}

fn tell_recipient(recipient: &Value, all: &[Value]) -> Result<(), Exit> {
    let (to, state) = (field(recipient, "address"), field(recipient, "state"));
    print::out(&format!(
        "  to {to}: {state}, by way of {}",
        field(recipient, "next_hop")
    ))?;
    let parent = all
        .iter()
        .find(|one| one.get("id") == recipient.get("parent"));
    if let Some(parent) = parent {
        print::out(&format!("    in place of: {}", field(parent, "address")))?;
    }
    for (label, name) in [
        ("held because", "hold_reason"),
        ("held by", "held_by"),
        ("last reply", "last_reply"),
        ("ended", "finished_at"),
        ("because", "cause"),
        ("by", "actor"),
        ("expires", "expires_at"),
    ] {
        let value = field(recipient, name);
        if value != "-" {
            print::out(&format!("    {label}: {value}"))?;
        }
    }
    for attempt in list(recipient, "attempts") {
        print::out(&format!(
            "    {}  {} at {} {}: {}",
            field(attempt, "started_at"),
            field(attempt, "outcome"),
            field(attempt, "peer"),
            field(attempt, "address"),
            field(attempt, "reply"),
        ))?;
    }
    Ok(())
}
