//! `postrider link ID`: the address at which whoever has it sees where the message is.

use serde_json::Value;

use super::{Context, Exit, print};
use crate::control::{Answer, Question};

#[derive(Debug, clap::Args)]
pub(super) struct Link {
    /// The id of the message, or of one of its recipients.
    id: String,
}

impl Link {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let id = self.id.trim().parse().map_err(|error| {
            print::error(&format!("{:?}: {error}", self.id));
            Exit::Wrong
        })?;
        let answer = context.ask(Question::Link { id }).await?;
        let field = |name| match &answer {
            Answer::One { fact } => fact.get(name).and_then(Value::as_str),
            Answer::Rows { .. } | Answer::Octets { .. } | Answer::Refused { .. } => None,
        };
        match (context.json, field("address"), field("path")) {
            (false, Some(address), _) => print::out(address)?,
            (false, None, Some(path)) => {
                print::out(path)?;
                print::error(
                    "this goes below the address of the listener for HTTP, which is not known here: set web_address at the top of the \
                     configuration, such as web_address = \"https://mail.example.org\"",
                );
            }
            (true, ..) | (false, None, None) => return print::answer(&answer, context.json, &[]),
        }
        Ok(Exit::Done)
    }
}
