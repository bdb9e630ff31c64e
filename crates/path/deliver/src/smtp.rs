//! SMTP and LMTP to another server, over TCP or a Unix socket (RFC 5321, RFC 2033).
//!
//! A [`Session`] is opened once and carries many messages. With PIPELINING a small message costs two writes: its commands,
//! and its content.

mod attempt;
mod content;
mod drive;
mod open;

pub use attempt::{RECIPIENTS_MAX, attempt_limit};
pub(crate) use content::unreadable;
pub use open::{DIALS_MAX, OPEN_MAX, OpenFailure, Whose};

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ground_settings::{ConnectorTls, Timeouts};
use ground_world::World;
use wire_smtp::client::Event;
use wire_smtp::command::{Credentials, Dialect};

use crate::story::Story;
use drive::Line;

/// Where to go, and how to behave there.
#[derive(Debug, Clone)]
pub struct Course {
    /// The servers, best first.
    pub servers: Vec<Server>,
    /// What is spoken.
    pub dialect: Dialect,
    /// How it is encrypted.
    pub tls: ConnectorTls,
    /// When TLS starts.
    pub tls_start: TlsStart,
    /// Who to log in as; only ever said over TLS.
    pub login: Option<Credentials>,
    /// The address of this machine to connect from.
    pub source_address: Option<IpAddr>,
    /// Our name.
    pub our_name: String,
    /// How long each phase may take.
    pub timeouts: Timeouts,
}

/// When TLS starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsStart {
    /// After STARTTLS (RFC 3207).
    Command,
    /// At the first octet (RFC 8314 s3.3).
    AtOnce,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, as it must stand in its certificate; an address in brackets when it has none.
    pub host: String,
    /// Where it is, in the order to try.
    pub places: Vec<Place>,
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Tcp(address) => write!(f, "{address}"),
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// An open conversation with one server.
#[derive(Debug)]
pub struct Session {
    line: Line,
    peer: String,
    address: String,
    tls: String,
    /// How it came to stand: shown with the first attempt that fails.
    opening: Story,
    /// Transactions begun.
    begun: u32,
}

impl Session {
    /// Opens a session with the first server of `course` that answers well.
    ///
    /// A connection that fails, a greeting or EHLO that is refused, and security that cannot be had send us on to the
    /// next address, then to the next server.
    ///
    /// # Errors
    /// The failure that says most, with the story of all of them.
    pub async fn open(course: &Course, world: &World) -> Result<Session, Box<OpenFailure>> {
        open::open(course, world).await
    }

    /// The server's name.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The server's address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Version, cipher and what became of the certificate; empty without TLS.
    #[must_use]
    pub fn tls(&self) -> &str {
        &self.tls
    }

    /// Transactions begun.
    #[must_use]
    pub fn begun(&self) -> u32 {
        self.begun
    }

    /// Whether another message may be tried: the session is ready and the peer's own limit (RFC 9422) not reached.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let limit = self.line.client.capabilities().limits.mail_max;
        self.line.client.is_ready() && limit.is_none_or(|limit| self.begun < limit)
    }

    /// Looks, without waiting, whether the peer has gone while the session was idle.
    pub async fn still_stands(&mut self) -> bool {
        self.line.look().await;
        self.is_usable()
    }

    /// Says QUIT, and does not wait long for the answer.
    pub async fn close(mut self) {
        if self.line.client.quit().is_err() {
            return;
        }
        while !matches!(self.line.next().await, Event::Closed(_)) {}
    }
}

#[cfg(test)]
mod tests;
