//! Passwords: argon2id hashes as PHC strings, made and checked off the async threads.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use ground_store::{Query, Value};
use tokio::sync::Semaphore;
use wire_message::Address;

use crate::lookup::{AccountId, read_address};
use crate::{Account, Directory, DirectoryError, Options};

/// The longest password that is looked at, in octets: a bound on the work of one attempt to log in.
pub const PASSWORD_MAX: usize = 1024;

/// How long an attempt to log in waits for its turn, and then for its answer.
pub const VERIFY_DEADLINE: Duration = Duration::from_secs(10);

/// What hashing a new password costs (RFC 9106 s3.1). The default, 19 MiB and two passes, is sized for a mail server that logs
/// in clients all day: it keeps guessing expensive without a gigabyte for every few of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for PasswordCost {
    fn default() -> Self {
        Self {
            memory_kib: Params::DEFAULT_M_COST,
            passes: Params::DEFAULT_T_COST,
        }
    }
}

/// The answer to a login name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// The password is the account's.
    Granted(Account),
    /// No such account, an account that may not log in, or a wrong password: nobody outside learns which.
    Refused,
}

/// The room where passwords are hashed: bounded in how many at once.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    cost: PasswordCost,
    /// A hash of our cost that no password is known for: checked when there is nobody, so that it takes as long.
    decoy: Arc<str>,
}

impl Passwords {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(options.verifiers.max(1))),
            cost: options.cost,
            decoy: decoy(options.cost).into(),
        }
    }
}

/// What decides about one login: the hash to check and who it belongs to.
pub(crate) struct Candidate {
    pub(crate) account: Account,
    pub(crate) hash: Arc<str>,
}

impl Directory {
    /// Checks a password. `login` is an account's address as the client sent it.
    ///
    /// # Errors
    /// [`DirectoryError::Busy`] when it could not be done within [`VERIFY_DEADLINE`]; the store's errors.
    pub async fn verify(&self, login: &str, password: &[u8]) -> Result<Login, DirectoryError> {
        let candidate = self.candidate(login).await?;
        let hash = candidate.as_ref().map(|one| one.hash.clone());
        let right = self.is_right(password, hash).await?;
        Ok(match candidate {
            Some(Candidate { account, .. }) if right => Login::Granted(account),
            Some(_) | None => Login::Refused,
        })
    }

    /// Whether `password` is the one of `hash`; without a hash it is not, which takes as long to say.
    pub(crate) async fn is_right(
        &self,
        password: &[u8],
        hash: Option<Arc<str>>,
    ) -> Result<bool, DirectoryError> {
        let hash = hash.unwrap_or_else(|| self.rooms.passwords.decoy.clone());
        let password = password.get(..password.len().min(PASSWORD_MAX + 1));
        let password = password.unwrap_or_default().to_vec();
        self.in_turn(move || is_right(&password, &hash)).await
    }

    /// Hashes a new password with a salt of its own.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, DirectoryError> {
        if password.is_empty() {
            return Err(DirectoryError::BadPassword("is empty"));
        }
        if password.len() > PASSWORD_MAX {
            return Err(DirectoryError::BadPassword("is longer than 1024 octets"));
        }
        let salt: [u8; 16] = self
            .rooms
            .world
            .chance
            .secret()
            .map_err(|error| DirectoryError::Hashing(error.to_string()))?;
        let (cost, password) = (self.rooms.passwords.cost, password.to_owned());
        self.in_turn(move || hashed(password.as_bytes(), &salt, cost))
            .await?
            .map_err(DirectoryError::Hashing)
    }

    /// The account of this name, when there is one that may log in.
    pub(crate) async fn candidate(&self, login: &str) -> Result<Option<Candidate>, DirectoryError> {
        let Ok(address) = Address::parse(login) else {
            return Ok(None);
        };
        let query = Query {
            text: "SELECT id, address, quota, password FROM account WHERE address = $1 AND password <> ''".into(),
            values: vec![Value::Text(address.key().into())],
        };
        let rows = self.rooms.store.read(query).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let quota = row.optional_int(2)?;
        Ok(Some(Candidate {
            account: Account {
                id: AccountId(row.int(0)?),
                address: read_address(row.text(1)?)?,
                quota: quota.map(|octets| u64::try_from(octets).unwrap_or(0)),
            },
            hash: row.text(3)?.into(),
        }))
    }

    /// Does the work on a thread for blocking work, when it is its turn.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, DirectoryError> {
        let turns = self.rooms.passwords.turns.clone();
        let clock = &self.rooms.world.clock;
        let turn = clock.timeout(VERIFY_DEADLINE, turns.acquire_owned());
        let turn = turn
            .await
            .map_err(|_| DirectoryError::Busy)?
            .map_err(|_| DirectoryError::Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            // The turn ends with the work, even when nobody waits for the answer any more.
            let _turn = turn;
            work()
        });
        clock
            .timeout(VERIFY_DEADLINE, done)
            .await
            .map_err(|_| DirectoryError::Busy)?
            .map_err(|error| DirectoryError::Hashing(error.to_string()))
    }
}

fn is_right(password: &[u8], hash: &str) -> bool {
    let verified = PasswordVerifier::<str>::verify_password(&Argon2::default(), password, hash);
    verified.is_ok() && password.len() <= PASSWORD_MAX
}

fn hashed(password: &[u8], salt: &[u8], cost: PasswordCost) -> Result<String, String> {
    let params = Params::new(cost.memory_kib, cost.passes, Params::DEFAULT_P_COST, None)
        .map_err(|error| error.to_string())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = argon2
        .hash_password_with_salt(password, salt)
        .map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

/// A PHC string of our cost whose tag is all zeros: checking against it costs what a real check costs, and fails.
fn decoy(cost: PasswordCost) -> String {
    format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        cost.memory_kib,
        cost.passes,
        Params::DEFAULT_P_COST,
        "A".repeat(22),
        "A".repeat(43),
    )
}

#[cfg(test)]
mod tests;
