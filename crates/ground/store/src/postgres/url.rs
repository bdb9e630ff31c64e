//! The URL of a PostgreSQL store, and what it means: `postgres://user:password@host:port,host:port/database?sslmode=...`.
//!
//! What is written as libpq writes it means what libpq means by it, with these differences: `sslmode` is `verify-full` when
//! nothing is said (libpq: `prefer`, which lets anybody on the way turn encryption off); `prefer`, `allow` and `verify-ca` are
//! refused for being half a promise; `target_session_attrs` is `read-write` always, because a store writes.

use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::StoreError;

const DEFAULT_PORT: u16 = 5432;

/// How a connection over TCP is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Protection {
    /// `sslmode=disable`: not at all.
    None,
    /// `sslmode=require`: encrypted; whoever answers is taken for the server.
    Encrypted,
    /// `sslmode=verify-full`: encrypted, and the server's certificate is good for its name, under the system's roots or
    /// those of `sslrootcert`.
    Verified { roots: Option<PathBuf> },
}

/// One place where the database may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// Where the database is and how to speak to it.
#[derive(Clone)]
pub(super) struct Server {
    /// Who we are, and which database.
    pub(super) login: Config,
    /// Where it may be, in the order to try while nothing is known better.
    pub(super) addresses: Vec<Address>,
    pub(super) protection: Protection,
}

impl Server {
    /// Reads `url`. No message repeats it: it may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (rest, protection) = take_protection(url)?;
        let mut login = Config::from_str(&rest).map_err(|error| unfit(&described(&error)))?;
        let Some(user) = login.get_user().map(str::to_owned) else {
            return Err(unfit("it names no user"));
        };
        if login.get_dbname().is_none() {
            login.dbname(user);
        }
        // `any` is what the driver says when the URL says nothing.
        let wanted = login.get_target_session_attrs();
        if wanted != TargetSessionAttrs::ReadWrite && wanted != TargetSessionAttrs::Any {
            return Err(unfit("a store writes: target_session_attrs is read-write"));
        }
        let ssl = match protection {
            Protection::None => SslMode::Disable,
            Protection::Encrypted | Protection::Verified { .. } => SslMode::Require,
        };
        login.ssl_mode(ssl);
        let addresses = addresses(&login)?;
        Ok(Self {
            login,
            addresses,
            protection,
        })
    }

    /// Where it is, for people: without the password.
    pub(super) fn shown(&self) -> String {
        let addresses = self.addresses.iter().map(Address::to_string);
        let addresses = addresses.collect::<Vec<_>>().join(",");
        let user = self.login.get_user().unwrap_or_default();
        let database = self.login.get_dbname().unwrap_or_default();
        format!("postgres://{user}@{addresses}/{database}")
    }

    /// The same over a Unix-domain socket, which nobody else can listen to.
    pub(super) fn without_tls(&self) -> Self {
        let mut plain = self.clone();
        plain.login.ssl_mode(SslMode::Disable);
        plain.protection = Protection::None;
        plain
    }
}

/// Takes `sslmode` and `sslrootcert` out of the URL: the driver knows fewer words for them.
fn take_protection(url: &str) -> Result<(String, Protection), StoreError> {
    let (mut mode, mut roots) = ("verify-full", None);
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), Protection::Verified { roots }));
    };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = value,
            Some(("sslrootcert", "system")) => roots = None,
            Some(("sslrootcert", value)) => roots = Some(PathBuf::from(value)),
            Some(_) | None => kept.push(pair),
        }
    }
    let protection = match mode {
        "disable" => Protection::None,
        "require" => Protection::Encrypted,
        "verify-full" => Protection::Verified { roots },
        other => {
            return Err(unfit(&format!(
                "sslmode is disable, require or verify-full, not {other:?}"
            )));
        }
    };
    let rest = match kept.as_slice() {
        [] => base.to_owned(),
        kept => format!("{base}?{}", kept.join("&")),
    };
    Ok((rest, protection))
}

fn addresses(login: &Config) -> Result<Vec<Address>, StoreError> {
    let hosts = login.get_hosts();
    let ports = login.get_ports();
    if hosts.is_empty() || !login.get_hostaddrs().is_empty() {
        return Err(unfit(
            "it names no host (write a name, an address, or the socket's folder as %2Fvar%2Frun%2Fpostgresql)",
        ));
    }
    let port = |index: usize| match ports {
        [] => Ok(DEFAULT_PORT),
        [one] => Ok(*one),
        many => many
            .get(index)
            .copied()
            .ok_or_else(|| unfit("there are more hosts than ports")),
    };
    let address = |(index, host): (usize, &Host)| {
        let port = port(index)?;
        Ok(match host {
            Host::Tcp(host) => Address::Tcp {
                host: host.clone(),
                port,
            },
            Host::Unix(folder) => Address::Unix(folder.join(format!(".s.PGSQL.{port}"))),
        })
    };
    hosts.iter().enumerate().map(address).collect()
}

/// What the driver found wrong: its error alone says only that something is.
fn described(error: &tokio_postgres::Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

fn unfit(why: &str) -> StoreError {
    StoreError::Unfit(format!("the URL of the PostgreSQL store: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn hosts_keep_their_order_and_each_its_port() {
        let check = |url: &str, wanted: &[Address]| {
            let server = Server::parse(url).unwrap();
            assert_eq!(server.addresses, wanted, "{url}");
        };
        check("postgres://u:p@db.test/mail", &[tcp("db.test", 5432)]);
        check(
            "postgresql://u@a.test:1,b.test:2/mail?target_session_attrs=read-write",
            &[tcp("a.test", 1), tcp("b.test", 2)],
        );
        check(
            "postgres://u@%2Frun%2Fpg:77/mail?sslmode=disable",
            &[Address::Unix("/run/pg/.s.PGSQL.77".into())],
        );
    }

    #[test]
    fn nothing_said_about_tls_means_the_server_must_prove_who_it_is() {
        let check = |query: &str, wanted: Protection| {
            let url = format!("postgres://u@db.test/mail{query}");
            assert_eq!(Server::parse(&url).unwrap().protection, wanted, "{query}");
        };
        check("", Protection::Verified { roots: None });
        check("?sslmode=verify-full", Protection::Verified { roots: None });
        check("?sslmode=require", Protection::Encrypted);
        check("?connect_timeout=3&sslmode=disable", Protection::None);
        let roots = Some("/etc/ca.pem".into());
        check("?sslrootcert=/etc/ca.pem", Protection::Verified { roots });
    }

    #[test]
    fn where_it_is_is_told_without_the_password() {
        let check = |url: &str, wanted: &str| {
            assert_eq!(Server::parse(url).unwrap().shown(), wanted);
        };
        check(
            "postgres://jo:secret@a.test:5433,b.test/mail?sslmode=require",
            "postgres://jo@a.test:5433,b.test:5432/mail",
        );
        check(
            "postgres://jo@%2Frun%2Fpg",
            "postgres://jo@/run/pg/.s.PGSQL.5432/jo",
        );
    }

    #[test]
    fn a_mistake_in_the_url_is_told_without_the_password() {
        let check = |url: &str, wanted: &str| {
            let Err(StoreError::Unfit(why)) = Server::parse(url).map(drop) else {
                panic!("{url} was taken");
            };
            assert!(why.contains(wanted), "{url}: {why}");
            assert!(!why.contains("hunter2"), "{why}");
        };
        check("postgres://db.test/mail", "no user");
        check("postgres://u:hunter2@/mail", "no host");
        check("postgres://u:hunter2@db.test:port/mail", "port");
        check(
            "postgres://u:hunter2@db.test/mail?sslmode=prefer",
            "sslmode is disable",
        );
        check("postgres://u:hunter2@db.test/mail?sslmod=require", "sslmod");
        check(
            "postgres://u:hunter2@db.test/mail?target_session_attrs=read-only",
            "a store writes",
        );
    }
}
