//! Where a listener listens and where a connector hands over.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::form::{Hostname, quoted, written_as_text};
use crate::problem::Fault;

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A TCP port. Port 0 lets the system choose one.
    Tcp(SocketAddr),
    /// A Unix socket; relative to the configuration's folder.
    Unix(PathBuf),
}

impl FromStr for Endpoint {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if let Some(path) = unix_path(text)? {
            return Ok(Self::Unix(path));
        }
        let address = text.parse().map_err(|_| {
            Fault::new(
                format!("{} is not an address to listen on", quoted(text)),
                r#"write an IP address and a port, such as "127.0.0.1:2525" or "[::]:25", or "unix:PATH""#,
            )
        })?;
        Ok(Self::Tcp(address))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

written_as_text!(
    Endpoint,
    r#"an address and port such as "127.0.0.1:2525", or "unix:PATH""#
);

/// Where a connector hands over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// The mail exchangers of the recipient's domain (RFC 5321 s5).
    Mx,
    /// One host by name; its A and AAAA records are used, never its MX.
    Host(Hostname, u16),
    /// One address.
    Address(SocketAddr),
    /// A Unix socket, for LMTP; relative to the configuration's folder.
    Unix(PathBuf),
}

impl FromStr for NextHop {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if text == "mx" {
            return Ok(Self::Mx);
        }
        if let Some(path) = unix_path(text)? {
            return Ok(Self::Unix(path));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Address(address));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| not_a_hop(text))?;
        let port: u16 = port.parse().map_err(|_| not_a_hop(text))?;
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if let Some(address) = bracketed {
            let address = address.parse().map_err(|_| not_a_hop(text))?;
            return Ok(Self::Address(SocketAddr::new(address, port)));
        }
        let host: Hostname = host.parse().map_err(|_| not_a_hop(text))?;
        Ok(Self::Host(host, port))
    }
}

fn not_a_hop(text: &str) -> Fault {
    Fault::new(
        format!("{} is not a next hop", quoted(text)),
        r#"write "mx", a host and a port such as "smart.example.org:587" or "192.0.2.1:25" or "[2001:db8::1]:25", or "unix:PATH""#,
    )
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mx => f.write_str("mx"),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Address(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

written_as_text!(
    NextHop,
    r#""mx", a host and port such as "smart.example.org:587" or "[192.0.2.1]:25", or "unix:PATH""#
);

fn unix_path(text: &str) -> Result<Option<PathBuf>, Fault> {
    match text.strip_prefix("unix:") {
        None => Ok(None),
        Some("") => Err(Fault::new(
            "the path after unix: is empty",
            r#"write one, such as "unix:/run/postrider/lmtp""#,
        )),
        Some(path) => Ok(Some(PathBuf::from(path))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_hop_is_read_and_printed() {
        let host = |name: &str, port| NextHop::Host(name.parse().expect(name), port);
        let address = |text: &str| NextHop::Address(text.parse().expect(text));
        for (text, expected, printed) in [
            ("mx", NextHop::Mx, "mx"),
            ("smart.test:587", host("smart.test", 587), "smart.test:587"),
            ("Smart.test.:25", host("smart.test", 25), "smart.test:25"),
            ("192.0.2.1:25", address("192.0.2.1:25"), "192.0.2.1:25"),
            ("[192.0.2.1]:25", address("192.0.2.1:25"), "192.0.2.1:25"),
            (
                "[2001:db8::1]:25",
                address("[2001:db8::1]:25"),
                "[2001:db8::1]:25",
            ),
            (
                "unix:/run/lmtp",
                NextHop::Unix("/run/lmtp".into()),
                "unix:/run/lmtp",
            ),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            assert_eq!(expected.to_string(), printed);
            assert_eq!(printed.parse(), Ok(expected), "there and back");
        }
    }

    #[test]
    fn what_is_no_next_hop_is_refused() {
        for text in [
            "",
            "MX",
            "smart.test",
            "smart.test:",
            "smart.test:99999",
            ":25",
            "1.2.3:25",
            "1.2.3.400:25",
            "2001:db8::1:25",
            "[x]:25",
            "unix:",
            "a b:25",
        ] {
            assert!(text.parse::<NextHop>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_endpoint_is_read_and_printed() {
        for text in ["127.0.0.1:2525", "[::]:25", "unix:./lmtp"] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), text);
        }
        for text in ["", "25", "localhost:25", "127.0.0.1", "unix:"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
