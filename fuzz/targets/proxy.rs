//! The PROXY header: whole exactly when it is whole, and what a balancer writes is what we read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::Dice;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use wire_smtp::proxy::{MAX_HEADER, Progress, Proxied, parse};

fuzz_target!(|data: &[u8]| {
    check(data);
    let mut dice = Dice(data);
    let kind = dice.byte();
    let (source, destination) = (address(&mut dice, kind), address(&mut dice, kind));
    let client = Proxied::Client {
        source,
        destination,
    };
    let family = if kind % 2 == 0 { "TCP4" } else { "TCP6" };
    let line = format!(
        "PROXY {family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    );
    check_written(line.as_bytes(), client, dice.0);
    let values = dice.piece(200);
    check_written(&binary(source, destination, values), client, dice.0);
});

/// No shorter input says more, and no longer one says something else.
fn check(input: &[u8]) {
    let whole = parse(input);
    let window = input.get(..MAX_HEADER).unwrap_or(input);
    match whole {
        Ok(Progress::Complete(_, taken)) => {
            assert!(taken <= input.len() && taken <= MAX_HEADER);
            assert_eq!(parse(input.get(..taken).unwrap_or_default()), whole);
            for end in 0..taken {
                let early = parse(input.get(..end).unwrap_or_default());
                assert_eq!(early, Ok(Progress::Incomplete), "at {end}");
            }
        }
        Ok(Progress::Incomplete) => {
            assert!(input.len() < MAX_HEADER, "an endless header");
            for end in 0..input.len() {
                assert_eq!(parse(input.get(..end).unwrap_or_default()), whole);
            }
        }
        Err(_) => {
            for end in 0..window.len() {
                let early = parse(window.get(..end).unwrap_or_default());
                assert!(!matches!(early, Ok(Progress::Complete(..))), "at {end}");
            }
        }
    }
}

fn check_written(header: &[u8], client: Proxied, behind: &[u8]) {
    let input = [header, behind].concat();
    assert_eq!(parse(&input), Ok(Progress::Complete(client, header.len())));
    check(header);
}

fn address(dice: &mut Dice<'_>, kind: u8) -> SocketAddr {
    let mut octets = [0; 18];
    for octet in &mut octets {
        *octet = dice.byte();
    }
    let [ip @ .., high, low] = octets;
    let ip: IpAddr = match (kind % 2, ip) {
        (0, [a, b, c, d, ..]) => Ipv4Addr::new(a, b, c, d).into(),
        (_, ip) => Ipv6Addr::from(ip).into(),
    };
    SocketAddr::new(ip, u16::from_be_bytes([high, low]))
}

/// Version 2, as its specification draws it (s2.2).
fn binary(source: SocketAddr, destination: SocketAddr, values: &[u8]) -> Vec<u8> {
    let ip = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let ports = [
        source.port().to_be_bytes(),
        destination.port().to_be_bytes(),
    ];
    let body = [ip(source), ip(destination), ports.concat(), values.to_vec()].concat();
    let family = if source.is_ipv4() { 0x11 } else { 0x21 };
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [
        b"\r\n\r\n\0\r\nQUIT\n\x21",
        [family].as_slice(),
        &length,
        &body,
    ]
    .concat()
}
