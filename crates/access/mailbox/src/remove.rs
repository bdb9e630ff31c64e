//! Taking mail out. A body that nobody refers to any more goes with it.

use ground_directory::AccountId;
use ground_store::{Sql, Unit};

use crate::MailId;

const REMOVE: Sql = Sql::new("DELETE FROM mail WHERE id = $1");

const EMPTY: Sql =
    Sql::new("DELETE FROM mail WHERE folder IN (SELECT id FROM folder WHERE account = $1)");

const FOLDERS: Sql = Sql::new("DELETE FROM folder WHERE account = $1");

/// Removes one mail; meets a conflict when it is not there.
#[must_use]
pub fn remove_unit(mail: MailId) -> Unit {
    let mut unit = Unit::new();
    unit.write_exactly(1, REMOVE, vec![mail.0.into()]);
    unit
}

/// Removes all mail and folders of an account: goes along with the removal of the account itself.
#[must_use]
pub fn empty_unit(account: AccountId) -> Unit {
    let mut unit = Unit::new();
    unit.write(EMPTY, vec![account.0.into()]);
    unit.write(FOLDERS, vec![account.0.into()]);
    unit
}
