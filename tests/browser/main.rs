//! The pages in a real browser: what a person sees, clicks and is told, on a server made for it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must fail"
)]

mod driver;
#[path = "../../crates/postrider/tests/cli/house.rs"]
#[allow(dead_code, reason = "shared with the tests of the command line")]
mod house;
mod pages;
mod scene;
