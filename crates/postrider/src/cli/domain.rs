//! `postrider domain`: the domains whose mail is for here.

use super::{Context, Exit, pages, print};
use crate::control::{DirectoryChange, DirectoryView, Question};

const COLUMNS: &[print::Column] = &[
    ("DOMAIN", "name"),
    ("CATCH-ALL", "catch_all"),
    ("SINCE", "created_at"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Domain {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Take a domain in.
    Add { name: String },
    /// Let a domain go that has no accounts and aliases any more.
    Remove { name: String },
    /// Send mail for unknown names to an address; without one, refuse it.
    CatchAll {
        name: String,
        target: Option<String>,
    },
    /// All domains.
    List,
    /// One domain.
    Show { name: String },
}

impl Domain {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let question = match self.act {
            Act::Add { name } => Question::Change {
                change: DirectoryChange::DomainAdd { name },
            },
            Act::Remove { name } => Question::Change {
                change: DirectoryChange::DomainRemove { name },
            },
            Act::CatchAll { name, target } => Question::Change {
                change: DirectoryChange::DomainCatchAll { name, target },
            },
            Act::List => {
                let page = |after| Question::Look {
                    at: DirectoryView::DomainList { after },
                };
                return pages::print_all(context, COLUMNS, "name", page).await;
            }
            Act::Show { name } => Question::Look {
                at: DirectoryView::DomainShow { name },
            },
        };
        print::answer(&context.ask(question).await?, context.json, COLUMNS)
    }
}
