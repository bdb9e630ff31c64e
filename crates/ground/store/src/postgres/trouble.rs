//! PostgreSQL's errors in our words.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use super::value::Unbindable;
use crate::StoreError;

/// What a failed statement means for its transaction.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// Somebody else was in the way (deadlock, serialization): the same again may succeed.
    Again(String),
    /// An earlier statement failed, and says why.
    Earlier,
    /// A write where only reading is allowed: a query that is none, or a server that became a standby.
    ReadOnly(String),
    /// It is as it is.
    Final(StoreError),
}

impl Trouble {
    /// For where nothing is tried again and nothing came before.
    pub(super) fn told(self) -> StoreError {
        match self {
            Self::Again(said) | Self::ReadOnly(said) => StoreError::Unavailable(said),
            Self::Earlier => StoreError::Unavailable("an earlier statement failed".into()),
            Self::Final(error) => error,
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

/// A driver's error: the server's word, a broken connection, or a value that does not fit.
pub(super) fn translate(error: &Error) -> Trouble {
    if let Some(told) = error.as_db_error() {
        return judge(told);
    }
    let said = chain(error);
    if error.is_closed() || has::<std::io::Error>(error) {
        return Trouble::Final(StoreError::Unavailable(said));
    }
    if has::<Unbindable>(error) || has::<std::num::TryFromIntError>(error) {
        return Trouble::Final(StoreError::Refused(said));
    }
    Trouble::Final(StoreError::Damaged(said))
}

fn judge(told: &DbError) -> Trouble {
    let said = match told.constraint() {
        Some(constraint) => format!("{} ({constraint})", told.message()),
        None => told.message().to_owned(),
    };
    let code = told.code();
    if matches!(
        *code,
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED
    ) {
        return Trouble::Again(said);
    }
    if *code == SqlState::IN_FAILED_SQL_TRANSACTION {
        return Trouble::Earlier;
    }
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return Trouble::ReadOnly(said);
    }
    Trouble::Final(by_code(code)(said))
}

/// The variant that a code of the server stands for; see "PostgreSQL Error Codes" in its manual.
fn by_code(code: &SqlState) -> fn(String) -> StoreError {
    if *code == SqlState::DISK_FULL {
        return StoreError::Full;
    }
    // Not ours, not yet ours, or no longer ours to use: the operator's move.
    const UNFIT: [&str; 6] = ["42P01", "3F000", "3D000", "28000", "28P01", "42501"];
    if UNFIT.contains(&code.code()) {
        return StoreError::Unfit;
    }
    // A lock or statement that took too long, a statement this connection cannot know any
    // more: a fresh connection may do better.
    const ELSEWHERE: [&str; 4] = ["55P03", "57014", "26000", "0A000"];
    // Connection, resources, intervention (restart, shutdown), system, transaction ended from outside.
    const CLASSES: [&str; 5] = ["08", "53", "57P", "58", "25P03"];
    let class = CLASSES.iter().any(|class| code.code().starts_with(class));
    if class || ELSEWHERE.contains(&code.code()) {
        return StoreError::Unavailable;
    }
    if code.code().starts_with("XX00") && code.code() != "XX000" {
        return StoreError::Damaged;
    }
    StoreError::Refused
}

/// An error and its causes in one line.
fn chain(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        said = format!("{said}: {one}");
        cause = one.source();
    }
    said
}

fn has<T: std::error::Error + 'static>(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        if one.is::<T>() {
            return true;
        }
        cause = one.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_of_the_server_is_somebodys_move() {
        let check = |codes: &[&str], wanted: fn(String) -> StoreError| {
            for code in codes {
                let found = by_code(&SqlState::from_code(code))(String::new());
                assert_eq!(found, wanted(String::new()), "{code}");
            }
        };
        check(&["53100"], StoreError::Full);
        check(
            &["23505", "23514", "23503", "P0001", "22021", "42601"],
            StoreError::Refused,
        );
        check(&["42P01", "28P01", "3D000"], StoreError::Unfit);
        check(&["XX001", "XX002"], StoreError::Damaged);
        check(
            &[
                "08006", "53200", "53300", "57P01", "57P03", "57014", "25P03", "58030", "55P03",
            ],
            StoreError::Unavailable,
        );
    }
}
