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
mod selftest;
mod top;
mod words;
