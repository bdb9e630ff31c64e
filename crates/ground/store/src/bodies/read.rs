//! Reads a body in bounded chunks, and says so when it is not what was stored.

use std::path::PathBuf;

use bytes::Bytes;
use ground_world::disk::OpenFile;

use super::{CHUNK_BYTES, LargeBodies, SpooledBody, nowhere, trouble};
use crate::{Query, Row, Store, StoreError};

const READ: &str = "SELECT size, checksum, file, content FROM body WHERE id = $1";

/// A body being read. The checksum is compared when the last octet has been read: only after [`BodyReader::next`] answered
/// `None` is it certain that what came before was right.
pub struct BodyReader {
    store: Store,
    /// Which, for whoever reads of its damage.
    name: String,
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
        let size = u64::try_from(row.int(0)?).unwrap_or(0);
        let checksum = row.blob(1)?.clone();
        let reader = BodyReader::new(self, id.to_string(), size, checksum, source);
        Ok(Some(reader))
    }

    /// Opens a body that stands in its file, before a row names it.
    ///
    /// # Errors
    /// As [`Store::read_body`].
    pub async fn read_spooled(&self, spooled: &SpooledBody) -> Result<BodyReader, StoreError> {
        let name = spooled.name().to_owned();
        let source = self.large_source(&name, &name).await?;
        let checksum = Bytes::copy_from_slice(spooled.checksum());
        let size = spooled.size();
        Ok(BodyReader::new(self, name, size, checksum, source))
    }

    /// Opens a large body by its file's name, whatever is in it; `None` when nothing stands under that name.
    pub(crate) async fn read_file(&self, name: &str) -> Result<Option<BodyReader>, StoreError> {
        match self.large_source(name, name).await {
            Ok(source) => {
                let reader = BodyReader::new(self, name.to_owned(), 0, Bytes::new(), source);
                Ok(Some(reader))
            }
            Err(StoreError::Damaged(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn source(&self, id: i64, row: &Row) -> Result<Source, StoreError> {
        let Some(name) = row.optional_text(2)? else {
            return Ok(Source::Inline(row.blob(3)?.clone()));
        };
        self.large_source(&id.to_string(), name).await
    }

    async fn large_source(&self, body: &str, file: &str) -> Result<Source, StoreError> {
        let folder = match &self.shared.large_bodies {
            LargeBodies::Nowhere => return Err(nowhere()),
            LargeBodies::Rows => return Ok(Source::Rows(file.to_owned(), 0)),
            LargeBodies::Folder(folder) => folder,
        };
        let path = folder.join(file);
        match self.within(self.shared.world.disk.open(&path)).await? {
            Ok(file) => Ok(Source::File(path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(StoreError::Damaged(
                format!("body {body}: its file {} is gone", path.display()),
            )),
            Err(error) => Err(trouble(&path, &error)),
        }
    }
}

impl BodyReader {
    fn new(store: &Store, name: String, size: u64, checksum: Bytes, source: Source) -> Self {
        Self {
            store: store.clone(),
            name,
            size,
            checksum,
            hasher: blake3::Hasher::new(),
            read: 0,
            source,
        }
    }

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

    /// The next octets as they stand; none at the end. Nothing is compared.
    pub(crate) async fn unverified(&mut self) -> Result<Bytes, StoreError> {
        let chunk = self.chunk().await?;
        self.read += chunk.len() as u64;
        Ok(chunk)
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
                self.name, self.read, self.size
            )));
        }
        if self.hasher.finalize().as_bytes().as_slice() != self.checksum.as_ref() {
            let name = &self.name;
            return Err(StoreError::Damaged(format!(
                "body {name} differs from its checksum"
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
            let (name, size) = (&self.name, self.size);
            return Err(StoreError::Refused(format!(
                "body {name} has {size} octets, more than the {limit} asked for"
            )));
        }
        let mut content = Vec::with_capacity(limit.min(CHUNK_BYTES));
        while let Some(chunk) = self.next().await? {
            content.extend_from_slice(&chunk);
        }
        Ok(content.into())
    }
}
