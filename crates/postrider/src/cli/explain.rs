//! `postrider explain ID`: why it is where it is, and what comes next.

use serde_json::{Value, json};

use super::{Context, Exit, print};
use crate::control::{Answer, Question};

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The id of a message or recipient.
    id: path_ledger::MessageId,
}

impl Explain {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let query = self.id.to_string();
        let Answer::Rows { rows } = context.ask(Question::Trace { query }).await? else {
            return Ok(Exit::Refused);
        };
        let Answer::Rows { rows: hops } = context.ask(Question::Queue).await? else {
            return Ok(Exit::Refused);
        };
        let reasons: Vec<Value> = rows
            .iter()
            .flat_map(|story| reasons(story, &hops))
            .collect();
        if context.json {
            print::out(&json!({ "id": self.id, "recipients": reasons }).to_string())?;
            return Ok(Exit::Done);
        }
        for reason in &reasons {
            let (to, why) = (
                print::text(reason.get("recipient")),
                print::text(reason.get("why")),
            );
            print::out(&format!("{to}: {why}"))?;
        }
        Ok(Exit::Done)
    }
}

fn reasons(story: &Value, hops: &[Value]) -> Vec<Value> {
    let recipients = story.get("recipients").and_then(Value::as_array);
    let each = recipients.into_iter().flatten();
    each.map(|one| {
        let damage = [one, story].map(|row| row.get("damaged").and_then(Value::as_str));
        reason(one, hops, damage.into_iter().flatten().next())
    })
    .collect()
}

/// `damage` is what cannot be read of the recipient or its message.
fn reason(recipient: &Value, hops: &[Value], damage: Option<&str>) -> Value {
    let field = |name: &str| print::text(recipient.get(name));
    let next_hop = field("next_hop");
    let hop = hops
        .iter()
        .find(|hop| print::text(hop.get("next_hop")) == next_hop);
    let hop_field = |name: &str| print::text(hop.and_then(|hop| hop.get(name)));
    let why = match field("state").as_str() {
        "categorizing" => format!("waits for the directory: {}", field("last_reply")),
        "queued" if hop_field("state") == "down" => format!(
            "waits for {next_hop}, which does not answer ({}); next try {}",
            hop_field("last_reply"),
            hop_field("next_try"),
        ),
        "queued" if hop_field("state") == "paused" => {
            format!("waits for {next_hop}, which an operator has paused")
        }
        "queued" => format!(
            "waits for {next_hop}; not tried before {}; last reply: {}",
            field("retry_at"),
            field("last_reply")
        ),
        "in_flight" => format!("is being handed to {next_hop} now"),
        "held" => format!("is held by {}: {}", field("held_by"), field("hold_reason")),
        state => format!(
            "is {state} since {}, because {}",
            field("finished_at"),
            field("cause")
        ),
    };
    let is_over = !recipient.get("finished_at").is_none_or(Value::is_null);
    let expires = field("expires_at");
    let end = match (damage, expires.as_str()) {
        (_, "-") => String::new(),
        _ if is_over => String::new(),
        (None, expires) => format!("; returned to its sender at {expires} if nothing helps"),
        (Some(damage), expires) => format!(
            "; it cannot be read ({damage}), so it is held when it is next looked at, and a dead letter at {expires} if nobody mends it"
        ),
    };
    json!({
        "recipient": field("address"),
        "state": field("state"),
        "next_hop": next_hop,
        "why": format!("{why}{end}"),
    })
}
