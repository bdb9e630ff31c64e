//! Networks: `"192.0.2.0/24"`, `"2001:db8::/32"`, or one address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::form::{quoted, written_as_text};
use crate::problem::Fault;

/// A network of IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Whether the address is of this network. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.network) && masked(address, self.prefix) == bits(self.network)
    }
}

impl FromStr for Cidr {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| not_a_network(text))?;
        let prefix = match prefix {
            None => width(network),
            Some(digits) => digits.parse().map_err(|_| not_a_network(text))?,
        };
        if prefix > width(network) {
            return Err(not_a_network(text));
        }
        let first = masked(network, prefix);
        if first != bits(network) {
            let fitting = Self {
                network: from_bits(first, network),
                prefix,
            };
            return Err(Fault::new(
                format!("{} names one address inside a network", quoted(text)),
                format!("write the network, {}", quoted(&fitting.to_string())),
            ));
        }
        Ok(Self { network, prefix })
    }
}

fn not_a_network(text: &str) -> Fault {
    Fault::new(
        format!("{} is not a network", quoted(text)),
        r#"write one such as "192.0.2.0/24", "2001:db8::/32" or "127.0.0.1""#,
    )
}

/// The bits of an address of this family.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn from_bits(bits: u128, family: IpAddr) -> IpAddr {
    match family {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(bits).unwrap_or(u32::MAX).into()),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    }
}

fn masked(address: IpAddr, prefix: u8) -> u128 {
    let host_bits = u32::from(width(address).saturating_sub(prefix));
    let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
    bits(address) & mask
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.network) {
            return self.network.fmt(f);
        }
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

written_as_text!(
    Cidr,
    r#"a network such as "192.0.2.0/24", "2001:db8::/32" or "127.0.0.1""#
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_own_addresses_only() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.0/24", "::ffff:192.0.2.1", "::c000:201"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("10.0.0.0/9", "10.127.255.255", "10.128.0.0"),
        ] {
            let parsed: Cidr = network.parse().expect(network);
            let contains = |address: &str| parsed.contains(address.parse().expect(address));
            assert!(contains(inside), "{network} {inside}");
            assert!(!contains(outside), "{network} {outside}");
            assert_eq!(parsed.to_string(), network, "there and back");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/8/8",
            "example.org",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_inside_a_network_is_answered_with_the_network() {
        for (text, network) in [
            ("10.1.2.3/8", "\"10.0.0.0/8\""),
            ("2001:db8::1/32", "\"2001:db8::/32\""),
        ] {
            let fault = text.parse::<Cidr>().expect_err(text);
            assert_eq!(fault.remedy, format!("write the network, {network}"));
        }
    }
}
