//! `postrider token`: which programs may use the HTTP API.

use ground_directory::operator::Rights;
use ground_settings::Period;

use super::{Context, Exit, pages, print};
use crate::control::{OperatorChange, OperatorView, Question};

const COLUMNS: &[print::Column] = &[
    ("TOKEN", "name"),
    ("RIGHTS", "rights"),
    ("MADE BY", "created_by"),
    ("SINCE", "created_at"),
    ("UNTIL", "expires_at"),
    ("LAST USED", "seen_at"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Token {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Make a token for a program. It is shown this once.
    Add {
        name: String,
        #[arg(long, help = format!("What the program may do: one or more of {}", Rights::ALL))]
        rights: Rights,
        /// For how long, such as 90d; without it, until the token is removed.
        #[arg(long, value_parser = super::filter::period)]
        expires: Option<Period>,
    },
    /// Remove a token: whoever has it is let in no more.
    Remove { name: String },
    /// All tokens, also those whose time is over.
    List,
}

impl Token {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let change = match self.act {
            Act::Add {
                name,
                rights,
                expires,
            } => OperatorChange::TokenAdd {
                name,
                rights: rights.to_string(),
                lifetime: expires
                    .map(|period| u64::try_from(period.0.as_millis()).unwrap_or(u64::MAX)),
            },
            Act::Remove { name } => OperatorChange::TokenRemove { name },
            Act::List => {
                let page = |after| Question::OperatorLook {
                    at: OperatorView::TokenList { after },
                };
                return pages::print_all(context, COLUMNS, "name", page).await;
            }
        };
        let answer = context.ask(Question::OperatorChange { change }).await?;
        print::answer(&answer, context.json, COLUMNS)
    }
}
