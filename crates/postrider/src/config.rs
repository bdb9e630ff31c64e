//! The configuration file, read from the disk.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ground_settings::{Problem, Settings, Store};
use thiserror::Error;

/// The control socket's name in the data directory.
pub const SOCKET: &str = "postrider.sock";

/// A configuration and where it stands.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file.
    pub file: PathBuf,
    /// Its folder: relative paths start there.
    pub folder: PathBuf,
    /// What it says.
    pub settings: Settings,
}

/// The configuration cannot be used. The operator's move.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {error}; name the file with --config FILE, or make one with: postrider quickstart", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// There are mistakes in it.
    #[error("{}", lines(file, problems))]
    Problems {
        /// In which file.
        file: PathBuf,
        /// All of them, in the order of the file.
        problems: Vec<Problem>,
    },
}

impl Config {
    /// Reads `file`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable {
            file: file.to_owned(),
            error,
        })?;
        let settings = Settings::parse(&text).map_err(|problems| ConfigError::Problems {
            file: file.to_owned(),
            problems,
        })?;
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        Ok(Self {
            file: file.to_owned(),
            folder,
            settings,
        })
    }

    /// The folder for what is not in the database.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        self.settings.data_directory(&self.folder)
    }

    /// Where the running server is asked.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.data_directory().join(SOCKET)
    }

    /// The store, as the store's own floor wants it named.
    #[must_use]
    pub fn store_url(&self) -> String {
        url(&self.settings.server.store, &self.folder)
    }
}

/// A file's new text, beside it: whole and flushed, under a name of its own. Dropped before it is taken, it is removed.
#[derive(Debug)]
pub(crate) struct Replacement {
    /// The file itself, where a link leads to it.
    file: PathBuf,
    beside: PathBuf,
    taken: bool,
}

impl Replacement {
    /// Writes `text` beside `file`, for whom the file is.
    ///
    /// # Errors
    /// The operator's: not allowed, or no room.
    pub(crate) fn write(file: &Path, text: &str) -> std::io::Result<Self> {
        let file = file.canonicalize()?;
        let mut beside = file.clone().into_os_string();
        beside.push(".new");
        let old = std::fs::metadata(&file)?;
        let mut new = std::fs::File::create(&beside)?;
        let replacement = Self {
            file,
            beside: PathBuf::from(beside),
            taken: false,
        };
        // Before the text is in it: it may hold passwords.
        new.set_permissions(old.permissions())?;
        let made = new.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            std::os::unix::fs::fchown(&new, Some(old.uid()), Some(old.gid()))?;
        }
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        Ok(replacement)
    }

    /// It takes the file's place.
    ///
    /// # Errors
    /// The operator's. The file is as it was then.
    pub(crate) fn take(mut self) -> std::io::Result<()> {
        std::fs::rename(&self.beside, &self.file)?;
        self.taken = true;
        match self.file.parent() {
            Some(folder) => std::fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.beside) {
            tracing::warn!(%error, file = %self.beside.display(), "a text that was not taken could not be removed");
        }
    }
}

/// The URL of `store`, its path counted from `folder`.
pub(crate) fn url(store: &Store, folder: &Path) -> String {
    match store.resolve(folder) {
        Store::Sqlite(path) => format!("sqlite:{}", path.display()),
        Store::Postgres(url) => url.reveal().to_owned(),
    }
}

/// Each problem as `file:line:column name: what (remedy)`.
fn lines(file: &Path, problems: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let name = match problem.name.as_str() {
            "" => String::new(),
            name => format!("{name}: "),
        };
        format!(
            "{}:{}:{} {name}{} ({})",
            file.display(),
            problem.line,
            problem.column,
            problem.what,
            problem.remedy
        )
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
