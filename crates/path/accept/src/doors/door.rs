//! One door: a socket that listens until its last holder lets go.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use ground_settings::Endpoint;
use ground_world::net::{ListenOptions, Listener, Net, Stream, UnixListener};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Who may use the socket of a Unix listener: its owner and group.
const UNIX_MODE: u32 = 0o660;

/// A socket that listens.
pub(crate) struct Door {
    socket: Socket,
    bound: Endpoint,
    freed: CancellationToken,
    /// Stands behind the socket, and so is dropped when that is closed.
    _tells: DropGuard,
}

enum Socket {
    Tcp(Listener),
    Unix(UnixListener),
}

impl Door {
    /// Listens at `address`; the path of a Unix socket starts at `folder`.
    ///
    /// # Errors
    /// The operator's: the address is taken, is not ours, or is not allowed.
    pub(super) async fn open(net: &Net, address: &Endpoint, folder: &Path) -> io::Result<Self> {
        let (socket, bound) = match address {
            Endpoint::Tcp(address) => {
                let listener = net.listen(*address, ListenOptions::default()).await?;
                let bound = listener.local_addr().unwrap_or(*address);
                (Socket::Tcp(listener), Endpoint::Tcp(bound))
            }
            Endpoint::Unix(path) => {
                let path = folder.join(path);
                let listener = net.listen_unix(&path, UNIX_MODE).await?;
                (Socket::Unix(listener), Endpoint::Unix(path))
            }
        };
        let freed = CancellationToken::new();
        Ok(Self {
            socket,
            bound,
            _tells: freed.clone().drop_guard(),
            freed,
        })
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        match &self.socket {
            Socket::Tcp(listener) => listener.accept().await.map(|(stream, _peer)| stream),
            Socket::Unix(listener) => listener.accept().await,
        }
    }

    /// Where it listens, with the port the system chose.
    pub(super) fn bound(&self) -> &Endpoint {
        &self.bound
    }

    /// Cancelled when the address is free again.
    pub(super) fn freed(&self) -> CancellationToken {
        self.freed.clone()
    }

    /// Whether the system refuses `address` while this door is open.
    pub(super) fn collides(&self, address: &Endpoint) -> bool {
        match (&self.bound, address) {
            (Endpoint::Tcp(own), Endpoint::Tcp(other)) => share_a_port(own, other),
            (Endpoint::Tcp(_) | Endpoint::Unix(_), Endpoint::Unix(_))
            | (Endpoint::Unix(_), Endpoint::Tcp(_)) => false,
        }
    }
}

/// The unspecified address stands for every one of its family; IPv6 sockets of ours never take IPv4.
fn share_a_port(one: &SocketAddr, other: &SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (everywhere || one.ip() == other.ip())
}
