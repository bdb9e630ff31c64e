//! The only floor that touches the outside: clock, chance, sockets, DNS, TLS, files; and their simulated twins.
//!
//! **For:** everything above gets a [`World`] and does with it whatever reaches beyond the process. With
//! [`World::simulated`] a whole server, its peers and the DNS run deterministically in one thread: tokio's paused clock is
//! the monotonic clock, so four days of waiting take as long as the work done in them.
//!
//! **Never:** the store's SQL files (they are the store's own), and any decision about mail.
//!
//! **The way through:** [`clock`] tells the time and waits · [`chance`] rolls dice · [`net`] connects ·
//! [`dns`] asks for MX and addresses · [`tls`] secures a connection · [`http`] posts to a service ·
//! [`disk`] keeps large bodies ·
//! [`signal`] hears what the operating system asks · [`pool`] has threads apart · [`supervise`] replaces tasks that fail ·
//! [`mishap`] lets tasks of a simulated node panic or hang. Each has a real and a simulated side behind one type; tests script
//! the simulated side through the [`Simulation`] handle.
//!
//! **Limits:** every wait on a peer or the DNS ends: [`net::CONNECT_TIMEOUT`], [`dns::LOOKUP_DEADLINE`],
//! [`tls::HANDSHAKE_TIMEOUT`]; reads and writes on a stream are bounded by who makes them, with [`clock::Clock::timeout`].
//! Simulated addresses exist only inside the process; nothing a simulation does reaches a network or a disk.
//!
//! # A simulated test
//!
//! ```
//! use std::time::Duration;
//! use ground_world::World;
//! use ground_world::net::{ConnectOptions, ListenOptions};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In a test: #[tokio::test(start_paused = true)]
//! let (world, simulation) = World::simulated(42);
//! simulation.dns.mx("example.test", &[(10, "mx.example.test")]);
//! simulation.dns.addresses("mx.example.test", &["192.0.2.25".parse()?]);
//!
//! // A peer at an address that exists only here.
//! let listener = world.net.listen("192.0.2.25:25".parse()?, ListenOptions::default()).await?;
//! tokio::spawn(async move {
//!     let (mut stream, _peer) = listener.accept().await.unwrap();
//!     stream.write_all(b"220 mx.example.test\r\n").await.unwrap();
//! });
//!
//! // The server under test looks it up and connects.
//! let address = world.dns.addresses("mx.example.test").await?[0];
//! let mut stream = world.net.connect((address, 25).into(), ConnectOptions::default()).await?;
//! let mut greeting = String::new();
//! stream.read_to_string(&mut greeting).await?;
//! assert_eq!(greeting, "220 mx.example.test\r\n");
//!
//! // Four days pass at once.
//! let before = world.clock.now();
//! world.clock.sleep(Duration::from_secs(4 * 86_400)).await;
//! assert_eq!(world.clock.now().since(before), Duration::from_secs(4 * 86_400));
//! # Ok(())
//! # }
//! ```

pub mod chance;
pub mod clock;
pub mod disk;
pub mod dns;
pub mod http;
pub mod mishap;
pub mod net;
pub mod pool;
pub mod signal;
pub mod supervise;
pub mod tls;
mod world;

pub use wire_message::date::Time;
pub use world::{Simulation, World, WorldError, WorldOptions};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock. Nothing in this crate leaves guarded data half changed when it panics, so poison is no news.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
