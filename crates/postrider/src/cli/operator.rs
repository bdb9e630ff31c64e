//! `postrider operator`: who may use the web pages and the HTTP API of the administration.

use ground_directory::operator::Rights;

use super::secret::{Secret, first_line};
use super::{Context, Exit, pages, print};
use crate::control::{OperatorChange, OperatorView, Question};

const COLUMNS: &[print::Column] = &[
    ("OPERATOR", "name"),
    ("RIGHTS", "rights"),
    ("MAY LOG IN", "may_log_in"),
    ("CODE", "totp"),
    ("SINCE", "created_at"),
];

const SESSIONS: &[print::Column] = &[
    ("FROM", "peer"),
    ("WITH", "agent"),
    ("SINCE", "created_at"),
    ("LAST USED", "seen_at"),
    ("ENDS", "ends_at"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Operator {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Make an operator. Without a password it cannot log in yet.
    #[command(mut_group("Secret", |group| group.required(false)))]
    Add {
        name: String,
        #[arg(long, help = format!("What it may do: one or more of {}", Rights::ALL))]
        rights: Rights,
        #[command(flatten)]
        secret: Option<Secret>,
    },
    /// Set another password; its sessions end.
    Password {
        name: String,
        #[command(flatten)]
        secret: Secret,
    },
    /// Set what it may do from now on.
    Rights {
        name: String,
        #[arg(help = format!("One or more of {}", Rights::ALL))]
        rights: Rights,
    },
    /// Let it log in with codes of a code generator: shows the secret, and reads the first code from standard input.
    Totp {
        name: String,
        /// The first code, when the secret was shown before.
        #[arg(long, conflicts_with = "remove")]
        code: Option<String>,
        /// Ask it for no code any more.
        #[arg(long)]
        remove: bool,
    },
    /// Remove an operator; its sessions end.
    Remove { name: String },
    /// All operators.
    List,
    /// One operator.
    Show { name: String },
    /// Where it is logged in.
    Sessions {
        name: String,
        /// End them all.
        #[arg(long)]
        revoke: bool,
    },
}

impl Operator {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let change = match self.act {
            Act::Add {
                name,
                rights,
                secret,
            } => OperatorChange::Add {
                name,
                password: secret.map(Secret::read).transpose()?.flatten(),
                rights: rights.to_string(),
            },
            Act::Password { name, secret } => OperatorChange::Password {
                name,
                password: secret.read()?,
            },
            Act::Rights { name, rights } => OperatorChange::Rights {
                name,
                rights: rights.to_string(),
            },
            Act::Totp {
                name, remove: true, ..
            } => OperatorChange::TotpRemove { name },
            Act::Totp {
                name,
                code: Some(code),
                ..
            } => OperatorChange::TotpConfirm { name, code },
            Act::Totp { name, .. } => return enrol(context, name).await,
            Act::Remove { name } => OperatorChange::Remove { name },
            Act::Sessions { name, revoke: true } => OperatorChange::SessionsRevoke { name },
            Act::Sessions { name, .. } => {
                return look(context, OperatorView::Sessions { name }, SESSIONS).await;
            }
            Act::Show { name } => return look(context, OperatorView::Show { name }, COLUMNS).await,
            Act::List => {
                let page = |after| Question::OperatorLook {
                    at: OperatorView::List { after },
                };
                return pages::print_all(context, COLUMNS, "name", page).await;
            }
        };
        make(context, change).await
    }
}

async fn make(context: &Context, change: OperatorChange) -> Result<Exit, Exit> {
    let answer = context.ask(Question::OperatorChange { change }).await?;
    print::answer(&answer, context.json, COLUMNS)
}

async fn look(
    context: &Context,
    at: OperatorView,
    columns: &[print::Column],
) -> Result<Exit, Exit> {
    let answer = context.ask(Question::OperatorLook { at }).await?;
    print::answer(&answer, context.json, columns)
}

/// Shows a secret, and confirms it with the code that is typed then. Without one it waits for a later `--code`.
async fn enrol(context: &Context, name: String) -> Result<Exit, Exit> {
    let offer = OperatorChange::TotpOffer { name: name.clone() };
    make(context, offer).await?;
    let code = first_line("the code")?;
    if code.is_empty() {
        return Ok(Exit::Done);
    }
    make(context, OperatorChange::TotpConfirm { name, code }).await
}
