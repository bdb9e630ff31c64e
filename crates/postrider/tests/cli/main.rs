//! The built binary, as operators and scripts use it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod corrupted;
mod house;
mod link;
mod moving;
mod offline;
mod online;
mod operators;
#[path = "../../../ground/store/tests/private/mod.rs"]
mod private;
mod progress;
mod selftest;
mod settings;
mod telemetry;
mod top;
mod words;
