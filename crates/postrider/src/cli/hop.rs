//! `postrider hop`: next hops, and stopping one for a while.

use ground_settings::Period;
use path_ledger::PAUSE_MAX;

use super::{Context, Exit, print, queue};
use crate::control::Question;

#[derive(Debug, clap::Args)]
pub(super) struct Hop {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// One line for each next hop with mail, or that is down or paused: the same as `postrider queue`.
    List,
    /// Stop a next hop for a while. Its mail waits, mail that comes later too; senders are told of the delay, and lifetimes
    /// end, as ever.
    Pause {
        /// Such as mx:example.com, via:CONNECTOR or mailbox.
        hop: String,
        #[arg(long, value_name = "TIME", help = format!(
            "Until this moment (RFC 3339), or for this time from now, such as 2h; at most {}", Period(PAUSE_MAX)
        ))]
        until: String,
        /// Why; stands in the history.
        #[arg(long)]
        reason: String,
    },
    /// End a pause before its time.
    Resume {
        hop: String,
        /// Why; stands in the history.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

impl Hop {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let question = match self.act {
            Act::List => return queue::lines(context).await,
            Act::Pause { hop, until, reason } => Question::PauseHop { hop, until, reason },
            Act::Resume { hop, reason } => Question::ResumeHop { hop, reason },
        };
        print::answer(&context.ask(question).await?, context.json, &[])
    }
}
