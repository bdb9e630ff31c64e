//! Listing operators.

use ground_store::Row;
use ground_world::Time;

use super::{Name, Operators, Rights, read_name, read_rights};
use crate::{DirectoryError, MayLogIn, Page};

/// An operator in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedOperator {
    /// Its name.
    pub name: Name,
    /// What it may do.
    pub rights: Rights,
    /// Whether it has a password.
    pub login: MayLogIn,
    /// Whether it logs in with a code.
    pub totp: Totp,
    /// When it was added.
    pub created_at: Time,
}

/// Whether an operator logs in with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Totp {
    /// With the password alone.
    Off,
    /// With the password alone until what was offered is confirmed.
    Offered,
    /// With a code.
    On,
}

impl Totp {
    /// The word for it in JSON, on the command line and on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Totp::Off => "off",
            Totp::Offered => "offered",
            Totp::On => "on",
        }
    }
}

const LIST: &str = "SELECT name, rights, CASE WHEN password = '' THEN 0 ELSE 1 END,
    CASE WHEN totp <> '' THEN 2 WHEN totp_offered <> '' THEN 1 ELSE 0 END, created_at
    FROM operator WHERE name > $1 ORDER BY name LIMIT $2";

const SHOW: &str = "SELECT name, rights, CASE WHEN password = '' THEN 0 ELSE 1 END,
    CASE WHEN totp <> '' THEN 2 WHEN totp_offered <> '' THEN 1 ELSE 0 END, created_at
    FROM operator WHERE name = $1";

impl Operators {
    /// The operators, by name.
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read.
    pub async fn list(&self, page: &Page) -> Result<Vec<ListedOperator>, DirectoryError> {
        let rows = self.directory.page(LIST, page).await?;
        rows.iter().map(listed).collect()
    }

    /// One operator.
    ///
    /// # Errors
    /// [`DirectoryError::NoSuchOperator`]; when the store cannot be asked.
    pub async fn show(&self, name: &Name) -> Result<ListedOperator, DirectoryError> {
        let rows = self.read(SHOW, vec![name.as_str().into()]).await?;
        let row = rows
            .first()
            .ok_or_else(|| DirectoryError::NoSuchOperator { name: name.clone() })?;
        listed(row)
    }
}

fn listed(row: &Row) -> Result<ListedOperator, DirectoryError> {
    Ok(ListedOperator {
        name: read_name(row.text(0)?)?,
        rights: read_rights(row.text(1)?)?,
        login: if row.flag(2)? {
            MayLogIn::Yes
        } else {
            MayLogIn::No
        },
        totp: match row.int(3)? {
            0 => Totp::Off,
            1 => Totp::Offered,
            _ => Totp::On,
        },
        created_at: Time::from_millis(row.int(4)?),
    })
}
