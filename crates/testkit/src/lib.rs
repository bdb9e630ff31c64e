//! Scripted peers, fake DNS and the scenario runner, for tests only.

mod answers;
mod client;
mod clients;
mod config;
mod grammar;
mod pattern;
mod peer;
mod real;
mod shelf;
mod simulated;
mod stage;
mod statement;
mod story;
mod tell;
mod words;

pub use client::PATIENCE;
pub use real::tell_real;
pub use shelf::{Shelved, shelf};
pub use simulated::tell_simulated;
pub use story::{Failure, Story};
