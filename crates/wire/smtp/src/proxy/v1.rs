//! Version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 25` and CRLF.

use super::{Progress, Proxied, ProxyError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line, CRLF included (specification s2.1).
const MAX_LINE: usize = 107;

pub(super) fn parse(input: &[u8]) -> Result<Progress, ProxyError> {
    let window = input.get(..MAX_LINE).unwrap_or(input);
    let Some(end) = memchr::memchr(b'\n', window) else {
        return match input.len() >= MAX_LINE {
            true => Err(ProxyError::Line),
            false => Ok(Progress::Incomplete),
        };
    };
    let line = window.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or(ProxyError::Line)?;
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::Line)?;
    let words = line.strip_prefix("PROXY ").ok_or(ProxyError::Line)?;
    let proxied = origin(words).ok_or(ProxyError::Line)?;
    Ok(Progress::Complete(proxied, end + 1))
}

fn origin(words: &str) -> Option<Proxied> {
    // "UNKNOWN": whatever follows up to the CRLF is ignored.
    if words == "UNKNOWN" || words.starts_with("UNKNOWN ") {
        return Some(Proxied::Local);
    }
    let mut words = words.split(' ');
    match words.next()? {
        "TCP4" => addresses::<Ipv4Addr>(words),
        "TCP6" => addresses::<Ipv6Addr>(words),
        _ => None,
    }
}

fn addresses<'a, A: FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'a str>,
) -> Option<Proxied> {
    let from = words.next()?.parse::<A>().ok()?;
    let to = words.next()?.parse::<A>().ok()?;
    let from_port = port(words.next()?)?;
    let to_port = port(words.next()?)?;
    if words.next().is_some() {
        return None;
    }
    Some(Proxied::Client {
        source: SocketAddr::new(from.into(), from_port),
        destination: SocketAddr::new(to.into(), to_port),
    })
}

/// Digits only, no leading zero (specification s2.1); `u16::from_str` alone would take a sign.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|b| b.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    plain.then(|| word.parse().ok()).flatten()
}
