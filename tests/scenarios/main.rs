//! Every `AREA/PROMISE.txt` beside this file is a test: a story told on a simulated world. `docs/scenarios.md` is the manual.

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use testkit::{Shelved, shelf, tell_simulated};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let stories = shelf(&folder).into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), stories).exit_code()
}

fn trial(Shelved { name, story }: Shelved) -> Trial {
    let why = story.as_ref().ok().and_then(|story| story.not_simulated());
    Trial::test(name, move || Ok(tell_simulated(&story?)?))
        .with_kind(why.unwrap_or_default())
        .with_ignored_flag(why.is_some())
}
