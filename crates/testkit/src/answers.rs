//! Questions to the book, answered as rows from what the commands list.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::pattern::Answer;
use crate::stage::Stage;
use crate::statement::{Listing, Question};

/// The rows that answer a question.
pub(crate) async fn answer(stage: &impl Stage, question: &Question) -> Result<Vec<Answer>> {
    match question {
        Question::Listed(Listing::Trace(of)) => {
            let stories = stories(stage, of).await?;
            Ok(stories.into_iter().flat_map(recipients).collect())
        }
        Question::Listed(listing @ Listing::Explain(_)) => {
            let messages = stage.list(listing).await?;
            Ok(messages.into_iter().flat_map(recipients).collect())
        }
        Question::Listed(listing) => stage.list(listing).await,
        Question::Attempts(of) => {
            let stories = stories(stage, of).await?;
            let recipients = stories.into_iter().flat_map(recipients);
            let attempts = recipients.flat_map(|mut one| within(&mut one, "attempts"));
            Ok(attempts.collect())
        }
        Question::Events(of) => {
            let stories = stories(stage, of).await?;
            let events = stories.into_iter();
            Ok(events
                .flat_map(|mut one| within(&mut one, "events"))
                .collect())
        }
    }
}

/// The contents of all messages that `of` means, as far as they are kept: the content of what has ended is not.
pub(crate) async fn contents(stage: &impl Stage, of: &str) -> Result<Vec<String>> {
    let mut contents = Vec::new();
    for story in stories(stage, of).await? {
        let id = story.get("id").and_then(Value::as_str);
        let id = id.context("a story without its message")?;
        contents.extend(stage.content(id).await?);
    }
    Ok(contents)
}

/// The ids of all messages that `of` means.
pub(crate) async fn messages(stage: &impl Stage, of: &str) -> Result<Vec<String>> {
    let stories = stories(stage, of).await?;
    let id = |story: &Answer| story.get("id").and_then(Value::as_str).map(str::to_owned);
    Ok(stories.iter().filter_map(id).collect())
}

async fn stories(stage: &impl Stage, of: &str) -> Result<Vec<Answer>> {
    stage.list(&Listing::Trace(of.to_owned())).await
}

/// One row a recipient, with the columns of its message beside its own.
fn recipients(mut story: Answer) -> Vec<Answer> {
    let recipients = within(&mut story, "recipients");
    let beside = |recipient: Answer| {
        let mut both = story.clone();
        both.extend(recipient);
        both
    };
    recipients.into_iter().map(beside).collect()
}

/// The rows that a column holds.
fn within(row: &mut Answer, column: &str) -> Vec<Answer> {
    let Some(Value::Array(entries)) = row.remove(column) else {
        return Vec::new();
    };
    let row = |entry| match entry {
        Value::Object(row) => Some(row),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            None
        }
    };
    entries.into_iter().filter_map(row).collect()
}
