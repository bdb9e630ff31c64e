//! Writes a large body to its file while the message arrives.

use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use ground_world::disk::NewFile;

use super::{CHUNK_BYTES, trouble};
use crate::{Store, StoreError};

/// A body being written. Dropped before [`Spool::finish`], nothing of it is left.
pub struct Spool {
    store: Store,
    file: NewFile,
    name: String,
    path: PathBuf,
    checksum: blake3::Hasher,
    /// What is not written yet, less than a chunk.
    rest: BytesMut,
    size: u64,
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
        let path = self.body_file(&name)?;
        let created = self.within(world.disk.create(&path)).await?;
        Ok(Spool {
            store: self.clone(),
            file: created.map_err(|error| trouble(&path, &error))?,
            name,
            path,
            checksum: blake3::Hasher::new(),
            rest: BytesMut::new(),
            size: 0,
        })
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
        if self.rest.len() < CHUNK_BYTES {
            return Ok(());
        }
        let chunk = self.rest.split().freeze();
        self.flush(chunk).await
    }

    /// Octets so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    async fn flush(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        let written = self.store.within(self.file.append(chunk)).await?;
        written.map_err(|error| trouble(&self.path, &error))
    }

    /// Ends the body: flushes the file, gives it its name, flushes the folder.
    ///
    /// # Errors
    /// [`StoreError::Full`] or [`StoreError::Unavailable`]: nothing of it is left.
    pub async fn finish(mut self) -> Result<SpooledBody, StoreError> {
        let chunk = self.rest.split().freeze();
        if !chunk.is_empty() {
            self.flush(chunk).await?;
        }
        let path = self.path;
        let committed = self.store.within(self.file.commit()).await?;
        committed.map_err(|error| trouble(&path, &error))?;
        Ok(SpooledBody {
            name: self.name,
            size: self.size,
            checksum: *self.checksum.finalize().as_bytes(),
        })
    }
}
