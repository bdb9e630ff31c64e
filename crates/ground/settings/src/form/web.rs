//! Addresses of the web: `http://host:port/path`, `https://host/path`.

use std::fmt;
use std::str::FromStr;

use crate::form::{Misread, Shape, Value, Written, quoted, read_text};
use crate::problem::Fault;

/// Where something is posted, or this server's own pages are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    /// Whether the connection is secured.
    pub secured: Secured,
    /// A name or an IP address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What follows, from the slash on.
    pub path: String,
}

/// How a web server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secured {
    /// `http://`
    Plain,
    /// `https://`: its certificate must be good for its name.
    Tls,
}

impl WebAddress {
    /// The host as it stands in a URL and in `Host:`.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        let usual = match self.secured {
            Secured::Plain => 80,
            Secured::Tls => 443,
        };
        match self.port == usual {
            true => host,
            false => format!("{host}:{}", self.port),
        }
    }

    /// The address of another `path`, which begins with a slash, at the same host.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        let scheme = match self.secured {
            Secured::Plain => "http",
            Secured::Tls => "https",
        };
        format!("{scheme}://{}{path}", self.authority())
    }
}

impl FromStr for WebAddress {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let nonsense = || {
            Fault::new(
                format!("{} is no address of the web", quoted(text)),
                r#"write it as "https://host/path" or "http://host:port/path""#,
            )
        };
        let (secured, rest, usual) =
            match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
                (Some(rest), _) => (Secured::Plain, rest, 80),
                (_, Some(rest)) => (Secured::Tls, rest, 443),
                (None, None) => return Err(nonsense()),
            };
        let plain = |c: char| c.is_ascii_graphic() && c != '#' && c != '@';
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.strip_prefix('[') {
            Some(inside) => {
                let (host, port) = inside.split_once(']').ok_or_else(nonsense)?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = port.map_or(Ok(usual), str::parse).map_err(|_| nonsense())?;
        if host.is_empty() || port == 0 || !rest.chars().all(plain) {
            return Err(nonsense());
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            secured,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.at(&self.path))
    }
}

/// Who knows the path of a webhook may post there, so a path is not shown.
impl Value for WebAddress {
    const SHAPE: Shape = Shape::Secret;

    fn conceals(text: &str) -> bool {
        text.parse().is_ok_and(|address: Self| address.path != "/")
    }

    fn form() -> String {
        r#"an address of the web such as "https://hooks.example.org/mail""#.to_owned()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        read_text(value, &Self::form())
    }

    fn show(&self) -> String {
        match self.path.as_str() {
            "/" => quoted(&self.to_string()),
            _ => quoted(&self.at("/...")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_web_is_read_and_written() {
        for (text, host, port, path) in [
            (
                "http://127.0.0.1:8080/hook?a=b",
                "127.0.0.1",
                8080,
                "/hook?a=b",
            ),
            ("https://hooks.example.org", "hooks.example.org", 443, "/"),
            ("http://[::1]:81/", "::1", 81, "/"),
        ] {
            let address: WebAddress = text.parse().unwrap();
            let got = (address.host.as_str(), address.port, address.path.as_str());
            assert_eq!(got, (host, port, path));
            assert_eq!(address.to_string().parse::<WebAddress>().unwrap(), address);
        }
        let address: WebAddress = "https://[::1]:81/hook".parse().unwrap();
        assert_eq!(address.at("/status/x"), "https://[::1]:81/status/x");
        for text in [
            "ftp://a/",
            "http://",
            "http://a:0/",
            "http://a b/",
            "http://u@a/",
            "https://a:x/",
            "http://[::1",
        ] {
            assert!(text.parse::<WebAddress>().is_err(), "{text}");
        }
    }
}
