//! Reading one mail: its prefix, then its body, piece by piece.

use bytes::Bytes;
use ground_store::bodies::BodyReader;
use ground_store::{Query, StoreError};

use crate::{MailId, MailboxError, Mailboxes};

/// A mail being read.
pub struct MailReader {
    /// Not yet given out.
    prefix: Option<Bytes>,
    body: BodyReader,
    size: u64,
}

impl Mailboxes {
    /// Opens a mail to read it from its start.
    ///
    /// # Errors
    /// [`MailboxError::NoSuchMail`], [`MailboxError::BodyGone`], or the store's.
    pub async fn read(&self, mail: MailId) -> Result<MailReader, MailboxError> {
        let text = "SELECT prefix, body FROM mail WHERE id = $1";
        let rows = self
            .store
            .read(Query::new(text, vec![mail.0.into()]))
            .await?;
        let row = rows.first().ok_or(MailboxError::NoSuchMail)?;
        let prefix = Bytes::copy_from_slice(row.text(0)?.as_bytes());
        let body = self.store.read_body(row.int(1)?).await?;
        let body = body.ok_or(MailboxError::BodyGone { mail: mail.0 })?;
        Ok(MailReader {
            size: body.size().saturating_add(prefix.len() as u64),
            prefix: (!prefix.is_empty()).then_some(prefix),
            body,
        })
    }
}

impl MailReader {
    /// Octets of the whole mail.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next octets; `None` at the end of a mail that is as it was stored.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] at the end of one that is not; otherwise the store's.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if let Some(prefix) = self.prefix.take() {
            return Ok(Some(prefix));
        }
        self.body.next().await
    }
}
