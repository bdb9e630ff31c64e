//! `postrider alias`: addresses that stand for others.

use super::{Context, Exit, pages, print};
use crate::control::{DirectoryChange, DirectoryView, Question};

const COLUMNS: &[print::Column] = &[
    ("ALIAS", "address"),
    ("TARGETS", "targets"),
    ("SINCE", "created_at"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Alias {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Let an address stand for others; adds to the targets it has.
    Add {
        address: String,
        #[arg(required = true)]
        targets: Vec<String>,
    },
    /// Remove targets; without any, the whole alias.
    Remove {
        address: String,
        targets: Vec<String>,
    },
    /// All aliases.
    List,
    /// One alias.
    Show { address: String },
}

impl Alias {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let question = match self.act {
            Act::Add { address, targets } => Question::Change {
                change: DirectoryChange::AliasAdd { address, targets },
            },
            Act::Remove { address, targets } => Question::Change {
                change: DirectoryChange::AliasRemove { address, targets },
            },
            Act::List => {
                let page = |after| Question::Look {
                    at: DirectoryView::AliasList { after },
                };
                return pages::print_all(context, COLUMNS, "address", page).await;
            }
            Act::Show { address } => Question::Look {
                at: DirectoryView::AliasShow { address },
            },
        };
        print::answer(&context.ask(question).await?, context.json, COLUMNS)
    }
}
