//! What only tests need.

use crate::define::{always, any, default, section};

section! {
    /// What only tests need. Never set these on a server that has real mail.
    pub struct Test = "test", always;

    /// Lets the control socket move the server's clock, so that days pass in a test at once.
    clock_control: bool = default(false), any();
}
