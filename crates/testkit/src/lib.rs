//! Scripted peers, fake DNS and the scenario runner, for tests only.

mod answers;
mod client;
mod clients;
mod config;
mod grammar;
mod pattern;
mod peer;
mod simulated;
mod stage;
mod statement;
mod story;
mod tell;
mod words;

pub use client::PATIENCE;
pub use simulated::tell_simulated;
pub use story::{Failure, Story};
