//! What only tests need.

use std::time::Duration;

use crate::Detour;
use crate::define::{any, default, each, section};
use crate::read::Agreement;

section! {
    /// What only tests need. Never set these on a server that has real mail.
    pub struct Test = "test", agree;

    /// Lets the control socket move the server's clock, so that days pass in a test at once. The other settings here need it.
    clock_control: bool = default(false), any();

    /// How far the clock is ahead of the system's from the start, for time that passed in a test while no server ran.
    clock_ahead: Duration = default(Duration::ZERO), any();

    /// Where connections go instead. When there are any, every other address refuses: a test never leaves its machine.
    detours: Vec<Detour> = default(Vec::new()), each(any());
}

fn agree(test: &Test, agreement: &mut Agreement<'_>) {
    if test.clock_control {
        return;
    }
    for (name, is_set) in [
        ("clock_ahead", !test.clock_ahead.is_zero()),
        ("detours", !test.detours.is_empty()),
    ] {
        if is_set {
            agreement.complain(
                &[name, "clock_control"],
                format!("{name} is for tests, and this is no server under test"),
                "remove it, or add clock_control = true",
            );
        }
    }
}
