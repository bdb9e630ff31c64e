//! What people see while they wait: on standard error, and only where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Between two pictures of a spinner.
const TURN: Duration = Duration::from_millis(120);

/// A bar over so many; it goes away when it is dropped.
pub(super) fn bar(what: &'static str, all: u64) -> ProgressBar {
    styled(
        ProgressBar::new(all),
        what,
        "{msg} {wide_bar} {pos}/{len}, {eta} left",
    )
}

/// Something that moves; it goes away when it is dropped.
pub(super) fn spinner(what: &'static str) -> ProgressBar {
    let spinner = styled(ProgressBar::no_length(), what, "{spinner} {msg}, {elapsed}");
    spinner.enable_steady_tick(TURN);
    spinner
}

fn styled(bar: ProgressBar, what: &'static str, template: &str) -> ProgressBar {
    let bar = bar.with_message(what).with_finish(ProgressFinish::AndClear);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
