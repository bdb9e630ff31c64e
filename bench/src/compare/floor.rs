//! The bare floor as a contestant: this same binary, `floor`.

use std::env::current_exe;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::bail;

use super::contestant::Destination;

/// Notes where to relay to.
pub fn prepare(folder: &Path, destination: Destination) -> anyhow::Result<()> {
    let relay = match destination {
        Destination::Held => String::new(),
        Destination::Relay(to) => to.to_string(),
        Destination::Outage { .. } | Destination::Viewed { .. } => {
            bail!("the floor has one next hop")
        }
        Destination::Mailboxes => bail!("the floor has no mailboxes"),
    };
    fs::write(folder.join("relay"), relay)?;
    Ok(())
}

/// The command that serves.
pub fn serve(folder: &Path, address: SocketAddr) -> anyhow::Result<Command> {
    let mut command = Command::new(current_exe()?);
    command.args(["floor", "--listen", &address.to_string(), "--log"]);
    command.arg(folder.join("log"));
    let relay = fs::read_to_string(folder.join("relay"))?;
    if !relay.is_empty() {
        command.args(["--relay", &relay]);
    }
    Ok(command)
}
