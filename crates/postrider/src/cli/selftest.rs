//! `postrider selftest`: whether the running server takes mail, gives it its way, delivers it, and has it read.

use serde_json::Value;

use super::{Context, Exit, print};
use crate::control::{Answer, Question};
use access_admin::explain::Verdict;

const COLUMNS: &[print::Column] = &[
    ("STAGE", "stage"),
    ("VERDICT", "verdict"),
    ("MS", "ms"),
    ("WHOSE MOVE", "whose"),
    ("DETAIL", "detail"),
];

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    let what = "testing every listener, and a message through it";
    let answer = context.ask_at_length(Question::Selftest, what).await?;
    print::answer(&answer, context.json, COLUMNS)?;
    let failed = |row: &Value| row.get("verdict") == Some(&Value::from(Verdict::Failed.word()));
    Ok(match &answer {
        Answer::Rows { rows } if !rows.iter().any(failed) => Exit::Done,
        Answer::Rows { .. }
        | Answer::One { .. }
        | Answer::Octets { .. }
        | Answer::Refused { .. } => Exit::Refused,
    })
}
