//! API tokens: how programs are let in.

use ground_store::{Row, Sql};
use ground_world::Time;

use super::{Admitted, Name, Operators, Rights, read_name, read_rights, token};
use crate::{DirectoryError, Page};

/// A token in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedApiToken {
    /// Its name.
    pub name: Name,
    /// What the program may do.
    pub rights: Rights,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Time,
    /// When it ends; `None`: when it is removed.
    pub expires_at: Option<Time>,
    /// The last request, to about a minute; `None` for none yet.
    pub seen_at: Option<Time>,
}

const WHOSE: &str = "SELECT name, rights, seen_at FROM api_token
    WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > $2)";

const SEEN: Sql = Sql::new(
    "UPDATE api_token SET seen_at = $2 WHERE token_hash = $1 AND (seen_at IS NULL OR seen_at < $2)",
);

const LIST: &str = "SELECT name, rights, created_by, created_at, expires_at, seen_at FROM api_token
    WHERE name > $1 ORDER BY name LIMIT $2";

impl Operators {
    /// Which program this is; `None` when there is no such token (any more).
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read.
    pub async fn api_token(&self, token: &str) -> Result<Option<Admitted>, DirectoryError> {
        let (hash, now) = (token::hash(token), self.now());
        let values = vec![hash.clone(), now.as_millis().into()];
        let rows = self.read(WHOSE, values).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let admitted = Admitted {
            name: read_name(row.text(0)?)?,
            rights: read_rights(row.text(1)?)?,
        };
        self.note_seen(SEEN, hash, row.optional_int(2)?, now).await;
        Ok(Some(admitted))
    }

    /// The tokens of programs, by name; those that have ended, too, until they are removed.
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read.
    pub async fn api_tokens(&self, page: &Page) -> Result<Vec<ListedApiToken>, DirectoryError> {
        let rows = self.directory.page(LIST, page).await?;
        rows.iter().map(listed).collect()
    }
}

fn listed(row: &Row) -> Result<ListedApiToken, DirectoryError> {
    Ok(ListedApiToken {
        name: read_name(row.text(0)?)?,
        rights: read_rights(row.text(1)?)?,
        created_by: row.text(2)?.to_owned(),
        created_at: Time::from_millis(row.int(3)?),
        expires_at: row.optional_int(4)?.map(Time::from_millis),
        seen_at: row.optional_int(5)?.map(Time::from_millis),
    })
}

#[cfg(test)]
mod tests;
