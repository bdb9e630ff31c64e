//! Compares source and target, all rows of all tables and all octets of all bodies, by checksums worked out on each side.

use blake3::Hasher;

use super::copy::page;
use super::marker::{self, Role};
use super::tables::{BODY, BODY_CHECKSUM, BODY_CONTENT, BODY_FILE, TABLES, Table};
use super::{Progress, Rows, Transfer, TransferError, overtaken};
use crate::{Query, Row, Sql, Store, StoreError, Unit, Value};

/// Damaged bodies that are named; more are the same trouble.
const NAMED: usize = 100;

/// What is worth knowing of a move that went well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Each table with its rows, equal on both sides, and their checksum.
    pub tables: Vec<(&'static str, u64, String)>,
    /// Octets of bodies, inline and large.
    pub body_octets: u64,
    /// Bodies that are not what their checksum says, here as there; the first of them by id.
    pub damaged: Vec<i64>,
    /// Values with U+0000, which PostgreSQL keeps as U+FFFD.
    pub nul_values: u64,
    /// Counts that the source had wrong by its own rows; the target has them right.
    pub miscounted: Vec<String>,
}

/// One side of a table.
#[derive(Debug, Default)]
struct Side {
    rows: u64,
    hasher: Hasher,
    body_octets: u64,
    damaged: Vec<i64>,
    nul_values: u64,
}

/// Whether text is compared as PostgreSQL keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nul {
    Kept,
    Shown,
}

const TOTALS: &str = "SELECT what, n FROM total ORDER BY what";

/// Counts that each engine derives: (what, by which query).
const DERIVED: [(&str, &str); 2] = [
    (
        "references to bodies",
        "SELECT '', CAST(coalesce(sum(refs), 0) AS BIGINT) FROM body",
    ),
    (
        "recipients by state",
        "SELECT state, CAST(sum(n) AS BIGINT) FROM tally GROUP BY state ORDER BY state",
    ),
];

const ADD_TOTAL: Sql = Sql::each(
    "UPDATE total SET n = n + $2 WHERE what = $1",
    "INSERT INTO total_change (what, n) VALUES ($1, $2)",
);

/// Ids of folders are PostgreSQL's to give; the next one is behind all that came.
const FOLDER_IDS: Sql = Sql::each(
    "SELECT 1",
    "SELECT setval(pg_get_serial_sequence('folder', 'id'), greatest(max(id), 1)) FROM folder",
);

impl Transfer<'_> {
    /// Compares everything.
    pub(super) async fn compare(&self) -> Result<Notes, TransferError> {
        let nul = if self.source.store.is_postgres() || self.target.store.is_postgres() {
            Nul::Shown
        } else {
            Nul::Kept
        };
        let (mut notes, mut differ) = (Notes::default(), Vec::new());
        let mut before = 0;
        for (table, count) in TABLES.iter().zip(&self.counts) {
            let told = |done| {
                let rows = Rows {
                    done: before + done,
                    all: self.all(),
                };
                self.tell(Progress::Comparing(table.name, rows));
            };
            told(0);
            let (here, there) = tokio::join!(
                side(&self.source.store, table, nul, &told),
                side(&self.target.store, table, nul, &|_| {}),
            );
            let here = here.map_err(TransferError::Source)?;
            let there = there.map_err(TransferError::Target)?;
            let (sum, other) = (here.hasher.finalize(), there.hasher.finalize());
            if here.rows != there.rows {
                differ.push(format!(
                    "the table {} ({} rows, {} in the target)",
                    table.name, here.rows, there.rows
                ));
            } else if sum != other {
                differ.push(format!("the table {} (checksums)", table.name));
            }
            notes
                .tables
                .push((table.name, here.rows, sum.to_hex().to_string()));
            notes.body_octets += here.body_octets;
            notes.damaged.extend(here.damaged);
            if nul == Nul::Shown {
                notes.nul_values += here.nul_values;
            }
            before += count;
        }
        if !differ.is_empty() {
            return Err(TransferError::Differ(differ.join(", ")));
        }
        notes.miscounted = self.miscounted().await?;
        Ok(notes)
    }

    /// Counts that the source has otherwise than the target, which counted the very same rows.
    async fn miscounted(&self) -> Result<Vec<String>, TransferError> {
        let mut miscounted = Vec::new();
        for (what, text) in DERIVED {
            let (here, there) = self.both(text).await?;
            if here != there {
                miscounted.push(what.to_owned());
            }
        }
        Ok(miscounted)
    }

    async fn both(&self, text: &'static str) -> Result<(Vec<Row>, Vec<Row>), TransferError> {
        let query = || Query::new(text, Vec::new());
        let (here, there) = tokio::join!(
            self.source.store.read(query()),
            self.target.store.read(query())
        );
        let here = here.map_err(TransferError::Source)?;
        Ok((here, there.map_err(TransferError::Target)?))
    }

    /// Gives the target what no row tells, counts once more, and marks it: all in one transaction.
    pub(super) async fn mark_arrived(&self) -> Result<(), TransferError> {
        let mut unit = marker::guarded(Role::Arriving, self.run);
        let (here, there) = self.both(TOTALS).await?;
        let differences = differences(&here, &there).map_err(TransferError::Target)?;
        for (what, difference) in differences {
            unit.write_exactly(1, ADD_TOTAL, vec![what.into(), difference.into()]);
        }
        unit.write(FOLDER_IDS, Vec::new());
        let counted = unit.statements().len();
        self.count_again(&mut unit);
        marker::change(
            &mut unit,
            Role::Arriving,
            &self.source.id,
            self.run,
            Role::Arrived,
        );
        match self.target.store.write(unit).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict(unmet)) if unmet.statement == counted => Err(
                TransferError::Differ("the number of rows: somebody writes to the target".into()),
            ),
            Err(error) => Err(overtaken(error)),
        }
    }

    /// Nothing happens unless every table has as many rows as the source.
    fn count_again(&self, unit: &mut Unit) {
        const COUNTED: Sql = Sql::new(
            "UPDATE transfer SET run = run WHERE (SELECT count(*) FROM body) = $1 AND (SELECT count(*) FROM message) = $2 \
             AND (SELECT count(*) FROM recipient) = $3 AND (SELECT count(*) FROM mail) = $4 AND (SELECT count(*) FROM event) = $5 \
             AND (SELECT count(*) FROM attempt) = $6",
        );
        let count = |name: &str| {
            let place = TABLES.iter().position(|table| table.name == name);
            let count = place.and_then(|place| self.counts.get(place));
            Value::Int(count.map_or(-1, |count| i64::try_from(*count).unwrap_or(i64::MAX)))
        };
        let tables = ["body", "message", "recipient", "mail", "event", "attempt"];
        unit.write_exactly(1, COUNTED, tables.map(count).to_vec());
    }
}

/// What must be added to each of the target's totals: what the source has counted and pruned since.
fn differences(here: &[Row], there: &[Row]) -> Result<Vec<(String, i64)>, StoreError> {
    let mut found = Vec::new();
    for row in here {
        let what = row.text(0)?;
        let same = there.iter().find(|other| other.text(0) == Ok(what));
        let counted = same.map_or(Ok(0), |other| other.int(1))?;
        let difference = row.int(1)?.saturating_sub(counted);
        if difference != 0 {
            found.push((what.to_owned(), difference));
        }
    }
    Ok(found)
}

/// Reads one side of a table in the order of its key.
async fn side(
    store: &Store,
    table: &Table,
    nul: Nul,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Side, StoreError> {
    let mut side = Side::default();
    let mut batch = page(store, table, None).await?;
    while let Some(last) = batch.last() {
        let last = table.key_of(last);
        let (added, next) = tokio::join!(
            side.add(store, table, nul, &batch),
            page(store, table, Some(&last))
        );
        added?;
        batch = next?;
        told(side.rows);
    }
    Ok(side)
}

impl Side {
    async fn add(
        &mut self,
        store: &Store,
        table: &Table,
        nul: Nul,
        batch: &[Row],
    ) -> Result<(), StoreError> {
        for row in batch {
            self.rows += 1;
            for value in row.values() {
                self.value(value, nul);
            }
            if table.name == BODY.name {
                self.body(store, row).await?;
            }
        }
        Ok(())
    }

    /// Each value with its kind and length, so that no two rows look alike.
    fn value(&mut self, value: &Value, nul: Nul) {
        match value {
            Value::Null => {
                self.hasher.update(b"n");
            }
            Value::Int(int) => {
                self.hasher.update(b"i").update(&int.to_le_bytes());
            }
            Value::Text(text) if text.contains('\0') => {
                self.nul_values += 1;
                match nul {
                    Nul::Kept => self.octets(b"t", text.as_bytes()),
                    Nul::Shown => self.octets(b"t", text.replace('\0', "\u{FFFD}").as_bytes()),
                }
            }
            Value::Text(text) => self.octets(b"t", text.as_bytes()),
            Value::Blob(octets) => self.octets(b"b", octets),
        }
    }

    fn octets(&mut self, kind: &[u8], octets: &[u8]) {
        let length = octets.len() as u64;
        self.hasher.update(kind).update(&length.to_le_bytes());
        self.hasher.update(octets);
    }

    /// The content of a body by its BLAKE3, wherever it stands: what is there, not what its row says.
    async fn body(&mut self, store: &Store, row: &Row) -> Result<(), StoreError> {
        let mut content = Hasher::new();
        match (row.values().get(BODY_CONTENT), row.values().get(BODY_FILE)) {
            (Some(Value::Blob(octets)), _) => {
                content.update(octets);
            }
            (_, Some(Value::Text(file))) => {
                if let Some(mut reader) = store.read_file(file).await? {
                    loop {
                        let octets = reader.unverified().await?;
                        if octets.is_empty() {
                            break;
                        }
                        content.update(&octets);
                    }
                }
            }
            (_, _) => {}
        }
        self.body_octets += content.count();
        let sum = content.finalize();
        self.hasher.update(sum.as_bytes());
        if row.blob(BODY_CHECKSUM)?.as_ref() != sum.as_bytes() && self.damaged.len() < NAMED {
            self.damaged.push(row.int(0)?);
        }
        Ok(())
    }
}
