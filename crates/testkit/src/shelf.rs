//! Where stories stand: `AREA/PROMISE.txt` in one folder.

use std::path::{Path, PathBuf};

use crate::story::{Failure, Story};

/// A file of the shelf.
#[derive(Debug)]
pub struct Shelved {
    /// `AREA::PROMISE`.
    pub name: String,
    /// The story, or what in it makes no sense.
    pub story: Result<Story, Failure>,
}

/// Every story of a folder, in order of their names.
///
/// # Panics
/// When the folder cannot be read: a test that finds no stories proves nothing.
#[must_use]
pub fn shelf(folder: &Path) -> Vec<Shelved> {
    let areas = entries(folder).into_iter().filter(|entry| entry.is_dir());
    let files = areas.flat_map(|area| entries(&area));
    let texts = files.filter(|file| file.extension().is_some_and(|end| end == "txt"));
    texts.map(|file| shelved(&file)).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder);
    let listed = listed.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths
}

fn shelved(file: &Path) -> Shelved {
    let word =
        |path: Option<&std::ffi::OsStr>| path.unwrap_or_default().to_string_lossy().into_owned();
    let area = word(file.parent().and_then(Path::file_name));
    let promise = word(file.file_stem());
    Shelved {
        story: Story::read(file, &format!("tests/scenarios/{area}/{promise}.txt")),
        name: format!("{area}::{promise}"),
    }
}
