//! Sessions: how an operator logs in and is known from then on.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ground_store::{Row, Sql, StoreError, Unit};
use ground_world::Time;

use super::{Admitted, Name, Operators, Rights, Token, read_name, read_rights, token, totp};
use crate::DirectoryError;

/// Sessions of one operator at the same time, at most: when another begins, the one that was not used for longest ends.
pub const SESSIONS_MAX: u32 = 32;

/// What is kept of what a browser calls itself, in characters: enough to tell one's devices apart. The schema's bound, too.
pub const AGENT_MAX: usize = 200;

/// Somebody wants to log in.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The operator's name.
    pub name: &'a str,
    /// The password.
    pub password: &'a [u8],
    /// The code, when one was asked for.
    pub code: Option<&'a str>,
    /// From where.
    pub peer: IpAddr,
    /// What the browser calls itself.
    pub agent: &'a str,
}

/// The answer to an [`Attempt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A session begins; the browser holds this from now on.
    Granted(Token, Admitted),
    /// The password is right, and a code is needed as well.
    CodeNeeded,
    /// No session. The client must not learn why.
    Refused(Refusal),
}

/// Why a login was refused: for the log, never for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no operator of that name.
    NoSuchOperator,
    /// The operator has no password.
    MayNotLogIn,
    /// The password is another.
    WrongPassword,
    /// The password is right, the code is not.
    WrongCode,
    /// The password is right, the code was used before.
    UsedCode,
    /// All was right; but the code was used, or the operator changed, at the same moment.
    Overtaken,
}

/// A session in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// When it began.
    pub created_at: Time,
    /// The last request, to about a minute.
    pub seen_at: Time,
    /// When it ends unless it is used.
    pub ends_at: Time,
    /// From where it began.
    pub peer: String,
    /// What the browser called itself.
    pub agent: String,
}

/// What decides about a login. Columns: [`KNOWN`].
struct Known {
    name: Name,
    password: Arc<str>,
    totp: String,
    totp_step: i64,
    rights: Rights,
}

const KNOWN: &str = "SELECT password, totp, totp_step, rights FROM operator WHERE name = $1";

/// The operator is still the one whose password and code were checked, and the code was not used meanwhile.
const STILL_THE_SAME: Sql = Sql::new(
    "UPDATE operator SET totp_step = $4 WHERE name = $1 AND password = $2 AND totp = $3 AND (totp = '' OR totp_step < $4)",
);

/// Makes room for one more: those that have ended, and the least used of too many. (SQLite wants a LIMIT with each OFFSET.)
const MAKE_ROOM: Sql = Sql::new(
    "DELETE FROM web_session WHERE operator = $1 AND (expires_at <= $2 OR seen_at <= $3 OR token_hash IN
        (SELECT token_hash FROM web_session WHERE operator = $1 ORDER BY seen_at DESC, token_hash LIMIT 1000 OFFSET $4))",
);

const BEGIN: Sql = Sql::new(
    "INSERT INTO web_session (token_hash, operator, created_at, seen_at, expires_at, peer, agent)
     VALUES ($1, $2, $3, $3, $4, $5, $6)",
);

const END: Sql = Sql::new("DELETE FROM web_session WHERE token_hash = $1");

const SEEN: Sql =
    Sql::new("UPDATE web_session SET seen_at = $2 WHERE token_hash = $1 AND seen_at < $2");

const WHOSE: &str = "SELECT operator.name, operator.rights, web_session.seen_at
    FROM web_session JOIN operator ON operator.name = web_session.operator
    WHERE token_hash = $1 AND expires_at > $2 AND seen_at > $3";

const LIST: &str = "SELECT created_at, seen_at, expires_at, peer, agent FROM web_session
    WHERE operator = $1 AND expires_at > $2 AND seen_at > $3 ORDER BY seen_at DESC, token_hash";

impl Operators {
    /// Checks name, password and code, and begins a session. An unknown operator costs as much as a wrong password.
    ///
    /// # Errors
    /// [`DirectoryError::Busy`] when too many passwords wait to be checked; the store's errors.
    pub async fn log_in(&self, attempt: Attempt<'_>) -> Result<Login, DirectoryError> {
        let known = self.known(attempt.name).await?;
        let may_log_in = known.as_ref().filter(|known| !known.password.is_empty());
        let hash = may_log_in.map(|known| known.password.clone());
        let right = self.directory.is_right(attempt.password, hash).await?;
        let refused = |why| Ok(Login::Refused(why));
        let Some(known) = known else {
            return refused(Refusal::NoSuchOperator);
        };
        if known.password.is_empty() {
            return refused(Refusal::MayNotLogIn);
        }
        if !right {
            return refused(Refusal::WrongPassword);
        }
        if known.totp.is_empty() {
            return self.begin(attempt, known, 0).await;
        }
        // A form sends an empty field for none.
        let Some(code) = attempt.code.filter(|code| !code.trim().is_empty()) else {
            return Ok(Login::CodeNeeded);
        };
        match totp::step_of(&known.totp, code, self.now())? {
            None => refused(Refusal::WrongCode),
            Some(step) if step <= known.totp_step => refused(Refusal::UsedCode),
            Some(step) => self.begin(attempt, known, step).await,
        }
    }

    /// Whose session this is; `None` when there is none (any more).
    ///
    /// # Errors
    /// When the store cannot be asked, or holds what cannot be read.
    pub async fn session(&self, token: &str) -> Result<Option<Admitted>, DirectoryError> {
        let (hash, now) = (token::hash(token), self.now());
        let values = vec![
            hash.clone(),
            now.as_millis().into(),
            self.idle_since(now).into(),
        ];
        let rows = self.read(WHOSE, values).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let admitted = Admitted {
            name: read_name(row.text(0)?)?,
            rights: read_rights(row.text(1)?)?,
        };
        self.note_seen(SEEN, hash, Some(row.int(2)?), now).await;
        Ok(Some(admitted))
    }

    /// Ends a session; one that has ended is no error.
    ///
    /// # Errors
    /// The store's.
    pub async fn log_out(&self, token: &str) -> Result<(), DirectoryError> {
        let mut unit = Unit::new();
        unit.write(END, vec![token::hash(token)]);
        self.directory.rooms.store.write(unit).await?;
        Ok(())
    }

    /// The sessions of an operator, the last used first.
    ///
    /// # Errors
    /// [`DirectoryError::NoSuchOperator`]; when the store cannot be asked.
    pub async fn sessions(&self, name: &Name) -> Result<Vec<ListedSession>, DirectoryError> {
        self.show(name).await?;
        let now = self.now();
        let values = vec![
            name.as_str().into(),
            now.as_millis().into(),
            self.idle_since(now).into(),
        ];
        let rows = self.read(LIST, values).await?;
        let session = |row: &Row| {
            let idle_end = row.int(1)?.saturating_add(millis(self.options.idle));
            Ok(ListedSession {
                created_at: Time::from_millis(row.int(0)?),
                seen_at: Time::from_millis(row.int(1)?),
                ends_at: Time::from_millis(row.int(2)?.min(idle_end)),
                peer: row.text(3)?.to_owned(),
                agent: row.text(4)?.to_owned(),
            })
        };
        rows.iter().map(session).collect()
    }

    async fn known(&self, name: &str) -> Result<Option<Known>, DirectoryError> {
        let Ok(name) = name.parse::<Name>() else {
            return Ok(None);
        };
        let rows = self.read(KNOWN, vec![name.as_str().into()]).await?;
        let known = |row: &Row| {
            Ok(Known {
                name,
                password: row.text(0)?.into(),
                totp: row.text(1)?.to_owned(),
                totp_step: row.int(2)?,
                rights: read_rights(row.text(3)?)?,
            })
        };
        rows.first().map(known).transpose()
    }

    /// Begins a session of `known`, whose password was right and whose code was that of `step`.
    async fn begin(
        &self,
        attempt: Attempt<'_>,
        known: Known,
        step: i64,
    ) -> Result<Login, DirectoryError> {
        let now = self.now();
        let token = Token::new("", &self.directory.rooms.world.chance)?;
        let name = || known.name.as_str().into();
        let mut unit = Unit::new();
        let checked = vec![
            name(),
            known.password.into(),
            known.totp.into(),
            step.into(),
        ];
        unit.write_exactly(1, STILL_THE_SAME, checked);
        let bounds = vec![
            name(),
            now.as_millis().into(),
            self.idle_since(now).into(),
            (SESSIONS_MAX - 1).into(),
        ];
        unit.write(MAKE_ROOM, bounds);
        let agent = attempt.agent.chars().filter(|c| !c.is_control());
        let session = vec![
            token.hash(),
            name(),
            now.as_millis().into(),
            now.as_millis()
                .saturating_add(millis(self.options.absolute))
                .into(),
            attempt.peer.to_string().into(),
            agent.take(AGENT_MAX).collect::<String>().into(),
        ];
        unit.write_exactly(1, BEGIN, session);
        match self.directory.rooms.store.write(unit).await {
            Ok(_) => Ok(Login::Granted(
                token,
                Admitted {
                    name: known.name,
                    rights: known.rights,
                },
            )),
            Err(StoreError::Conflict(_)) => Ok(Login::Refused(Refusal::Overtaken)),
            Err(error) => Err(error.into()),
        }
    }

    /// What was used last at this moment has been idle too long.
    fn idle_since(&self, now: Time) -> i64 {
        now.as_millis().saturating_sub(millis(self.options.idle))
    }
}

pub(crate) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NoSuchOperator => "there is no such operator",
            Refusal::MayNotLogIn => "the operator has no password",
            Refusal::WrongPassword => "the password is wrong",
            Refusal::WrongCode => "the code is wrong",
            Refusal::UsedCode => "the code was used before",
            Refusal::Overtaken => "the code was used, or the operator changed, at the same moment",
        })
    }
}

#[cfg(test)]
mod tests;
