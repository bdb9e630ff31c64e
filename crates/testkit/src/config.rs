//! A node's configuration: a story's own settings over those that every story has.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, anyhow};
use ground_settings::Settings;
use toml::{Table, Value};

/// The name of every server of a story.
pub(crate) const HOSTNAME: &str = "mx.here.test";

/// What a story's settings have unless it says otherwise: doors of each kind.
const LISTENERS: &str = r#"
[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:25"
[[listener]]
name = "inside"
protocol = "smtp"
address = "127.0.0.1:26"
relay_from = ["127.0.0.0/8"]
[[listener]]
name = "submission"
protocol = "submission"
address = "127.0.0.1:587"
[[listener]]
name = "lmtp"
protocol = "lmtp"
address = "unix:lmtp.sock"
"#;

/// Where the settings of a story let its nodes listen. Each node has an address of its own there: `node2` has 127.0.0.2.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The whole configuration of a node: what `story` says, then what `world` says, then what every story has.
pub(crate) fn table(node: &str, story: &str, world: Table) -> Result<Table> {
    let mut whole: Table = story
        .parse()
        .map_err(|error| anyhow!("expected settings, got: {error}"))?;
    let names = format!("hostname = {HOSTNAME:?}\nnode = {node:?}");
    for below in [world, names.parse()?, LISTENERS.parse()?] {
        lay(&mut whole, below);
    }
    let own = address(node);
    move_listeners(&mut whole, |listener| match listener {
        SocketAddr::V4(here) if *here.ip() == HERE => SocketAddr::new(own.into(), here.port()),
        SocketAddr::V4(_) | SocketAddr::V6(_) => listener,
    });
    Ok(whole)
}

/// The address of a node: the number at the end of its name is its last octet.
fn address(node: &str) -> Ipv4Addr {
    let [first, second, third, last] = HERE.octets();
    let number = node.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    Ipv4Addr::new(first, second, third, number.parse().unwrap_or(last))
}

/// Has every TCP listener listen somewhere else.
pub(crate) fn move_listeners(table: &mut Table, to: impl Fn(SocketAddr) -> SocketAddr) {
    let listeners = table.get_mut("listener").and_then(Value::as_array_mut);
    for listener in listeners.into_iter().flatten() {
        let Some(address) = listener.get_mut("address") else {
            continue;
        };
        if let Some(Ok(tcp)) = address.as_str().map(str::parse) {
            *address = to(tcp).to_string().into();
        }
    }
}

/// What `above` says, and `below` wherever it says nothing.
pub(crate) fn lay_over(above: &str, below: &str) -> Result<Table> {
    let mut whole = above.parse()?;
    lay(&mut whole, below.parse()?);
    Ok(whole)
}

/// Puts `below` wherever `whole` says nothing.
fn lay(whole: &mut Table, below: Table) {
    for (name, value) in below {
        match (whole.get_mut(&name), value) {
            (None, value) => {
                whole.insert(name, value);
            }
            (Some(Value::Table(own)), Value::Table(below)) => lay(own, below),
            (Some(_), _) => {}
        }
    }
}

/// The settings that a configuration means.
pub(crate) fn settings(table: &Table) -> Result<Settings> {
    Settings::parse(&toml::to_string(table)?).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow!("expected settings, got: {}", problems.join("; "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_one_story_never_listen_at_the_same_address() {
        for (node, first) in [
            ("node1", "127.0.0.1:25"),
            ("node2", "127.0.0.2:25"),
            ("node23", "127.0.0.23:25"),
            ("operator", "127.0.0.1:25"),
        ] {
            let table = table(node, "", Table::new()).unwrap();
            assert_eq!(table["listener"][0]["address"].as_str(), Some(first));
            assert_eq!(
                table["listener"][3]["address"].as_str(),
                Some("unix:lmtp.sock")
            );
        }
        let elsewhere =
            "[[listener]]\nname = \"mx\"\nprotocol = \"smtp\"\naddress = \"192.0.2.1:25\"";
        let table = table("node2", elsewhere, Table::new()).unwrap();
        assert_eq!(
            table["listener"][0]["address"].as_str(),
            Some("192.0.2.1:25")
        );
    }
}
