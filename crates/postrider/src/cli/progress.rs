//! What people see while they wait: on standard error, and only where that is a terminal. Whoever asks for JSON sees nothing.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::Context;

/// Between two pictures of a spinner.
const TURN: Duration = Duration::from_millis(120);

impl Context {
    /// Whether somebody sees how far things are.
    pub(super) fn is_watched(&self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// A bar over so many; it goes away when it is dropped.
    pub(super) fn bar(&self, what: &'static str, all: u64) -> ProgressBar {
        if !self.is_watched() {
            return ProgressBar::hidden();
        }
        let template = "{msg} {wide_bar} {pos}/{len}, {eta} left";
        styled(ProgressBar::new(all), what, template)
    }

    /// Something that moves; it goes away when it is dropped.
    pub(super) fn spinner(&self, what: &'static str) -> ProgressBar {
        if !self.is_watched() {
            return ProgressBar::hidden();
        }
        let spinner = styled(ProgressBar::no_length(), what, "{spinner} {msg}, {elapsed}");
        spinner.tick();
        spinner.enable_steady_tick(TURN);
        spinner
    }
}

fn styled(bar: ProgressBar, what: &'static str, template: &str) -> ProgressBar {
    let bar = bar.with_message(what).with_finish(ProgressFinish::AndClear);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
