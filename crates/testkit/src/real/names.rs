//! A DNS server on this machine that answers what a story says, over UDP and TCP.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, MX, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::statement::DnsLine;

/// Nothing is remembered: what a story changes holds at once.
const TTL: u32 = 0;

/// Ports that are free for TCP and tried for UDP too; of many, one is.
const PORTS_TRIED: usize = 16;

/// Octets of the largest question.
const QUESTION_MAX: usize = 4096;

/// A running DNS server; dropped, it is gone.
pub(super) struct Names {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Zone {
    records: BTreeMap<String, Vec<RData>>,
    faults: BTreeMap<String, Fault>,
    down: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    ServFail,
    Timeout,
}

impl Names {
    /// Listens on a free port of `ip`.
    pub(super) async fn start(ip: IpAddr) -> Result<Names> {
        let (stream, datagrams) = sockets(ip).await?;
        let address = stream.local_addr()?;
        let zone = Arc::new(Mutex::new(Zone::default()));
        let mut tasks = JoinSet::new();
        let shared = zone.clone();
        tasks.spawn(async move { drop(by_datagram(&datagrams, &shared).await) });
        let shared = zone.clone();
        tasks.spawn(async move {
            let mut asking = JoinSet::new();
            while let Ok((client, _)) = stream.accept().await {
                let shared = shared.clone();
                asking.spawn(async move { drop(by_stream(client, &shared).await) });
            }
        });
        Ok(Names {
            address,
            zone,
            _tasks: tasks,
        })
    }

    /// Where it is asked.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it answers so.
    pub(super) fn change(&self, line: &DnsLine) -> Result<()> {
        let mut zone = hold(&self.zone);
        match line {
            DnsLine::Mx { name, hosts } => {
                let records = hosts.iter().map(mx).collect::<Result<Vec<_>>>()?;
                zone.replace(name, records, &[RecordType::MX]);
            }
            DnsLine::Addresses { name, addresses } => {
                let records = addresses.iter().copied().map(address).collect();
                zone.replace(name, records, &[RecordType::A, RecordType::AAAA]);
            }
            DnsLine::NxDomain(name) => drop(zone.records.remove(&key(name))),
            DnsLine::ServFail(name) => drop(zone.faults.insert(key(name), Fault::ServFail)),
            DnsLine::Timeout(name) => drop(zone.faults.insert(key(name), Fault::Timeout)),
            DnsLine::Heals(name) => drop(zone.faults.remove(&key(name))),
            DnsLine::Down => zone.down = true,
            DnsLine::Up => zone.down = false,
        }
        Ok(())
    }
}

impl Zone {
    fn replace(&mut self, name: &str, records: Vec<RData>, kinds: &[RecordType]) {
        let known = self.records.entry(key(name)).or_default();
        known.retain(|record| !kinds.contains(&record.record_type()));
        known.extend(records);
    }

    /// The answer to a question; `None` is silence.
    fn answer(&self, question: &Message) -> Option<Message> {
        let query = question.queries.first()?;
        let asked = key(&query.name.to_ascii());
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        if self.down || self.faults.get(&asked) == Some(&Fault::ServFail) {
            answer.metadata.response_code = ResponseCode::ServFail;
            return Some(answer);
        }
        if self.faults.contains_key(&asked) {
            return None;
        }
        let records = self.records.get(&asked);
        // A name with names below it exists, though it has no records (RFC 8020).
        let below = format!(".{asked}");
        if records.is_none() && !self.records.keys().any(|name| name.ends_with(&below)) {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        let of_kind = records.into_iter().flatten();
        let of_kind = of_kind.filter(|record| record.record_type() == query.query_type);
        let record = |data: &RData| Record::from_rdata(query.name.clone(), TTL, data.clone());
        let found: BTreeSet<_> = of_kind.map(record).collect();
        if found.is_empty() {
            answer
                .authorities
                .push(Record::from_rdata(Name::root(), TTL, nothing()));
        }
        answer.add_answers(found);
        Some(answer)
    }
}

/// A port that is free for both.
async fn sockets(ip: IpAddr) -> Result<(TcpListener, UdpSocket)> {
    for _ in 0..PORTS_TRIED {
        let stream = TcpListener::bind((ip, 0)).await?;
        if let Ok(datagrams) = UdpSocket::bind(stream.local_addr()?).await {
            return Ok((stream, datagrams));
        }
    }
    bail!("no port is free for TCP and UDP")
}

/// What is not there is not to be remembered either.
fn nothing() -> RData {
    RData::SOA(SOA::new(Name::root(), Name::root(), 1, 60, 60, 60, TTL))
}

fn mx((preference, host): &(u16, String)) -> Result<RData> {
    let name = Name::from_ascii(host);
    let mut name = name.with_context(|| format!("expected a host, got {host:?}"))?;
    name.set_fqdn(true);
    Ok(RData::MX(MX::new(*preference, name)))
}

fn address(ip: IpAddr) -> RData {
    match ip {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    }
}

async fn by_datagram(socket: &UdpSocket, zone: &Mutex<Zone>) -> io::Result<()> {
    let mut buffer = [0; QUESTION_MAX];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        if let Some(octets) = reply(zone, buffer.get(..length).unwrap_or_default()) {
            socket.send_to(&octets, from).await?;
        }
    }
}

/// Each message has its length in front (RFC 1035 s4.2.2).
async fn by_stream(mut client: TcpStream, zone: &Mutex<Zone>) -> io::Result<()> {
    loop {
        let mut question = vec![0; client.read_u16().await?.into()];
        client.read_exact(&mut question).await?;
        if let Some(octets) = reply(zone, &question) {
            client
                .write_u16(u16::try_from(octets.len()).unwrap_or(u16::MAX))
                .await?;
            client.write_all(&octets).await?;
        }
    }
}

fn reply(zone: &Mutex<Zone>, question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    hold(zone).answer(&question)?.to_vec().ok()
}

fn hold(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
