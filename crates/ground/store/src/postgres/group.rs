//! Runs a group of units as one transaction, sent in one piece: all share one flush, and none feels another's failure.
//!
//! The way through, as for SQLite: the group runs without savepoints, because almost every group has no failing unit. All
//! statements are sent before the first answer is awaited; then the answers are judged and the commit is sent, so that a
//! group costs two round trips however large it is. A unit that fails without having changed anything is answered and the
//! group goes on. One that fails otherwise undoes the group, which then runs once more with a savepoint around each unit.
//! A deadlock with another node undoes it too, and it is tried again.

use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::Statement;

use super::connection::{Connection, Ran, fits};
use super::trouble::Trouble;
use crate::line::Answer;
use crate::{Done, StoreError, Unit};

/// Whether counts are to be folded in this transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    No,
    Counts,
}

/// Why a transaction did not happen. Nothing of it was stored, unless [`StoreError::Unavailable`] says otherwise.
pub(super) enum Stop {
    /// A unit failed and its traces are in the transaction: run again, with savepoints.
    Savepoints(StoreError),
    /// Another node was in the way: run again.
    Again(String),
    /// Nobody's write can succeed now.
    All(StoreError),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Again(said) => Self::Again(said),
            Trouble::Earlier | Trouble::ReadOnly(_) | Trouble::Final(_) => {
                Self::All(trouble.told())
            }
        }
    }
}

/// A unit with its statements prepared, or what it is told without being run.
type Prepared<'a> = Result<(&'a Unit, Vec<Statement>), StoreError>;

/// Commits `units`, answering each in its place.
pub(super) async fn commit<'a>(
    connection: &mut Connection,
    units: impl Iterator<Item = &'a Unit>,
    fold: Fold,
) -> Result<Vec<Answer>, Stop> {
    let mut prepared = Vec::new();
    for unit in units {
        prepared.push(prepare(connection, unit).await.map_err(Stop::All)?);
    }
    let first = together(connection, &prepared, fold).await;
    match first {
        Err(Stop::Savepoints(error)) if prepared.len() == 1 => Ok(vec![Err(error)]),
        Err(Stop::Savepoints(_)) => one_by_one(connection, &prepared).await,
        Ok(_) | Err(Stop::Again(_) | Stop::All(_)) => first,
    }
}

/// Prepares what this connection does not know yet, outside of the transaction: a statement that the server does not
/// understand is its unit's trouble alone.
async fn prepare<'a>(
    connection: &mut Connection,
    unit: &'a Unit,
) -> Result<Prepared<'a>, StoreError> {
    let mut statements = Vec::with_capacity(unit.statements().len());
    for statement in unit.statements() {
        let fitting = match connection.prepared(statement.sql.postgres).await {
            Ok(prepared) => fits(&prepared, &statement.values).map(|()| prepared),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Full(_))) => return Err(error),
            Err(error) => Err(error),
        };
        match fitting {
            Ok(prepared) => statements.push(prepared),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok((unit, statements)))
}

/// The first try: everything in one piece.
async fn together(
    connection: &Connection,
    units: &[Prepared<'_>],
    fold: Fold,
) -> Result<Vec<Answer>, Stop> {
    let begin = match fold {
        Fold::No => "BEGIN",
        Fold::Counts => "BEGIN; SELECT fold_counts()",
    };
    let begun = sent(connection.batch(begin)).await;
    let mut under_way = Vec::with_capacity(units.len());
    for unit in units {
        under_way.push(match unit {
            Ok((unit, statements)) => Ok(send(connection, unit, statements).await),
            Err(error) => Err(error.clone()),
        });
    }
    let mut judged: Result<Vec<Answer>, Stop> =
        begun.await.map(|()| Vec::new()).map_err(Stop::from);
    for unit in under_way {
        let outcome = match unit {
            Ok(answers) => outcome(answers).await,
            Err(error) => Ok(Err(error)),
        };
        // Every answer is awaited, wanted or not: the next statement's answers come after them.
        if let Ok(answers) = &mut judged {
            match outcome {
                Ok(answer) => answers.push(answer),
                Err(stop) => judged = Err(stop),
            }
        }
    }
    end(connection, judged).await
}

/// The second try: a savepoint around each unit.
async fn one_by_one(connection: &Connection, units: &[Prepared<'_>]) -> Result<Vec<Answer>, Stop> {
    connection.batch("BEGIN").await?;
    let mut judged = Ok(Vec::with_capacity(units.len()));
    for unit in units {
        let answer = match unit {
            Ok((unit, statements)) => guarded(connection, unit, statements).await,
            Err(error) => Ok(Err(error.clone())),
        };
        match (answer, &mut judged) {
            (Ok(answer), Ok(answers)) => answers.push(answer),
            (Err(stop), _) => {
                judged = Err(stop);
                break;
            }
            (Ok(_), Err(_)) => break,
        }
    }
    end(connection, judged).await
}

async fn guarded(
    connection: &Connection,
    unit: &Unit,
    statements: &[Statement],
) -> Result<Answer, Stop> {
    let saved = sent(connection.batch("SAVEPOINT unit")).await;
    let answers = send(connection, unit, statements).await;
    saved.await?;
    let answer = match outcome(answers).await {
        Ok(answer) => answer,
        Err(Stop::Savepoints(error)) => Err(error),
        Err(stop @ (Stop::Again(_) | Stop::All(_))) => return Err(stop),
    };
    let text = match answer {
        Ok(_) => "RELEASE unit",
        Err(_) => "ROLLBACK TO unit; RELEASE unit",
    };
    connection.batch(text).await?;
    Ok(answer)
}

/// Commits what went well, undoes what did not.
async fn end(
    connection: &Connection,
    judged: Result<Vec<Answer>, Stop>,
) -> Result<Vec<Answer>, Stop> {
    let answers = match judged {
        Ok(answers) => answers,
        Err(stop) => {
            // A connection that cannot even do this is dropped by the writer at its next use.
            if let Err(trouble) = connection.batch("ROLLBACK").await {
                return Err(Stop::All(trouble.told()));
            }
            return Err(stop);
        }
    };
    connection.take_warning();
    // A commit that waits for its standby must not be cancelled by the clock: the server would then say that it is done.
    let patient = sent(connection.batch("SET LOCAL statement_timeout = 0")).await;
    let committed = sent(connection.batch("COMMIT")).await;
    patient.await?;
    committed.await?;
    if connection.take_warning() {
        return Err(Stop::All(StoreError::Unavailable(
            "the database committed, but says that its standby may not have it".into(),
        )));
    }
    Ok(answers)
}

type UnderWay<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// A request that has been sent; its answer is awaited later.
enum Sent<'a, T> {
    Waiting(UnderWay<'a, T>),
    Answered(Result<T, Trouble>),
}

impl<T> Sent<'_, T> {
    async fn answered(self) -> Result<T, Trouble> {
        match self {
            Self::Waiting(answer) => answer.await,
            Self::Answered(answer) => answer,
        }
    }
}

impl<'a, T: Send + 'a> IntoFuture for Sent<'a, T> {
    type Output = Result<T, Trouble>;
    type IntoFuture = UnderWay<'a, T>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.answered())
    }
}

/// Sends a request: the driver does so at the first poll of its future.
async fn sent<'a, T>(request: impl Future<Output = Result<T, Trouble>> + Send + 'a) -> Sent<'a, T> {
    let mut request: UnderWay<'a, T> = Box::pin(request);
    let first = std::future::poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx))).await;
    match first {
        Poll::Ready(answer) => Sent::Answered(answer),
        Poll::Pending => Sent::Waiting(request),
    }
}

/// A unit whose statements have been sent.
struct SentUnit<'a> {
    unit: &'a Unit,
    answers: Vec<Sent<'a, Ran>>,
}

async fn send<'a>(
    connection: &'a Connection,
    unit: &'a Unit,
    statements: &'a [Statement],
) -> SentUnit<'a> {
    let mut answers = Vec::with_capacity(statements.len());
    for (statement, prepared) in unit.statements().iter().zip(statements) {
        answers.push(sent(connection.write(prepared, &statement.values)).await);
    }
    SentUnit { unit, answers }
}

/// What became of a unit: its answer, when the transaction can go on.
async fn outcome(sent: SentUnit<'_>) -> Result<Answer, Stop> {
    let mut done = Done::default();
    let mut failed = None;
    let mut aborted = None;
    let statements = sent.unit.statements().iter();
    for (index, (statement, answer)) in statements.zip(sent.answers).enumerate() {
        match answer.await {
            Ok(ran) => {
                if let Err(error) = statement.expect.met(index, ran.changed) {
                    failed.get_or_insert(error);
                }
                done.changed.push(ran.changed);
                done.returned.push(ran.returned);
            }
            Err(trouble) => {
                aborted.get_or_insert(trouble);
            }
        }
    }
    let touched = done.changed.iter().any(|changed| *changed > 0);
    match (failed, aborted) {
        (None, None) => Ok(Ok(done)),
        (Some(error), None) if !touched => Ok(Err(error)),
        (Some(error), None) => Err(Stop::Savepoints(error)),
        // What failed first is the unit's answer: SQLite goes no further.
        (Some(error), Some(Trouble::Final(after))) if !after.is_everybodys() => {
            Err(Stop::Savepoints(error))
        }
        (_, Some(Trouble::Final(error))) if is_its_own(&error) => Err(Stop::Savepoints(error)),
        (_, Some(trouble)) => Err(trouble.into()),
    }
}

/// Whether an error of a statement is its unit's alone: a table that does not exist is, here.
fn is_its_own(error: &StoreError) -> bool {
    !error.is_everybodys() || matches!(error, StoreError::Unfit(_))
}
