//! Changing: each change is data, and one unit. Whatever else must not outlive a change, such as sessions, ends in its unit.

use std::fmt;

use ground_store::{Sql, StoreError, Unit, Value};
use ground_world::Time;

use super::{Name, Operators, Rights, Token, TotpSecret, totp};
use crate::{DirectoryError, NewPassword};

/// One change of the operators or tokens. Displayed, it is the sentence that stands in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Makes an operator.
    Add {
        /// Its name.
        name: Name,
        /// How it logs in.
        password: NewPassword,
        /// What it may do.
        rights: Rights,
    },
    /// Removes an operator; its sessions end.
    Remove {
        /// Its name.
        name: Name,
    },
    /// Changes an operator's password; its sessions end.
    SetPassword {
        /// Its name.
        name: Name,
        /// How it logs in from now on.
        password: NewPassword,
    },
    /// Changes what an operator may do.
    SetRights {
        /// Its name.
        name: Name,
        /// What it may do from now on.
        rights: Rights,
    },
    /// Shows an operator a secret for a code generator. Until it is confirmed, nothing else changes.
    OfferTotp {
        /// Its name.
        name: Name,
        /// From [`Operators::new_totp_secret`].
        secret: TotpSecret,
    },
    /// Confirms what was offered by its first right code: codes are asked from now on. The operator's sessions end.
    ConfirmTotp {
        /// Its name.
        name: Name,
        /// A code of the secret that was offered.
        code: String,
    },
    /// Asks no more codes of an operator; its sessions end.
    RemoveTotp {
        /// Its name.
        name: Name,
    },
    /// Ends all sessions of an operator.
    RevokeSessions {
        /// Its name.
        name: Name,
    },
    /// Lets a program in.
    AddToken {
        /// The token's name.
        name: Name,
        /// From [`Operators::new_api_token`].
        token: Token,
        /// What the program may do.
        rights: Rights,
        /// Who made it.
        by: String,
        /// When it ends; `None`: when it is removed.
        expires_at: Option<Time>,
    },
    /// Lets a program in no more.
    RemoveToken {
        /// The token's name.
        name: Name,
    },
}

const ADD: Sql = Sql::new(
    "INSERT INTO operator (name, password, totp, totp_offered, totp_step, rights, created_at)
     VALUES ($1, $2, '', '', 0, $3, $4) ON CONFLICT (name) DO NOTHING",
);

/// Its sessions go with it, by the schema.
const REMOVE: Sql = Sql::new("DELETE FROM operator WHERE name = $1");

const SET_PASSWORD: Sql = Sql::new("UPDATE operator SET password = $2 WHERE name = $1");

const SET_RIGHTS: Sql = Sql::new("UPDATE operator SET rights = $2 WHERE name = $1");

const OFFER_TOTP: Sql = Sql::new("UPDATE operator SET totp_offered = $2 WHERE name = $1");

/// The code that confirms it is used with that.
const CONFIRM_TOTP: Sql = Sql::new(
    "UPDATE operator SET totp = totp_offered, totp_offered = '', totp_step = $3 WHERE name = $1 AND totp_offered = $2",
);

const REMOVE_TOTP: Sql =
    Sql::new("UPDATE operator SET totp = '', totp_offered = '', totp_step = 0 WHERE name = $1");

/// Says that the operator is there, by changing one row. Whoever logs in changes that row first, too: a login with the old
/// password that is under way either fails or has its session ended.
const IS_THERE: Sql = Sql::new("UPDATE operator SET name = name WHERE name = $1");

const END_SESSIONS: Sql = Sql::new("DELETE FROM web_session WHERE operator = $1");

const ADD_TOKEN: Sql = Sql::new(
    "INSERT INTO api_token (name, token_hash, rights, created_by, created_at, expires_at, seen_at)
     VALUES ($1, $2, $3, $4, $5, $6, NULL) ON CONFLICT (name) DO NOTHING",
);

const REMOVE_TOKEN: Sql = Sql::new("DELETE FROM api_token WHERE name = $1");

const OPERATOR: &str = "SELECT 1 FROM operator WHERE name = $1";

const TOKEN: &str = "SELECT 1 FROM api_token WHERE name = $1";

impl Operators {
    /// Makes `change` and everything of `also` in one unit, or nothing at all.
    ///
    /// # Errors
    /// What stands in the way, with what to do about it; nothing is stored then. A conflict inside `also` comes as
    /// [`StoreError::Conflict`].
    pub async fn apply(&self, change: &Change, also: Unit) -> Result<(), DirectoryError> {
        let mut unit = also;
        unit.join(self.plan(change).await?);
        match self.directory.rooms.store.write(unit).await {
            Ok(_) => Ok(()),
            Err(conflict @ StoreError::Conflict(_)) => {
                Err(self.obstacle(change).await?.unwrap_or(conflict.into()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn plan(&self, change: &Change) -> Result<Unit, DirectoryError> {
        let now = self.now();
        Ok(match change {
            Change::Add {
                name,
                password,
                rights,
            } => {
                let hash = self.directory.stored(password).await?;
                let values = [
                    hash.into(),
                    rights.to_string().into(),
                    now.as_millis().into(),
                ];
                one_row(ADD, name, values)
            }
            Change::Remove { name } => one_row(REMOVE, name, []),
            Change::SetPassword { name, password } => {
                let hash = self.directory.stored(password).await?;
                ending_sessions(name, one_row(SET_PASSWORD, name, [hash.into()]))
            }
            Change::SetRights { name, rights } => {
                one_row(SET_RIGHTS, name, [rights.to_string().into()])
            }
            Change::OfferTotp { name, secret } => one_row(OFFER_TOTP, name, [secret.text().into()]),
            Change::ConfirmTotp { name, code } => {
                let offered = self.offered(name).await?;
                let step = totp::step_of(&offered, code, now)?.ok_or(DirectoryError::WrongCode)?;
                let values = [offered.into(), step.into()];
                ending_sessions(name, one_row(CONFIRM_TOTP, name, values))
            }
            Change::RemoveTotp { name } => ending_sessions(name, one_row(REMOVE_TOTP, name, [])),
            Change::RevokeSessions { name } => ending_sessions(name, one_row(IS_THERE, name, [])),
            Change::AddToken {
                name,
                token,
                rights,
                by,
                expires_at,
            } => {
                let values = [
                    token.hash(),
                    rights.to_string().into(),
                    by.into(),
                    now.as_millis().into(),
                    expires_at.map(Time::as_millis).into(),
                ];
                one_row(ADD_TOKEN, name, values)
            }
            Change::RemoveToken { name } => one_row(REMOVE_TOKEN, name, []),
        })
    }

    /// The secret that waits for its first right code.
    async fn offered(&self, name: &Name) -> Result<String, DirectoryError> {
        let text = "SELECT totp_offered FROM operator WHERE name = $1";
        let rows = self.read(text, vec![name.as_str().into()]).await?;
        let name = name.clone();
        match rows.first().map(|row| row.text(0)).transpose()? {
            None => Err(DirectoryError::NoSuchOperator { name }),
            Some("") => Err(DirectoryError::NothingOffered { name }),
            Some(offered) => Ok(offered.to_owned()),
        }
    }

    /// Why the unit of `change` met a conflict; `None` when nothing stands in its way (any more).
    async fn obstacle(&self, change: &Change) -> Result<Option<DirectoryError>, DirectoryError> {
        Ok(match change {
            Change::Add { name, .. } => {
                let there = self.has(OPERATOR, name).await?;
                there.then(|| DirectoryError::OperatorExists { name: name.clone() })
            }
            Change::Remove { name }
            | Change::SetPassword { name, .. }
            | Change::SetRights { name, .. }
            | Change::OfferTotp { name, .. }
            | Change::ConfirmTotp { name, .. }
            | Change::RemoveTotp { name }
            | Change::RevokeSessions { name } => {
                let there = self.has(OPERATOR, name).await?;
                (!there).then(|| DirectoryError::NoSuchOperator { name: name.clone() })
            }
            Change::AddToken { name, .. } => {
                let there = self.has(TOKEN, name).await?;
                there.then(|| DirectoryError::TokenExists { name: name.clone() })
            }
            Change::RemoveToken { name } => {
                let there = self.has(TOKEN, name).await?;
                (!there).then(|| DirectoryError::NoSuchToken { name: name.clone() })
            }
        })
    }

    async fn has(&self, text: &'static str, name: &Name) -> Result<bool, DirectoryError> {
        let rows = self.read(text, vec![name.as_str().into()]).await?;
        Ok(!rows.is_empty())
    }
}

/// The unit of `sql`, which changes one row: that of `name`, its first value.
fn one_row<const N: usize>(sql: Sql, name: &Name, values: [Value; N]) -> Unit {
    let mut all = vec![name.as_str().into()];
    all.extend(values);
    let mut unit = Unit::new();
    unit.write_exactly(1, sql, all);
    unit
}

/// `unit`, and after it no session of the operator is left.
fn ending_sessions(name: &Name, mut unit: Unit) -> Unit {
    unit.write(END_SESSIONS, vec![name.as_str().into()]);
    unit
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Add { name, rights, .. } => {
                write!(f, "operator {name} added, who may {rights}")
            }
            Change::Remove { name } => write!(f, "operator {name} removed"),
            Change::SetPassword { name, .. } => write!(f, "password of operator {name} changed"),
            Change::SetRights { name, rights } => {
                write!(f, "rights of operator {name} set to {rights}")
            }
            Change::OfferTotp { name, .. } => {
                write!(f, "operator {name} was shown a secret for a code generator")
            }
            Change::ConfirmTotp { name, .. } => {
                write!(f, "operator {name} logs in with a code from now on")
            }
            Change::RemoveTotp { name } => {
                write!(f, "operator {name} logs in without a code from now on")
            }
            Change::RevokeSessions { name } => write!(f, "sessions of operator {name} revoked"),
            Change::AddToken {
                name,
                rights,
                expires_at: Some(end),
                ..
            } => write!(f, "token {name} added, which may {rights} until {end}"),
            Change::AddToken { name, rights, .. } => {
                write!(f, "token {name} added, which may {rights}")
            }
            Change::RemoveToken { name } => write!(f, "token {name} removed"),
        }
    }
}
