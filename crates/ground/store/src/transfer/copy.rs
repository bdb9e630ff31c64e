//! Copies the rows that are not in the target yet, table by table, batch by batch, and the files that they name.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::marker::{self, Role};
use super::tables::{self, BODY, BODY_FILE, Key, RECIPIENT, TABLES, Table};
use super::{Progress, Rows, Transfer, TransferError, overtaken};
use crate::{Query, Row, Sql, Store, StoreError, Unit, Value};

/// Rows of one batch: enough to share a flush, few enough to be read and written in well under a second.
const BATCH_ROWS: usize = 1000;

/// Octets of the small bodies in one batch, unless one alone has more.
const BATCH_BYTES: i64 = 8 << 20;

/// Large bodies copied at one time: each waits for a flush of its own.
const LARGE_AT_ONCE: usize = 8;

/// What a birth wrote of a batch of recipients; what of it still holds comes with the table itself.
const NOT_DUE: Sql = Sql::new("DELETE FROM search_due WHERE recipient >= $1 AND recipient <= $2");

/// PostgreSQL writes each change of a count as a row, which somebody must add up.
const FOLD: Sql = Sql::each("SELECT 1", "SELECT fold_counts()");

/// Reads the next batch of `table` behind `after`; empty at the end.
pub(super) async fn page(
    store: &Store,
    table: &Table,
    after: Option<&Key>,
) -> Result<Vec<Row>, StoreError> {
    let upto = if table.name == BODY.name {
        match last_of_batch(store, after).await? {
            None => return Ok(Vec::new()),
            last => last,
        }
    } else {
        None
    };
    let (condition, values) = table.between(after, upto.as_ref());
    let text = format!(
        "SELECT {} FROM {}{condition} ORDER BY {} LIMIT {BATCH_ROWS}",
        table.columns.join(", "),
        table.name,
        table.key_columns(),
    );
    store.read(Query::new(text, values)).await
}

/// Which body is the last of the next batch: as many as have [`BATCH_BYTES`] together, but one at least.
async fn last_of_batch(store: &Store, after: Option<&Key>) -> Result<Option<Key>, StoreError> {
    let (condition, values) = BODY.between(after, None);
    let text = format!(
        "SELECT id, coalesce(length(content), 0) FROM body{condition} ORDER BY id LIMIT {BATCH_ROWS}"
    );
    let (mut bytes, mut last) = (0_i64, None);
    for row in store.read(Query::new(text, values)).await? {
        bytes = bytes.saturating_add(row.int(1)?);
        if bytes > BATCH_BYTES && last.is_some() {
            break;
        }
        last = Some(BODY.key_of(&row));
    }
    Ok(last)
}

impl Transfer<'_> {
    pub(super) async fn copy(&self) -> Result<(), TransferError> {
        let there = super::counts(&self.target.store).await;
        let there = there.map_err(TransferError::Target)?;
        let mut before = 0;
        for ((table, there), all) in TABLES.iter().zip(there).zip(&self.counts) {
            self.copy_table(table, before, there).await?;
            before += all;
        }
        Ok(())
    }

    /// Copies what follows the greatest key that is there. The next batch is read while one is written.
    async fn copy_table(
        &self,
        table: &'static Table,
        before: u64,
        there: u64,
    ) -> Result<(), TransferError> {
        let seeded = table.birth == tables::Birth::Seeded;
        let mut rows = Rows {
            done: before + if seeded { 0 } else { there },
            all: self.all(),
        };
        self.tell(Progress::Copying(table.name, rows));
        let cursor = self.cursor(table).await?;
        let mut batch = self.source_page(table, cursor.as_ref()).await?;
        while let Some(last) = batch.last() {
            let last = table.key_of(last);
            let next = self.source_page(table, Some(&last));
            let (written, next) = tokio::join!(self.bring_in(table, &batch), next);
            written?;
            rows.done += batch.len() as u64;
            batch = next?;
            self.tell(Progress::Copying(table.name, rows));
        }
        Ok(())
    }

    async fn source_page(
        &self,
        table: &Table,
        after: Option<&Key>,
    ) -> Result<Vec<Row>, TransferError> {
        let rows = page(&self.source.store, table, after).await;
        rows.map_err(TransferError::Source)
    }

    /// The greatest key in the target; `None` to begin at the beginning.
    async fn cursor(&self, table: &Table) -> Result<Option<Key>, TransferError> {
        if table.birth == tables::Birth::Seeded {
            return Ok(None);
        }
        let key = table.key_columns();
        let backwards = key.replace(", ", " DESC, ");
        let text = format!(
            "SELECT {key} FROM {} ORDER BY {backwards} DESC LIMIT 1",
            table.name
        );
        let rows = self.target.store.read(Query::new(text, Vec::new())).await;
        let rows = rows.map_err(TransferError::Target)?;
        Ok(rows.first().map(|row| table.key_of(row)))
    }

    /// Writes a batch, after the files that it names.
    async fn bring_in(&self, table: &'static Table, batch: &[Row]) -> Result<(), TransferError> {
        for row in batch {
            readable(table, row)?;
        }
        if table.name == BODY.name {
            let files = batch
                .iter()
                .filter_map(|row| match row.values().get(BODY_FILE) {
                    Some(Value::Text(file)) => Some((row, file)),
                    Some(_) | None => None,
                });
            let copies = files.map(|(row, file)| self.copy_file(row, file));
            let copies = stream::iter(copies).buffer_unordered(LARGE_AT_ONCE);
            copies.try_collect::<()>().await?;
        }
        match self.target.store.write(self.unit_of(table, batch)).await {
            Ok(_) => Ok(()),
            Err(StoreError::Refused(_)) => self.bring_in_singly(table, batch).await,
            Err(error) => Err(overtaken(error)),
        }
    }

    /// After a batch was refused: brings in what goes in, and names the row that does not.
    async fn bring_in_singly(
        &self,
        table: &'static Table,
        batch: &[Row],
    ) -> Result<(), TransferError> {
        for row in batch {
            let unit = self.unit_of(table, std::slice::from_ref(row));
            let written = self.target.store.write(unit).await;
            written.map_err(|error| match error {
                StoreError::Refused(why) => refused(table, row, why),
                error @ (StoreError::Conflict(_)
                | StoreError::Full(_)
                | StoreError::Unavailable(_)
                | StoreError::Damaged(_)
                | StoreError::Unfit(_)
                | StoreError::Elsewhere(_)) => overtaken(error),
            })?;
        }
        Ok(())
    }

    fn unit_of(&self, table: &Table, batch: &[Row]) -> Unit {
        let mut unit = marker::guarded(Role::Arriving, self.run);
        table.bring_in(&mut unit, batch);
        if table.name == RECIPIENT.name
            && let (Some(first), Some(last)) = (batch.first(), batch.last())
        {
            let id = |row: &Row| row.values().first().cloned().unwrap_or(Value::Null);
            unit.write(NOT_DUE, vec![id(first), id(last)]);
            unit.write(FOLD, Vec::new());
        }
        unit
    }

    /// Copies the file of a large body as it stands, right or wrong; one that is gone stays gone.
    async fn copy_file(&self, row: &Row, file: &str) -> Result<(), TransferError> {
        if file.is_empty() || file.contains('/') || file == "." || file == ".." {
            return Err(refused(
                &BODY,
                row,
                format!("{file:?} is no name of a file"),
            ));
        }
        let opened = self.source.store.read_file(file).await;
        let mut reader = opened.map_err(TransferError::Source)?;
        if reader.is_none() && !self.target.store.is_shared() {
            return Ok(());
        }
        // In rows, one that is gone is a name without any octets.
        let spool = self.target.store.spool_again(file).await;
        let mut spool = spool.map_err(TransferError::Target)?;
        while let Some(reader) = &mut reader {
            let octets = reader.unverified().await.map_err(TransferError::Source)?;
            if octets.is_empty() {
                break;
            }
            spool.append(&octets).await.map_err(TransferError::Target)?;
        }
        spool
            .finish()
            .await
            .map(drop)
            .map_err(TransferError::Target)
    }
}

/// Text that is no text can be written nowhere: it comes as octets where none can be.
fn readable(table: &'static Table, row: &Row) -> Result<(), TransferError> {
    for (column, value) in table.columns.iter().zip(row.values()) {
        if matches!(value, Value::Blob(_)) && !table.octets.contains(column) {
            let why = format!(
                "its {column} is no readable text; repair it in the source, or restore the source from a backup"
            );
            return Err(refused(table, row, why));
        }
    }
    Ok(())
}

fn refused(table: &'static Table, row: &Row, why: String) -> TransferError {
    TransferError::Row {
        table: table.name,
        key: table.key_of(row).to_string(),
        why,
    }
}
