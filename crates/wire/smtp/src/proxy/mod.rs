//! The PROXY protocol header, versions 1 and 2: who really connected, told by a load balancer.
//!
//! For: listeners that are told to expect it, on the first octets of a connection. Never: guessing whether a
//! header is there. Strict: what does not parse ends the connection (specification, s2: "must not try to guess").

mod v1;
mod v2;

use std::net::SocketAddr;

/// Octets a header may take: version 2's fixed part and addresses and type-length-values up to this bound.
/// The largest headers in use (TLS values with a certificate name) stay far below.
pub const MAX_HEADER: usize = 2048;

/// Whom the proxy speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxied {
    /// A client's connection.
    Client {
        /// The client's address.
        source: SocketAddr,
        /// The address it connected to.
        destination: SocketAddr,
    },
    /// The proxy itself (health checks), or an origin it cannot name: use the socket's own addresses.
    Local,
}

/// What the octets so far say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More octets are needed.
    Incomplete,
    /// A whole header, and the octets it took.
    Complete(Proxied, usize),
}

/// Why the octets are no header. The proxy's configuration is wrong, or the peer is no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Neither signature.
    #[error("no PROXY protocol header at the start of the connection")]
    NoHeader,
    /// The line of version 1 is malformed or longer than 107 octets.
    #[error("malformed PROXY protocol version 1 line")]
    Line,
    /// A version, command, family or length of version 2 that is not defined.
    #[error("malformed PROXY protocol version 2 header")]
    Binary,
    /// A version 2 header above [`MAX_HEADER`].
    #[error("PROXY protocol header of {0} octets is too long")]
    TooLong(usize),
}

/// Reads a header from the first octets of a connection.
pub fn parse(input: &[u8]) -> Result<Progress, ProxyError> {
    if starts_alike(input, v2::SIGNATURE) {
        return v2::parse(input);
    }
    if starts_alike(input, v1::SIGNATURE) {
        return v1::parse(input);
    }
    Err(ProxyError::NoHeader)
}

/// True while `input` can still become, or already is, something that starts with `signature`.
fn starts_alike(input: &[u8], signature: &[u8]) -> bool {
    input.iter().zip(signature).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests;
