//! What the settings of this moment say about a next hop.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ground_settings::{Connector, ConnectorTls, NextHop, Schedule, Secret, Settings, Transport};
use path_ledger::HopKey;
use wire_message::{Domain, DomainName};

use crate::NoWay;
use crate::route::choose;

/// How a next hop is to be reached and spoken to, by the settings of this moment.
#[derive(Debug, Clone, PartialEq)]
pub struct HopPlan {
    /// Where its servers are found.
    pub way: Way,
    /// What is spoken.
    pub protocol: Transport,
    /// How it is encrypted.
    pub tls: ConnectorTls,
    /// Whether TLS starts at the first byte.
    pub implicit_tls: bool,
    /// Who to log in as.
    pub login: Option<Login>,
    /// The address of this machine to connect from.
    pub source_address: Option<IpAddr>,
    /// Connections at one time.
    pub max_connections: u32,
    /// Messages over one connection.
    pub max_messages_per_connection: u32,
    /// When its mail is tried, reported and returned.
    pub schedule: Schedule,
    /// The connector all this comes from; `None` for what holds without any.
    pub connector: Option<String>,
    /// Why it is so, in words.
    pub reason: String,
}

/// Where servers are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By the MX records of a domain, on this port.
    Mx {
        /// The domain.
        domain: DomainName,
        /// The port.
        port: u16,
    },
    /// By the addresses of one host; its MX records do not count.
    Host {
        /// Its name.
        name: String,
        /// The port.
        port: u16,
    },
    /// At one address: of a connector, or of an address literal (RFC 5321 s4.1.3).
    Address {
        /// The address.
        address: SocketAddr,
    },
    /// At a Unix socket; relative to the configuration's folder.
    Unix {
        /// Its path.
        path: PathBuf,
    },
}

/// Who to log in as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Password,
}

/// Where a password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// The settings.
    Given(Secret),
    /// The first line of this file, read at each attempt; relative to the configuration's folder.
    File(PathBuf),
}

/// What the settings say about `hop` now.
///
/// The way to a domain is looked up anew: when a connector has come or gone since the mail was queued, the settings of this
/// moment hold, and the reason says so.
///
/// # Errors
/// [`NoWay::NoConnector`], [`NoWay::Mailbox`] or [`NoWay::UnknownHop`].
pub fn plan(settings: &Settings, hop: &HopKey) -> Result<HopPlan, NoWay> {
    let key = hop.as_str();
    if key == "mailbox" {
        return Err(NoWay::Mailbox);
    }
    if let Some(name) = key.strip_prefix("via:") {
        return by_connector(settings, name);
    }
    let unknown = || NoWay::UnknownHop {
        key: key.to_owned(),
    };
    let domain = key.strip_prefix("mx:").ok_or_else(unknown)?;
    let domain = Domain::parse(domain).map_err(|_| unknown())?;
    Ok(by_domain(settings, &domain))
}

fn by_connector(settings: &Settings, name: &str) -> Result<HopPlan, NoWay> {
    let connector = settings
        .connectors
        .iter()
        .find(|connector| connector.name == name)
        .ok_or_else(|| NoWay::NoConnector {
            name: name.to_owned(),
        })?;
    let way = fixed(&connector.next_hop).ok_or_else(|| NoWay::NoConnector {
        name: name.to_owned(),
    })?;
    let reason = format!("the connector {name} goes to {}", connector.next_hop);
    Ok(made(settings, Some(connector), way, reason))
}

fn by_domain(settings: &Settings, domain: &Domain) -> HopPlan {
    let name = domain.to_ascii();
    let Some((connector, space)) = choose(&settings.connectors, &name) else {
        let way = mx(domain, Connector::default().mx_port);
        let reason = format!("no connector serves {name}, so its mail goes by MX");
        return made(settings, None, way, reason);
    };
    let way = fixed(&connector.next_hop).unwrap_or_else(|| mx(domain, connector.mx_port));
    let to = match &connector.next_hop {
        NextHop::Mx => "goes by MX".to_owned(),
        hop @ (NextHop::Host(..) | NextHop::Address(_) | NextHop::Unix(_)) => {
            format!("now goes to {hop}")
        }
    };
    let reason = format!(
        "the connector {} serves {space}, so mail for {name} {to}",
        connector.name
    );
    made(settings, Some(connector), way, reason)
}

fn mx(domain: &Domain, port: u16) -> Way {
    match domain {
        Domain::Name(name) => Way::Mx {
            domain: name.clone(),
            port,
        },
        Domain::Literal(address) => Way::Address {
            address: SocketAddr::new(*address, port),
        },
    }
}

/// The one place a connector hands over at; `None` when it goes by MX.
fn fixed(next_hop: &NextHop) -> Option<Way> {
    match next_hop {
        NextHop::Mx => None,
        NextHop::Host(name, port) => Some(Way::Host {
            name: name.as_str().to_owned(),
            port: *port,
        }),
        NextHop::Address(address) => Some(Way::Address { address: *address }),
        NextHop::Unix(path) => Some(Way::Unix { path: path.clone() }),
    }
}

fn made(settings: &Settings, connector: Option<&Connector>, way: Way, reason: String) -> HopPlan {
    let usual = Connector::default();
    let own = connector.unwrap_or(&usual);
    HopPlan {
        way,
        protocol: own.protocol,
        tls: own.tls,
        implicit_tls: own.implicit_tls,
        login: login(own),
        source_address: own.source_address,
        max_connections: own.max_connections(&settings.queue),
        max_messages_per_connection: own.max_messages_per_connection,
        schedule: own.schedule(&settings.queue),
        connector: connector.map(|connector| connector.name.clone()),
        reason,
    }
}

fn login(connector: &Connector) -> Option<Login> {
    let username = connector.username.clone()?;
    let given = connector.password.clone().map(Password::Given);
    let file = || connector.password_file.clone().map(Password::File);
    Some(Login {
        username,
        password: given.or_else(file)?,
    })
}
