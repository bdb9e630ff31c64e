//! Changes of accounts.

use ground_store::{Query, Sql};
use wire_message::{Address, DomainName};

use super::{Change, Plan, home, quota_value, text};
use crate::holder::END_OF_ADDRESS;
use crate::{Directory, DirectoryError};

/// The number is the version that this change moved to: it rises for ever, so that the number of a removed account never
/// names another one, whoever still holds it.
const ADD: Sql = Sql::new(
    "INSERT INTO account (id, address, password, quota, created_at)
     SELECT (SELECT n FROM directory_version WHERE id = 1), $1, $2, $3, $4 FROM domain
     WHERE name = $5 AND NOT EXISTS (SELECT 1 FROM alias WHERE address = $1)
     ON CONFLICT (address) DO NOTHING",
);

const REMOVE: Sql = Sql::new(
    "DELETE FROM account WHERE address = $1
     AND NOT EXISTS (SELECT 1 FROM folder WHERE folder.account = account.id)",
);

const SET_PASSWORD: Sql = Sql::new("UPDATE account SET password = $2 WHERE address = $1");

const SET_QUOTA: Sql = Sql::new("UPDATE account SET quota = $2 WHERE address = $1");

/// What stands at an address; columns: kind, folders, messages.
const STANDING: &str = "
SELECT 'account', (SELECT count(*) FROM folder WHERE folder.account = account.id),
    (SELECT count(*) FROM mail JOIN folder ON folder.id = mail.folder WHERE folder.account = account.id)
    FROM account WHERE address = $1
UNION ALL SELECT DISTINCT 'alias', 0, 0 FROM alias WHERE address = $1";

pub(super) fn add(
    address: &Address,
    domain: &DomainName,
    hash: String,
    quota: Option<u64>,
    now: i64,
) -> Plan {
    let values = vec![
        text(address.key()),
        text(hash),
        quota_value(quota),
        now.into(),
        text(domain.ascii()),
    ];
    Plan::new().exactly_one(ADD, values)
}

pub(super) fn remove(address: &Address) -> Plan {
    Plan::new().exactly_one(REMOVE, vec![text(address.key())])
}

/// Whoever logged in with the old one has to log in anew.
pub(super) fn set_password(address: &Address, hash: String) -> Plan {
    Plan::new()
        .exactly_one(SET_PASSWORD, vec![text(address.key()), text(hash)])
        .and(END_OF_ADDRESS, vec![text(address.key())])
}

pub(super) fn set_quota(address: &Address, quota: Option<u64>) -> Plan {
    Plan::new().exactly_one(SET_QUOTA, vec![text(address.key()), quota_value(quota)])
}

/// What stands at an address.
pub(super) enum Standing {
    Account { folders: u64, messages: u64 },
    Alias,
    Nothing,
}

impl Directory {
    /// Why a change of an account was not made.
    pub(super) async fn account_obstacle(
        &self,
        change: &Change,
        address: &Address,
    ) -> Result<Option<DirectoryError>, DirectoryError> {
        let named = address.to_string();
        let adding = matches!(change, Change::AddAccount { .. });
        Ok(match self.standing(address).await? {
            Standing::Account { .. } if adding => {
                Some(DirectoryError::AccountExists { address: named })
            }
            Standing::Alias if adding => Some(DirectoryError::AddressIsAlias { address: named }),
            Standing::Nothing if adding => self.missing_domain(address).await?,
            Standing::Account { folders, messages } if folders > 0 => {
                Some(DirectoryError::AccountHasMail {
                    address: named,
                    folders,
                    messages,
                })
            }
            Standing::Account { .. } => None,
            Standing::Alias | Standing::Nothing => {
                Some(DirectoryError::NoSuchAccount { address: named })
            }
        })
    }

    /// What stands at `address` now, read from the store and not from the cache.
    pub(super) async fn standing(&self, address: &Address) -> Result<Standing, DirectoryError> {
        let query = Query {
            text: STANDING.into(),
            values: vec![text(address.key())],
        };
        let rows = self.rooms.store.read(query).await?;
        let Some(row) = rows.first() else {
            return Ok(Standing::Nothing);
        };
        if row.text(0)? == "alias" {
            return Ok(Standing::Alias);
        }
        Ok(Standing::Account {
            folders: u64::try_from(row.int(1)?).unwrap_or(0),
            messages: u64::try_from(row.int(2)?).unwrap_or(0),
        })
    }

    /// The complaint that the domain of `address` is not here, when it is not.
    pub(super) async fn missing_domain(
        &self,
        address: &Address,
    ) -> Result<Option<DirectoryError>, DirectoryError> {
        let domain = home(address)?;
        if self.has_domain(domain).await? {
            return Ok(None);
        }
        Ok(Some(DirectoryError::NoSuchDomain {
            domain: domain.to_string(),
        }))
    }
}
