//! The mail that an account sent: what it handed in after it had logged in, whatever the envelope said.
//!
//! An address may be given to somebody else, so an account's own mail begins with the account: what was sent under the same
//! address before it was made is another's.

use ground_store::{Row, Value};
use serde::{Deserialize, Serialize};
use wire_message::Time;

use crate::search::{Sought, messages_with};
use crate::{Ledger, LedgerError, MessageId, Story};

#[cfg(test)]
mod tests;

/// Whose mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The account's address, as it logs in.
    pub account: String,
    /// When the account was made.
    #[serde(with = "crate::rfc3339")]
    pub since: Time,
}

/// Both halves of the condition on `auth` are said: the index holds only mail that came with a login.
const PAGE: &str = "SELECT id FROM message WHERE auth = $1 AND auth <> '' AND received_at >= $2 AND id < $3 \
     ORDER BY id DESC LIMIT $4";

const BY_ID: &str =
    "SELECT id FROM message WHERE id = $3 AND auth = $1 AND auth <> '' AND received_at >= $2";

/// As many messages as one Message-ID finds.
const SAME_MAX: u32 = 20;

impl Ledger {
    /// A page of what `owner` sent, newest first: at most `limit` messages that are older than `before`.
    ///
    /// # Errors
    /// The store's.
    pub async fn sent(
        &self,
        owner: &Owner,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<Story>, LedgerError> {
        let before = before.map_or(i64::MAX, MessageId::key);
        let mut values = owner.values();
        values.extend([before.into(), limit.into()]);
        let found = self.read(PAGE, values).await?;
        self.stories(&found).await
    }

    /// What `owner` sent that has this id or Message-ID (with or without brackets), newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn sent_named(
        &self,
        owner: &Owner,
        question: &str,
    ) -> Result<Vec<Story>, LedgerError> {
        let question = question.trim();
        if let Ok(id) = question.parse::<MessageId>() {
            let mut values = owner.values();
            values.push(id.into());
            let found = self.read(BY_ID, values).await?;
            if !found.is_empty() {
                return self.stories(&found).await;
            }
        }
        let sought = Sought::of(question);
        if sought.text.is_empty() {
            return Ok(Vec::new());
        }
        let messages = messages_with("$3", "$4");
        let find = format!(
            "SELECT id FROM message WHERE id IN ({messages}) AND auth = $1 AND auth <> '' AND received_at >= $2 \
             AND (lower(message_id) = $4 OR lower(message_id) = '<' || $4 || '>') ORDER BY id DESC LIMIT {SAME_MAX}"
        );
        let mut values = owner.values();
        values.extend([sought.word.into(), sought.text.into()]);
        let found = self.read(find, values).await?;
        self.stories(&found).await
    }

    async fn stories(&self, found: &[Row]) -> Result<Vec<Story>, LedgerError> {
        let mut stories = Vec::with_capacity(found.len());
        for row in found {
            stories.extend(self.story(MessageId::from_key(row.int(0)?)).await?);
        }
        Ok(stories)
    }
}

impl Owner {
    fn values(&self) -> Vec<Value> {
        vec![self.account.clone().into(), self.since.as_millis().into()]
    }
}
