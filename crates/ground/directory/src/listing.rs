//! Listing what is there, in pages.

use ground_store::{Query, Row, Value};
use wire_message::{Address, DomainName, Time};

use crate::lookup::{AccountId, read_address, read_domain};
use crate::{Directory, DirectoryError};

/// Which part of a listing is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What comes after this name or address; empty: from the start.
    pub after: String,
    /// At most this many.
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            after: String::new(),
            limit: 1000,
        }
    }
}

/// A domain in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDomain {
    /// Its name.
    pub name: DomainName,
    /// Where mail for unknown names goes.
    pub catch_all: Option<Address>,
    /// When it was added.
    pub created_at: Time,
}

/// An account in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAccount {
    /// Its number.
    pub id: AccountId,
    /// Its address.
    pub address: Address,
    /// Octets its mailbox may hold.
    pub quota: Option<u64>,
    /// Whether it has a password.
    pub login: MayLogIn,
    /// When it was added.
    pub created_at: Time,
}

/// Whether an account has a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayLogIn {
    /// It has.
    Yes,
    /// It takes mail only.
    No,
}

/// An alias in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAlias {
    /// The address.
    pub address: Address,
    /// What it stands for.
    pub targets: Vec<Address>,
    /// When its oldest target was added.
    pub created_at: Time,
}

const DOMAINS: &str =
    "SELECT name, catch_all, created_at FROM domain WHERE name > $1 ORDER BY name LIMIT $2";

const ACCOUNTS: &str =
    "SELECT id, address, quota, CASE WHEN password = '' THEN 0 ELSE 1 END, created_at
    FROM account WHERE address > $1 ORDER BY address LIMIT $2";

const ALIASES: &str = "SELECT alias.address, alias.target, alias.created_at
    FROM (SELECT DISTINCT address FROM alias WHERE address > $1 ORDER BY address LIMIT $2) AS page
    JOIN alias ON alias.address = page.address ORDER BY alias.address, alias.target";

impl Directory {
    /// The domains, by name.
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read.
    pub async fn domains(&self, page: &Page) -> Result<Vec<ListedDomain>, DirectoryError> {
        let rows = self.page(DOMAINS, page).await?;
        rows.iter().map(listed_domain).collect()
    }

    /// The accounts, by address.
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read.
    pub async fn accounts(&self, page: &Page) -> Result<Vec<ListedAccount>, DirectoryError> {
        let rows = self.page(ACCOUNTS, page).await?;
        rows.iter().map(listed_account).collect()
    }

    /// The aliases, by address, each with all its targets.
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read.
    pub async fn aliases(&self, page: &Page) -> Result<Vec<ListedAlias>, DirectoryError> {
        let rows = self.page(ALIASES, page).await?;
        let mut aliases: Vec<ListedAlias> = Vec::new();
        for row in &rows {
            let address = read_address(row.text(0)?)?;
            let target = read_address(row.text(1)?)?;
            let created_at = Time::from_millis(row.int(2)?);
            match aliases.last_mut() {
                Some(alias) if alias.address == address => {
                    alias.targets.push(target);
                    alias.created_at = alias.created_at.min(created_at);
                }
                Some(_) | None => aliases.push(ListedAlias {
                    address,
                    targets: vec![target],
                    created_at,
                }),
            }
        }
        Ok(aliases)
    }

    /// One domain.
    ///
    /// # Errors
    /// [`DirectoryError::NoSuchDomain`]; when the store cannot be asked.
    pub async fn show_domain(&self, name: &DomainName) -> Result<ListedDomain, DirectoryError> {
        let text = "SELECT name, catch_all, created_at FROM domain WHERE name = $1";
        let rows = self.one(text, name.ascii()).await?;
        let row = rows.first().ok_or_else(|| DirectoryError::NoSuchDomain {
            domain: name.to_string(),
        })?;
        listed_domain(row)
    }

    /// One account.
    ///
    /// # Errors
    /// [`DirectoryError::NoSuchAccount`]; when the store cannot be asked.
    pub async fn show_account(&self, address: &Address) -> Result<ListedAccount, DirectoryError> {
        let text =
            "SELECT id, address, quota, CASE WHEN password = '' THEN 0 ELSE 1 END, created_at
            FROM account WHERE address = $1";
        let rows = self.one(text, &address.key()).await?;
        let row = rows.first().ok_or_else(|| DirectoryError::NoSuchAccount {
            address: address.to_string(),
        })?;
        listed_account(row)
    }

    /// One alias with its targets.
    ///
    /// # Errors
    /// [`DirectoryError::NoSuchAlias`]; when the store cannot be asked.
    pub async fn show_alias(&self, address: &Address) -> Result<ListedAlias, DirectoryError> {
        let text = "SELECT target, created_at FROM alias WHERE address = $1 ORDER BY target";
        let rows = self.one(text, &address.key()).await?;
        let mut targets = Vec::with_capacity(rows.len());
        let mut created_at = Time::MAX;
        for row in &rows {
            targets.push(read_address(row.text(0)?)?);
            created_at = created_at.min(Time::from_millis(row.int(1)?));
        }
        if targets.is_empty() {
            let alias = address.to_string();
            return Err(DirectoryError::NoSuchAlias { alias });
        }
        Ok(ListedAlias {
            address: address.clone(),
            targets,
            created_at,
        })
    }

    pub(crate) async fn page(
        &self,
        text: &'static str,
        page: &Page,
    ) -> Result<Vec<Row>, DirectoryError> {
        let after = Value::Text(page.after.as_str().into());
        let query = Query {
            text: text.into(),
            values: vec![after, Value::Int(page.limit.into())],
        };
        Ok(self.rooms.store.read(query).await?)
    }

    async fn one(&self, text: &'static str, key: &str) -> Result<Vec<Row>, DirectoryError> {
        let query = Query {
            text: text.into(),
            values: vec![Value::Text(key.into())],
        };
        Ok(self.rooms.store.read(query).await?)
    }
}

fn listed_domain(row: &Row) -> Result<ListedDomain, DirectoryError> {
    Ok(ListedDomain {
        name: read_domain(row.text(0)?)?,
        catch_all: row.optional_text(1)?.map(read_address).transpose()?,
        created_at: Time::from_millis(row.int(2)?),
    })
}

fn listed_account(row: &Row) -> Result<ListedAccount, DirectoryError> {
    let quota = row.optional_int(2)?;
    Ok(ListedAccount {
        id: AccountId(row.int(0)?),
        address: read_address(row.text(1)?)?,
        quota: quota.map(|octets| u64::try_from(octets).unwrap_or(0)),
        login: match row.int(3)? {
            0 => MayLogIn::No,
            _ => MayLogIn::Yes,
        },
        created_at: Time::from_millis(row.int(4)?),
    })
}
