//! `postrider retry|hold|release|return|discard|reroute|export`: what a person does to recipients.

use std::path::PathBuf;

use bytes::Bytes;
use path_ledger::MessageId;
use serde_json::Value;

use super::filter::FilterArgs;
use super::{Context, Exit, heard, print, put};
use crate::control::{Answer, Question, Trouble, Verb};

const PREVIEW: &[print::Column] = &[
    ("ID", "id"),
    ("STATE", "state"),
    ("RECIPIENT", "recipient"),
    ("SENDER", "sender"),
    ("NEXT HOP", "next_hop"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Operate {
    /// Ids of messages or recipients.
    ids: Vec<MessageId>,
    #[command(flatten)]
    filter: FilterArgs,
    /// All that is in transit.
    #[arg(long)]
    all: bool,
    /// Why; it stands in the history.
    #[arg(long, default_value = "")]
    reason: String,
    /// Show to whom, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Reroute {
    #[command(flatten)]
    operate: Operate,
    /// The next hop (via:CONNECTOR, mx:DOMAIN or mailbox); without it, as the routes say now.
    #[arg(long, value_name = "HOP")]
    to: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Export {
    #[command(flatten)]
    operate: Operate,
    /// The folder that gets one file ID.eml for each message.
    #[arg(long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
}

/// Acts that need nothing but their recipients.
#[derive(Debug, Clone, Copy)]
pub(super) enum Simple {
    Retry,
    Hold,
    Release,
    Return,
    Discard,
}

impl Operate {
    pub(super) async fn run(self, context: &Context, act: Simple) -> Result<Exit, Exit> {
        let verb = match act {
            Simple::Retry => Verb::Retry,
            Simple::Hold => Verb::Hold,
            Simple::Release => Verb::Release,
            Simple::Return => Verb::Return,
            Simple::Discard => Verb::Discard,
        };
        let answer = self.ask(context, verb).await?;
        print::answer(&answer, context.json, PREVIEW)?;
        Ok(done(&answer))
    }

    async fn ask(&self, context: &Context, verb: Verb) -> Result<Answer, Exit> {
        if self.ids.is_empty() && self.filter.is_empty() && !self.all {
            print::error("name ids or a filter; to mean everything in transit, write --all");
            return Err(Exit::Wrong);
        }
        let question = Question::Act {
            verb: verb.clone(),
            filter: self.filter.filter(self.ids.clone()),
            reason: self.reason.clone(),
            dry_run: self.dry_run,
            name: None,
        };
        context.ask_for_act(question, doing(&verb)).await
    }
}

/// What people see while it is done.
const fn doing(verb: &Verb) -> &'static str {
    match verb {
        Verb::Retry => "trying again",
        Verb::Hold => "holding",
        Verb::Release => "releasing",
        Verb::Return => "returning",
        Verb::Discard => "discarding",
        Verb::Reroute { .. } => "rerouting",
        Verb::Export => "choosing what to export",
    }
}

/// An act that reached nobody was refused.
fn done(answer: &Answer) -> Exit {
    match answer {
        Answer::One { fact } if fact.get("done").and_then(Value::as_u64) == Some(0) => {
            Exit::Refused
        }
        Answer::Rows { .. } | Answer::One { .. } | Answer::Octets { .. } => Exit::Done,
        Answer::Refused { .. } => Exit::Refused,
    }
}

impl Reroute {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let answer = self
            .operate
            .ask(context, Verb::Reroute { to: self.to })
            .await?;
        print::answer(&answer, context.json, PREVIEW)?;
        Ok(done(&answer))
    }
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let answer = self.operate.ask(context, Verb::Export).await?;
        let Answer::One { fact } = &answer else {
            return print::answer(&answer, context.json, PREVIEW);
        };
        let messages = fact.get("messages").and_then(Value::as_array);
        let messages = messages.map_or(&[][..], Vec::as_slice);
        let mut exit = done(&answer);
        let config = context.config()?;
        let bar = context.bar("exporting", messages.len() as u64);
        for id in messages.iter().filter_map(Value::as_str) {
            bar.inc(1);
            let Ok(id) = id.parse::<MessageId>() else {
                continue;
            };
            match put(&config, Question::Body { id }, Bytes::new()).await {
                Ok(Answer::Octets { content }) => self.write(id, &content).map_err(|why| {
                    bar.suspend(|| print::error(&why));
                    Exit::Unreachable
                })?,
                // A body that cannot be read keeps no other from being written.
                unread => exit = bar.suspend(|| unwritten(id, unread)),
            }
        }
        drop(bar);
        print::answer(&answer, context.json, PREVIEW)?;
        Ok(exit)
    }

    fn write(&self, id: MessageId, content: &[u8]) -> Result<(), String> {
        let file = self.output.join(format!("{id}.eml"));
        std::fs::write(&file, content).map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// Says why, and of which message.
fn unwritten(id: MessageId, unread: Result<Answer, Trouble>) -> Exit {
    let Err(ended) = heard(unread) else {
        return Exit::Refused;
    };
    print::error(&format!("{id} is not written out"));
    ended
}
