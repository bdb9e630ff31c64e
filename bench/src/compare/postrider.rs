//! Postrider from a given binary: its configuration and its commands. It has no setting that answers 250 before the
//! message is flushed, so durable is the only way it can be measured.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::contestant::{Destination, MAILBOXES, Node, Postrider, free_address, output};

const CONFIG: &str = "postrider.toml";

/// Writes the configuration, and the accounts when mail is to stay here.
pub fn prepare(
    ours: &Postrider,
    folder: &Path,
    address: SocketAddr,
    destination: Destination,
) -> anyhow::Result<()> {
    let next_hop = match destination {
        // Nobody listens there: each attempt is refused at once.
        Destination::Held | Destination::Mailboxes => free_address()?,
        Destination::Relay(to)
        | Destination::Outage { alive: to, .. }
        | Destination::Viewed { alive: to, .. } => to,
    };
    let binary = &ours.binary;
    let mut config = config(&store(ours.node.as_ref(), folder), address, next_hop);
    if let Destination::Outage { dead, .. } = destination {
        config += &outage(dead);
    }
    if let Destination::Viewed { dead, web, .. } = destination {
        config += &viewed(dead, web);
    }
    fs::write(folder.join(CONFIG), config)?;
    if let Destination::Mailboxes = destination {
        run(binary, folder, &["domain", "add", "local.test"])?;
        for user in 0..MAILBOXES {
            let account = format!("user{user}@local.test");
            run(
                binary,
                folder,
                &["account", "add", &account, "--password", "correct-horse-42"],
            )?;
        }
    }
    Ok(())
}

/// The lines that say where the rows are.
fn store(node: Option<&Node>, folder: &Path) -> String {
    match node {
        None => format!("store = \"sqlite:{}/postrider.db\"", folder.display()),
        Some(Node { name, store }) => format!("store = \"{store}\"\nnode = \"{name}\""),
    }
}

fn config(store: &str, address: SocketAddr, next_hop: SocketAddr) -> String {
    format!(
        r#"hostname = "mx.bench.test"
{store}

[[listener]]
name = "mx"
protocol = "smtp"
address = "{address}"
relay_from = ["127.0.0.0/8"]
max_commands = 10000000

[[connector]]
name = "out"
address_space = ["*"]
next_hop = "{next_hop}"
"#
    )
}

/// A next hop that is tried every second.
fn outage(dead: SocketAddr) -> String {
    format!(
        r#"
[[connector]]
name = "dead"
address_space = ["dead.test"]
next_hop = "{dead}"

[queue]
retry = ["1s"]
"#
    )
}

/// A next hop where nobody is, and web pages.
fn viewed(dead: SocketAddr, web: SocketAddr) -> String {
    format!(
        r#"
[[connector]]
name = "dead"
address_space = ["dead.test", "back.test"]
next_hop = "{dead}"

[[listener]]
name = "web"
protocol = "http"
address = "{web}"
"#
    )
}

/// The command that serves.
pub fn serve(binary: &Path, folder: &Path) -> Command {
    command(binary, folder, &["serve"])
}

/// Lists every queued recipient.
pub fn list(binary: &Path, folder: &Path) -> Command {
    command(binary, folder, &["queue", "list", "--json"])
}

/// One line for each next hop, with exact counts.
pub fn summary(binary: &Path, folder: &Path) -> Command {
    command(binary, folder, &["queue"])
}

/// The first page of what is queued.
pub fn first_page(binary: &Path, folder: &Path) -> Command {
    command(
        binary,
        folder,
        &["queue", "list", "--limit", "100", "--json"],
    )
}

/// How often the dead hop of an outage has been tried in vain.
pub fn failures(binary: &Path, folder: &Path) -> anyhow::Result<u64> {
    let printed = run(binary, folder, &["queue", "--json"])?;
    let lines = printed
        .lines()
        .map(serde_json::from_str::<serde_json::Value>);
    let hops = lines.collect::<Result<Vec<_>, _>>()?;
    let failures = hops
        .iter()
        .find_map(|hop| hop.get("failures")?.as_u64().filter(|n| *n > 0));
    Ok(failures.unwrap_or(0))
}

/// Recipients delivered, as the book says.
pub fn delivered(binary: &Path, folder: &Path) -> anyhow::Result<u64> {
    let audit = audit(binary, folder)?;
    let delivered = audit.get("delivered").and_then(serde_json::Value::as_u64);
    delivered.with_context(|| format!("no `delivered` in {audit}"))
}

/// What the book says of itself.
pub fn audit(binary: &Path, folder: &Path) -> anyhow::Result<serde_json::Value> {
    let printed = run(binary, folder, &["audit", "--json"])?;
    Ok(serde_json::from_str(&printed)?)
}

/// A new token for the web pages, with every right.
pub fn token(binary: &Path, folder: &Path) -> anyhow::Result<String> {
    const RIGHTS: &str = "view,act,content,administer";
    let printed = run(
        binary,
        folder,
        &["token", "add", "bench", "--rights", RIGHTS, "--json"],
    )?;
    let made: serde_json::Value = serde_json::from_str(&printed)?;
    let token = made.get("token").and_then(serde_json::Value::as_str);
    Ok(token.context("no token")?.to_owned())
}

fn run(binary: &Path, folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    output(&mut command(binary, folder, arguments))
}

fn command(binary: &Path, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .arg("--config")
        .arg(folder.join(CONFIG))
        .current_dir(folder);
    command
}
