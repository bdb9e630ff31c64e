//! Scripted peers, fake DNS and the scenario runner, for tests only.
//!
//! **For what.** A scenario is one story in a text file under `tests/scenarios/`: who connects and what is said, what peers and
//! the DNS do, how long it takes, and what an operator must see afterwards. `docs/scenarios.md` is the language's manual.
//! [`tell_simulated`] runs one story in this process: the server's own nodes on [`ground_world::World::simulated`], a store on
//! the simulated disk, tokio's clock paused, so that four days of waiting take moments and each run is the same run.
//! [`tell_real`] tells the same story to the built binary. Where `POSTRIDER_TEST_POSTGRES` names a server, the store of both is a
//! new database there.
//!
//! **The way through.** `words.rs` cuts a line · `story.rs` and `grammar.rs` read a file into statements (`statement.rs`), or
//! say by line what was expected · `tell.rs` performs them on a stage (`stage.rs`), which is `simulated.rs` or `real.rs`, with
//! `clients.rs` (who connects to us) and `peer.rs` (who we connect to) the same on both · `answers.rs` makes rows of what the
//! commands list · `pattern.rs` compares.
//!
//! **Never.** No statement looks into a node's memory: what a story can see, an operator can see. No traffic leaves the machine.
//!
//! **Limits.** A client waits [`PATIENCE`] for a reply. A real story has 254 addresses, and on SQLite one node at a time.

mod answers;
mod client;
mod clients;
mod config;
mod errand;
mod grammar;
mod pattern;
mod peer;
mod real;
mod shelf;
pub mod simulate;
mod simulated;
mod stage;
mod statement;
mod story;
mod tell;
mod trouble;
mod words;

pub use client::PATIENCE;
pub use real::{not_real, tell_real};
pub use shelf::{Shelved, shelf};
pub use simulated::tell_simulated;
pub use story::{Failure, Story};
