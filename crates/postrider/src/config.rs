//! The configuration file, read from the disk.

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
