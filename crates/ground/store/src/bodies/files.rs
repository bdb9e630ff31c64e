//! Removes the files nobody refers to any more, and finds those nobody ever did.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;

use ground_world::Time;
use ground_world::disk::{Entry, TEMPORARY_SUFFIX};

use super::{LargeBodies, nowhere, trouble};
use crate::{Query, Sql, Store, StoreError, Unit};

/// Files removed, or looked up, in one go.
const BATCH: usize = 256;

const DONE: &str = "SELECT file FROM body_file_done ORDER BY file LIMIT $1";
const REMOVED: Sql = Sql::new("DELETE FROM body_file_done WHERE file = $1");

/// A body's file that no row names, older than the grace time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its name.
    pub name: String,
    /// Octets.
    pub size: u64,
    /// When it was last written.
    pub modified: Time,
}

impl Store {
    /// Removes files whose body nobody refers to any more, some of them at a time; the number removed. Below a full batch,
    /// nothing is left to do. A crash on the way costs nothing: a file that is gone already counts as removed.
    ///
    /// # Errors
    /// The disk's or the store's; what is left is removed by a later call.
    pub async fn remove_done_files(&self) -> Result<usize, StoreError> {
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let rows = self.read(Query::new(DONE, vec![limit.into()])).await?;
        let mut unit = Unit::new();
        for row in &rows {
            let name = row.text(0)?;
            self.remove_file(name).await?;
            unit.write(REMOVED, vec![name.into()]);
        }
        self.write(unit).await?;
        Ok(rows.len())
    }

    /// Removes an orphan, or a spooled body that its caller has no use for; one that is gone is fine.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when a row names it; otherwise the disk's or the store's.
    pub async fn discard_body_file(&self, name: &str) -> Result<(), StoreError> {
        if self.named(&[name]).await?.contains(name) {
            return Err(StoreError::Refused(format!(
                "the body file {name} is in use"
            )));
        }
        self.remove_file(name).await
    }

    pub(super) async fn remove_file(&self, name: &str) -> Result<(), StoreError> {
        let path = match &self.shared.large_bodies {
            LargeBodies::Nowhere => return Err(nowhere()),
            LargeBodies::Rows => return self.remove_rows(name).await,
            LargeBodies::Folder(folder) => folder.join(name),
        };
        match self.within(self.shared.world.disk.remove(&path)).await? {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(trouble(&path, &error)),
        }
    }

    /// Files of bodies that no row names and that were not written to for the grace time
    /// ([`crate::Options::orphan_grace`]): left by a crash between a body's file and its row. What is noted for removal is no orphan.
    ///
    /// # Errors
    /// The disk's or the store's.
    pub async fn orphan_body_files(&self) -> Result<Vec<Orphan>, StoreError> {
        match &self.shared.large_bodies {
            LargeBodies::Nowhere => Ok(Vec::new()),
            LargeBodies::Rows => self.orphan_rows().await,
            LargeBodies::Folder(folder) => self.orphans_in(folder).await,
        }
    }

    async fn orphans_in(&self, folder: &Path) -> Result<Vec<Orphan>, StoreError> {
        let listed = self.within(self.shared.world.disk.list(folder)).await?;
        let listed = listed.map_err(|error| trouble(folder, &error))?;
        let now = self.shared.world.clock.now();
        let grace = self.shared.options.orphan_grace;
        let old: Vec<Entry> = listed
            .into_iter()
            .filter(|entry| now.since(entry.modified) >= grace)
            .collect();
        let mut orphans = Vec::new();
        for batch in old.chunks(BATCH) {
            let names: Vec<&str> = batch.iter().map(|entry| entry.name.as_str()).collect();
            let named = self.named(&names).await?;
            let unnamed = batch.iter().filter(|entry| !named.contains(&entry.name));
            orphans.extend(unnamed.map(|entry| Orphan {
                name: entry.name.clone(),
                size: entry.size,
                modified: entry.modified,
            }));
        }
        Ok(orphans)
    }

    /// Which of the files in `names` a row names.
    async fn named(&self, names: &[&str]) -> Result<HashSet<String>, StoreError> {
        let names: Vec<&&str> = names
            .iter()
            .filter(|name| !name.ends_with(TEMPORARY_SUFFIX))
            .collect();
        if names.is_empty() {
            return Ok(HashSet::new());
        }
        let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
        let places = places.join(", ");
        let text = format!(
            "SELECT file FROM body WHERE file IN ({places}) UNION SELECT file FROM body_file_done WHERE file IN ({places})"
        );
        let values = names.iter().map(|name| (**name).into()).collect();
        let rows = self.read(Query::new(text, values)).await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }
}
