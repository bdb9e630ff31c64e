//! Account holders: who may see their own mail on the pages, and nothing else.
//!
//! **For what.** Somebody with an account logs in by its address and password, the same as for sending mail, and holds a
//! session. [`Holders::log_in`] opens one, [`Holders::session`] says whose one is, [`Holders::log_out`] ends it, and
//! [`Holders::log_out_everywhere`] all of the account.
//!
//! **Freshness.** As with operators: nothing is cached, each check reads the rows. A session ends when its account goes or gets
//! another password, at once and on every node.
//!
//! **Never.** A session of an account is none of an operator, nor the other way round: they are rows of two tables, and neither
//! is looked for in the other's.
//!
//! **Limits.** [`Options::idle`], [`Options::absolute`], [`SESSIONS_MAX`], [`AGENT_MAX`], and those of passwords.

use std::net::IpAddr;

use ground_store::{Query, Row, Sql, StoreError, Unit, Value};
use ground_world::Time;

use crate::lookup::read_address;
use crate::operator::{AGENT_MAX, Options, SESSIONS_MAX, Token, millis, token};
use crate::{Account, Directory, DirectoryError};

/// A handle on the sessions of accounts; cheap to clone.
#[derive(Clone)]
pub struct Holders {
    directory: Directory,
    options: Options,
}

/// Somebody who is logged in to see his own mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The account's address, as it stands in the history of what it sent.
    pub address: String,
    /// When the account was made: mail of the same address from before is another's.
    pub since: Time,
}

/// Somebody wants to log in.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The account's address.
    pub login: &'a str,
    /// The password.
    pub password: &'a [u8],
    /// From where.
    pub peer: IpAddr,
    /// What the browser calls itself.
    pub agent: &'a str,
}

/// The answer to an [`Attempt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A session begins; the browser holds this from now on.
    Granted(Token, Account),
    /// No such account, an account that may not log in, a wrong password, or one that was changed at the same moment: nobody
    /// outside learns which.
    Refused,
}

/// The account still has the password that was checked. It changes the row, as whoever sets another password does: one of the
/// two comes second and sees the first.
const STILL_THE_SAME: Sql =
    Sql::new("UPDATE account SET password = password WHERE id = $1 AND password = $2");

/// Makes room for one more: those that have ended, and the least used of too many. (SQLite wants a LIMIT with each OFFSET.)
const MAKE_ROOM: Sql = Sql::new(
    "DELETE FROM account_session WHERE account = $1 AND (expires_at <= $2 OR seen_at <= $3 OR token_hash IN
        (SELECT token_hash FROM account_session WHERE account = $1 ORDER BY seen_at DESC, token_hash LIMIT 1000 OFFSET $4))",
);

const BEGIN: Sql = Sql::new(
    "INSERT INTO account_session (token_hash, account, created_at, seen_at, expires_at, peer, agent)
     VALUES ($1, $2, $3, $3, $4, $5, $6)",
);

const END: Sql = Sql::new("DELETE FROM account_session WHERE token_hash = $1");

const END_ALL: Sql = Sql::new(
    "DELETE FROM account_session WHERE account =
        (SELECT account FROM account_session WHERE token_hash = $1)",
);

/// For whoever sets another password.
pub(crate) const END_OF_ADDRESS: Sql = Sql::new(
    "DELETE FROM account_session WHERE account = (SELECT id FROM account WHERE address = $1)",
);

const SEEN: Sql =
    Sql::new("UPDATE account_session SET seen_at = $2 WHERE token_hash = $1 AND seen_at < $2");

const WHOSE: &str = "SELECT account.address, account.created_at, account_session.seen_at
    FROM account_session JOIN account ON account.id = account_session.account
    WHERE token_hash = $1 AND expires_at > $2 AND seen_at > $3";

impl Directory {
    /// The account holders, in the same rows.
    #[must_use]
    pub fn holders(&self, options: Options) -> Holders {
        Holders {
            directory: self.clone(),
            options,
        }
    }
}

impl Holders {
    /// Checks address and password, and begins a session. An unknown account costs as much as a wrong password.
    ///
    /// # Errors
    /// [`DirectoryError::Busy`] when too many passwords wait to be checked; the store's errors.
    pub async fn log_in(&self, attempt: Attempt<'_>) -> Result<Login, DirectoryError> {
        let candidate = self.directory.candidate(attempt.login).await?;
        let hash = candidate.as_ref().map(|one| one.hash.clone());
        let right = self.directory.is_right(attempt.password, hash).await?;
        let Some(known) = candidate.filter(|_| right) else {
            return Ok(Login::Refused);
        };
        let token = Token::new("", &self.directory.rooms.world.chance)?;
        let id = Value::Int(known.account.id.0);
        let mut unit = Unit::new();
        unit.write_exactly(1, STILL_THE_SAME, vec![id, known.hash.into()]);
        unit.join(self.beginning(&token, &known.account, attempt));
        match self.directory.rooms.store.write(unit).await {
            Ok(_) => Ok(Login::Granted(token, known.account)),
            Err(StoreError::Conflict(_)) => Ok(Login::Refused),
            Err(error) => Err(error.into()),
        }
    }

    /// The writes that begin a session.
    fn beginning(&self, token: &Token, account: &Account, attempt: Attempt<'_>) -> Unit {
        let now = self.now();
        let id = || Value::Int(account.id.0);
        let mut unit = Unit::new();
        let bounds = vec![
            id(),
            now.as_millis().into(),
            self.idle_since(now).into(),
            (SESSIONS_MAX - 1).into(),
        ];
        unit.write(MAKE_ROOM, bounds);
        let agent = attempt.agent.chars().filter(|c| !c.is_control());
        let end = now
            .as_millis()
            .saturating_add(millis(self.options.absolute));
        let session = vec![
            token.hash(),
            id(),
            now.as_millis().into(),
            end.into(),
            attempt.peer.to_string().into(),
            agent.take(AGENT_MAX).collect::<String>().into(),
        ];
        unit.write_exactly(1, BEGIN, session);
        unit
    }

    /// Whose session this is; `None` when there is none (any more).
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read.
    pub async fn session(&self, token: &str) -> Result<Option<Holder>, DirectoryError> {
        let (hash, now) = (token::hash(token), self.now());
        let values = vec![
            hash.clone(),
            now.as_millis().into(),
            self.idle_since(now).into(),
        ];
        let rows = self.directory.rooms.store.read(Query::new(WHOSE, values));
        let rows = rows.await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let noting =
            self.directory
                .note_seen(SEEN, hash, Some(row.int(2)?), now, self.options.idle);
        noting.await;
        holder(row).map(Some)
    }

    /// Ends a session; one that has ended is no error.
    ///
    /// # Errors
    /// The store's.
    pub async fn log_out(&self, token: &str) -> Result<(), DirectoryError> {
        self.end(END, token).await
    }

    /// Ends this session and every other one of its account.
    ///
    /// # Errors
    /// The store's.
    pub async fn log_out_everywhere(&self, token: &str) -> Result<(), DirectoryError> {
        self.end(END_ALL, token).await
    }

    async fn end(&self, sql: Sql, token: &str) -> Result<(), DirectoryError> {
        let mut unit = Unit::new();
        unit.write(sql, vec![token::hash(token)]);
        self.directory.rooms.store.write(unit).await?;
        Ok(())
    }

    fn now(&self) -> Time {
        self.directory.rooms.world.clock.now()
    }

    /// What was used last at this moment has been idle too long.
    fn idle_since(&self, now: Time) -> i64 {
        now.as_millis().saturating_sub(millis(self.options.idle))
    }
}

fn holder(row: &Row) -> Result<Holder, DirectoryError> {
    Ok(Holder {
        // As whoever takes its mail writes it down.
        address: read_address(row.text(0)?)?.to_string(),
        since: Time::from_millis(row.int(1)?),
    })
}

#[cfg(test)]
mod tests;
