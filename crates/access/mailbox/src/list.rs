//! What is in a mailbox.

use ground_directory::AccountId;
use ground_store::{Query, Row, StoreError};
use path_ledger::{MessageId, RecipientId};
use wire_message::Time;

use crate::{MailboxError, Mailboxes};

/// Mails of one page at most: bounds the memory of a listing.
pub const MAILS_PER_PAGE: u32 = 1000;

/// The number of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderId(pub i64);

/// The number of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId(pub i64);

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its number.
    pub id: FolderId,
    /// Its name.
    pub name: String,
    /// Changes when UIDs start anew.
    pub uid_validity: u32,
    /// The UID the next mail gets.
    pub uid_next: u64,
    /// Mails in it.
    pub messages: u64,
    /// Octets of them all.
    pub octets: u64,
}

/// A mail in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its number.
    pub id: MailId,
    /// Its UID in the folder.
    pub uid: u32,
    /// Octets.
    pub size: u64,
    /// When the message was accepted.
    pub received_at: Time,
    /// The ledger's recipient.
    pub recipient: RecipientId,
    /// The ledger's message.
    pub message: MessageId,
}

const FOLDERS: &str = "SELECT id, name, uid_validity, uid_next, messages, octets
    FROM folder WHERE account = $1 ORDER BY name";

const MAILS: &str = "SELECT id, uid, size, received_at, recipient, message
    FROM mail WHERE folder = $1 AND uid > $2 ORDER BY uid LIMIT $3";

impl Mailboxes {
    /// The folders of an account, by name. Before the first delivery there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn folders(&self, account: AccountId) -> Result<Vec<Folder>, MailboxError> {
        let query = Query::new(FOLDERS, vec![account.0.into()]);
        let rows = self.store.read(query).await?;
        Ok(rows.iter().map(folder).collect::<Result<_, _>>()?)
    }

    /// The mails of a folder after a UID (0: from the first), by UID; at most `limit` and [`MAILS_PER_PAGE`].
    ///
    /// # Errors
    /// The store's.
    pub async fn mails(
        &self,
        folder: FolderId,
        after: u32,
        limit: u32,
    ) -> Result<Vec<Mail>, MailboxError> {
        let limit = limit.min(MAILS_PER_PAGE);
        let query = Query::new(MAILS, vec![folder.0.into(), after.into(), limit.into()]);
        let rows = self.store.read(query).await?;
        Ok(rows.iter().map(mail).collect::<Result<_, _>>()?)
    }
}

fn folder(row: &Row) -> Result<Folder, StoreError> {
    Ok(Folder {
        id: FolderId(row.int(0)?),
        name: row.text(1)?.to_owned(),
        uid_validity: number(row.int(2)?, "uid_validity")?,
        uid_next: number(row.int(3)?, "uid_next")?,
        messages: number(row.int(4)?, "messages")?,
        octets: number(row.int(5)?, "octets")?,
    })
}

fn mail(row: &Row) -> Result<Mail, StoreError> {
    Ok(Mail {
        id: MailId(row.int(0)?),
        uid: number(row.int(1)?, "uid")?,
        size: number(row.int(2)?, "size")?,
        received_at: Time::from_millis(row.int(3)?),
        recipient: RecipientId::from_key(row.int(4)?),
        message: MessageId::from_key(row.int(5)?),
    })
}

fn number<T: TryFrom<i64>>(n: i64, what: &str) -> Result<T, StoreError> {
    T::try_from(n).map_err(|_| StoreError::Damaged(format!("{n} is no {what}")))
}
