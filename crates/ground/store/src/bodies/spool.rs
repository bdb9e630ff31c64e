//! Writes a large body to where it stands while the message arrives.

use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use ground_world::disk::{NewFile, TEMPORARY_SUFFIX};

use super::chunks::RowFile;
use super::{CHUNK_BYTES, LargeBodies, nowhere, trouble};
use crate::{Store, StoreError};

/// A body being written. Dropped before [`Spool::finish`], nothing of it is left.
pub struct Spool {
    store: Store,
    sink: Sink,
    name: String,
    checksum: blake3::Hasher,
    /// What is not written yet, less than a chunk.
    rest: BytesMut,
    size: u64,
}

enum Sink {
    File(NewFile, PathBuf),
    Rows(RowFile),
}

/// A body that stands whole and flushed in its file. Until a row names it, it is an orphan that the reconciler removes after
/// a grace time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpooledBody {
    name: String,
    size: u64,
    checksum: [u8; blake3::OUT_LEN],
}

impl SpooledBody {
    /// The file's name in the bodies folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Octets.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// BLAKE3 of the content.
    #[must_use]
    pub fn checksum(&self) -> &[u8; blake3::OUT_LEN] {
        &self.checksum
    }
}

impl Store {
    /// Begins a large body.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::Unavailable`]: the disk's; [`StoreError::Refused`] for a store in memory.
    pub async fn spool(&self) -> Result<Spool, StoreError> {
        let world = &self.shared.world;
        // Ordered by time for the eye; the dice keep names apart.
        let name = format!(
            "{:011x}-{:016x}",
            world.clock.now().as_millis(),
            world.chance.u64()
        );
        self.spool_as(name).await
    }

    /// Begins a large body whose name is known, in place of what a copying that was interrupted left under it. No row may name
    /// it yet.
    pub(crate) async fn spool_again(&self, name: &str) -> Result<Spool, StoreError> {
        self.remove_file(name).await?;
        if let LargeBodies::Folder(_) = &self.shared.large_bodies {
            self.remove_file(&format!("{name}{TEMPORARY_SUFFIX}"))
                .await?;
        }
        self.spool_as(name.to_owned()).await
    }

    async fn spool_as(&self, name: String) -> Result<Spool, StoreError> {
        Ok(Spool {
            store: self.clone(),
            sink: self.sink(&name).await?,
            name,
            checksum: blake3::Hasher::new(),
            rest: BytesMut::new(),
            size: 0,
        })
    }

    async fn sink(&self, name: &str) -> Result<Sink, StoreError> {
        match &self.shared.large_bodies {
            LargeBodies::Nowhere => Err(nowhere()),
            LargeBodies::Rows => RowFile::create(self, name).await.map(Sink::Rows),
            LargeBodies::Folder(folder) => {
                let path = folder.join(name);
                let created = self.within(self.shared.world.disk.create(&path)).await?;
                let file = created.map_err(|error| trouble(&path, &error))?;
                Ok(Sink::File(file, path))
            }
        }
    }

    /// Gives file work at most the time of a write.
    pub(super) async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, StoreError> {
        let deadline = self.shared.options.write_deadline;
        let done = self.shared.world.clock.timeout(deadline, work).await;
        done.map_err(|late| StoreError::Unavailable(format!("the disk: {late}")))
    }
}

impl Spool {
    /// Adds octets; they reach the disk in chunks.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::Unavailable`]: it must be dropped then.
    pub async fn append(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        self.checksum.update(octets);
        self.size += octets.len() as u64;
        self.rest.extend_from_slice(octets);
        while self.rest.len() >= CHUNK_BYTES {
            let chunk = self.rest.split_to(CHUNK_BYTES).freeze();
            self.flush(chunk).await?;
        }
        Ok(())
    }

    /// Octets so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    async fn flush(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        match &mut self.sink {
            Sink::File(file, path) => {
                let written = self.store.within(file.append(chunk)).await?;
                written.map_err(|error| trouble(path, &error))
            }
            Sink::Rows(rows) => rows.append(chunk).await,
        }
    }

    /// Ends the body: flushes what is not flushed yet, and gives it its name.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::Unavailable`]: nothing of it is left.
    pub async fn finish(mut self) -> Result<SpooledBody, StoreError> {
        let chunk = self.rest.split().freeze();
        if !chunk.is_empty() {
            self.flush(chunk).await?;
        }
        match self.sink {
            Sink::File(file, path) => {
                let committed = self.store.within(file.commit()).await?;
                committed.map_err(|error| trouble(&path, &error))?;
            }
            Sink::Rows(rows) => rows.keep(),
        }
        Ok(SpooledBody {
            name: self.name,
            size: self.size,
            checksum: *self.checksum.finalize().as_bytes(),
        })
    }
}
