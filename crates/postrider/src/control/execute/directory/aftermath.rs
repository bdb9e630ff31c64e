//! What becomes of the mail when an account or an alias goes.

use ground_directory::{AccountId, Change, Found};
use wire_message::Address;

use super::refused;
use crate::control::Answer;
use crate::control::execute::mail::trouble;
use crate::rooms::Rooms;

/// Messages in the mailbox of an account.
pub(super) async fn messages(rooms: &Rooms, account: AccountId) -> Result<u64, Answer> {
    let folders = rooms.mailboxes.folders(account).await.map_err(trouble)?;
    Ok(folders.iter().map(|folder| folder.messages).sum())
}

/// In words for whoever made `change`; none when no mail is touched by it. `removed` messages went with it.
pub(super) async fn mail(
    rooms: &Rooms,
    change: &Change,
    removed: u64,
) -> Result<Option<String>, Answer> {
    match change {
        Change::RemoveAccount { address } => {
            let from_now_on = from_now_on(rooms, address).await?;
            Ok(Some(format!(
                "{removed} messages removed; {from_now_on}; what is on its way to the mailbox is returned to its senders"
            )))
        }
        Change::RemoveAlias { address, .. } => from_now_on(rooms, address).await.map(Some),
        Change::AddDomain { .. }
        | Change::RemoveDomain { .. }
        | Change::SetCatchAll { .. }
        | Change::AddAccount { .. }
        | Change::SetPassword { .. }
        | Change::SetQuota { .. }
        | Change::AddAlias { .. } => Ok(None),
    }
}

/// Where mail for `address` goes now.
async fn from_now_on(rooms: &Rooms, address: &Address) -> Result<String, Answer> {
    let settings = rooms.settings.borrow().clone();
    let separator = settings.delivery.subaddress_separator.as_str();
    let found = rooms.directory.resolve(address, separator).await;
    Ok(match &*found.map_err(refused)? {
        Found::Mailbox { account, .. } => format!("new mail goes to {}", account.address),
        Found::Alias { targets, .. } => {
            let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
            format!("new mail goes to {}", targets.join(", "))
        }
        Found::CatchAll { target } => format!("new mail goes to the catch-all {target}"),
        Found::NoSuchUser | Found::NoPostmaster | Found::NotLocal => {
            "new mail is refused: nobody here by that name".to_owned()
        }
    })
}
