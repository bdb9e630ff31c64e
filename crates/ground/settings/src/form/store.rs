//! Which database keeps the ledger.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::form::{Misread, Secret, Shape, Value, Written, quoted, read_text};
use crate::problem::Fault;

/// Which database keeps the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// `"sqlite:PATH"`: a file of this machine. The path is as written; see [`Store::resolve`].
    Sqlite(PathBuf),
    /// `"postgres://..."`: a server, shared by nodes. The URL may carry a password.
    Postgres(Secret),
}

impl Store {
    /// The same store with its path counted from `folder`, the folder of the configuration file.
    pub fn resolve(&self, folder: &Path) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(folder.join(path)),
            Self::Postgres(url) => Self::Postgres(url.clone()),
        }
    }
}

impl FromStr for Store {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(Secret::from(text.to_owned())));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(_) | None => Err(Fault::new(
                "it names no database that is known here",
                r#"write "sqlite:PATH" or "postgres://USER:PASSWORD@HOST/NAME""#,
            )),
        }
    }
}

impl Value for Store {
    const SHAPE: Shape = Shape::Secret;

    fn conceals(text: &str) -> bool {
        text.parse().is_ok_and(|store| match store {
            Self::Postgres(_) => true,
            Self::Sqlite(_) => false,
        })
    }

    fn form() -> String {
        r#""sqlite:PATH" or "postgres://USER:PASSWORD@HOST/NAME""#.to_owned()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        read_text(value, &Self::form())
    }

    fn show(&self) -> String {
        match self {
            Self::Sqlite(path) => quoted(&format!("sqlite:{}", path.display())),
            Self::Postgres(_) => quoted("postgres://..."),
        }
    }
}
