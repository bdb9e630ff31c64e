//! The simulated network: listeners by address, scripted faults, no traffic outside the process.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::pipe::{self, LaneEnd, Pipe, Wires};
use super::stream::{Plain, Stream};
use super::{ConnectError, ListenOptions};
use crate::hold;

/// Where simulated connections to other hosts come from when the caller binds nothing (RFC 5737 documentation space).
pub const HOME_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
/// The same for IPv6 (RFC 3849).
pub const HOME_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
/// The first port given to who asks for any.
const FIRST_FREE_PORT: u16 = 32_768;
/// Dead connections are swept from the book when it has grown by so many.
const SWEEP_EVERY: usize = 1024;

/// What goes wrong with connections to an address. Bytes are counted per connection, from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The host answers that nothing listens.
    Refuse,
    /// Nothing answers: the attempt hangs until its caller's time is up.
    Blackhole,
    /// The network knows no way.
    Unreachable,
    /// Reset when the connecting side has sent more than so many bytes.
    ResetAfterSent(u64),
    /// Reset when the accepting side has sent more than so many bytes.
    ResetAfterReceived(u64),
    /// What the connecting side sends after so many bytes never arrives; the connection stays open.
    SilentAfterSent(u64),
    /// What the accepting side sends after so many bytes never arrives; the connection stays open.
    SilentAfterReceived(u64),
}

/// The simulated network, for tests to script. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimulatedNet {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    listeners: BTreeMap<SocketAddr, mpsc::Sender<Arrival>>,
    unix_listeners: BTreeMap<PathBuf, mpsc::Sender<Arrival>>,
    faults: BTreeMap<SocketAddr, Fault>,
    latency: Duration,
    connections: Vec<Connection>,
    sweep_at: usize,
    next_port: u16,
}

#[derive(Debug)]
struct Connection {
    to: SocketAddr,
    from: SocketAddr,
    wires: Wires,
}

/// A connection on its way to whoever listens.
#[derive(Debug)]
struct Arrival {
    pipe: Pipe,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
}

impl SimulatedNet {
    /// From now on, connections to `address` meet `fault`. Connections that exist are left alone.
    pub fn fault(&self, address: SocketAddr, fault: Fault) {
        hold(&self.state).faults.insert(address, fault);
    }

    /// `address` works again, for new connections.
    pub fn heal(&self, address: SocketAddr) {
        hold(&self.state).faults.remove(&address);
    }

    /// Bytes of new connections take so long one way; establishing one takes twice that.
    pub fn set_latency(&self, latency: Duration) {
        hold(&self.state).latency = latency;
    }

    /// Resets every connection made to `address`, and says how many there were.
    pub fn reset_connections(&self, address: SocketAddr) -> usize {
        let mut state = hold(&self.state);
        let (of_address, others) = std::mem::take(&mut state.connections)
            .into_iter()
            .partition::<Vec<_>, _>(|connection| connection.to == address);
        state.connections = others;
        of_address
            .iter()
            .filter(|connection| connection.wires.cut())
            .count()
    }

    /// Who has connected from `from` to `to` panics when it reads next: a defect of its own, at a moment the test chooses.
    pub fn panic_connector(&self, from: SocketAddr, to: SocketAddr) {
        let state = hold(&self.state);
        let between = |one: &&Connection| (one.from, one.to) == (from, to);
        for connection in state.connections.iter().filter(between) {
            connection.wires.panic_first();
        }
    }

    /// How many connections made to `address` are open on at least one side.
    pub fn open_connections(&self, address: SocketAddr) -> usize {
        hold(&self.state)
            .connections
            .iter()
            .filter(|connection| connection.to == address && connection.wires.alive())
            .count()
    }

    pub(super) fn listen(
        &self,
        address: SocketAddr,
        options: ListenOptions,
    ) -> io::Result<SimulatedListener> {
        let mut state = hold(&self.state);
        let address = match address.port() {
            0 => SocketAddr::new(address.ip(), state.free_port(address.ip())?),
            _ => address,
        };
        if state.listening(&address) {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("{address} is in use"),
            ));
        }
        let backlog = usize::try_from(options.backlog).unwrap_or(usize::MAX);
        let (sender, arrivals) = mpsc::channel(backlog.clamp(1, super::BACKLOG as usize));
        state.listeners.insert(address, sender);
        Ok(SimulatedListener {
            address,
            arrivals: tokio::sync::Mutex::new(arrivals),
        })
    }

    pub(super) fn listen_unix(&self, path: &Path) -> io::Result<SimulatedUnixListener> {
        let mut state = hold(&self.state);
        let taken = state
            .unix_listeners
            .get(path)
            .is_some_and(|sender| !sender.is_closed());
        if taken {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("{} is in use", path.display()),
            ));
        }
        let (sender, arrivals) = mpsc::channel(super::BACKLOG as usize);
        state.unix_listeners.insert(path.to_owned(), sender);
        Ok(SimulatedUnixListener {
            arrivals: tokio::sync::Mutex::new(arrivals),
        })
    }

    pub(super) async fn connect(
        &self,
        to: SocketAddr,
        bind: Option<IpAddr>,
    ) -> Result<Stream, ConnectError> {
        let Dialled {
            listener,
            from,
            latency,
            sent_end,
            received_end,
        } = match self.dial(to, bind) {
            Dial::Through(dialled) => dialled,
            Dial::Hangs => std::future::pending().await,
            Dial::Fails { after, error } => {
                tokio::time::sleep(after).await;
                return Err(error);
            }
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency * 2).await;
        }
        let (near, far, wires) = pipe::pair(latency, sent_end, received_end);
        let arrival = Arrival {
            pipe: far,
            peer: Some(from),
            local: Some(to),
        };
        listener
            .send(arrival)
            .await
            .map_err(|_| ConnectError::Refused { to: to.to_string() })?;
        hold(&self.state).note(Connection { to, from, wires });
        Ok(Stream::plain(Plain::Simulated(near), Some(to), Some(from)))
    }

    /// There is no system here that knows names.
    pub(super) async fn connect_host(&self, host: &str, port: u16) -> Result<Stream, ConnectError> {
        match host.parse::<IpAddr>() {
            Ok(address) => self.connect(SocketAddr::new(address, port), None).await,
            Err(_) => Err(ConnectError::Unreachable {
                to: format!("{host}:{port}"),
                detail: "a simulated system knows addresses only".to_owned(),
            }),
        }
    }

    pub(super) async fn connect_unix(&self, path: &Path) -> Result<Stream, ConnectError> {
        let refused = || ConnectError::Refused {
            to: path.display().to_string(),
        };
        let listener = hold(&self.state).unix_listeners.get(path).cloned();
        let (near, far, _) = pipe::pair(Duration::ZERO, LaneEnd::Never, LaneEnd::Never);
        let arrival = Arrival {
            pipe: far,
            peer: None,
            local: None,
        };
        listener
            .ok_or_else(refused)?
            .send(arrival)
            .await
            .map_err(|_| refused())?;
        Ok(Stream::plain(Plain::Simulated(near), None, None))
    }

    /// Decides what an attempt to connect meets.
    fn dial(&self, to: SocketAddr, bind: Option<IpAddr>) -> Dial {
        let mut state = hold(&self.state);
        let fault = state.faults.get(&to).copied();
        let round_trip = state.latency * 2;
        let refused = Dial::Fails {
            after: round_trip,
            error: ConnectError::Refused { to: to.to_string() },
        };
        let (sent_end, received_end) = match fault {
            None => (LaneEnd::Never, LaneEnd::Never),
            Some(Fault::Refuse) => return refused,
            Some(Fault::Blackhole) => return Dial::Hangs,
            Some(Fault::Unreachable) => {
                return Dial::Fails {
                    after: round_trip,
                    error: ConnectError::Unreachable {
                        to: to.to_string(),
                        detail: "no route to host".to_owned(),
                    },
                };
            }
            Some(Fault::ResetAfterSent(bytes)) => (LaneEnd::ResetAfter(bytes), LaneEnd::Never),
            Some(Fault::ResetAfterReceived(bytes)) => (LaneEnd::Never, LaneEnd::ResetAfter(bytes)),
            Some(Fault::SilentAfterSent(bytes)) => (LaneEnd::SilentAfter(bytes), LaneEnd::Never),
            Some(Fault::SilentAfterReceived(bytes)) => {
                (LaneEnd::Never, LaneEnd::SilentAfter(bytes))
            }
        };
        let Some(listener) = state.listener(to) else {
            return refused;
        };
        let from = match state.source(to.ip(), bind) {
            Ok(from) => from,
            Err(error) => {
                return Dial::Fails {
                    after: Duration::ZERO,
                    error: ConnectError::Ours {
                        to: to.to_string(),
                        detail: error.to_string(),
                    },
                };
            }
        };
        Dial::Through(Dialled {
            listener,
            from,
            latency: state.latency,
            sent_end,
            received_end,
        })
    }
}

enum Dial {
    Through(Dialled),
    Hangs,
    Fails {
        after: Duration,
        error: ConnectError,
    },
}

struct Dialled {
    listener: mpsc::Sender<Arrival>,
    from: SocketAddr,
    latency: Duration,
    sent_end: LaneEnd,
    received_end: LaneEnd,
}

impl State {
    fn listening(&self, address: &SocketAddr) -> bool {
        self.listeners
            .get(address)
            .is_some_and(|sender| !sender.is_closed())
    }

    fn listener(&self, to: SocketAddr) -> Option<mpsc::Sender<Arrival>> {
        let wildcard = to.ip().is_loopback().then(|| {
            let any = match to {
                SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            };
            SocketAddr::new(any, to.port())
        });
        [Some(to), wildcard]
            .into_iter()
            .flatten()
            .filter_map(|address| self.listeners.get(&address))
            .find(|sender| !sender.is_closed())
            .cloned()
    }

    fn source(&mut self, to: IpAddr, bind: Option<IpAddr>) -> io::Result<SocketAddr> {
        let ip = match (bind, to) {
            (Some(ip), _) if ip.is_ipv4() != to.is_ipv4() => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("{ip} and {to} are not of one family"),
                ));
            }
            (Some(ip), _) => ip,
            (None, to) if to.is_loopback() => to,
            (None, IpAddr::V4(_)) => HOME_V4,
            (None, IpAddr::V6(_)) => HOME_V6,
        };
        Ok(SocketAddr::new(ip, self.free_port(ip)?))
    }

    fn free_port(&mut self, ip: IpAddr) -> io::Result<u16> {
        for _ in FIRST_FREE_PORT..=u16::MAX {
            let port = self.next_port.max(FIRST_FREE_PORT);
            self.next_port = port.checked_add(1).unwrap_or(FIRST_FREE_PORT);
            if !self.listening(&SocketAddr::new(ip, port)) {
                return Ok(port);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "every port is in use",
        ))
    }

    fn note(&mut self, connection: Connection) {
        if self.connections.len() >= self.sweep_at {
            self.connections.retain(|other| other.wires.alive());
            self.sweep_at = self.connections.len() + SWEEP_EVERY;
        }
        self.connections.push(connection);
    }
}

/// Accepts simulated connections; the address is free again when it is dropped.
#[derive(Debug)]
pub(super) struct SimulatedListener {
    address: SocketAddr,
    arrivals: tokio::sync::Mutex<mpsc::Receiver<Arrival>>,
}

impl SimulatedListener {
    pub(super) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let (stream, peer) = next(&self.arrivals).await?;
        Ok((stream, peer.unwrap_or(self.address)))
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

#[derive(Debug)]
pub(super) struct SimulatedUnixListener {
    arrivals: tokio::sync::Mutex<mpsc::Receiver<Arrival>>,
}

impl SimulatedUnixListener {
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        let (stream, _) = next(&self.arrivals).await?;
        Ok(stream)
    }
}

async fn next(
    arrivals: &tokio::sync::Mutex<mpsc::Receiver<Arrival>>,
) -> io::Result<(Stream, Option<SocketAddr>)> {
    let arrival = arrivals.lock().await.recv().await;
    // The network holds a sender as long as the listener lives, so there always is a next one.
    let arrival = arrival.ok_or(io::ErrorKind::NotConnected)?;
    let stream = Stream::plain(Plain::Simulated(arrival.pipe), arrival.peer, arrival.local);
    Ok((stream, arrival.peer))
}
