//! Writes and queries as data.

use crate::{Expectation, Row, StoreError, Value};

/// One SQL statement for every engine: parameters are `$1`, `$2`, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sql {
    /// The text SQLite runs.
    pub sqlite: &'static str,
    /// The text PostgreSQL runs.
    pub postgres: &'static str,
}

impl Sql {
    /// A statement that every engine takes as it is.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self {
            sqlite: text,
            postgres: text,
        }
    }

    /// A statement that differs by engine; both stand side by side.
    #[must_use]
    pub const fn each(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }
}

/// How many rows a statement must change for its unit to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Any number, none included.
    Any,
    /// Exactly this many; otherwise the whole unit is undone and answered with `StoreError::Conflict`.
    Rows(u64),
}

impl Expect {
    /// Whether the statement with this `index` in its unit may have changed so many rows.
    pub(crate) fn met(self, index: usize, changed: u64) -> Result<(), StoreError> {
        match self {
            Self::Rows(expected) if expected != changed => Err(StoreError::Conflict(Expectation {
                statement: index,
                expected,
                changed,
            })),
            Self::Rows(_) | Self::Any => Ok(()),
        }
    }
}

/// One write with its values and what it must change.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The statement.
    pub sql: Sql,
    /// Its values, `$1` first.
    pub values: Vec<Value>,
    /// What it must change.
    pub expect: Expect,
}

/// Writes that happen together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    statements: Vec<Statement>,
}

impl Unit {
    /// An empty unit.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a write that may change any number of rows.
    pub fn write(&mut self, sql: Sql, values: Vec<Value>) {
        self.statements.push(Statement {
            sql,
            values,
            expect: Expect::Any,
        });
    }

    /// Adds a write that must change exactly `rows` rows, or nothing of the unit happens.
    pub fn write_exactly(&mut self, rows: u64, sql: Sql, values: Vec<Value>) {
        self.statements.push(Statement {
            sql,
            values,
            expect: Expect::Rows(rows),
        });
    }

    /// Appends all of `other`: both happen together or not at all.
    pub fn join(&mut self, other: Unit) {
        self.statements.extend(other.statements);
    }

    /// The writes in order.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// About how many octets this unit carries: what counts against the bounds of a group.
    #[must_use]
    pub fn weight(&self) -> usize {
        let values = self.statements.iter().flat_map(|one| &one.values);
        values.map(Value::weight).sum()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

/// What a committed unit did: for each statement the rows it changed and, for a statement with `RETURNING`, the rows it gave.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Rows changed, by statement.
    pub changed: Vec<u64>,
    /// Rows returned, by statement (empty without `RETURNING`).
    pub returned: Vec<Vec<Row>>,
}

/// One query that only reads. The text may be composed at run time (filters), its values never are.
#[derive(Debug, Clone)]
pub struct Query {
    /// The text, `$1`, `$2`, ... for values.
    pub text: std::borrow::Cow<'static, str>,
    /// The values, `$1` first.
    pub values: Vec<Value>,
}

impl Query {
    /// A query and its values.
    #[must_use]
    pub fn new(text: impl Into<std::borrow::Cow<'static, str>>, values: Vec<Value>) -> Self {
        Self {
            text: text.into(),
            values,
        }
    }
}
