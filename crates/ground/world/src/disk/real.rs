//! Real files; every call works on a thread that may block.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::{Entry, temporary};
use crate::Time;

/// Bodies are nobody's business but the server's.
const FILE_MODE: u32 = 0o600;

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

pub(super) async fn free(path: PathBuf) -> io::Result<u64> {
    blocking(move || {
        let facts = rustix::fs::statvfs(&path)?;
        Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
    })
    .await
}

/// One quick call.
pub(super) fn may_write(folder: &Path) -> bool {
    use rustix::fs::{Access, access};
    access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

pub(super) async fn create_folder(path: PathBuf) -> io::Result<()> {
    blocking(move || {
        let missing = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .count();
        fs::create_dir_all(&path)?;
        path.ancestors().take(missing).try_for_each(sync_folder_of)
    })
    .await
}

pub(super) async fn rename(from: PathBuf, to: PathBuf) -> io::Result<()> {
    blocking(move || {
        fs::rename(&from, &to)?;
        sync_folder_of(&to)?;
        if from.parent() == to.parent() {
            return Ok(());
        }
        sync_folder_of(&from)
    })
    .await
}

pub(super) async fn remove(path: PathBuf) -> io::Result<()> {
    blocking(move || {
        fs::remove_file(&path)?;
        sync_folder_of(&path)
    })
    .await
}

pub(super) async fn list(folder: PathBuf) -> io::Result<Vec<Entry>> {
    blocking(move || {
        let mut entries = Vec::new();
        for found in fs::read_dir(&folder)? {
            let found = found?;
            match entry(&found) {
                Ok(entry) => entries.extend(entry),
                // It was removed since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    })
    .await
}

fn entry(found: &fs::DirEntry) -> io::Result<Option<Entry>> {
    let facts = found.metadata()?;
    if !facts.is_file() {
        return Ok(None);
    }
    let since = facts.modified()?.duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    Ok(Some(Entry {
        name: found.file_name().to_string_lossy().into_owned(),
        size: facts.len(),
        modified: Time::from_millis(millis),
    }))
}

/// Makes a change of a name durable: the name lives in the folder, not in the file.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

#[derive(Debug)]
pub(super) struct NewFile {
    file: Arc<File>,
    path: PathBuf,
    temporary: Temporary,
}

/// Removes the temporary name unless it became final.
#[derive(Debug)]
struct Temporary(Option<PathBuf>);

impl Temporary {
    fn become_final(&mut self, path: &Path) -> io::Result<()> {
        if let Some(unfinished) = &self.0 {
            fs::rename(unfinished, path)?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let Some(path) = self.0.take() else { return };
        // One quick call; a thread for it might no longer be had when the process ends.
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove an unfinished file");
        }
    }
}

impl NewFile {
    pub(super) async fn create(path: PathBuf) -> io::Result<Self> {
        blocking(move || {
            let unfinished = temporary(&path);
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(FILE_MODE)
                .open(&unfinished)?;
            Ok(Self {
                file: Arc::new(file),
                path,
                temporary: Temporary(Some(unfinished)),
            })
        })
        .await
    }

    pub(super) async fn append(&mut self, bytes: Bytes) -> io::Result<()> {
        let file = self.file.clone();
        blocking(move || (&*file).write_all(&bytes)).await
    }

    pub(super) async fn commit(self) -> io::Result<()> {
        let Self {
            file,
            path,
            mut temporary,
        } = self;
        blocking(move || {
            file.sync_all()?;
            temporary.become_final(&path)?;
            sync_folder_of(&path)
        })
        .await
    }
}

#[derive(Clone, Debug)]
pub(super) struct OpenFile {
    file: Arc<File>,
    size: u64,
}

impl OpenFile {
    pub(super) async fn open(path: PathBuf) -> io::Result<Self> {
        blocking(move || {
            let file = File::open(&path)?;
            let size = file.metadata()?.len();
            Ok(Self {
                file: Arc::new(file),
                size,
            })
        })
        .await
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) async fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let file = self.file.clone();
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        blocking(move || {
            let mut buffer = vec![0; length.min(left)];
            let mut filled = 0;
            while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                match file.read_at(rest, offset + filled as u64) {
                    Ok(0) => break,
                    Ok(count) => filled += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            buffer.truncate(filled);
            Ok(buffer.into())
        })
        .await
    }
}
