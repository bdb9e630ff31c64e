//! `postrider node`: the nodes that share the store.

use super::{Context, Exit, print};
use crate::control::Question;

const COLUMNS: &[print::Column] = &[
    ("NODE", "name"),
    ("STATE", "state"),
    ("DRAINING", "draining"),
    ("IN FLIGHT", "in_flight"),
    ("LAST SIGN OF LIFE", "heartbeat_at"),
    ("EPOCH", "epoch"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Node {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Every node: whether it is up, and what it has in flight.
    List,
    /// Tell a node to take no new work, for maintenance: it refuses mail for now (451) and ends what it has in hand. Survives
    /// a restart.
    Drain {
        name: String,
        /// Why; stands in the history.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Tell a drained node to take work again.
    Resume {
        name: String,
        /// Why; stands in the history.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

impl Node {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let question = match self.act {
            Act::List => Question::Nodes,
            Act::Drain { name, reason } => Question::Drain {
                name,
                draining: true,
                reason,
            },
            Act::Resume { name, reason } => Question::Drain {
                name,
                draining: false,
                reason,
            },
        };
        print::answer(&context.ask(question).await?, context.json, COLUMNS)
    }
}
