//! `postrider connector`: the ways out.

use super::{Context, Exit, print};
use crate::control::Question;

const COLUMNS: &[print::Column] = &[
    ("CONNECTOR", "name"),
    ("SERVES", "address_space"),
    ("HANDS OVER AT", "next_hop"),
    ("COST", "cost"),
    ("SPEAKS", "protocol"),
    ("TLS", "tls"),
    ("WAITING", "waiting"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Connector {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Every connector, with the mail that waits for it.
    List,
    /// Which way mail for a domain takes, and why.
    Route { domain: String },
}

impl Connector {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let question = match self.act {
            Act::List => Question::Connectors,
            Act::Route { domain } => Question::Route { domain },
        };
        print::answer(&context.ask(question).await?, context.json, COLUMNS)
    }
}
