//! Random stories on the simulated world, with every promise checked after every step.
//!
//! **For what.** A scenario shows that a promise holds in the case somebody thought of. Here a seed makes the case: senders,
//! peers, the DNS, operators and settings at random, and nodes that crash, panic, hang and lose what they should hear.
//!
//! **The way through.** [`compose`] makes a story from a seed, in the scenario language · [`Run::of`] tells it and lets
//! `checks` look at the book after each statement and every few seconds of each wait · at the end everything works again, and
//! all mail must come to its end · [`reduce`] makes a story that breaks a promise as short as it can, to be kept as a scenario.
//!
//! **Never.** A check asks no code of the server: `book` reads the rows by SQL of its own. Nothing but the seed decides what
//! happens: the same seed is the same run.

mod book;
mod checks;
mod compose;
mod play;
mod reduce;

pub use checks::Broken;
pub use play::{Run, Violation};
pub use reduce::reduce;

/// The story of a seed, as text.
#[must_use]
pub fn compose(seed: u64) -> String {
    compose::compose(seed)
}
