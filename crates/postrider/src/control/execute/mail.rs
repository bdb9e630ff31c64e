//! Reading a mailbox.

use access_mailbox::{Folder, INBOX, MAILS_PER_PAGE, Mail, MailboxError};
use path_ledger::MessageId;
use serde_json::json;

use super::directory::{read, refused};
use super::{Answered, mover};
use crate::control::{Answer, Mover};
use crate::rooms::Rooms;

/// The largest mail shown whole: no message accepted is larger.
const SHOWN_MAX: u64 = 2_000_000_000;

pub(super) async fn list(rooms: &Rooms, address: &str) -> Answered {
    let mut rows = Vec::new();
    for (folder, mail) in mails(rooms, address).await? {
        rows.push(json!({
            "id": mail.message,
            "folder": folder,
            "uid": mail.uid,
            "received_at": mail.received_at.to_string(),
            "size": mail.size,
        }));
    }
    Ok(Answer::Rows { rows })
}

pub(super) async fn show(rooms: &Rooms, address: &str, wanted: &str) -> Answered {
    let id: Option<MessageId> = wanted.parse().ok();
    let uid: Option<u32> = wanted.parse().ok();
    let fits = |(folder, mail): &(String, Mail)| {
        Some(mail.message) == id || (folder == INBOX && Some(mail.uid) == uid)
    };
    let found = mails(rooms, address).await?.into_iter().find(fits);
    let (_, mail) = found.ok_or_else(|| {
        Answer::asker(format!(
            "{address} has no mail {wanted:?}; see: postrider mail list {address}"
        ))
    })?;
    let mut reader = rooms.mailboxes.read(mail.id).await.map_err(trouble)?;
    if reader.size() > SHOWN_MAX {
        return Err(Answer::asker("this mail is too large to be shown"));
    }
    let mut content = Vec::new();
    while let Some(piece) = reader.next().await.map_err(|error| trouble(error.into()))? {
        content.extend_from_slice(&piece);
    }
    Ok(Answer::Octets {
        content: content.into(),
    })
}

/// Every mail of an account with its folder's name.
async fn mails(rooms: &Rooms, address: &str) -> Result<Vec<(String, Mail)>, Answer> {
    let account = rooms
        .directory
        .show_account(&read(address)?)
        .await
        .map_err(refused)?;
    let mut found = Vec::new();
    for folder in rooms.mailboxes.folders(account.id).await.map_err(trouble)? {
        found.extend(in_folder(rooms, &folder).await?);
    }
    Ok(found)
}

async fn in_folder(rooms: &Rooms, folder: &Folder) -> Result<Vec<(String, Mail)>, Answer> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = rooms.mailboxes.mails(folder.id, after, MAILS_PER_PAGE);
        let page = page.await.map_err(trouble)?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = last.uid;
        found.extend(page.into_iter().map(|mail| (folder.name.clone(), mail)));
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn trouble(error: MailboxError) -> Answer {
    let whose = match &error {
        MailboxError::NoSuchMail => Mover::Asker,
        MailboxError::BodyGone { .. } => Mover::Operator,
        MailboxError::Store(error) => mover(error),
    };
    let why = error.to_string();
    Answer::Refused { whose, why }
}
