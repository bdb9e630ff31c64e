//! Operators: who may use the administration's web pages and HTTP API.
//!
//! **For what.** People log in by name, password and, when they have set it up, a one-time code, and hold a session;
//! programs hold an API token. Both have [`Rights`]. An operator is no account, and an account no operator. Everything goes
//! through [`Operators`]:
//!
//! - [`Operators::apply`] makes one [`Change`], and may take rows of other floors along in the same unit, such as the event
//!   that records who did it;
//! - [`Operators::log_in`] opens a session, [`Operators::session`] says whose one is, [`Operators::log_out`] ends it;
//! - [`Operators::api_token`] says what a program may do;
//! - [`Operators::list`], [`Operators::show`], [`Operators::sessions`] and [`Operators::api_tokens`] list what is there.
//!
//! **Freshness.** Nothing is cached: each check reads the rows. A removed operator, a session that was ended, a token that
//! was removed and rights that were taken away count from the next request on, on every node. A changed password or code
//! generator ends all sessions of its operator.
//!
//! **Never.** No password, session or token is kept, shown or logged, only hashes; the secret of a code generator is kept, and
//! shown when it is offered only. What is behind a refused login is for the log, and nothing of it for the client. Who guesses
//! too often is not noticed here: that is the door's.
//!
//! **Limits.** [`Options::idle`], [`Options::absolute`], [`SESSIONS_MAX`], [`NAME_MAX`], [`AGENT_MAX`], and those of passwords.

mod api_token;
mod change;
mod listing;
mod name;
mod right;
mod session;
pub(crate) mod token;
mod totp;

pub use api_token::ListedApiToken;
pub use change::Change;
pub use listing::{ListedOperator, Totp};
pub use name::{NAME_MAX, Name, NameError};
pub use right::{Right, Rights, RightsError};
pub(crate) use session::millis;
pub use session::{AGENT_MAX, Attempt, ListedSession, Login, Refusal, SESSIONS_MAX};
pub use token::{API_TOKEN_PREFIX, Token};
pub use totp::{TotpSecret, totp_code};

use std::time::Duration;

use ground_store::{Query, Row, Sql, Unit, Value};
use ground_world::Time;

use crate::{Directory, DirectoryError};

/// How often it is written down that a session or token is in use: a write for every request would cost more than the request.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// How long a request waits for that to be written. A store that takes no writes must not keep out who comes to see why.
const NOTE_DEADLINE: Duration = Duration::from_secs(2);

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// A session that was not used for so long has ended, to about a minute.
    pub idle: Duration,
    /// A session lasts no longer, however much it is used.
    pub absolute: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60 * 60),
            absolute: Duration::from_secs(12 * 60 * 60),
        }
    }
}

/// A handle on the operators; cheap to clone.
#[derive(Clone)]
pub struct Operators {
    directory: Directory,
    options: Options,
}

/// Somebody who may come in, with the rights of this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The operator or token.
    pub name: Name,
    /// What may be done.
    pub rights: Rights,
}

impl Directory {
    /// The operators, in the same rows.
    #[must_use]
    pub fn operators(&self, options: Options) -> Operators {
        Operators {
            directory: self.clone(),
            options,
        }
    }
}

impl Operators {
    /// A token for [`Change::AddToken`].
    ///
    /// # Errors
    /// [`DirectoryError::NoChance`].
    pub fn new_api_token(&self) -> Result<Token, DirectoryError> {
        Token::new(API_TOKEN_PREFIX, &self.directory.rooms.world.chance)
    }

    /// A secret for [`Change::OfferTotp`].
    ///
    /// # Errors
    /// [`DirectoryError::NoChance`].
    pub fn new_totp_secret(&self) -> Result<TotpSecret, DirectoryError> {
        TotpSecret::new(&self.directory.rooms.world.chance)
    }

    fn now(&self) -> Time {
        self.directory.rooms.world.clock.now()
    }

    async fn read(
        &self,
        text: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, DirectoryError> {
        let query = Query::new(text, values);
        Ok(self.directory.rooms.store.read(query).await?)
    }

    async fn note_seen(&self, sql: Sql, hash: Value, seen_at: Option<i64>, now: Time) {
        let idle = self.options.idle;
        self.directory
            .note_seen(sql, hash, seen_at, now, idle)
            .await;
    }
}

impl Directory {
    /// Notes with `sql` that what has this `hash` was used `now`, when it was not noted lately.
    pub(crate) async fn note_seen(
        &self,
        sql: Sql,
        hash: Value,
        seen_at: Option<i64>,
        now: Time,
        idle: Duration,
    ) {
        let noted = seen_at.map(|seen_at| now.since(Time::from_millis(seen_at)));
        // An idle limit of less than two minutes would else end sessions that are in use.
        if noted.is_some_and(|ago| ago < NOTED_EVERY.min(idle / 2)) {
            return;
        }
        let mut unit = Unit::new();
        unit.write(sql, vec![hash, now.as_millis().into()]);
        let rooms = &self.rooms;
        let noted = rooms
            .world
            .clock
            .timeout(NOTE_DEADLINE, rooms.store.write(unit));
        // When it cannot be written, the session ends a little earlier.
        drop(noted.await);
    }
}

fn read_name(text: &str) -> Result<Name, DirectoryError> {
    text.parse()
        .map_err(|error: NameError| DirectoryError::Damaged(error.to_string()))
}

fn read_rights(text: &str) -> Result<Rights, DirectoryError> {
    text.parse()
        .map_err(|error: RightsError| DirectoryError::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests;
