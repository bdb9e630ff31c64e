//! Questions to the DNS that routing asks: who takes mail for a domain, and which addresses a host has.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

mod real;
mod simulated;

pub use simulated::{DnsFault, SimulatedDns};

use crate::clock::Clock;

/// How long one lookup may take, retries and all servers included.
pub const LOOKUP_DEADLINE: Duration = Duration::from_secs(20);

/// Answers kept, negative ones included.
pub const CACHE_ENTRIES: u64 = 16_384;

/// The longest a positive answer is believed, whatever its TTL: a day bounds the damage of a wrong one.
pub const POSITIVE_TTL_MAX: Duration = Duration::from_secs(86_400);

/// The longest a negative answer is believed: whoever repairs a zone wants mail to flow soon after.
pub const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(300);

/// Whom to ask and how long.
#[derive(Clone, Debug)]
pub struct DnsOptions {
    /// The servers to ask, with ports; the system's when there are none.
    pub servers: Vec<SocketAddr>,
    /// How long one lookup may take.
    pub deadline: Duration,
    /// Answers kept.
    pub cache_entries: u64,
}

impl Default for DnsOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            deadline: LOOKUP_DEADLINE,
            cache_entries: CACHE_ENTRIES,
        }
    }
}

/// Who takes mail for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MxAnswer {
    /// The domain says that it takes no mail (RFC 7505).
    NullMx {
        /// How long this may be believed.
        ttl: Duration,
    },
    /// These hosts do; never empty, most preferred first.
    Hosts {
        /// The hosts.
        hosts: Vec<MxHost>,
        /// How long this may be believed.
        ttl: Duration,
    },
}

/// One host that takes mail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MxHost {
    /// Lower is tried first.
    pub preference: u16,
    /// The host's name, lower case, without a final dot.
    pub exchange: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// The name does not exist: the DNS says so (NXDOMAIN), or it is not a name the DNS can hold.
    #[error("the name does not exist")]
    NoSuchName,
    /// The name exists and has no record of the kind asked for.
    #[error("the name has no such record")]
    NoRecords,
    /// No answer that can be relied on; ask again later.
    #[error("no answer from the DNS: {detail}")]
    Temporary {
        /// What went wrong, in plain words.
        detail: String,
    },
}

/// Asks the DNS. Cloning is cheap; clones share one cache.
#[derive(Clone, Debug)]
pub struct Dns {
    clock: Clock,
    deadline: Duration,
    twin: Twin,
}

#[derive(Clone, Debug)]
enum Twin {
    Real(Arc<real::Resolver>),
    Simulated(SimulatedDns),
}

impl Dns {
    pub(crate) fn real(clock: Clock, options: &DnsOptions) -> Result<Self, DnsError> {
        Ok(Self {
            clock,
            deadline: options.deadline,
            twin: Twin::Real(Arc::new(real::Resolver::new(options)?)),
        })
    }

    /// The same, for tasks to which something may happen.
    pub(crate) fn mortal(&self, clock: Clock) -> Self {
        Self {
            clock,
            ..self.clone()
        }
    }

    pub(crate) fn simulated(clock: Clock) -> (Self, SimulatedDns) {
        let zone = SimulatedDns::default();
        let dns = Self {
            clock,
            deadline: LOOKUP_DEADLINE,
            twin: Twin::Simulated(zone.clone()),
        };
        (dns, zone)
    }

    /// The hosts that take mail for `domain`, most preferred first; order among equals is the caller's to choose.
    /// A domain without MX records is [`DnsError::NoRecords`]: the implicit MX (RFC 5321 s5.1) is the caller's.
    ///
    /// # Errors
    /// [`DnsError`], within the deadline at the latest.
    pub async fn mx(&self, domain: &str) -> Result<MxAnswer, DnsError> {
        let name = canonical(domain)?;
        let lookup = async {
            match &self.twin {
                Twin::Real(resolver) => resolver.mx(&name).await,
                Twin::Simulated(zone) => zone.lookup_mx(&name).await,
            }
        };
        let (hosts, ttl) = self.bounded(lookup).await?;
        mx_answer(hosts, ttl)
    }

    /// The addresses of `host`, IPv6 before IPv4, each family as the server ordered it. An IP address is its own answer.
    ///
    /// When one family fails and the other answers, the answer stands; with no answer, a failure that may pass outweighs
    /// "does not exist".
    ///
    /// # Errors
    /// [`DnsError`], within the deadline at the latest.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![address]);
        }
        let name = canonical(host)?;
        let lookup = async {
            let (v6, v4) = match &self.twin {
                Twin::Real(resolver) => tokio::join!(resolver.v6(&name), resolver.v4(&name)),
                Twin::Simulated(zone) => tokio::join!(zone.lookup_v6(&name), zone.lookup_v4(&name)),
            };
            both_families(v6, v4)
        };
        self.bounded(lookup).await
    }

    /// Forgets every cached answer.
    pub fn forget(&self) {
        match &self.twin {
            Twin::Real(resolver) => resolver.forget(),
            Twin::Simulated(_) => {}
        }
    }

    async fn bounded<T>(
        &self,
        lookup: impl Future<Output = Result<T, DnsError>>,
    ) -> Result<T, DnsError> {
        self.clock
            .timeout(self.deadline, lookup)
            .await
            .unwrap_or_else(|late| {
                Err(DnsError::Temporary {
                    detail: late.to_string(),
                })
            })
    }
}

/// The name as both twins look it up: lower case, no final dot, nothing the DNS cannot hold (RFC 1035 s2.3.4).
fn canonical(name: &str) -> Result<String, DnsError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = name.len() <= 253
        && name.is_ascii()
        && name
            .split('.')
            .all(|label| (1..=63).contains(&label.len()) && !label.contains(char::is_whitespace));
    if fits {
        Ok(name.to_ascii_lowercase())
    } else {
        Err(DnsError::NoSuchName)
    }
}

/// Sorts hosts, and tells a domain that takes no mail from one that does.
fn mx_answer(hosts: Vec<MxHost>, ttl: Duration) -> Result<MxAnswer, DnsError> {
    if hosts.is_empty() {
        return Err(DnsError::NoRecords);
    }
    // RFC 7505 s3: a null MX stands alone. Beside others "." names no host, so it is left out.
    let mut hosts: Vec<_> = hosts
        .into_iter()
        .filter(|host| !host.exchange.is_empty())
        .collect();
    if hosts.is_empty() {
        return Ok(MxAnswer::NullMx { ttl });
    }
    hosts.sort_by_key(|host| host.preference);
    Ok(MxAnswer::Hosts { hosts, ttl })
}

fn both_families(
    v6: Result<Vec<IpAddr>, DnsError>,
    v4: Result<Vec<IpAddr>, DnsError>,
) -> Result<Vec<IpAddr>, DnsError> {
    match (v6, v4) {
        (Ok(mut addresses), Ok(more)) => {
            addresses.extend(more);
            Ok(addresses)
        }
        (Ok(addresses), Err(_)) | (Err(_), Ok(addresses)) => Ok(addresses),
        (Err(temporary @ DnsError::Temporary { .. }), Err(_))
        | (Err(_), Err(temporary @ DnsError::Temporary { .. })) => Err(temporary),
        (Err(DnsError::NoSuchName), Err(DnsError::NoSuchName)) => Err(DnsError::NoSuchName),
        (Err(_), Err(_)) => Err(DnsError::NoRecords),
    }
}

#[cfg(test)]
mod tests;
