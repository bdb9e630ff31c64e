//! Runs a group of units as one transaction: all share one flush, and none feels another's failure.
//!
//! The way through: the group runs without savepoints, because almost every group has no failing unit. A unit that fails
//! before it changed anything is answered and the group goes on. A unit that fails later undoes the group, which then runs
//! once more with a savepoint around each unit. Trouble of the disk or the database fails all of the group.

use super::connection::Connection;
use crate::line::Answer;
use crate::{Done, StoreError, Unit};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Savepoints {
    No,
    EachUnit,
}

enum Stop {
    /// One unit failed and its traces are in the transaction: run again, with savepoints.
    RunAgain(StoreError),
    /// Nobody's write can succeed now.
    All(StoreError),
}

/// Commits `units`, answering each in its place.
pub(super) fn commit<'a>(
    connection: &mut Connection,
    units: impl ExactSizeIterator<Item = &'a Unit> + Clone,
) -> Vec<Answer> {
    let count = units.len();
    let stop = match together(connection, units.clone(), Savepoints::No) {
        Ok(answers) => return answers,
        Err(Stop::RunAgain(error)) if count == 1 => return vec![Err(error)],
        Err(Stop::All(error)) => error,
        Err(Stop::RunAgain(_)) => match together(connection, units, Savepoints::EachUnit) {
            Ok(answers) => return answers,
            Err(Stop::RunAgain(error) | Stop::All(error)) => error,
        },
    };
    vec![Err(stop); count]
}

fn together<'a>(
    connection: &mut Connection,
    units: impl ExactSizeIterator<Item = &'a Unit>,
    savepoints: Savepoints,
) -> Result<Vec<Answer>, Stop> {
    connection.step("BEGIN IMMEDIATE").map_err(Stop::All)?;
    let mut answers = Vec::with_capacity(units.len());
    for unit in units {
        match guarded(connection, unit, savepoints) {
            Ok(answer) => answers.push(answer),
            Err(stop) => {
                roll_back(connection);
                return Err(stop);
            }
        }
    }
    if let Err(error) = connection.step("COMMIT") {
        roll_back(connection);
        return Err(Stop::All(error));
    }
    Ok(answers)
}

fn guarded(
    connection: &mut Connection,
    unit: &Unit,
    savepoints: Savepoints,
) -> Result<Answer, Stop> {
    let before = connection.raw().total_changes();
    if savepoints == Savepoints::EachUnit {
        connection.step("SAVEPOINT unit").map_err(Stop::All)?;
    }
    let answer = run(connection, unit);
    if let Err(error) = &answer {
        if error.is_everybodys() || connection.raw().is_autocommit() {
            return Err(Stop::All(error.clone()));
        }
        let untouched = connection.raw().total_changes() == before;
        match savepoints {
            Savepoints::No if untouched => {}
            Savepoints::No => return Err(Stop::RunAgain(error.clone())),
            Savepoints::EachUnit => connection.step("ROLLBACK TO unit").map_err(Stop::All)?,
        }
    }
    if savepoints == Savepoints::EachUnit {
        connection.step("RELEASE unit").map_err(Stop::All)?;
    }
    Ok(answer)
}

fn run(connection: &mut Connection, unit: &Unit) -> Answer {
    let count = unit.statements().len();
    let mut done = Done {
        changed: Vec::with_capacity(count),
        returned: Vec::with_capacity(count),
    };
    for (index, statement) in unit.statements().iter().enumerate() {
        let ran = connection.write(&statement.sql, &statement.values)?;
        statement.expect.met(index, ran.changed)?;
        done.changed.push(ran.changed);
        done.returned.push(ran.returned);
    }
    Ok(done)
}

/// Undoes what is open; SQLite has already done so itself after some failures.
fn roll_back(connection: &Connection) {
    if connection.raw().is_autocommit() {
        return;
    }
    if let Err(error) = connection.step("ROLLBACK") {
        tracing::error!(%error, "a failed group could not be rolled back");
    }
}
