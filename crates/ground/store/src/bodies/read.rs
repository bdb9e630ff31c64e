//! Reads a body in bounded chunks, and says so when it is not what was stored.

use std::path::PathBuf;

use bytes::Bytes;
use ground_world::disk::OpenFile;

use super::{CHUNK_BYTES, LargeBodies, nowhere, trouble};
use crate::{Query, Row, Store, StoreError};

const READ: &str = "SELECT size, checksum, file, content FROM body WHERE id = $1";

/// A body being read. The checksum is compared when the last octet has been read: only after [`BodyReader::next`] answered
/// `None` is it certain that what came before was right.
pub struct BodyReader {
    store: Store,
    id: i64,
    size: u64,
    checksum: Bytes,
    hasher: blake3::Hasher,
    read: u64,
    source: Source,
}

enum Source {
    Inline(Bytes),
    File(PathBuf, OpenFile),
    /// The file's name and the place of its next chunk.
    Rows(String, i64),
}

impl Store {
    /// Opens the body `id`; `None` when there is no such row.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the row stands but its file does not; otherwise the store's or the disk's.
    pub async fn read_body(&self, id: i64) -> Result<Option<BodyReader>, StoreError> {
        let found = self.read(Query::new(READ, vec![id.into()])).await?;
        let Some(row) = found.first() else {
            return Ok(None);
        };
        let source = self.source(id, row).await?;
        Ok(Some(BodyReader {
            store: self.clone(),
            id,
            size: u64::try_from(row.int(0)?).unwrap_or(0),
            checksum: row.blob(1)?.clone(),
            hasher: blake3::Hasher::new(),
            read: 0,
            source,
        }))
    }

    async fn source(&self, id: i64, row: &Row) -> Result<Source, StoreError> {
        let Some(name) = row.optional_text(2)? else {
            return Ok(Source::Inline(row.blob(3)?.clone()));
        };
        let folder = match &self.shared.large_bodies {
            LargeBodies::Nowhere => return Err(nowhere()),
            LargeBodies::Rows => return Ok(Source::Rows(name.to_owned(), 0)),
            LargeBodies::Folder(folder) => folder,
        };
        let path = folder.join(name);
        match self.within(self.shared.world.disk.open(&path)).await? {
            Ok(file) => Ok(Source::File(path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(StoreError::Damaged(
                format!("body {id}: its file {} is gone", path.display()),
            )),
            Err(error) => Err(trouble(&path, &error)),
        }
    }
}

impl BodyReader {
    /// Octets of the whole body.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next octets, at most [`CHUNK_BYTES`]; `None` at the end of a body that was as stored.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] at the end when length or checksum are not those stored; otherwise the disk's.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let chunk = self.chunk().await?;
        if chunk.is_empty() {
            return self.verify().map(|()| None);
        }
        self.hasher.update(&chunk);
        self.read += chunk.len() as u64;
        Ok(Some(chunk))
    }

    async fn chunk(&mut self) -> Result<Bytes, StoreError> {
        match &mut self.source {
            Source::Inline(content) => {
                let length = content.len().min(CHUNK_BYTES);
                Ok(content.split_to(length))
            }
            Source::File(path, file) => {
                let reading = file.read_at(self.read, CHUNK_BYTES);
                let read = self.store.within(reading).await?;
                read.map_err(|error| trouble(path, &error))
            }
            Source::Rows(file, place) => {
                let chunk = self.store.read_chunk(file, *place).await?;
                *place += 1;
                Ok(chunk.unwrap_or_default())
            }
        }
    }

    fn verify(&self) -> Result<(), StoreError> {
        if self.read != self.size {
            return Err(StoreError::Damaged(format!(
                "body {} has {} octets, not {}",
                self.id, self.read, self.size
            )));
        }
        if self.hasher.finalize().as_bytes().as_slice() != self.checksum.as_ref() {
            let id = self.id;
            return Err(StoreError::Damaged(format!(
                "body {id} differs from its checksum"
            )));
        }
        Ok(())
    }

    /// The whole body at once, for bodies the caller knows to be small.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it has more than `limit` octets; otherwise as [`BodyReader::next`].
    pub async fn whole(mut self, limit: usize) -> Result<Bytes, StoreError> {
        if self.size > limit as u64 {
            let (id, size) = (self.id, self.size);
            return Err(StoreError::Refused(format!(
                "body {id} has {size} octets, more than the {limit} asked for"
            )));
        }
        let mut content = Vec::with_capacity(limit.min(CHUNK_BYTES));
        while let Some(chunk) = self.next().await? {
            content.extend_from_slice(&chunk);
        }
        Ok(content.into())
    }
}
