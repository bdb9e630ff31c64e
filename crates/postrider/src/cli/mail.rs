//! `postrider mail`: reading a mailbox.

use super::{Context, Exit, print};
use crate::control::Question;

const COLUMNS: &[print::Column] = &[
    ("ID", "id"),
    ("FOLDER", "folder"),
    ("UID", "uid"),
    ("RECEIVED", "received_at"),
    ("SIZE", "size"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Mail {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// The mails of an account.
    List { account: String },
    /// One mail as it stands in the mailbox, by the message's id or its UID in the INBOX.
    Show { account: String, mail: String },
}

impl Mail {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let question = match self.act {
            Act::List { account } => Question::MailList { address: account },
            Act::Show { account, mail } => Question::MailShow {
                address: account,
                mail,
            },
        };
        print::answer(&context.ask(question).await?, context.json, COLUMNS)
    }
}
