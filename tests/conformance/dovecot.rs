//! A real Dovecot: delivery by LMTP over TCP and over its Unix socket, and its refusals.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::letter::{Letter, Lines};
use crate::postrider::{ALICE, STRANGER, Server};
use crate::program::{Daemon, folder_of, installed, maildir, open_folder, own_address, user};

const CAROL: &str = "carol@dovecot.test";
const DAVE: &str = "dave@dovecot.test";
/// What Dovecot and we put on top.
const DELIVERED_THERE: [&str; 4] = ["Return-Path", "Delivered-To", "Received", "Received"];
/// Dovecot names the recipient when it is the only one.
const DELIVERED_TO_TWO: [&str; 3] = ["Return-Path", "Received", "Received"];

/// Debian's unprivileged user and group: the owner of the mailboxes.
const NOBODY: (u32, u32) = (65_534, 65_534);

/// A private instance with its own configuration, run and mail folders.
struct Dovecot {
    folder: TempDir,
    _daemon: Daemon,
}

impl Dovecot {
    /// Starts one in a folder; it knows carol and dave.
    fn start(folder: TempDir, address: SocketAddr) -> Self {
        user("dovecot");
        user("dovenull");
        let path = folder.path();
        folder_of(NOBODY, &path.join("mail"));
        let users: String = [CAROL, DAVE]
            .map(|name| format!("{name}:::::{}::\n", path.join("mail").join(name).display()))
            .concat();
        fs::write(path.join("users"), users).expect("a file");
        let config = path.join("dovecot.conf");
        fs::write(&config, configuration(path, address)).expect("a file");
        // The one program of the package that this needs beyond the core.
        let lmtp = Path::new("/usr/lib/dovecot/lmtp");
        assert!(
            lmtp.is_file(),
            "{} is missing: ./test installs it (Debian's package dovecot-lmtpd)",
            lmtp.display()
        );
        let mut command = Command::new(installed("dovecot", "dovecot-lmtpd"));
        command.arg("-F").arg("-c").arg(&config);
        let mut daemon = Daemon::start("dovecot", &mut command, path.join("dovecot.log"));
        daemon.wait_for_port(address);
        Self {
            folder,
            _daemon: daemon,
        }
    }

    fn mails(&self, account: &str, count: usize) -> Vec<Vec<u8>> {
        maildir(
            &self
                .folder
                .path()
                .join("mail")
                .join(account)
                .join("Maildir"),
            count,
        )
    }
}

/// Where a Dovecot in this folder listens.
fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("run/lmtp")
}

fn configuration(folder: &Path, address: SocketAddr) -> String {
    format!(
        "\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
protocols = lmtp
ssl = no
hostname = dovecot.test
mail_location = maildir:~/Maildir
first_valid_uid = {uid}
last_valid_uid = {uid}
first_valid_gid = {gid}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {folder}/users
  default_fields = uid={uid} gid={gid}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = {ip}
    port = {port}
  }}
}}
",
        folder = folder.display(),
        uid = NOBODY.0,
        gid = NOBODY.1,
        ip = address.ip(),
        port = address.port(),
    )
}

#[test]
fn a_message_reaches_mailboxes_of_dovecot_byte_for_byte() {
    let (folder, address) = (open_folder(), own_address());
    let hops = [
        address.to_string(),
        format!("unix:{}", socket(&folder).display()),
    ];
    let dovecot = Dovecot::start(folder, address);
    for (hop, count) in hops.iter().zip([1, 2]) {
        let server = Server::with_connector(
            "dovecot.test",
            &format!("protocol = \"lmtp\"\nnext_hop = \"{hop}\""),
        );
        let letter = Letter::new(STRANGER, CAROL);
        server.hand_over(&letter, STRANGER, &[CAROL, DAVE]);
        let story = server.story(&letter.id, &[(CAROL, "relayed"), (DAVE, "relayed")]);
        for account in [CAROL, DAVE] {
            story.ended(account, "relayed", &format!("250 2.0.0 <{account}> "));
            let mails = dovecot.mails(account, count);
            let arrived = mails.iter().find(|mail| {
                mail.windows(letter.id.len())
                    .any(|part| part == letter.id.as_bytes())
            });
            let names =
                letter.names_above(arrived.expect("the letter is in the maildir"), Lines::Lf);
            assert_eq!(names, DELIVERED_TO_TWO);
        }
        server.close(&[("relayed", 2)]);
    }
}

#[test]
fn a_large_message_streams_into_dovecot() {
    let (folder, address) = (open_folder(), own_address());
    let dovecot = Dovecot::start(folder, address);
    let server = Server::with_connector(
        "dovecot.test",
        &format!("protocol = \"lmtp\"\nnext_hop = \"{address}\""),
    );
    let letter = Letter::large(STRANGER, CAROL);
    server.hand_over(&letter, STRANGER, &[CAROL]);
    server.story(&letter.id, &[(CAROL, "relayed")]);
    assert_eq!(
        letter.names_above(&dovecot.mails(CAROL, 1)[0], Lines::Lf),
        DELIVERED_THERE
    );
    server.close(&[("relayed", 1)]);
}

#[test]
fn a_refusal_by_dovecot_comes_back_to_the_sender_in_its_own_words() {
    let (folder, address) = (open_folder(), own_address());
    let dovecot = Dovecot::start(folder, address);
    let server = Server::with_connector(
        "dovecot.test",
        &format!("protocol = \"lmtp\"\nnext_hop = \"{address}\""),
    );
    let letter = Letter::new(ALICE, CAROL);
    let nobody = "nobody@dovecot.test";
    server.hand_over(&letter, ALICE, &[CAROL, nobody]);
    let story = server.story(&letter.id, &[(CAROL, "relayed"), (nobody, "returned")]);
    story.ended(
        nobody,
        "failed",
        "550 5.1.1 <nobody@dovecot.test> User doesn't exist",
    );
    assert_eq!(
        letter.names_above(&dovecot.mails(CAROL, 1)[0], Lines::Lf),
        DELIVERED_THERE
    );
    let report = String::from_utf8(server.only_mail(ALICE)).expect("a report is text");
    let unfolded = report.replace("\r\n ", " ").replace("\r\n\t", " ");
    assert!(
        unfolded.contains("550 5.1.1 <nobody@dovecot.test> User doesn't exist"),
        "{report}"
    );
    server.close(&[("relayed", 1), ("returned", 1), ("delivered", 1)]);
}
