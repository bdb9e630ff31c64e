//! Questions to the book, answered as rows: the same queries that the commands ask.

use anyhow::{Context, Result};
use path_ledger::{Filter, Ledger};
use serde::Serialize;

use crate::pattern::Answer;
use crate::statement::Question;

/// The rows that answer a question.
pub(crate) async fn answer(ledger: &Ledger, question: &Question) -> Result<Vec<Answer>> {
    match question {
        Question::Queue => rows(&ledger.queue_lines().await?),
        Question::QueueList(conditions) => rows(&ledger.list(&filter(ledger, conditions)?).await?),
        Question::Audit => rows(&[ledger.audit().await?]),
        Question::Trace(of) => trace(ledger, of).await,
        Question::Attempts(of) => {
            let stories = ledger.trace(of).await?;
            let recipients = stories.into_iter().flat_map(|story| story.recipients);
            rows(&recipients.flat_map(|one| one.attempts).collect::<Vec<_>>())
        }
        Question::Events(of) => {
            let stories = ledger.trace(of).await?;
            rows(
                &stories
                    .into_iter()
                    .flat_map(|story| story.events)
                    .collect::<Vec<_>>(),
            )
        }
    }
}

/// A filter as the command line writes it.
pub(crate) fn filter(ledger: &Ledger, conditions: &[(String, String)]) -> Result<Filter> {
    let mut filter = Filter::default();
    for (name, value) in conditions {
        filter.set(name, value, ledger.now())?;
    }
    Ok(filter)
}

/// One row a recipient, with the columns of its message beside its own.
async fn trace(ledger: &Ledger, of: &str) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for mut story in ledger.trace(of).await? {
        let recipients = std::mem::take(&mut story.recipients);
        let message = row(&story)?;
        for recipient in rows(&recipients)? {
            let mut both = message.clone();
            both.extend(recipient);
            answers.push(both);
        }
    }
    Ok(answers)
}

/// Whether any message that `of` means holds `text`, in its stored content.
pub(crate) async fn content_has(ledger: &Ledger, of: &str, text: &str) -> Result<(), String> {
    let contents = contents(ledger, of)
        .await
        .map_err(|error| error.to_string())?;
    if contents.iter().any(|content| content.contains(text)) {
        return Ok(());
    }
    Err(format!(
        "expected: {text}\n  got:      {}",
        contents.join("\n----\n")
    ))
}

async fn contents(ledger: &Ledger, of: &str) -> Result<Vec<String>> {
    const BODY: &str = "SELECT body FROM message WHERE id = $1";
    let mut contents = Vec::new();
    for story in ledger.trace(of).await? {
        let query = ground_store::Query::new(BODY, vec![story.id.into()]);
        let found = ledger.store().read(query).await?;
        let row = found.first().context("a story without its message")?;
        // The content of what has ended is not kept.
        let Some(body) = row.optional_int(0)? else {
            continue;
        };
        let reader = ledger.store().read_body(body).await?;
        let reader = reader.context("the content is gone")?;
        let octets = reader.whole(usize::MAX).await?;
        contents.push(String::from_utf8_lossy(&octets).into_owned());
    }
    Ok(contents)
}

fn rows<T: Serialize>(items: &[T]) -> Result<Vec<Answer>> {
    items.iter().map(row).collect()
}

fn row<T: Serialize>(item: &T) -> Result<Answer> {
    let value = serde_json::to_value(item)?;
    Ok(serde_json::from_value(value)?)
}
