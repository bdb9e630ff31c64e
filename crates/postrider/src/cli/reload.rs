//! `postrider reload`: the running server reads its settings again, as at SIGHUP.

use super::{Context, Exit, print};
use crate::control::Question;

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    let answer = context.ask(Question::Reload).await?;
    print::answer(&answer, context.json, &[])
}
