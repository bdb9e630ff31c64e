//! What a world must offer, so that a story can come true in it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use ground_world::World;
use ground_world::net::Stream;
use postrider::control::DirectoryChange;

use crate::pattern::{Answer, Beginning};
use crate::peer::{Peer, Rule, Temper};
use crate::statement::{DnsLine, HopAct, Letter, Listing, NodeChange, Operation, Room};
use crate::trouble::Trouble;

/// A stage that a story is performed on: the simulated world, or this machine with the built binary.
pub(crate) trait Stage {
    /// How long what must be seen may take to be seen.
    const PATIENCE: Duration;

    /// Where clients and peers live.
    fn world(&self) -> &World;
    /// When the story began.
    fn beginning(&self) -> Beginning;
    /// How much time has passed since then, whatever a wall clock shows.
    fn passed(&self) -> Duration;
    /// Other servers, by name.
    fn peers(&self) -> &BTreeMap<String, Peer>;

    /// Settings for nodes that start later, and a reload for those that run.
    async fn settings(&mut self, text: &str) -> Result<()>;
    /// Changes who exists.
    async fn directory(&mut self, change: &DirectoryChange) -> Result<()>;
    /// Changes what the DNS says.
    async fn dns(&mut self, line: &DnsLine) -> Result<()>;
    /// Fills or empties the disk.
    async fn disk(&mut self, room: Room) -> Result<()>;
    /// Another server begins to listen.
    async fn peer_starts(&mut self, name: &str, at: SocketAddr, rules: &[Rule]) -> Result<()>;
    /// Connections to another server come about, or not.
    async fn peer_shows(&mut self, name: &str, temper: Temper) -> Result<()>;
    /// A node starts, or ends.
    async fn node(&mut self, name: &str, what: NodeChange) -> Result<()>;
    /// A node's memory loses the jobs of a message that wait for a connection; how many it had.
    async fn forget(&mut self, node: &str, message: &str) -> Result<usize>;
    /// Something goes wrong inside a node, or is over.
    async fn mishap(&mut self, node: &str, trouble: Trouble) -> Result<()>;
    /// Clients, programs and operators meet this node from here on, whether it runs or not.
    async fn on(&mut self, name: &str) -> Result<()>;
    /// Time passes, and what is due on the way happens.
    async fn pass(&mut self, time: Duration) -> Result<()>;
    /// The wall clock of the servers' machine is stepped, by milliseconds; no time passes by that.
    async fn clock_steps(&mut self, by: i64) -> Result<()>;
    /// A little time passes: after each statement, and between two looks.
    async fn a_moment(&mut self) -> Result<()>;
    /// Waits until nothing is under way.
    async fn rest(&mut self) -> Result<()>;

    /// A connection to a listener by name, or to an address of the story.
    async fn connect(&mut self, from: Option<IpAddr>, to: &str) -> Result<Stream>;
    /// A program on the machine hands over a message; answers with the refusal, if any.
    async fn submit(&mut self, letter: &Letter, content: Bytes) -> Result<Option<String>>;
    /// An operator acts; answers with the number of recipients treated.
    async fn operate(&mut self, operation: &Operation) -> Result<u64>;
    /// An operator stops a next hop, or lets it go on.
    async fn hop(&mut self, act: &HopAct) -> Result<()>;
    /// What a command lists.
    async fn list(&self, listing: &Listing) -> Result<Vec<Answer>>;
    /// The content of a message, by its id, while it is kept.
    async fn content(&self, message: &str) -> Result<Option<String>>;
    /// Every mail of an account, whole.
    async fn mails(&self, account: &str) -> Result<Vec<String>>;
    /// Writes to the database, past every node.
    async fn write(&self, sql: &str) -> Result<Written>;
}

/// What the database makes of a write.
pub(crate) enum Written {
    /// So many rows changed.
    Changed(u64),
    /// It refused, in these words.
    Refused(String),
}
