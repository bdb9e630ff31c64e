//! `postrider queue`: what waits.

use serde_json::Value;

use super::filter::FilterArgs;
use super::{Context, Exit, print};
use crate::control::{Answer, Question};

const LINES: &[print::Column] = &[
    ("NEXT HOP", "next_hop"),
    ("STATE", "state"),
    ("QUEUED", "queued"),
    ("IN FLIGHT", "in_flight"),
    ("HELD", "held"),
    ("CATEGORIZING", "categorizing"),
    ("OLDEST", "oldest"),
    ("NEXT TRY", "next_try"),
    ("WHY", "why"),
];

pub(super) const ROWS: &[print::Column] = &[
    ("ID", "id"),
    ("STATE", "state"),
    ("RECIPIENT", "recipient"),
    ("SENDER", "sender"),
    ("NEXT HOP", "next_hop"),
    ("TRIES", "attempts"),
    ("RECEIVED", "received_at"),
    ("NEXT TRY", "next_try"),
    ("WHY", "why"),
];

/// Rows asked for at a time when nobody says how many are wanted.
const PAGE: u32 = 1000;

#[derive(Debug, clap::Args)]
pub(super) struct Queue {
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// One line for each recipient.
    List(FilterArgs),
}

impl Queue {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        match self.part {
            None => lines(context).await,
            Some(Part::List(filter)) => list(context, &filter).await,
        }
    }
}

/// One line for each next hop.
pub(super) async fn lines(context: &Context) -> Result<Exit, Exit> {
    let answer = context.ask(Question::Queue).await?;
    let Answer::Rows { mut rows } = answer else {
        return print::answer(&answer, context.json, LINES);
    };
    if !context.json {
        rows.iter_mut().for_each(say_why_of_hop);
    }
    print::answer(&Answer::Rows { rows }, context.json, LINES)
}

/// Page by page, so that a list of any length needs little memory when it is printed for scripts.
pub(super) async fn list(context: &Context, args: &FilterArgs) -> Result<Exit, Exit> {
    let mut filter = args.filter(Vec::new());
    let bounded = filter.limit.is_some();
    filter.limit = filter.limit.or(Some(PAGE));
    let mut shown = Vec::new();
    loop {
        let answer = context
            .ask(Question::List {
                filter: filter.clone(),
            })
            .await?;
        let Answer::Rows { rows } = answer else {
            return print::answer(&answer, context.json, ROWS);
        };
        let last = rows
            .last()
            .and_then(|row| row.get("recipient_id"))
            .and_then(Value::as_str);
        let after = last.and_then(|id| id.parse().ok());
        let full = rows.len()
            == filter
                .limit
                .and_then(|limit| usize::try_from(limit).ok())
                .unwrap_or(0);
        if context.json {
            for row in &rows {
                print::out(&row.to_string())?;
            }
        } else {
            shown.extend(rows);
        }
        if bounded || !full || after.is_none() {
            break;
        }
        filter.after = after;
    }
    if context.json {
        return Ok(Exit::Done);
    }
    shown.iter_mut().for_each(say_why);
    print::answer(&Answer::Rows { rows: shown }, context.json, ROWS)
}

/// People read one column: until when it is paused and why, or what it said last.
fn say_why_of_hop(row: &mut Value) {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let why = match text("paused_until") {
        "" => text("last_reply").to_owned(),
        until => {
            let (by, reason) = (text("paused_by"), text("pause_reason"));
            format!("paused by {by} until {until}: {reason}")
        }
    };
    if let Some(object) = row.as_object_mut() {
        object.insert("why".to_owned(), Value::String(why));
    }
}

/// People read one column: the reason, which names the last reply where that is the reason, or else that reply.
fn say_why(row: &mut Value) {
    let words = ["reason", "last_reply"].map(|name| row.get(name).and_then(Value::as_str));
    let why = words.into_iter().flatten().find(|text| !text.is_empty());
    let why = why.map(str::to_owned);
    if let (Some(why), Some(object)) = (why, row.as_object_mut()) {
        object.insert("why".to_owned(), Value::String(why));
    }
}
