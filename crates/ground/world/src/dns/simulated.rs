//! The simulated DNS: a table of names, written by tests.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{DnsError, MxHost};
use crate::hold;

/// How long simulated answers may be believed. Lookups are not cached: a change is seen at once.
pub const SIMULATED_TTL: Duration = Duration::from_secs(300);

/// What goes wrong with lookups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsFault {
    /// The server answers SERVFAIL.
    ServFail,
    /// No answer comes, ever.
    Timeout,
}

/// The simulated DNS, for tests to script. Clones share it. Names that are not in it do not exist.
#[derive(Clone, Debug, Default)]
pub struct SimulatedDns {
    zone: Arc<Mutex<Zone>>,
}

#[derive(Debug, Default)]
struct Zone {
    names: BTreeMap<String, Records>,
    faults: BTreeMap<String, DnsFault>,
    down: Option<DnsFault>,
    questions: u64,
}

#[derive(Clone, Debug, Default)]
struct Records {
    mx: Vec<MxHost>,
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
}

impl SimulatedDns {
    /// Sets the MX records of `name`. `(0, ".")` alone is a null MX; none at all leaves the name without MX.
    pub fn mx(&self, name: &str, hosts: &[(u16, &str)]) {
        let hosts = hosts
            .iter()
            .map(|(preference, exchange)| MxHost {
                preference: *preference,
                exchange: key(exchange),
            })
            .collect();
        self.change(name, |records| records.mx = hosts);
    }

    /// Sets the A and AAAA records of `name`; none at all leaves the name without addresses.
    pub fn addresses(&self, name: &str, addresses: &[IpAddr]) {
        let (v4, v6) = addresses.iter().partition(|address| address.is_ipv4());
        self.change(name, |records| {
            records.v4 = v4;
            records.v6 = v6;
        });
    }

    /// `name` no longer exists.
    pub fn remove(&self, name: &str) {
        hold(&self.zone).names.remove(&key(name));
    }

    /// Lookups of `name` meet `fault` until [`SimulatedDns::heal`].
    pub fn fault(&self, name: &str, fault: DnsFault) {
        hold(&self.zone).faults.insert(key(name), fault);
    }

    /// Lookups of `name` are answered again.
    pub fn heal(&self, name: &str) {
        hold(&self.zone).faults.remove(&key(name));
    }

    /// The whole DNS meets `fault`, or, with none, works again.
    pub fn set_down(&self, fault: Option<DnsFault>) {
        hold(&self.zone).down = fault;
    }

    /// How many lookups reached the DNS so far; one of addresses counts twice, once for each family.
    pub fn questions(&self) -> u64 {
        hold(&self.zone).questions
    }

    pub(super) async fn lookup_mx(&self, name: &str) -> Result<(Vec<MxHost>, Duration), DnsError> {
        let records = self.records(name).await?;
        Ok((records.mx, SIMULATED_TTL))
    }

    pub(super) async fn lookup_v4(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        some(self.records(name).await?.v4)
    }

    pub(super) async fn lookup_v6(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        some(self.records(name).await?.v6)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Records)) {
        change(hold(&self.zone).names.entry(key(name)).or_default());
    }

    async fn records(&self, name: &str) -> Result<Records, DnsError> {
        let answer = hold(&self.zone).answer(name);
        match answer {
            Answer::Records(records) => Ok(records),
            Answer::NoSuchName => Err(DnsError::NoSuchName),
            Answer::Fault(DnsFault::ServFail) => Err(DnsError::Temporary {
                detail: "the server answered Server Failure".to_owned(),
            }),
            Answer::Fault(DnsFault::Timeout) => std::future::pending().await,
        }
    }
}

enum Answer {
    Records(Records),
    NoSuchName,
    Fault(DnsFault),
}

impl Zone {
    fn answer(&mut self, name: &str) -> Answer {
        self.questions += 1;
        if let Some(fault) = self.down.or_else(|| self.faults.get(name).copied()) {
            return Answer::Fault(fault);
        }
        if let Some(records) = self.names.get(name) {
            return Answer::Records(records.clone());
        }
        // A name with names below it exists, though it has no records (RFC 8020).
        let below = format!(".{name}");
        if self.names.keys().any(|other| other.ends_with(&below)) {
            return Answer::Records(Records::default());
        }
        Answer::NoSuchName
    }
}

fn some(addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, DnsError> {
    if addresses.is_empty() {
        Err(DnsError::NoRecords)
    } else {
        Ok(addresses)
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
