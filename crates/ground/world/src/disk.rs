//! Files of large bodies, and how much room is left.
//!
//! A file is written under a temporary name and appears under its own, whole and flushed, or never:
//! `create` → `append`... → `commit`. The real twin does its work off the runtime's threads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::Time;

mod real;
mod simulated;

pub use simulated::SimulatedDisk;

/// The end of a temporary name. What bears it at start-up was left by a crash and may be removed.
pub const TEMPORARY_SUFFIX: &str = ".part";

/// Reads and writes files. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Disk {
    twin: Twin,
}

#[derive(Clone, Debug)]
enum Twin {
    Real,
    Simulated(SimulatedDisk),
}

/// A file found by [`Disk::list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the folder.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Time,
}

impl Disk {
    pub(crate) fn real() -> Self {
        Self { twin: Twin::Real }
    }

    pub(crate) fn simulated(clock: crate::clock::Clock) -> (Self, SimulatedDisk) {
        let simulated = SimulatedDisk::new(clock);
        let disk = Self {
            twin: Twin::Simulated(simulated.clone()),
        };
        (disk, simulated)
    }

    /// Bytes that can still be written to the file system that holds `path` (which must exist), by us.
    ///
    /// # Errors
    /// The operator's: the path does not exist or cannot be asked.
    pub async fn free(&self, path: &Path) -> io::Result<u64> {
        match &self.twin {
            Twin::Real => real::free(path.to_owned()).await,
            Twin::Simulated(simulated) => Ok(simulated.free()),
        }
    }

    /// What somebody with a file format of his own (the store's database) keeps under `path` on a simulated disk: made at
    /// the first call, the same one ever after, simulated crashes included. `None` on the real disk.
    pub fn simulated_content<T: Send + Sync + 'static>(
        &self,
        path: &Path,
        make: impl FnOnce() -> T,
    ) -> Option<Arc<T>> {
        match &self.twin {
            Twin::Real => None,
            Twin::Simulated(simulated) => simulated.content(path, make),
        }
    }

    /// What writing and flushing `bytes` into such content would meet; always fine on the real disk.
    ///
    /// # Errors
    /// `StorageFull` when there is no room, or what the test set the disk to fail with.
    pub fn simulated_write(&self, bytes: u64) -> io::Result<()> {
        match &self.twin {
            Twin::Real => Ok(()),
            Twin::Simulated(simulated) => simulated.check_write(bytes),
        }
    }

    /// Whether this user may make files in the folder, which exists.
    pub fn may_write(&self, folder: &Path) -> bool {
        match &self.twin {
            Twin::Real => real::may_write(folder),
            Twin::Simulated(_) => true,
        }
    }

    /// Makes a folder and those above it, flushed; one that exists is fine.
    ///
    /// # Errors
    /// The operator's: not allowed, or no room.
    pub async fn create_folder(&self, path: &Path) -> io::Result<()> {
        match &self.twin {
            Twin::Real => real::create_folder(path.to_owned()).await,
            Twin::Simulated(simulated) => {
                simulated.create_folder(path);
                Ok(())
            }
        }
    }

    /// Begins a file that will be called `path`.
    ///
    /// # Errors
    /// The operator's: the folder does not exist, is not allowed, or has no room.
    pub async fn create(&self, path: &Path) -> io::Result<NewFile> {
        let twin = match &self.twin {
            Twin::Real => NewTwin::Real(real::NewFile::create(path.to_owned()).await?),
            Twin::Simulated(simulated) => NewTwin::Simulated(simulated.create(path)?),
        };
        Ok(NewFile { twin, size: 0 })
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// `NotFound` when there is none; any other error says nothing about that, and must not be taken for it.
    pub async fn open(&self, path: &Path) -> io::Result<OpenFile> {
        let twin = match &self.twin {
            Twin::Real => OpenTwin::Real(real::OpenFile::open(path.to_owned()).await?),
            Twin::Simulated(simulated) => OpenTwin::Simulated(simulated.open(path)?),
        };
        Ok(OpenFile { twin })
    }

    /// Gives a file another name on the same file system, replacing what had it, and flushes both folders.
    ///
    /// # Errors
    /// `NotFound` when there is no such file; the operator's otherwise.
    pub async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match &self.twin {
            Twin::Real => real::rename(from.to_owned(), to.to_owned()).await,
            Twin::Simulated(simulated) => simulated.rename(from, to),
        }
    }

    /// Removes a file and flushes its folder.
    ///
    /// # Errors
    /// `NotFound` when there is none; the operator's otherwise.
    pub async fn remove(&self, path: &Path) -> io::Result<()> {
        match &self.twin {
            Twin::Real => real::remove(path.to_owned()).await,
            Twin::Simulated(simulated) => simulated.remove(path),
        }
    }

    /// The files in a folder, temporary ones included, ordered by name. Folders in it are left out.
    ///
    /// # Errors
    /// `NotFound` when there is no such folder; the operator's otherwise.
    pub async fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        match &self.twin {
            Twin::Real => real::list(folder.to_owned()).await,
            Twin::Simulated(simulated) => simulated.list(folder),
        }
    }
}

/// A file that is being written. Dropped before [`NewFile::commit`], it is removed.
#[derive(Debug)]
pub struct NewFile {
    twin: NewTwin,
    size: u64,
}

#[derive(Debug)]
enum NewTwin {
    Real(real::NewFile),
    Simulated(simulated::NewFile),
}

impl NewFile {
    /// Writes `bytes` at the end. After an error the file must be dropped: how much was written is not known.
    ///
    /// # Errors
    /// `StorageFull` when there is no room; the operator's otherwise.
    pub async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        let length = bytes.len() as u64;
        match &mut self.twin {
            NewTwin::Real(file) => file.append(bytes).await?,
            NewTwin::Simulated(file) => file.append(&bytes)?,
        }
        self.size += length;
        Ok(())
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Flushes the file, gives it its name, flushes the folder. When this returns, the file survives a power cut.
    ///
    /// # Errors
    /// The operator's. The file is removed then; if that fails too it keeps its temporary name.
    pub async fn commit(self) -> io::Result<()> {
        match self.twin {
            NewTwin::Real(file) => file.commit().await,
            NewTwin::Simulated(file) => file.commit(),
        }
    }
}

/// A file open for reading; it can be read to its end even when it is removed meanwhile.
#[derive(Clone, Debug)]
pub struct OpenFile {
    twin: OpenTwin,
}

#[derive(Clone, Debug)]
enum OpenTwin {
    Real(real::OpenFile),
    Simulated(simulated::OpenFile),
}

impl OpenFile {
    /// Its length in bytes when it was opened.
    pub fn size(&self) -> u64 {
        match &self.twin {
            OpenTwin::Real(file) => file.size(),
            OpenTwin::Simulated(file) => file.size(),
        }
    }

    /// Reads up to `length` bytes from `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// The operator's: the disk fails.
    pub async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        match &self.twin {
            OpenTwin::Real(file) => file.read_at(offset, length).await,
            OpenTwin::Simulated(file) => Ok(file.read_at(offset, length)),
        }
    }
}

/// Where a file is written before it has its name.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
