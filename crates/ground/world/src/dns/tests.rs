//! Promises of the DNS: the simulated table, and hickory against a server on loopback that we write here.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::UdpSocket;

use super::*;
use crate::{World, WorldOptions};

const NOERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const REFUSED: u8 = 5;
const A: u16 = 1;
const SOA: u16 = 6;
const MX: u16 = 15;
const AAAA: u16 = 28;

/// What our server says to one question.
struct Reply {
    code: u8,
    /// Kind, TTL and data of each record, all of the name asked about.
    records: Vec<(u16, u32, Vec<u8>)>,
}

fn reply(code: u8) -> Option<Reply> {
    Some(Reply {
        code,
        records: Vec::new(),
    })
}

fn records(records: &[(u16, u32, Vec<u8>)]) -> Option<Reply> {
    Some(Reply {
        code: NOERROR,
        records: records.to_vec(),
    })
}

fn name(text: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

fn mx(preference: u16, exchange: &str) -> Vec<u8> {
    [preference.to_be_bytes().to_vec(), name(exchange)].concat()
}

/// The zones our server knows. `None` is no reply at all.
fn zone(asked: &str, kind: u16) -> Option<Reply> {
    let v6 = "2001:db8::25".parse::<std::net::Ipv6Addr>().unwrap();
    match (asked, kind) {
        ("good.test", MX) => records(&[
            (MX, 120, mx(20, "MX2.good.test")),
            (MX, 60, mx(10, "mx1.good.test")),
        ]),
        ("null.test", MX) => records(&[(MX, 300, mx(0, ""))]),
        ("odd.test", MX) => records(&[(MX, 300, mx(0, "")), (MX, 300, mx(5, "mx.odd.test"))]),
        ("mx1.good.test", A) => records(&[(A, 60, vec![192, 0, 2, 25])]),
        ("mx1.good.test", AAAA) => records(&[(AAAA, 60, v6.octets().to_vec())]),
        ("halfdead.test", A) => records(&[(A, 60, vec![192, 0, 2, 26])]),
        ("halfdead.test", AAAA) | ("servfail.test", _) => reply(SERVFAIL),
        ("lame.test", A) => reply(NOERROR),
        ("lame.test", AAAA) => reply(SERVFAIL),
        ("refused.test", _) => reply(REFUSED),
        ("empty.test", _) => reply(NOERROR),
        ("silent.test", _) => None,
        _ => reply(NXDOMAIN),
    }
}

/// Takes a query apart: the question's bytes, the name, the kind.
fn question(query: &[u8]) -> (Vec<u8>, String, u16) {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let length = usize::from(query[at]);
        let label = &query[at + 1..at + 1 + length];
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += 1 + length;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    (query[12..at + 5].to_vec(), labels.join("."), kind)
}

fn answer(query: &[u8], question: &[u8], reply: &Reply) -> Vec<u8> {
    let mut wire = query[..2].to_vec();
    wire.extend([0x81, 0x80 | reply.code, 0, 1]);
    wire.extend((reply.records.len() as u16).to_be_bytes());
    let negative = reply.records.is_empty() && [NOERROR, NXDOMAIN].contains(&reply.code);
    wire.extend([0, u8::from(negative), 0, 0]);
    wire.extend(question);
    for (kind, ttl, data) in &reply.records {
        wire.extend(record(&[0xc0, 12], *kind, *ttl, data));
    }
    if negative {
        let times = [1u32, 60, 60, 60, 60].map(u32::to_be_bytes).concat();
        let data = [name("ns.test"), name("root.test"), times].concat();
        wire.extend(record(&name("test"), SOA, 60, &data));
    }
    wire
}

fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    [
        owner,
        &kind.to_be_bytes(),
        &1u16.to_be_bytes(),
        &ttl.to_be_bytes(),
        &(data.len() as u16).to_be_bytes(),
        data,
    ]
    .concat()
}

/// A world that asks a server of ours, and how many questions that server saw.
async fn world_with_server(deadline: Duration) -> (World, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut options = WorldOptions::default();
    options.dns.servers = vec![socket.local_addr().unwrap()];
    options.dns.deadline = deadline;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            count.fetch_add(1, Ordering::SeqCst);
            let query = &buffer[..length];
            let (question, asked, kind) = question(query);
            if let Some(reply) = zone(&asked, kind) {
                let answer = answer(query, &question, &reply);
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    (World::real(&options).unwrap(), asked)
}

fn host(preference: u16, exchange: &str) -> MxHost {
    MxHost {
        preference,
        exchange: exchange.to_owned(),
    }
}

#[tokio::test]
async fn mx_records_come_sorted_with_the_shortest_ttl() {
    let (world, _) = world_with_server(LOOKUP_DEADLINE).await;
    let expected = MxAnswer::Hosts {
        hosts: vec![host(10, "mx1.good.test"), host(20, "mx2.good.test")],
        ttl: Duration::from_secs(60),
    };
    assert_eq!(world.dns.mx("GOOD.test.").await, Ok(expected));
}

#[tokio::test]
async fn a_null_mx_is_told_from_having_none() {
    let (world, _) = world_with_server(LOOKUP_DEADLINE).await;
    let null = world.dns.mx("null.test").await.unwrap();
    assert!(matches!(null, MxAnswer::NullMx { ttl } if ttl == Duration::from_secs(300)));
    assert_eq!(world.dns.mx("empty.test").await, Err(DnsError::NoRecords));
}

#[tokio::test]
async fn a_null_mx_beside_others_is_passed_over() {
    let (world, _) = world_with_server(LOOKUP_DEADLINE).await;
    let answer = world.dns.mx("odd.test").await.unwrap();
    assert!(matches!(answer, MxAnswer::Hosts { hosts, .. } if hosts == [host(5, "mx.odd.test")]));
}

#[tokio::test]
async fn both_families_are_asked_for() {
    let (world, _) = world_with_server(LOOKUP_DEADLINE).await;
    let addresses = world.dns.addresses("mx1.good.test").await.unwrap();
    let texts: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    assert_eq!(texts, ["2001:db8::25", "192.0.2.25"]);
    let literal = world.dns.addresses("192.0.2.1").await.unwrap();
    assert_eq!(literal, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
}

#[tokio::test]
async fn only_what_the_zone_says_on_purpose_is_final() {
    let (world, _) = world_with_server(LOOKUP_DEADLINE).await;
    let dns = &world.dns;
    assert_eq!(dns.mx("absent.test").await, Err(DnsError::NoSuchName));
    assert_eq!(
        dns.addresses("absent.test").await,
        Err(DnsError::NoSuchName)
    );
    assert_eq!(dns.addresses("empty.test").await, Err(DnsError::NoRecords));
    for name in ["servfail.test", "refused.test"] {
        let error = dns.mx(name).await.unwrap_err();
        assert!(
            matches!(error, DnsError::Temporary { .. }),
            "{name}: {error}"
        );
    }
}

#[tokio::test]
async fn one_failing_family_hides_neither_the_other_nor_its_own_failure() {
    let (world, _) = world_with_server(LOOKUP_DEADLINE).await;
    let addresses = world.dns.addresses("halfdead.test").await.unwrap();
    assert_eq!(addresses, ["192.0.2.26".parse::<IpAddr>().unwrap()]);
    let error = world.dns.addresses("lame.test").await.unwrap_err();
    assert!(matches!(error, DnsError::Temporary { .. }));
}

#[tokio::test]
async fn a_silent_server_costs_the_deadline_and_is_a_passing_failure() {
    let deadline = Duration::from_millis(200);
    let (world, _) = world_with_server(deadline).await;
    let start = std::time::Instant::now();
    let error = world.dns.mx("silent.test").await.unwrap_err();
    assert!(matches!(error, DnsError::Temporary { .. }));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn answers_are_kept_until_they_are_to_be_forgotten() {
    let (world, asked) = world_with_server(LOOKUP_DEADLINE).await;
    for _ in 0..3 {
        world.dns.mx("good.test").await.unwrap();
        world.dns.mx("absent.test").await.unwrap_err();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    world.dns.forget();
    world.dns.mx("good.test").await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_name_the_dns_cannot_hold_is_not_asked_for() {
    let (world, asked) = world_with_server(LOOKUP_DEADLINE).await;
    let long = "a".repeat(64) + ".test";
    let endless = "abcdefg.".repeat(32) + "test";
    for name in [
        "",
        ".",
        "a..test",
        "a b.test",
        "bücher.test",
        &long,
        &endless,
    ] {
        let error = world.dns.mx(name).await.unwrap_err();
        assert_eq!(error, DnsError::NoSuchName, "{name}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn the_simulated_table_answers_like_a_zone() {
    let (world, simulation) = World::simulated(1);
    let zone = &simulation.dns;
    zone.mx(
        "Example.test",
        &[(20, "b.example.test"), (10, "A.example.test.")],
    );
    zone.mx("null.test", &[(0, ".")]);
    let v4: IpAddr = "192.0.2.1".parse().unwrap();
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    zone.addresses("a.example.test", &[v4, v6]);
    zone.addresses("deep.below.test", &[v4]);

    let expected = MxAnswer::Hosts {
        hosts: vec![host(10, "a.example.test"), host(20, "b.example.test")],
        ttl: simulated::SIMULATED_TTL,
    };
    let dns = &world.dns;
    assert_eq!(dns.mx("EXAMPLE.test").await, Ok(expected));
    assert!(matches!(
        dns.mx("null.test").await,
        Ok(MxAnswer::NullMx { .. })
    ));
    assert_eq!(dns.mx("a.example.test").await, Err(DnsError::NoRecords));
    assert_eq!(dns.mx("below.test").await, Err(DnsError::NoRecords));
    assert_eq!(dns.mx("other.test").await, Err(DnsError::NoSuchName));
    assert_eq!(dns.addresses("a.example.test").await, Ok(vec![v6, v4]));
    assert_eq!(
        dns.addresses("example.test").await,
        Err(DnsError::NoRecords)
    );
    zone.remove("null.test");
    assert_eq!(dns.mx("null.test").await, Err(DnsError::NoSuchName));
}

#[tokio::test(start_paused = true)]
async fn the_simulated_dns_fails_as_scripted_and_recovers() {
    let (world, simulation) = World::simulated(1);
    let zone = &simulation.dns;
    zone.mx("example.test", &[(10, "mx.example.test")]);
    zone.fault("example.test", DnsFault::ServFail);
    let failed = world.dns.mx("example.test").await;
    assert!(matches!(failed, Err(DnsError::Temporary { .. })));
    zone.heal("example.test");
    world.dns.mx("example.test").await.unwrap();

    zone.set_down(Some(DnsFault::Timeout));
    let start = tokio::time::Instant::now();
    let failed = world.dns.mx("other.test").await;
    assert!(matches!(failed, Err(DnsError::Temporary { .. })));
    assert_eq!(start.elapsed().as_secs(), LOOKUP_DEADLINE.as_secs());
    zone.set_down(None);
    world.dns.mx("example.test").await.unwrap();
    assert_eq!(zone.questions(), 4);
}
