//! Every `AREA/PROMISE.txt` beside this file is a test: a story told on a simulated world. `docs/scenarios.md` is the manual.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use testkit::{Story, tell_simulated};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let mut stories = Vec::new();
    for area in entries(&folder).iter().filter(|entry| entry.is_dir()) {
        let files = entries(area);
        let texts = files
            .into_iter()
            .filter(|file| file.extension().is_some_and(|end| end == "txt"));
        stories.extend(texts.map(trial));
    }
    libtest_mimic::run(&Arguments::from_args(), stories).exit_code()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder);
    let listed = listed.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = listed
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

fn trial(file: PathBuf) -> Trial {
    let word =
        |path: Option<&std::ffi::OsStr>| path.unwrap_or_default().to_string_lossy().into_owned();
    let area = word(file.parent().and_then(Path::file_name));
    let promise = word(file.file_stem());
    let name = format!("tests/scenarios/{area}/{promise}.txt");
    Trial::test(format!("{area}::{promise}"), move || {
        let story = Story::read(&file, &name)?;
        Ok(tell_simulated(&story)?)
    })
}
