//! Large bodies as rows: a row of `body_file` for each, and its chunks in `body_chunk`.
//!
//! Each chunk is a unit like any other, so it shares its flush with whoever writes at that moment, and the chunk that could
//! not be written is known at once.

use bytes::Bytes;
use ground_world::Time;

use super::Orphan;
use crate::{Query, Sql, Store, StoreError, Unit, Value};

const BEGIN: Sql = Sql::new("INSERT INTO body_file (file, size, written_at) VALUES ($1, 0, $2)");
const GROW: Sql =
    Sql::new("UPDATE body_file SET size = size + $2, written_at = $3 WHERE file = $1");
const CHUNK: Sql = Sql::new("INSERT INTO body_chunk (file, place, content) VALUES ($1, $2, $3)");
const READ: &str = "SELECT content FROM body_chunk WHERE file = $1 AND place = $2";
const REMOVE_CHUNKS: Sql = Sql::new("DELETE FROM body_chunk WHERE file = $1");
const REMOVE: Sql = Sql::new("DELETE FROM body_file WHERE file = $1");
const ORPHANS: &str = "SELECT file, size, written_at FROM body_file WHERE written_at <= $1 \
     AND NOT EXISTS (SELECT 1 FROM body WHERE body.file = body_file.file) \
     AND NOT EXISTS (SELECT 1 FROM body_file_done WHERE body_file_done.file = body_file.file) \
     ORDER BY file LIMIT $2";

/// Orphans told of at once; the next call tells of more.
const ORPHANS_AT_ONCE: i64 = 10_000;

/// A body being written as rows. Dropped before [`RowFile::keep`], its rows are removed.
pub(super) struct RowFile {
    store: Store,
    name: String,
    chunks: i64,
    kept: bool,
}

impl RowFile {
    pub(super) async fn create(store: &Store, name: &str) -> Result<Self, StoreError> {
        let mut unit = Unit::new();
        unit.write_exactly(1, BEGIN, vec![name.into(), now(store)]);
        // Before the write: one whose answer was lost may have happened.
        let file = Self {
            store: store.clone(),
            name: name.to_owned(),
            chunks: 0,
            kept: false,
        };
        store.write(unit).await?;
        Ok(file)
    }

    pub(super) async fn append(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        let length = i64::try_from(chunk.len()).unwrap_or(i64::MAX);
        let name: Value = self.name.as_str().into();
        let mut unit = Unit::new();
        let grown = vec![name.clone(), length.into(), now(&self.store)];
        unit.write_exactly(1, GROW, grown);
        unit.write_exactly(1, CHUNK, vec![name, self.chunks.into(), chunk.into()]);
        self.store.write(unit).await?;
        self.chunks += 1;
        Ok(())
    }

    /// Every chunk has been committed; the body stays.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for RowFile {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (store, name) = (self.store.clone(), std::mem::take(&mut self.name));
        runtime.spawn(async move {
            // What stays is an orphan, which the reconciler finds.
            if let Err(error) = store.remove_rows(&name).await {
                tracing::debug!(%error, name, "a body that was given up stays for a while");
            }
        });
    }
}

impl Store {
    pub(super) async fn remove_rows(&self, name: &str) -> Result<(), StoreError> {
        let mut unit = Unit::new();
        unit.write(REMOVE_CHUNKS, vec![name.into()]);
        unit.write(REMOVE, vec![name.into()]);
        self.write(unit).await.map(drop)
    }

    /// The chunk of `file` at `place`, or `None` behind its end.
    pub(super) async fn read_chunk(
        &self,
        file: &str,
        place: i64,
    ) -> Result<Option<Bytes>, StoreError> {
        let query = Query::new(READ, vec![file.into(), place.into()]);
        let rows = self.read(query).await?;
        rows.first().map(|row| row.blob(0).cloned()).transpose()
    }

    pub(super) async fn orphan_rows(&self) -> Result<Vec<Orphan>, StoreError> {
        let grace = self.shared.options.orphan_grace.as_millis();
        let grace = i64::try_from(grace).unwrap_or(i64::MAX);
        let old = self
            .shared
            .world
            .clock
            .now()
            .as_millis()
            .saturating_sub(grace);
        let query = Query::new(ORPHANS, vec![old.into(), ORPHANS_AT_ONCE.into()]);
        let rows = self.read(query).await?;
        let orphan = |row: &crate::Row| {
            Ok(Orphan {
                name: row.text(0)?.to_owned(),
                size: u64::try_from(row.int(1)?).unwrap_or(0),
                modified: Time::from_millis(row.int(2)?),
            })
        };
        rows.iter().map(orphan).collect()
    }
}

fn now(store: &Store) -> Value {
    store.shared.world.clock.now().as_millis().into()
}
