//! Real sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use super::stream::{Plain, Stream};
use super::{ConnectError, ListenOptions};

/// What was sent to a host of our own and not confirmed by its system in this time: the machine is gone, or the way to it. A
/// node's lease on its work (15 s) is longer, so that it can be prolonged at the machine that took over.
const GONE_AFTER: Duration = Duration::from_secs(10);

/// When nothing is on its way, the host's system is asked whether it is there: first after this time, then at this pace.
const ASK_AFTER: Duration = Duration::from_secs(5);
const ASK_EVERY: Duration = Duration::from_secs(2);

pub(super) fn listen(address: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

pub(super) fn accepted(socket: TcpStream, peer: SocketAddr) -> Stream {
    // The peer may be gone by now; the session will find out when it reads.
    let local = socket.local_addr().ok();
    no_delay(&socket);
    Stream::plain(Plain::Tcp(socket), Some(peer), local)
}

/// A connection to `address`, which is found at `at`.
pub(super) async fn connect(
    address: SocketAddr,
    at: SocketAddr,
    bind: Option<IpAddr>,
) -> Result<Stream, ConnectError> {
    let socket = reach(address, at, bind).await?;
    let local = socket.local_addr().ok();
    Ok(Stream::plain(Plain::Tcp(socket), Some(address), local))
}

async fn reach(
    address: SocketAddr,
    at: SocketAddr,
    bind: Option<IpAddr>,
) -> Result<TcpStream, ConnectError> {
    let socket = prepare(at, bind).map_err(|error| ConnectError::Ours {
        to: address.to_string(),
        detail: error.to_string(),
    })?;
    let socket = socket
        .connect(at)
        .await
        .map_err(|error| connect_error(address.to_string(), &error))?;
    no_delay(&socket);
    Ok(socket)
}

/// See [`GONE_AFTER`] for what distinguishes it.
pub(super) async fn connect_host(host: &str, port: u16) -> Result<Stream, ConnectError> {
    let unreachable = |detail: String| ConnectError::Unreachable {
        to: format!("{host}:{port}"),
        detail,
    };
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| unreachable(error.to_string()))?;
    let mut failed = unreachable("the name has no address".to_owned());
    for address in addresses {
        match reach(address, address, None).await {
            Ok(socket) => {
                notice_its_end(&socket);
                let local = socket.local_addr().ok();
                return Ok(Stream::plain(Plain::Tcp(socket), Some(address), local));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn prepare(address: SocketAddr, bind: Option<IpAddr>) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(from) = bind {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    Ok(socket)
}

/// Replies are written whole, so waiting for more to fill a packet only costs time. Fails only on a dead connection.
fn no_delay(socket: &TcpStream) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
}

/// A machine that loses its power closes no connection: its silence must end one. Fails only on a dead connection.
pub(super) fn notice_its_end(socket: &TcpStream) {
    let asked = TcpKeepalive::new()
        .with_time(ASK_AFTER)
        .with_interval(ASK_EVERY);
    let socket = SockRef::from(socket);
    let set = socket.set_tcp_keepalive(&asked);
    if let Err(error) = set.and_then(|()| socket.set_tcp_user_timeout(Some(GONE_AFTER))) {
        tracing::debug!(%error, "cannot have the system watch over a connection");
    }
}

pub(super) async fn listen_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_if_dead(path).await?;
            UnixListener::bind(path)?
        }
        other => other?,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Removes a socket nobody listens on; anything else at the path stays.
async fn remove_if_dead(path: &Path) -> io::Result<()> {
    let in_use = |what: &str| {
        let text = format!("{} {what}", path.display());
        Err(io::Error::new(io::ErrorKind::AddrInUse, text))
    };
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return in_use("is not a socket");
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Ok(_) | Err(_) => in_use("is in use"),
    }
}

pub(super) async fn connect_unix(path: &Path) -> Result<Stream, ConnectError> {
    let socket = UnixStream::connect(path)
        .await
        .map_err(|error| connect_error(path.display().to_string(), &error))?;
    Ok(Stream::plain(Plain::Unix(socket), None, None))
}

fn connect_error(to: String, error: &io::Error) -> ConnectError {
    use io::ErrorKind as Kind;
    // A Unix-domain listener whose backlog is full answers `WouldBlock`.
    const UNREACHABLE: [Kind; 6] = [
        Kind::ConnectionReset,
        Kind::TimedOut,
        Kind::HostUnreachable,
        Kind::NetworkUnreachable,
        Kind::NetworkDown,
        Kind::WouldBlock,
    ];
    let detail = error.to_string();
    let kind = error.kind();
    if matches!(kind, Kind::ConnectionRefused | Kind::NotFound) {
        ConnectError::Refused { to }
    } else if UNREACHABLE.contains(&kind) {
        ConnectError::Unreachable { to, detail }
    } else {
        ConnectError::Ours { to, detail }
    }
}

/// What an error of `accept(2)` means for the listener.
pub(super) enum AcceptTrouble {
    PeerGone,
    NoRoom,
    Broken,
}

pub(super) fn accept_trouble(error: &io::Error) -> AcceptTrouble {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => AcceptTrouble::NoRoom,
        // Linux hands errors of the new connection to accept; see "Error handling" in accept(2).
        Some(
            Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::INTR
            | Errno::PERM
            | Errno::PROTO
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::HOSTDOWN
            | Errno::NOPROTOOPT
            | Errno::OPNOTSUPP
            | Errno::NONET,
        ) => AcceptTrouble::PeerGone,
        _ => AcceptTrouble::Broken,
    }
}
