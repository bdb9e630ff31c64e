//! `postrider alarms`: what should not be.

use super::{Context, Exit, print};
use crate::control::Question;

const COLUMNS: &[print::Column] = &[
    ("ALARM", "kind"),
    ("SINCE", "since"),
    ("OF", "subject"),
    ("MESSAGES", "all"),
    ("DETAIL", "detail"),
    ("WHAT IT MEANS", "meaning"),
    ("WHAT TO DO", "remedy"),
];

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    print::answer(&context.ask(Question::Alarms).await?, context.json, COLUMNS)
}
