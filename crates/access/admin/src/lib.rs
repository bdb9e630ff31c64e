//! How people reach the server itself: what can be asked of it, and the doors by which it is asked.
//!
//! **For what.** Whoever runs a server asks the same things by the same words, wherever they stand: a [`Request`] has a
//! [`Question`] and says who asks; the binary answers it with an [`Answer`]. The command line asks over the control socket.
//!
//! **The way through.** `request` is the vocabulary · `explain` says why a recipient is where it is, and what comes next ·
//! `metrics` is the closed catalogue of what is measured, and its text · `senders` says what those may know who only sent it.
//!
//! **Never.** Nothing is kept here: a page, a list and a number are questions to the ledger at that moment.

mod api;
mod bulk;
pub mod client;
mod connectors;
pub mod explain;
mod live;
pub mod metrics;
mod pages;
mod request;
pub mod senders;
mod settings;
#[cfg(test)]
mod tests;
mod web;

pub use bulk::{ActState, ActStatus, ESCAPEES_NAMED, Group, Previewed};
pub use connectors::{ConnectorLine, RouteFound, connectors, route};
pub use live::{PACE_PULSE, TimesLine};
pub use request::{
    Answer, DirectoryChange, DirectoryView, Mover, OperatorChange, OperatorView, Password,
    Question, Request, Verb,
};
pub use settings::{Differing, Rerouted, SettingsView, Trial, Wrong};
pub use web::{Desk, Web, WebParts};
