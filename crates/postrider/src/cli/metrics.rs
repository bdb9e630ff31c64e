//! `postrider metrics`: OpenMetrics text, for whoever collects it.

use super::{Context, Exit, print};
use crate::control::Question;

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    print::answer(&context.ask(Question::Metrics).await?, context.json, &[])
}
