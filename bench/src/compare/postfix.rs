//! Postfix as a private instance: own configuration, queue and data folders, its own port. The system's instance is
//! neither read nor touched.
//!
//! Durable: Postfix flushes each queue file before its 250, and its maildir files; no setting here weakens that.
//! Tuned: more processes, no artificial delays, no limits a client, static connection cache, no DNS.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use super::contestant::{Destination, MAILBOXES};

/// Debian's unprivileged user and group; virtual mailboxes must belong to somebody who is not root.
const NOBODY: u32 = 65_534;

/// Services that are the same for everybody. Not in a chroot: less to copy, and a little faster.
const SERVICES: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
";

/// Writes the configuration.
pub fn prepare(folder: &Path, address: SocketAddr, destination: Destination) -> anyhow::Result<()> {
    for part in ["etc", "spool", "data", "mail"] {
        fs::create_dir_all(folder.join(part))?;
    }
    // Its processes run as its own user and must reach their folders.
    for above in folder.ancestors().take(2) {
        fs::set_permissions(above, fs::Permissions::from_mode(0o755))?;
    }
    chown(folder.join("data"), Some(postfix_user()?), None)?;
    chown(folder.join("mail"), Some(NOBODY), Some(NOBODY))?;
    let services = format!("{address} inet n - n - - smtpd\n{SERVICES}");
    fs::write(folder.join("etc/master.cf"), services)?;
    fs::write(folder.join("etc/main.cf"), main_cf(folder, destination)?)?;
    let mailboxes: String = (0..MAILBOXES)
        .map(|n| format!("user{n}@local.test user{n}/\n"))
        .collect();
    fs::write(folder.join("etc/mailboxes"), mailboxes)?;
    Ok(())
}

fn main_cf(folder: &Path, destination: Destination) -> anyhow::Result<String> {
    let folder = folder.display();
    let common = format!(
        "\
compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/spool
data_directory = {folder}/data
myhostname = mx.bench.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_dns_support_level = disabled
default_process_limit = 200
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
"
    );
    let rest = match destination {
        Destination::Held => "defer_transports = smtp\n".to_owned(),
        Destination::Relay(to) => format!(
            "\
relayhost = [{}]:{}
smtp_connection_cache_destinations = [{}]:{}
initial_destination_concurrency = 20
default_destination_concurrency_limit = 50
",
            to.ip(),
            to.port(),
            to.ip(),
            to.port()
        ),
        Destination::Outage { .. } | Destination::Viewed { .. } => {
            bail!("an outage and web pages are measured with Postrider alone")
        }
        Destination::Mailboxes => format!(
            "\
virtual_mailbox_domains = local.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_uid_maps = static:{NOBODY}
virtual_gid_maps = static:{NOBODY}
initial_destination_concurrency = 20
default_destination_concurrency_limit = 50
"
        ),
    };
    Ok(common + &rest)
}

/// The command that serves, in the foreground, as the parent of all its processes.
pub fn serve(folder: &Path) -> Command {
    instance("postfix", folder, &["start-fg"])
}

/// The process that is to be told to end.
pub fn master(folder: &Path) -> anyhow::Result<u32> {
    let file = folder.join("spool/pid/master.pid");
    let text = fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
    Ok(text.trim().parse()?)
}

/// Lists every queued message.
pub fn list(folder: &Path) -> Command {
    instance("postqueue", folder, &["-p"])
}

/// Prints the version.
pub fn version() -> Command {
    let mut command = Command::new("postconf");
    command.args(["-d", "-h", "mail_version"]);
    command
}

/// Counts the files in the maildirs.
pub fn delivered(folder: &Path) -> anyhow::Result<u64> {
    let mut count = 0;
    for user in 0..MAILBOXES {
        // The folder appears with the first message.
        if let Ok(entries) = fs::read_dir(folder.join(format!("mail/user{user}/new"))) {
            count += entries.count() as u64;
        }
    }
    Ok(count)
}

fn instance(program: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("etc")).args(arguments);
    command
}

fn postfix_user() -> anyhow::Result<u32> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postfix:"));
    line.and_then(|line| line.split(':').nth(2)?.parse().ok())
        .context(
            "there is no user postfix: install Debian's package postfix (it need not be started)",
        )
}
