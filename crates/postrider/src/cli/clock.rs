//! `postrider clock advance DURATION` and `clock step MILLISECONDS`: moves the clocks of a server under test.

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
    /// Step the wall clock alone, forward or back, by so many milliseconds such as -86400000ms.
    Step {
        #[arg(value_parser = milliseconds, allow_hyphen_values = true)]
        by: i64,
    },
}

fn milliseconds(text: &str) -> Result<i64, String> {
    let number = text
        .strip_suffix("ms")
        .and_then(|number| number.parse().ok());
    number.ok_or_else(|| "milliseconds are written 1500ms or -1500ms".to_owned())
}

impl Clock {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        let question = match self.act {
            Act::Advance { duration } => Question::ClockAdvance {
                millis: u64::try_from(duration.0.as_millis()).unwrap_or(u64::MAX),
            },
            Act::Step { by: millis } => Question::ClockStep { millis },
        };
        let answer = context.ask(question).await?;
        print::answer(&answer, context.json, &[])
    }
}
