//! Status links: an address that shows, to whoever holds it and without a login, what became of one message.
//!
//! A link names its message and is signed with a secret of the store, so that every node knows it and no restart changes it.
//! It is the same whenever it is made, has no end of its own, and shows something for as long as the message's history is kept.
//!
//! ```text
//!   octet   0        1 .. 8            9 .. 26
//!         version   message id    keyed BLAKE3 of those before, cut to 144 bits
//! ```
//!
//! As text it is 36 letters, digits, `-` and `_` (RFC 4648 s5): three octets give four letters, so no letter has bits to spare, and
//! one link has one text.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use ground_settings::WebAddress;
use ground_store::{Sql, StoreError, Unit, Value};

use crate::{Ledger, LedgerError, MessageId};

#[cfg(test)]
mod tests;

/// Where the pages of status links stand, below the root of the server.
pub const STATUS_PATH: &str = "/status";

/// The first octet: another one means another way to sign.
const VERSION: u8 = 1;

/// Octets that are signed.
const SIGNED: usize = 9;

/// Octets of a link.
const OCTETS: usize = 27;

/// What the store calls the secret.
const SECRET: &str = "status link";

/// What the key is for, and nothing else is.
const CONTEXT: &str = "postrider 2026 status link";

const READ: &str = "SELECT octets FROM store_secret WHERE name = $1";

/// Whoever comes second takes that of the first.
const MAKE: Sql = Sql::new(
    "INSERT INTO store_secret (name, octets, made_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
);

/// Makes and reads the links of one store. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusLinks {
    key: [u8; blake3::KEY_LEN],
}

/// Never shows the key.
impl fmt::Debug for StatusLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatusLinks(..)")
    }
}

impl StatusLinks {
    fn of(secret: &[u8]) -> Self {
        let key = blake3::derive_key(CONTEXT, secret);
        Self { key }
    }

    /// What follows [`STATUS_PATH`] in the link of a message.
    #[must_use]
    pub fn token(&self, message: MessageId) -> String {
        let mut octets = Vec::with_capacity(OCTETS);
        octets.push(VERSION);
        octets.extend_from_slice(&message.key().to_be_bytes());
        let signature = blake3::keyed_hash(&self.key, &octets);
        let signature = signature.as_bytes().iter().take(OCTETS - SIGNED);
        octets.extend(signature);
        BASE64URL_NOPAD.encode(&octets)
    }

    /// The link of a message, below the root of the server.
    #[must_use]
    pub fn path(&self, message: MessageId) -> String {
        format!("{STATUS_PATH}/{}", self.token(message))
    }

    /// The link of a message, for whoever reaches the server by `web`.
    #[must_use]
    pub fn address(&self, web: &WebAddress, message: MessageId) -> String {
        web.at(&self.path(message))
    }

    /// The message of a link; none when we have not signed it.
    #[must_use]
    pub fn read(&self, token: &str) -> Option<MessageId> {
        let octets = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        let octets: [u8; OCTETS] = octets.try_into().ok()?;
        let (signed, signature) = octets.split_at(SIGNED);
        let (version, id) = signed.split_first()?;
        let ours = blake3::keyed_hash(&self.key, signed);
        // Ours where the link says nothing, so that all is compared at once, and in a time that does not depend on where they differ.
        let mut theirs = *ours.as_bytes();
        theirs
            .get_mut(..signature.len())?
            .copy_from_slice(signature);
        let same = blake3::Hash::from(theirs) == ours;
        let id = i64::from_be_bytes(id.try_into().ok()?);
        (same && *version == VERSION).then(|| MessageId::from_key(id))
    }
}

impl Ledger {
    /// The links of this store. The first who asks makes their secret.
    ///
    /// # Errors
    /// The store's.
    pub async fn status_links(&self) -> Result<StatusLinks, LedgerError> {
        let links = &self.book.links;
        links
            .get_or_try_init(|| self.read_status_links())
            .await
            .cloned()
    }

    async fn read_status_links(&self) -> Result<StatusLinks, LedgerError> {
        if let Some(secret) = self.secret().await? {
            return Ok(StatusLinks::of(&secret));
        }
        let fresh = self.world().chance.secret::<32>();
        let fresh = fresh.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let mut unit = Unit::new();
        let now = self.now().as_millis();
        unit.write(MAKE, vec![SECRET.into(), fresh.to_vec().into(), now.into()]);
        self.store().write(unit).await?;
        let secret = self.secret().await?;
        let secret = secret.ok_or_else(|| StoreError::Damaged("store_secret".to_owned()))?;
        Ok(StatusLinks::of(&secret))
    }

    async fn secret(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        let rows = self.read(READ, vec![Value::from(SECRET)]).await?;
        let secret = rows
            .first()
            .map(|row| row.blob(0).map(|octets| octets.to_vec()));
        Ok(secret.transpose()?)
    }
}
