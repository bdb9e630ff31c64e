//! `postrider account`: who has a mailbox here.

use ground_settings::Size;

use super::secret::Secret;
use super::{Context, Exit, pages, print};
use crate::control::{DirectoryChange, DirectoryView, Question};

const COLUMNS: &[print::Column] = &[
    ("ACCOUNT", "address"),
    ("MAY LOG IN", "may_log_in"),
    ("QUOTA", "quota"),
    ("SINCE", "created_at"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Account {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Make an account.
    Add {
        address: String,
        #[command(flatten)]
        secret: Secret,
        /// How much its mailbox may hold, such as 500MB.
        #[arg(long, value_parser = size)]
        quota: Option<Size>,
    },
    /// Set another password.
    Password {
        address: String,
        #[command(flatten)]
        secret: Secret,
    },
    /// Remove an account.
    Remove {
        address: String,
        /// Its mail goes with it.
        #[arg(long)]
        with_mail: bool,
    },
    /// All accounts.
    List,
    /// One account.
    Show { address: String },
}

fn size(text: &str) -> Result<Size, String> {
    text.parse()
        .map_err(|fault: ground_settings::Fault| format!("{}; {}", fault.what, fault.remedy))
}

impl Account {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let question = match self.act {
            Act::Add {
                address,
                secret,
                quota,
            } => Question::Change {
                change: DirectoryChange::AccountAdd {
                    address,
                    password: secret.read()?,
                    quota: quota.map(Size::bytes),
                },
            },
            Act::Password { address, secret } => Question::Change {
                change: DirectoryChange::AccountPassword {
                    address,
                    password: secret.read()?,
                },
            },
            Act::Remove { address, with_mail } => Question::Change {
                change: DirectoryChange::AccountRemove { address, with_mail },
            },
            Act::List => {
                let page = |after| Question::Look {
                    at: DirectoryView::AccountList { after },
                };
                return pages::print_all(context, COLUMNS, "address", page).await;
            }
            Act::Show { address } => Question::Look {
                at: DirectoryView::AccountShow { address },
            },
        };
        print::answer(&context.ask(question).await?, context.json, COLUMNS)
    }
}
