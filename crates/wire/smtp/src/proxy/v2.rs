//! Version 2: twelve octets of signature, version and command, family, length, addresses, then values we skip.

use super::{MAX_HEADER, Progress, Proxied, ProxyError};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, length.
const FIXED: usize = 16;

pub(super) fn parse(input: &[u8]) -> Result<Progress, ProxyError> {
    let Some(&[version, family, high, low]) = input.get(SIGNATURE.len()..FIXED) else {
        return Ok(Progress::Incomplete);
    };
    let total = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if total > MAX_HEADER {
        return Err(ProxyError::TooLong(total));
    }
    let Some(body) = input.get(FIXED..total) else {
        return Ok(Progress::Incomplete);
    };
    let proxied = match version {
        0x20 => Proxied::Local,
        0x21 => client(family, body)?,
        _ => return Err(ProxyError::Binary),
    };
    Ok(Progress::Complete(proxied, total))
}

/// Families: 0x00 unspecified, 0x11 TCP over IPv4, 0x21 over IPv6, 0x31 Unix stream. Datagrams carry no SMTP.
fn client(family: u8, body: &[u8]) -> Result<Proxied, ProxyError> {
    match family {
        0x00 | 0x31 => Ok(Proxied::Local),
        0x11 => ipv4(body).ok_or(ProxyError::Binary),
        0x21 => ipv6(body).ok_or(ProxyError::Binary),
        _ => Err(ProxyError::Binary),
    }
}

fn ipv4(body: &[u8]) -> Option<Proxied> {
    let (from, rest) = body.split_first_chunk::<4>()?;
    let (to, rest) = rest.split_first_chunk::<4>()?;
    let (from_port, to_port) = ports(rest)?;
    Some(Proxied::Client {
        source: SocketAddr::new(Ipv4Addr::from(*from).into(), from_port),
        destination: SocketAddr::new(Ipv4Addr::from(*to).into(), to_port),
    })
}

fn ipv6(body: &[u8]) -> Option<Proxied> {
    let (from, rest) = body.split_first_chunk::<16>()?;
    let (to, rest) = rest.split_first_chunk::<16>()?;
    let (from_port, to_port) = ports(rest)?;
    Some(Proxied::Client {
        source: SocketAddr::new(Ipv6Addr::from(*from).into(), from_port),
        destination: SocketAddr::new(Ipv6Addr::from(*to).into(), to_port),
    })
}

fn ports(rest: &[u8]) -> Option<(u16, u16)> {
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let (to, _values) = rest.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*from), u16::from_be_bytes(*to)))
}
