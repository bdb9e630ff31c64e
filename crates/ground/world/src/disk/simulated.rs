//! Files in memory, with as much room as a test likes, and power cuts.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::{Entry, temporary};
use crate::clock::Clock;
use crate::{Time, hold};

/// Room on a simulated disk until a test says otherwise.
const SIMULATED_ROOM: u64 = 1 << 40;

/// The simulated disk, for tests to script. Clones share it.
#[derive(Clone)]
pub struct SimulatedDisk {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

struct State {
    files: BTreeMap<PathBuf, File>,
    folders: BTreeSet<PathBuf>,
    contents: BTreeMap<PathBuf, Arc<dyn Any + Send + Sync>>,
    free: u64,
    failing: Option<io::ErrorKind>,
}

impl std::fmt::Debug for SimulatedDisk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SimulatedDisk")
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct File {
    data: Vec<u8>,
    synced: usize,
    modified: Time,
}

impl SimulatedDisk {
    pub(super) fn new(clock: Clock) -> Self {
        let state = State {
            files: BTreeMap::new(),
            folders: BTreeSet::from([PathBuf::from("/")]),
            contents: BTreeMap::new(),
            free: SIMULATED_ROOM,
            failing: None,
        };
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Sets the room that is left; 0 is a full disk. Writing takes from it, removing gives back.
    pub fn set_free(&self, bytes: u64) {
        hold(&self.state).free = bytes;
    }

    /// Every call that creates, reads, writes or flushes fails with `kind`, or, with none, works again.
    pub fn set_failing(&self, kind: Option<io::ErrorKind>) {
        hold(&self.state).failing = kind;
    }

    /// A power cut: what was not flushed is gone. Unfinished files keep their temporary names and what was flushed.
    pub fn crash(&self) {
        let mut state = hold(&self.state);
        let mut freed = 0;
        for file in state.files.values_mut() {
            freed += (file.data.len() - file.synced) as u64;
            file.data.truncate(file.synced);
        }
        state.free += freed;
    }

    pub(super) fn content<T: Send + Sync + 'static>(
        &self,
        path: &Path,
        make: impl FnOnce() -> T,
    ) -> Option<Arc<T>> {
        let mut state = hold(&self.state);
        let content = state
            .contents
            .entry(path.to_owned())
            .or_insert_with(|| Arc::new(make()));
        Arc::clone(content).downcast().ok()
    }

    pub(super) fn check_write(&self, bytes: u64) -> io::Result<()> {
        let state = hold(&self.state);
        state.check()?;
        if state.free < bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    pub(super) fn free(&self) -> u64 {
        hold(&self.state).free
    }

    pub(super) fn create_folder(&self, path: &Path) {
        let mut state = hold(&self.state);
        state.folders.extend(path.ancestors().map(Path::to_owned));
    }

    pub(super) fn create(&self, path: &Path) -> io::Result<NewFile> {
        let mut state = hold(&self.state);
        state.check()?;
        if !path
            .parent()
            .is_some_and(|folder| state.folders.contains(folder))
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        let unfinished = temporary(path);
        if state.files.contains_key(&unfinished) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = File {
            data: Vec::new(),
            synced: 0,
            modified: self.clock.now(),
        };
        state.files.insert(unfinished.clone(), file);
        Ok(NewFile {
            disk: self.clone(),
            path: path.to_owned(),
            unfinished: Some(unfinished),
        })
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<OpenFile> {
        let state = hold(&self.state);
        state.check()?;
        let file = state.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(OpenFile {
            data: Bytes::copy_from_slice(&file.data),
        })
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = hold(&self.state);
        state.check()?;
        let file = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        let replaced = state.files.insert(to.to_owned(), file);
        state.free += replaced.map_or(0, |file| file.data.len() as u64);
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = hold(&self.state);
        let file = state.files.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.free += file.data.len() as u64;
        Ok(())
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let state = hold(&self.state);
        state.check()?;
        if !state.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let here = state
            .files
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder));
        Ok(here
            .filter_map(|(path, file)| {
                Some(Entry {
                    name: path.file_name()?.to_string_lossy().into_owned(),
                    size: file.data.len() as u64,
                    modified: file.modified,
                })
            })
            .collect())
    }
}

impl State {
    fn check(&self) -> io::Result<()> {
        match self.failing {
            None => Ok(()),
            Some(kind) => Err(io::Error::new(kind, "the simulated disk fails")),
        }
    }
}

#[derive(Debug)]
pub(super) struct NewFile {
    disk: SimulatedDisk,
    path: PathBuf,
    unfinished: Option<PathBuf>,
}

impl NewFile {
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let now = self.disk.clock.now();
        let mut state = hold(&self.disk.state);
        state.check()?;
        let length = bytes.len() as u64;
        let left = state
            .free
            .checked_sub(length)
            .ok_or(io::ErrorKind::StorageFull)?;
        let unfinished = self.unfinished.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let file = state
            .files
            .get_mut(unfinished)
            .ok_or(io::ErrorKind::NotFound)?;
        file.data.extend_from_slice(bytes);
        file.modified = now;
        state.free = left;
        Ok(())
    }

    pub(super) fn commit(mut self) -> io::Result<()> {
        {
            let mut state = hold(&self.disk.state);
            state.check()?;
            let unfinished = self.unfinished.as_ref().ok_or(io::ErrorKind::NotFound)?;
            let file = state
                .files
                .get_mut(unfinished)
                .ok_or(io::ErrorKind::NotFound)?;
            file.synced = file.data.len();
        }
        if let Some(unfinished) = self.unfinished.take() {
            self.disk.rename(&unfinished, &self.path)?;
        }
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let Some(unfinished) = self.unfinished.take() else {
            return;
        };
        if let Err(error) = self.disk.remove(&unfinished) {
            tracing::debug!(%error, "an unfinished file is gone already");
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct OpenFile {
    data: Bytes,
}

impl OpenFile {
    pub(super) fn size(&self) -> u64 {
        self.data.len() as u64
    }

    pub(super) fn read_at(&self, offset: u64, length: usize) -> Bytes {
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.data.len());
        let end = start.saturating_add(length).min(self.data.len());
        self.data.slice(start..end)
    }
}
