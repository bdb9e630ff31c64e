//! The servers of a next hop, in the order they are to be tried (RFC 5321 s5.1).

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ground_settings::{Endpoint, Settings};
use ground_world::World;
use ground_world::chance::Chance;
use ground_world::dns::{Dns, DnsError, MxAnswer, MxHost};
use wire_message::DomainName;

use crate::{HopPlan, NoWay, Way};

/// Servers of one next hop that are asked for: who has more has enough of these.
pub const HOSTS_MAX: usize = 10;

/// Addresses of one server that are tried in one attempt.
pub const ADDRESSES_MAX: usize = 8;

/// How long finding the servers may take in all.
pub const TARGETS_DEADLINE: Duration = Duration::from_secs(60);

/// One server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name, as it must stand in its certificate and stands in the ledger; an address in brackets when it has none.
    pub host: String,
    /// Where to connect, in order; never empty.
    pub addresses: Vec<Destination>,
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket; relative to the configuration's folder.
    Unix(PathBuf),
}

/// Whether the DNS was asked about this next hop before, at least one retry ago. One answer that a domain does not exist can
/// be a registrar's or a resolver's bad minute; the second is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The first attempt: a domain that does not exist is tried again.
    First,
    /// A later attempt: a domain that does not exist is final.
    Again,
}

/// The servers of `plan`, in the order they are to be tried; never empty.
///
/// # Errors
/// Why there is none, and whose move it is.
pub async fn targets(
    plan: &HopPlan,
    settings: &Settings,
    world: &World,
    look: Look,
) -> Result<Vec<Target>, NoWay> {
    let finding = Finding {
        plan,
        settings,
        world,
    };
    let found = world.clock.timeout(TARGETS_DEADLINE, finding.find(look));
    found.await.unwrap_or_else(|late| {
        Err(NoWay::Dns {
            name: match &plan.way {
                Way::Mx { domain, .. } => domain.to_string(),
                Way::Host { name, .. } => name.clone(),
                Way::Address { address } => address.to_string(),
                Way::Unix { path } => path.display().to_string(),
            },
            detail: late.to_string(),
        })
    })
}

/// Everything that finding servers looks at.
struct Finding<'a> {
    plan: &'a HopPlan,
    settings: &'a Settings,
    world: &'a World,
}

impl Finding<'_> {
    async fn find(&self, look: Look) -> Result<Vec<Target>, NoWay> {
        match &self.plan.way {
            Way::Mx { domain, port } => {
                let hosts = mail_hosts(&self.world.dns, domain, look).await?;
                self.by_mx(domain, hosts, *port).await
            }
            Way::Host { name, port } => self.host(name, *port).await.map(|target| vec![target]),
            Way::Address { address } => self.literal(*address).map(|target| vec![target]),
            Way::Unix { path } => Ok(vec![Target {
                host: "localhost".to_owned(),
                addresses: vec![Destination::Unix(path.clone())],
            }]),
        }
    }

    /// Servers in order, without ourselves and whoever is no better (RFC 5321 s5.1).
    async fn by_mx(
        &self,
        domain: &DomainName,
        hosts: Vec<MxHost>,
        port: u16,
    ) -> Result<Vec<Target>, NoWay> {
        let named = hosts.iter().filter(|host| self.is_our_name(&host.exchange));
        let mut bound = named.map(|host| host.preference).min();
        let mut troubles = Vec::new();
        let mut targets: Vec<(u16, Target)> = Vec::new();
        for host in shuffled(hosts, &self.world.chance)
            .into_iter()
            .take(HOSTS_MAX)
        {
            if bound.is_some_and(|bound| host.preference >= bound) {
                break;
            }
            match self.world.dns.addresses(&host.exchange).await {
                Ok(found) if self.is_our_address(&found, port) => bound = Some(host.preference),
                Ok(found) => match self.usable(&found, port) {
                    addresses if addresses.is_empty() => {
                        troubles.push((host.exchange, DnsError::NoRecords));
                    }
                    addresses => targets.push((host.preference, target(host.exchange, addresses))),
                },
                Err(error) => troubles.push((host.exchange, error)),
            }
        }
        targets.retain(|(preference, _)| bound.is_none_or(|bound| *preference < bound));
        if !targets.is_empty() {
            return Ok(targets.into_iter().map(|(_, target)| target).collect());
        }
        Err(no_target(domain, bound, &troubles))
    }

    async fn host(&self, name: &str, port: u16) -> Result<Target, NoWay> {
        let found = self.world.dns.addresses(name).await.map_err(|error| {
            // The operator named this host: that it does not exist is his to repair, and never final for the mail.
            trouble(name, &error)
        })?;
        let addresses = self.usable(&found, port);
        if addresses.is_empty() {
            return Err(trouble(name, &DnsError::NoRecords));
        }
        Ok(target(name.to_owned(), addresses))
    }

    fn literal(&self, address: SocketAddr) -> Result<Target, NoWay> {
        let host = match address.ip() {
            IpAddr::V4(v4) => format!("[{v4}]"),
            IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
        };
        // A connector to ourselves is the operator's wish (tests do it); a stranger's literal is a loop.
        let strangers = self.plan.reason_is_literal();
        if strangers && self.is_our_address(&[address.ip()], address.port()) {
            return Err(NoWay::Ourselves { domain: host });
        }
        Ok(target(host, vec![address]))
    }

    fn is_our_name(&self, exchange: &str) -> bool {
        exchange.eq_ignore_ascii_case(self.settings.server.hostname.as_str())
    }

    /// Whether one of our listeners stands at one of these addresses. One that listens on all addresses cannot be told.
    fn is_our_address(&self, addresses: &[IpAddr], port: u16) -> bool {
        let ours = |listener: &Endpoint| match listener {
            Endpoint::Tcp(own) => own.port() == port && addresses.contains(&own.ip()),
            Endpoint::Unix(_) => false,
        };
        self.settings
            .listeners
            .iter()
            .any(|listener| ours(&listener.address))
    }

    /// The addresses that our source address can reach.
    fn usable(&self, addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
        let source = self.plan.source_address;
        addresses
            .iter()
            .filter(|address| source.is_none_or(|source| source.is_ipv4() == address.is_ipv4()))
            .take(ADDRESSES_MAX)
            .map(|address| SocketAddr::new(*address, port))
            .collect()
    }
}

impl HopPlan {
    /// Whether the address comes from an address literal and not from a connector.
    fn reason_is_literal(&self) -> bool {
        self.connector.is_none()
    }
}

/// The MX hosts of `domain`; itself when it has none (the implicit MX, RFC 5321 s5.1).
async fn mail_hosts(dns: &Dns, domain: &DomainName, look: Look) -> Result<Vec<MxHost>, NoWay> {
    let asked = match (dns.mx(domain.ascii()).await, look) {
        (Err(DnsError::NoSuchName), Look::Again) => {
            // The second look must not be the first one remembered.
            dns.forget();
            dns.mx(domain.ascii()).await
        }
        (asked, Look::First | Look::Again) => asked,
    };
    let name = domain.to_string();
    match asked {
        Ok(MxAnswer::Hosts { hosts, .. }) => Ok(hosts),
        Ok(MxAnswer::NullMx { .. }) => Err(NoWay::NullMx { domain: name }),
        Err(DnsError::NoRecords) => Ok(vec![MxHost {
            preference: 0,
            exchange: domain.ascii().to_owned(),
        }]),
        Err(DnsError::NoSuchName) => Err(match look {
            Look::First => NoWay::NoSuchDomainYet { domain: name },
            Look::Again => NoWay::NoSuchDomain { domain: name },
        }),
        Err(DnsError::Temporary { detail }) => Err(NoWay::Dns { name, detail }),
    }
}

/// By preference, and in random order within one, so that equals share the load (RFC 5321 s5.1).
fn shuffled(hosts: Vec<MxHost>, chance: &Chance) -> Vec<MxHost> {
    let mut dealt: Vec<(u16, u64, MxHost)> = hosts
        .into_iter()
        .map(|host| (host.preference, chance.u64(), host))
        .collect();
    dealt.sort_by_key(|(preference, card, _)| (*preference, *card));
    dealt.into_iter().map(|(_, _, host)| host).collect()
}

fn target(host: String, addresses: Vec<SocketAddr>) -> Target {
    Target {
        host,
        addresses: addresses.into_iter().map(Destination::Tcp).collect(),
    }
}

fn trouble(name: &str, error: &DnsError) -> NoWay {
    match error {
        DnsError::NoSuchName | DnsError::NoRecords => NoWay::NoAddress {
            domain: name.to_owned(),
            detail: format!("{name}: {error}"),
        },
        DnsError::Temporary { detail } => NoWay::Dns {
            name: name.to_owned(),
            detail: detail.clone(),
        },
    }
}

/// Why no server of a domain is left: a question without an answer outweighs what is known, for it may change everything.
fn no_target(domain: &DomainName, bound: Option<u16>, troubles: &[(String, DnsError)]) -> NoWay {
    let unanswered = troubles.iter().find_map(|(host, error)| match error {
        DnsError::Temporary { detail } => Some((host, detail)),
        DnsError::NoSuchName | DnsError::NoRecords => None,
    });
    if let Some((host, detail)) = unanswered {
        return NoWay::Dns {
            name: host.clone(),
            detail: detail.clone(),
        };
    }
    let domain = domain.to_string();
    if bound.is_some() && troubles.is_empty() {
        return NoWay::Ourselves { domain };
    }
    let told: Vec<String> = troubles
        .iter()
        .map(|(host, error)| format!("{host}: {error}"))
        .collect();
    NoWay::NoAddress {
        domain,
        detail: told.join(", "),
    }
}
