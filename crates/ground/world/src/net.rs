//! Connections: TCP and Unix-domain on the real side, bounded pipes with scripted faults on the simulated one.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

mod pipe;
mod real;
mod simulated;
mod stream;

pub use simulated::{Fault, SimulatedNet};
pub use stream::Stream;
pub(crate) use stream::{Plain, Secured};

use crate::clock::Clock;

/// Connections the kernel holds for us until we accept them. Linux cuts it to `net.core.somaxconn` (4096 by default).
pub const BACKLOG: u32 = 1024;

/// How long a connection attempt may take when the caller does not say: RFC 5321 s4.5.3.2 leaves it open; a host that
/// does not complete a TCP handshake in half a minute has five retransmissions behind it.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long [`Listener::accept`] rests when the process or the system has no room for another connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens and connects. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Net {
    clock: Clock,
    twin: Twin,
}

#[derive(Clone, Debug)]
enum Twin {
    Real(Detours),
    Simulated(SimulatedNet),
}

/// Where the connections of a real program under test go instead. When there are any, every other address refuses, so that
/// a test never leaves its machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detours {
    by_address: Arc<BTreeMap<SocketAddr, SocketAddr>>,
}

impl FromIterator<(SocketAddr, SocketAddr)> for Detours {
    fn from_iter<T: IntoIterator<Item = (SocketAddr, SocketAddr)>>(pairs: T) -> Self {
        let by_address = Arc::new(pairs.into_iter().collect());
        Self { by_address }
    }
}

impl Detours {
    fn lead(&self, address: SocketAddr) -> Result<SocketAddr, ConnectError> {
        if self.by_address.is_empty() {
            return Ok(address);
        }
        let found = self.by_address.get(&address).copied();
        found.ok_or_else(|| ConnectError::Refused {
            to: address.to_string(),
        })
    }
}

/// How to listen.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// Connections that may wait to be accepted.
    pub backlog: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { backlog: BACKLOG }
    }
}

/// How to connect.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions {
    /// The address to connect from; the system chooses when there is none.
    pub bind: Option<IpAddr>,
    /// How long the attempt may take.
    pub timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            bind: None,
            timeout: CONNECT_TIMEOUT,
        }
    }
}

/// Why there is no connection. `to` is the address or path we wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The peer's host answered that nothing listens there.
    #[error("{to} refused the connection: nothing listens there")]
    Refused {
        /// Where to.
        to: String,
    },
    /// Nothing answered in time.
    #[error("{to} did not answer within {after:?}")]
    TimedOut {
        /// Where to.
        to: String,
        /// The time allowed.
        after: Duration,
    },
    /// The network knows no way there.
    #[error("{to} cannot be reached: {detail}")]
    Unreachable {
        /// Where to.
        to: String,
        /// What the system said.
        detail: String,
    },
    /// Ours: we could not even try (the address to connect from is not ours, no sockets left).
    #[error("could not start a connection to {to}: {detail}")]
    Ours {
        /// Where to.
        to: String,
        /// What the system said.
        detail: String,
    },
}

impl Net {
    pub(crate) fn real(clock: Clock, detours: Detours) -> Self {
        Self {
            clock,
            twin: Twin::Real(detours),
        }
    }

    /// The same, for tasks to which something may happen.
    pub(crate) fn mortal(&self, clock: Clock) -> Self {
        Self {
            clock,
            ..self.clone()
        }
    }

    pub(crate) fn simulated(clock: Clock) -> (Self, SimulatedNet) {
        let simulated = SimulatedNet::default();
        let net = Self {
            clock,
            twin: Twin::Simulated(simulated.clone()),
        };
        (net, simulated)
    }

    /// Listens on `address`. Port 0 takes a free one; ask [`Listener::local_addr`].
    ///
    /// Real: with `SO_REUSEADDR`; an IPv6 address listens for IPv6 alone, so that `0.0.0.0` and `[::]` go side by side.
    /// Simulated: `0.0.0.0` and `[::]` stand for every loopback address.
    ///
    /// # Errors
    /// The operator's: the address is taken, is not ours, or is not allowed.
    #[expect(
        clippy::unused_async,
        reason = "the real twin needs the runtime; callers await both"
    )]
    pub async fn listen(
        &self,
        address: SocketAddr,
        options: ListenOptions,
    ) -> io::Result<Listener> {
        let twin = match &self.twin {
            Twin::Real(_) => ListenerTwin::Real(real::listen(address, options)?),
            Twin::Simulated(simulated) => {
                ListenerTwin::Simulated(simulated.listen(address, options)?)
            }
        };
        Ok(Listener {
            clock: self.clock.clone(),
            twin,
        })
    }

    /// Listens on a Unix-domain socket at `path` with permissions `mode`. A socket left behind by a dead process is
    /// replaced; one that answers is not.
    ///
    /// # Errors
    /// The operator's: the path is taken, or not allowed.
    pub async fn listen_unix(&self, path: &Path, mode: u32) -> io::Result<UnixListener> {
        let twin = match &self.twin {
            Twin::Real(_) => UnixTwin::Real(real::listen_unix(path, mode).await?),
            Twin::Simulated(simulated) => UnixTwin::Simulated(simulated.listen_unix(path)?),
        };
        Ok(UnixListener {
            clock: self.clock.clone(),
            twin,
        })
    }

    /// Connects to `address`.
    ///
    /// # Errors
    /// [`ConnectError`], within `options.timeout` at the latest.
    pub async fn connect(
        &self,
        address: SocketAddr,
        options: ConnectOptions,
    ) -> Result<Stream, ConnectError> {
        let attempt = async {
            match &self.twin {
                Twin::Real(detours) => {
                    let at = detours.lead(address)?;
                    real::connect(address, at, options.bind).await
                }
                Twin::Simulated(simulated) => simulated.connect(address, options.bind).await,
            }
        };
        self.bounded(address.to_string(), options.timeout, attempt)
            .await
    }

    /// Connects to a host of our own, the database's for instance, by its name or address: the system resolves it, hosts
    /// file included, and its addresses are tried in turn. A connection ends within 11 s when the machine at its other end is
    /// gone without a word. Mail's peers are looked up with [`crate::dns`] instead. Simulated: addresses only.
    ///
    /// # Errors
    /// [`ConnectError`] of the last address, within `timeout` at the latest.
    pub async fn connect_host(
        &self,
        host: &str,
        port: u16,
        timeout: Duration,
    ) -> Result<Stream, ConnectError> {
        let attempt = async {
            match &self.twin {
                Twin::Real(_) => real::connect_host(host, port).await,
                Twin::Simulated(simulated) => simulated.connect_host(host, port).await,
            }
        };
        self.bounded(format!("{host}:{port}"), timeout, attempt)
            .await
    }

    /// Connects to the Unix-domain socket at `path`.
    ///
    /// # Errors
    /// [`ConnectError`], within `timeout` at the latest.
    pub async fn connect_unix(
        &self,
        path: &Path,
        timeout: Duration,
    ) -> Result<Stream, ConnectError> {
        let attempt = async {
            match &self.twin {
                Twin::Real(_) => real::connect_unix(path).await,
                Twin::Simulated(simulated) => simulated.connect_unix(path).await,
            }
        };
        self.bounded(path.display().to_string(), timeout, attempt)
            .await
    }

    async fn bounded(
        &self,
        to: String,
        timeout: Duration,
        attempt: impl Future<Output = Result<Stream, ConnectError>>,
    ) -> Result<Stream, ConnectError> {
        self.clock
            .timeout(timeout, attempt)
            .await
            .unwrap_or(Err(ConnectError::TimedOut { to, after: timeout }))
    }
}

/// Accepts connections on an address.
#[derive(Debug)]
pub struct Listener {
    clock: Clock,
    twin: ListenerTwin,
}

#[derive(Debug)]
enum ListenerTwin {
    Real(tokio::net::TcpListener),
    Simulated(simulated::SimulatedListener),
}

impl Listener {
    /// The next connection, and who made it. Safe to cancel.
    ///
    /// A shortage of descriptors or memory is logged and waited out ([`ACCEPT_PAUSE`]), a peer that is gone before it
    /// was accepted is passed over; neither ends the listener.
    ///
    /// # Errors
    /// Ours: the listener itself is broken.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match &self.twin {
            ListenerTwin::Real(listener) => loop {
                match listener.accept().await {
                    Ok((socket, peer)) => return Ok((real::accepted(socket, peer), peer)),
                    Err(error) => wait_out(&self.clock, error).await?,
                }
            },
            ListenerTwin::Simulated(listener) => listener.accept().await,
        }
    }

    /// The address listened on, with the port the system chose.
    ///
    /// # Errors
    /// Ours: the listener itself is broken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.twin {
            ListenerTwin::Real(listener) => listener.local_addr(),
            ListenerTwin::Simulated(listener) => Ok(listener.local_addr()),
        }
    }
}

/// Accepts connections on a path.
#[derive(Debug)]
pub struct UnixListener {
    clock: Clock,
    twin: UnixTwin,
}

#[derive(Debug)]
enum UnixTwin {
    Real(tokio::net::UnixListener),
    Simulated(simulated::SimulatedUnixListener),
}

impl UnixListener {
    /// The next connection. Safe to cancel; waits out shortages as [`Listener::accept`] does.
    ///
    /// # Errors
    /// Ours: the listener itself is broken.
    pub async fn accept(&self) -> io::Result<Stream> {
        match &self.twin {
            UnixTwin::Real(listener) => loop {
                match listener.accept().await {
                    Ok((socket, _)) => return Ok(Stream::plain(Plain::Unix(socket), None, None)),
                    Err(error) => wait_out(&self.clock, error).await?,
                }
            },
            UnixTwin::Simulated(listener) => listener.accept().await,
        }
    }
}

/// Returns when accepting may be tried again, or the error when it may not.
async fn wait_out(clock: &Clock, error: io::Error) -> io::Result<()> {
    match real::accept_trouble(&error) {
        real::AcceptTrouble::PeerGone => Ok(()),
        real::AcceptTrouble::NoRoom => {
            tracing::warn!(%error, "no room for another connection; trying again shortly");
            clock.sleep(ACCEPT_PAUSE).await;
            Ok(())
        }
        real::AcceptTrouble::Broken => Err(error),
    }
}

#[cfg(test)]
mod tests;
