//! `kill -9` at random moments, on real processes and a real disk: what got 250 is delivered or listed, and the book adds up.
//!
//! `POSTRIDER_KILLS` says how many kills of one server (12), `POSTRIDER_NODE_KILLS` how many of two nodes (2),
//! `POSTRIDER_LEADER_KILLS` how many of the leader of a database cluster (1), `POSTRIDER_SEED` which moments.

mod cluster;
mod letter;
mod load;
mod nodes;
mod one;
mod patroni;
#[path = "../../crates/ground/store/tests/private/mod.rs"]
mod private;
mod proxy;
mod server;
mod sink;
mod stage;
mod verdict;

use std::time::Duration;

use sink::Sink;
use stage::Stage;

/// Clients at one time.
pub(crate) const SESSIONS: usize = 50;

/// Progress that takes longer is a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at the book while the sink is silent.
pub(crate) const LOOK: Duration = Duration::from_millis(200);

/// Ends the load and the sink, also when an assertion has failed.
pub(crate) struct Curtain<'a>(&'a Stage, &'a Sink);

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        self.0.end();
        self.1.end();
    }
}

pub(crate) fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// SplitMix64: the same seed chooses the same moments.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
