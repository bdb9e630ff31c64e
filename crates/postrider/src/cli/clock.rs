//! `postrider clock advance DURATION`: lets time pass in a server under test.

use ground_settings::Period;

use super::{Context, Exit, print};
use crate::control::Question;

#[derive(Debug, clap::Args)]
pub(super) struct Clock {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Let this much time pass at once, such as 4h30m.
    Advance {
        #[arg(value_parser = super::filter::period)]
        duration: Period,
    },
}

impl Clock {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let Act::Advance { duration } = self.act;
        let millis = u64::try_from(duration.0.as_millis()).unwrap_or(u64::MAX);
        let answer = context.ask(Question::ClockAdvance { millis }).await?;
        print::answer(&answer, context.json, &[])
    }
}
