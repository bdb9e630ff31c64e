//! Postrider from a given binary: its configuration and its commands. It has no setting that answers 250 before the
//! message is flushed, so durable is the only way it can be measured.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::contestant::{Destination, MAILBOXES, free_address, output};

const CONFIG: &str = "postrider.toml";

/// Writes the configuration, and the accounts when mail is to stay here.
pub fn prepare(
    binary: &Path,
    folder: &Path,
    address: SocketAddr,
    destination: Destination,
) -> anyhow::Result<()> {
    let next_hop = match destination {
        // Nobody listens there: each attempt is refused at once.
        Destination::Held | Destination::Mailboxes => free_address()?,
        Destination::Relay(to) => to,
    };
    fs::write(folder.join(CONFIG), config(folder, address, next_hop))?;
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

fn config(folder: &Path, address: SocketAddr, next_hop: SocketAddr) -> String {
    format!(
        r#"hostname = "mx.bench.test"
store = "sqlite:{}/postrider.db"

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
"#,
        folder.display()
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

/// Recipients delivered, as the book says.
pub fn delivered(binary: &Path, folder: &Path) -> anyhow::Result<u64> {
    let printed = run(binary, folder, &["audit", "--json"])?;
    let audit: serde_json::Value = serde_json::from_str(&printed)?;
    let delivered = audit.get("delivered").and_then(serde_json::Value::as_u64);
    delivered.with_context(|| format!("no `delivered` in {printed}"))
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
