//! Which messages have a sender, a recipient or a Message-ID.
//!
//! ```text
//!   a recipient is born ──> search_due ── index_words, by batches ──> search_word, in the newest segment
//!   a search looks at both, and the rows it finds are compared with the question itself
//! ```
//!
//! Words come in no order, so each one kept by an ordinary index would cost a page of its own at each accept. A segment is
//! bounded ([`SEGMENT_WORDS`]), so a sorted batch finds many neighbours in it; a search probes every segment. Nothing is ever
//! missed: the schema puts each recipient into `search_due` as it is born, and one unit moves it into the index.

use std::collections::BTreeSet;

use ground_store::{Query, Row, Sql, StoreError, Unit, Value};

use crate::{Ledger, LedgerError};

#[cfg(test)]
mod tests;

/// Words a segment gets at most, but for the batch that fills it: 65 536 messages or so, some megabytes.
pub const SEGMENT_WORDS: i64 = 200_000;

/// What a question about a sender, recipient or Message-ID is searched by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sought {
    /// Its hash.
    pub(crate) word: i64,
    /// Without brackets, ASCII letters in lower case.
    pub(crate) text: String,
}

impl Sought {
    pub(crate) fn of(question: &str) -> Self {
        let bare = question
            .trim()
            .trim_start_matches('<')
            .trim_end_matches('>');
        let text = bare.to_ascii_lowercase();
        let hash = blake3::hash(text.as_bytes());
        let word = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        Self {
            word: i64::from_le_bytes(word),
            text,
        }
    }
}

/// A query for the messages that may have the word whose hash and text are the parameters `word` and `text`. The index knows
/// only hashes, so the asker compares the rows it reads, for instance by [`has_text`].
pub(crate) fn messages_with(word: &str, text: &str) -> String {
    let has_text = has_text(text);
    format!(
        "WITH RECURSIVE segment (id) AS (SELECT max(id) FROM search_segment UNION ALL \
           SELECT (SELECT max(search_segment.id) FROM search_segment WHERE search_segment.id < segment.id) \
           FROM segment WHERE segment.id IS NOT NULL) \
         SELECT search_word.message FROM segment JOIN search_word ON search_word.segment = segment.id \
           WHERE search_word.word = {word} \
         UNION SELECT recipient.message FROM search_due JOIN recipient ON recipient.id = search_due.recipient \
           JOIN message ON message.id = recipient.message WHERE {has_text}"
    )
}

/// Whether a row of `recipient JOIN message` has the parameter `text` as its sender, recipient or Message-ID, in whatever
/// case.
pub(crate) fn has_text(text: &str) -> String {
    format!(
        "(lower(recipient.address) = {text} OR lower(message.sender) = {text} OR lower(message.message_id) = {text} \
          OR lower(message.message_id) = '<' || {text} || '>')"
    )
}

/// The recipients whose words are next, with the words.
const DUE: &str = "SELECT recipient.id, recipient.message, recipient.address, message.sender, message.message_id \
     FROM search_due JOIN recipient ON recipient.id = search_due.recipient JOIN message ON message.id = recipient.message \
     ORDER BY search_due.recipient LIMIT $1";

/// The newest segment.
const SEGMENT: &str = "SELECT id, words FROM search_segment ORDER BY id DESC LIMIT 1";

const DONE: Sql = Sql::new("DELETE FROM search_due WHERE recipient = $1");
const WORD: Sql = Sql::new(
    "INSERT INTO search_word (segment, word, message) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
);
const FILL: Sql = Sql::new(
    "INSERT INTO search_segment (id, words, newest) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET \
       words = search_segment.words + $2, \
       newest = CASE WHEN $3 > search_segment.newest THEN $3 ELSE search_segment.newest END",
);

/// The oldest segment, all of whose messages' history is gone.
const EMPTY: &str = "SELECT id FROM search_segment \
     WHERE newest < (SELECT coalesce(min(id), 0) FROM message) ORDER BY id LIMIT 1";
const REMOVE_WORDS: Sql = Sql::new(
    "DELETE FROM search_word WHERE (segment, word, message) IN \
       (SELECT segment, word, message FROM search_word WHERE segment = $1 LIMIT $2)",
);
const REMOVE_SEGMENT: Sql = Sql::new(
    "DELETE FROM search_segment WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM search_word WHERE segment = $1)",
);

/// A batch on its way into the index.
#[derive(Default)]
struct Batch {
    recipients: Vec<i64>,
    /// Word and message, in the order of the index.
    words: BTreeSet<(i64, i64)>,
    newest: i64,
}

impl Batch {
    fn read(rows: &[Row]) -> Result<Self, StoreError> {
        let mut batch = Self::default();
        for row in rows {
            let message = row.int(1)?;
            batch.recipients.push(row.int(0)?);
            batch.newest = batch.newest.max(message);
            for column in 2..5 {
                // A word that cannot be read finds nothing, and keeps no other from being found.
                if let Ok(text) = row.text(column)
                    && !text.is_empty()
                {
                    batch.words.insert((Sought::of(text).word, message));
                }
            }
        }
        Ok(batch)
    }

    fn unit(self, segment: i64) -> Unit {
        let mut unit = Unit::new();
        let count = i64::try_from(self.words.len()).unwrap_or(i64::MAX);
        unit.write(FILL, vec![segment.into(), count.into(), self.newest.into()]);
        for (word, message) in self.words {
            unit.write(WORD, vec![segment.into(), word.into(), message.into()]);
        }
        for recipient in self.recipients {
            unit.write(DONE, vec![recipient.into()]);
        }
        unit
    }
}

impl Ledger {
    /// Brings the words of at most `limit` recipients into the index. How many there were: call again while it is `limit`.
    ///
    /// # Errors
    /// The store's.
    pub async fn index_words(&self, limit: u32) -> Result<u64, LedgerError> {
        let queries = vec![
            Query::new(DUE, vec![Value::from(limit)]),
            Query::new(SEGMENT, vec![]),
        ];
        let mut answers = self.store().read_snapshot(queries).await?.into_iter();
        let due = answers.next().unwrap_or_default();
        if due.is_empty() {
            return Ok(0);
        }
        let segment = match answers.next().unwrap_or_default().first() {
            Some(newest) if newest.int(1)? < SEGMENT_WORDS => newest.int(0)?,
            Some(full) => full.int(0)? + 1,
            None => 1,
        };
        self.store().write(Batch::read(&due)?.unit(segment)).await?;
        Ok(due.len() as u64)
    }

    /// Removes at most `limit` words of history that is gone. How much there was: call again until it is 0.
    ///
    /// # Errors
    /// The store's.
    pub async fn prune_words(&self, limit: u32) -> Result<u64, LedgerError> {
        let Some(empty) = self.read(EMPTY, vec![]).await?.into_iter().next() else {
            return Ok(0);
        };
        let segment = empty.int(0)?;
        let mut unit = Unit::new();
        unit.write(REMOVE_WORDS, vec![segment.into(), limit.into()]);
        unit.write(REMOVE_SEGMENT, vec![segment.into()]);
        let done = self.store().write(unit).await?;
        Ok(done.changed.iter().sum())
    }
}
