//! A real Exim: relay to it and from it (which is by BDAT), and its refusals and reports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::letter::{Letter, Lines};
use crate::postrider::{ALICE, BOB, DELIVERED_HERE, STRANGER, Server};
use crate::program::{
    Daemon, certificate, client, folder_of, maildir, open_folder, own_address, succeed, user,
    wait_for,
};

const CAROL: &str = "carol@exim.test";

/// Debian's exim4 cannot stand beside its postfix, so `./test` unpacks the package into a cache folder.
fn program() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let unpacked = cache
        .unwrap_or_default()
        .join("postrider/exim4/usr/sbin/exim4");
    let mut places = [PathBuf::from("/usr/sbin/exim4"), unpacked.clone()].into_iter();
    places.find(|place| place.is_file()).unwrap_or_else(|| {
        panic!(
            "{} is missing: ./test unpacks it (Debian's package exim4-daemon-light)",
            unpacked.display()
        )
    })
}

/// A private instance with its own configuration, spool and log.
struct Exim {
    daemon: Daemon,
    folder: TempDir,
    address: SocketAddr,
}

impl Exim {
    /// Starts one on an address, which knows the mailbox carol@exim.test; other mail goes to `relay`.
    fn start(address: SocketAddr, relay: SocketAddr) -> Self {
        let folder = open_folder();
        let exim = user("Debian-exim");
        for part in ["spool", "log", "mail"] {
            folder_of(exim, &folder.path().join(part));
        }
        certificate(folder.path(), "exim.test");
        std::os::unix::fs::chown(folder.path().join("certificate.pem"), Some(exim.0), None)
            .expect("root");
        let config = folder.path().join("exim.conf");
        fs::write(&config, configuration(folder.path(), address, relay)).expect("a file");
        // A private copy: it calls itself under its own user, who need not reach the cache folder.
        fs::copy(program(), copied(folder.path())).expect("a copy of the program");
        let mut command = Command::new(copied(folder.path()));
        command.arg("-C").arg(&config).arg("-bdf");
        let mut exim = Self {
            daemon: Daemon::start("exim", &mut command, folder.path().join("exim.out")),
            folder,
            address,
        };
        exim.daemon.wait_for_port(address);
        exim
    }

    /// The mails of carol.
    fn mails(&self, count: usize) -> Vec<Vec<u8>> {
        maildir(&self.folder.path().join("mail/carol"), count)
    }

    /// Hands a letter to Exim.
    fn hand_over(&self, letter: &Letter, from: &str, to: &[&str]) {
        let mut curl = client("curl", "curl");
        curl.args(["-q", "-sS", "--mail-from", from]);
        for recipient in to {
            curl.args(["--mail-rcpt", recipient]);
        }
        let url = format!("smtp://{}/client.exim.test", self.address);
        succeed(curl.arg("-T").arg(letter.wire_file()).arg(url), None);
    }

    /// Waits until its log says that a message with these words has ended.
    fn logged(&self, words: &str) {
        wait_for("such line in the log of Exim", || {
            let log =
                fs::read_to_string(self.folder.path().join("log/mainlog")).unwrap_or_default();
            if log.contains(words) {
                Ok(())
            } else {
                Err(log)
            }
        });
    }
}

fn copied(folder: &Path) -> PathBuf {
    folder.join("exim4")
}

fn configuration(folder: &Path, address: SocketAddr, relay: SocketAddr) -> String {
    format!(
        "\
primary_hostname = mx.exim.test
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = {ip}
daemon_smtp_ports = {port}
tls_advertise_hosts = *
tls_certificate = {folder}/certificate.pem
tls_privatekey = {folder}/certificate.pem
deliver_drop_privilege
host_lookup =
rfc1413_hosts =
keep_environment =
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
rcpt:
  deny domains = exim.test
       ! local_parts = carol
       message = 5.1.1 nobody in this house
  accept
begin routers
here:
  driver = accept
  domains = exim.test
  transport = maildir
away:
  driver = manualroute
  route_list = * {relay_ip}
  self = send
  transport = away
begin transports
maildir:
  driver = appendfile
  directory = {folder}/mail/carol
  maildir_format
  create_directory
away:
  driver = smtp
  port = {relay_port}
  hosts_require_tls = *
  tls_verify_hosts =
  tls_try_verify_hosts =
begin retry
* * F,1h,1m
",
        program = copied(folder).display(),
        folder = folder.display(),
        ip = address.ip(),
        port = address.port(),
        relay_ip = relay.ip(),
        relay_port = relay.port(),
    )
}

#[test]
fn a_message_reaches_a_mailbox_of_exim_byte_for_byte_over_tls() {
    let address = own_address();
    let server = Server::with_connector(
        "exim.test",
        &format!("next_hop = \"{address}\"\ntls = \"required\""),
    );
    let exim = Exim::start(address, server.port("mx"));
    for (letter, count) in [
        (Letter::new(STRANGER, CAROL), 1),
        (Letter::large(STRANGER, CAROL), 2),
    ] {
        server.hand_over(&letter, STRANGER, &[CAROL]);
        let story = server.story(&letter.id, &[(CAROL, "relayed")]);
        let attempt = story.ended(CAROL, "relayed", "250 OK id=");
        assert_ne!(attempt["tls"], "", "{attempt:#}");
        let mails = exim.mails(count);
        let arrived = mails.iter().find(|mail| {
            mail.windows(letter.id.len())
                .any(|part| part == letter.id.as_bytes())
        });
        let names = letter.names_above(arrived.expect("the letter is in the maildir"), Lines::Lf);
        assert_eq!(names, ["Received", "Received"]);
    }
    server.close(&[("relayed", 2)]);
}

#[test]
fn a_refusal_by_exim_comes_back_to_the_sender_in_its_own_words() {
    let address = own_address();
    let server = Server::with_connector("exim.test", &format!("next_hop = \"{address}\""));
    let exim = Exim::start(address, server.port("mx"));
    let letter = Letter::new(ALICE, CAROL);
    server.hand_over(&letter, ALICE, &[CAROL, "nobody@exim.test"]);
    let story = server.story(
        &letter.id,
        &[(CAROL, "relayed"), ("nobody@exim.test", "returned")],
    );
    story.ended(
        "nobody@exim.test",
        "failed",
        "550 5.1.1 nobody in this house",
    );
    letter.names_above(&exim.mails(1)[0], Lines::Lf);
    let report = String::from_utf8(server.only_mail(ALICE)).expect("a report is text");
    assert!(
        report.contains("\r\nAction: failed\r\nStatus: 5.1.1\r\n"),
        "{report}"
    );
    assert!(
        report.contains("Diagnostic-Code: smtp; 550 5.1.1 nobody in this house\r\n"),
        "{report}"
    );
    server.close(&[("relayed", 1), ("returned", 1), ("delivered", 1)]);
}

#[test]
fn exim_makes_no_success_reports_so_the_sender_is_told_of_the_relay() {
    let address = own_address();
    let server = Server::with_connector("exim.test", &format!("next_hop = \"{address}\""));
    let exim = Exim::start(address, server.port("mx"));
    let letter = Letter::new(ALICE, CAROL);
    let script = "
import smtplib, sys
with smtplib.SMTP(sys.argv[1], int(sys.argv[2])) as s:
    s.sendmail(sys.argv[3], [sys.argv[4]], open(sys.argv[5], 'rb').read(), ['BODY=8BITMIME'], ['NOTIFY=SUCCESS'])
";
    let inside = server.port("inside");
    let mut python = client("python3", "python3");
    python.args([
        "-c",
        script,
        &inside.ip().to_string(),
        &inside.port().to_string(),
        ALICE,
        CAROL,
    ]);
    succeed(python.arg(letter.wire_file()), None);
    server.story(&letter.id, &[(CAROL, "relayed")]);
    letter.names_above(&exim.mails(1)[0], Lines::Lf);
    let report = String::from_utf8(server.only_mail(ALICE)).expect("a report is text");
    assert!(report.contains("\r\nAction: relayed\r\n"), "{report}");
    server.close(&[("relayed", 1), ("delivered", 1)]);
}

#[test]
fn a_message_from_exim_stands_in_the_mailbox_byte_for_byte() {
    let server = Server::start("");
    let exim = Exim::start(own_address(), server.port("mx"));
    for (letter, number) in [
        (Letter::new(STRANGER, ALICE), 1),
        (Letter::large(STRANGER, ALICE), 2),
    ] {
        exim.hand_over(&letter, STRANGER, &[ALICE, BOB]);
        let story = server.story(&letter.id, &[(ALICE, "delivered"), (BOB, "delivered")]);
        assert_eq!(story.text("helo"), "mx.exim.test");
        assert_ne!(story.text("tls"), "");
        for account in [ALICE, BOB] {
            let mail = server.mailbox(account, number).pop().expect("the newest");
            assert_eq!(
                letter.names_above(&mail, Lines::Crlf),
                [&DELIVERED_HERE[..], &["Received"]].concat()
            );
        }
    }
    // K: it was sent in chunks (RFC 3030).
    exim.logged(" K C=\"250 ");
    exim.logged("Completed");
    server.close(&[("delivered", 4)]);
}

#[test]
fn exim_reports_our_refusal_in_our_words() {
    let server = Server::start("");
    let exim = Exim::start(own_address(), server.port("mx"));
    let letter = Letter::new(CAROL, "nobody@here.test");
    exim.hand_over(&letter, CAROL, &[BOB, "nobody@here.test"]);
    server.story(&letter.id, &[(BOB, "delivered")]);
    let report = String::from_utf8_lossy(&exim.mails(1)[0]).into_owned();
    assert!(
        report.contains("550 5.1.1 <nobody@here.test>: nobody here by that"),
        "{report}"
    );
    server.close(&[("delivered", 1)]);
}
