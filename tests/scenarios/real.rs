//! The same stories, told to the built binary. One that cannot be in this run is ignored, and listed with its reason.

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use testkit::{Shelved, not_real, shelf, tell_real};

/// The server under test.
const BINARY: &str = env!("CARGO_BIN_EXE_postrider");

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let stories = shelf(&folder).into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), stories).exit_code()
}

fn trial(Shelved { name, story }: Shelved) -> Trial {
    let kind = story.as_ref().ok().and_then(not_real);
    let ignored = kind.is_some();
    Trial::test(name, move || Ok(tell_real(&story?, Path::new(BINARY))?))
        .with_kind(kind.unwrap_or_default())
        .with_ignored_flag(ignored)
}
