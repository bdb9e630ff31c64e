//! A node's configuration: a story's own settings over those that every story has.

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

/// The whole configuration of a node: what `story` says, then what `world` says, then what every story has.
pub(crate) fn table(node: &str, story: &str, world: Table) -> Result<Table> {
    let mut whole: Table = story
        .parse()
        .map_err(|error| anyhow!("expected settings, got: {error}"))?;
    let names = format!("hostname = {HOSTNAME:?}\nnode = {node:?}");
    for below in [world, names.parse()?, LISTENERS.parse()?] {
        lay(&mut whole, below);
    }
    Ok(whole)
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
