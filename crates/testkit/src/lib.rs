//! Scripted peers, fake DNS and the scenario runner, for tests only.
//!
//! **For what.** A scenario is one story in a text file under `tests/scenarios/`: who connects and what is said, what peers and
//! the DNS do, how long it takes, and what an operator must see afterwards. `docs/scenarios.md` is the language's manual.
//! [`tell`] runs one story in this process: real floors on [`ground_world::World::simulated`], a store on the simulated
//! disk, tokio's clock paused, so that four days of waiting take moments and each run is the same run.
//!
//! **The way through.** `words.rs` cuts a line · `story.rs` and `statement.rs` read a file into statements, or say by line what was
//! expected · `stage.rs` performs them on `house.rs` (a node), `client.rs` (who connects to us), `peer.rs` (who we
//! connect to) · `answers.rs` asks the book · `pattern.rs` compares.
//!
//! **Never.** No statement looks into a node's memory: what a story can see, an operator can see. No traffic leaves the process.
//!
//! **Limits.** A client waits [`PATIENCE`] for a reply.

mod answers;
mod client;
mod house;
mod letter;
mod pattern;
mod peer;
mod stage;
mod statement;
mod story;
mod words;

pub use client::PATIENCE;
pub use stage::tell;
pub use story::{Failure, Story};
