//! Plain text, host names and IP addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use toml::de::DeValue;

use crate::form::{Misread, Value, Written, misread, quoted, written_as_text, wrong_type};
use crate::problem::Fault;

/// Octets of a domain name (RFC 5321 s4.5.3.1.2).
const LONGEST_NAME: usize = 255;
/// Octets of one label (RFC 1035 s2.3.4).
const LONGEST_LABEL: usize = 63;

impl Value for String {
    fn form() -> String {
        "text".to_owned()
    }

    fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
        let DeValue::String(text) = value.get_ref() else {
            return Err(wrong_type(value, &Self::form(), "put it in quotes"));
        };
        Ok(text.as_ref().to_owned())
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

/// A host's or domain's name: ASCII, lower case, without the dot at its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(String);

impl Hostname {
    /// `localhost`: this machine, and nobody else's.
    pub fn localhost() -> Self {
        Self("localhost".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Hostname {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if !name.is_ascii() {
            return Err(Fault::new(
                format!("{} has letters outside ASCII", quoted(text)),
                "write its ASCII form, which starts with xn--",
            ));
        }
        // The last label is never all digits, or it would read as an IPv4 address (RFC 1123 s2.1).
        let last = name.rsplit('.').next().unwrap_or(name);
        let like_an_address = last.bytes().all(|byte| byte.is_ascii_digit());
        if name.len() > LONGEST_NAME || like_an_address || !name.split('.').all(is_label) {
            return Err(Fault::new(
                format!("{} is not a host name", quoted(text)),
                r#"write labels of letters, digits and "-", separated by dots, such as "mx.example.org""#,
            ));
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

/// Letters, digits, inner hyphens (RFC 1123 s2.1), and `_`, which real names have.
fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Hostname {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

written_as_text!(Hostname, r#"a host name such as "mx.example.org""#);

/// Implements `Value` for an address type of the standard library.
macro_rules! address {
    ($type:ty, $form:literal, $remedy:literal) => {
        impl Value for $type {
            fn form() -> String {
                $form.to_owned()
            }

            fn read(value: &Written<'_>) -> Result<Self, Vec<Misread>> {
                let text = String::read(value)?;
                text.parse().map_err(|_| {
                    let what = format!("{} is not {}", quoted(&text), $form);
                    misread(value, Fault::new(what, $remedy))
                })
            }

            fn show(&self) -> String {
                quoted(&self.to_string())
            }
        }
    };
}

address!(
    IpAddr,
    r#"an IP address such as "192.0.2.1""#,
    "write the address, without a port"
);
address!(
    SocketAddr,
    r#"an IP address with a port such as "127.0.0.1:53" or "[::1]:53""#,
    "write address and port, an IPv6 address in brackets"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_kept_in_lower_case_without_its_last_dot() {
        for (text, expected) in [
            ("localhost", "localhost"),
            ("MX.Example.test.", "mx.example.test"),
            ("_dmarc.a-b.4u.test", "_dmarc.a-b.4u.test"),
        ] {
            let name: Hostname = text.parse().expect(text);
            assert_eq!(name.as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        let long_label = "a".repeat(64);
        let long_name = "ab.".repeat(86);
        let bad = [
            "",
            ".",
            "a..b",
            "-a.b",
            "a-.b",
            "a b",
            "192.0.2.1",
            "a.1",
            "m\u{fc}.test",
        ];
        for text in bad.into_iter().chain([long_label.as_str(), &long_name]) {
            assert!(text.parse::<Hostname>().is_err(), "{text}");
        }
    }
}
