//! A real Postfix: relay to it, from it, by LMTP from it, and its refusals, delays and reports.

use std::fs;
use std::net::SocketAddr;

use tempfile::TempDir;

use crate::letter::{Letter, Lines};
use crate::postrider::{ALICE, BOB, DELIVERED_HERE, STRANGER, Server};
use crate::program::{
    Daemon, certificate, client, folder_of, installed, maildir, open_folder, own_address, run,
    succeed, user, wait_for,
};

/// Debian's unprivileged user and group; virtual mailboxes must belong to somebody who is not root.
const NOBODY: (u32, u32) = (65_534, 65_534);

/// Debian's services, without chroot.
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
lmtp unix - - n - - lmtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// A private instance: its own configuration, queue and data. The system's is neither read nor touched.
struct Postfix {
    daemon: Daemon,
    folder: TempDir,
    address: SocketAddr,
}

impl Postfix {
    /// Starts one on an address, which knows the mailbox carol@postfix.test; `more` is added to its main.cf.
    fn start(address: SocketAddr, more: &str) -> Self {
        let folder = open_folder();
        let path = folder.path();
        for part in ["etc", "spool"] {
            fs::create_dir(path.join(part)).expect("a folder");
        }
        folder_of((user("postfix").0, 0), &path.join("data"));
        folder_of(NOBODY, &path.join("mail"));
        certificate(path, "postfix.test");
        fs::write(path.join("etc/access"), "").expect("a file");
        fs::write(path.join("etc/mailboxes"), "carol@postfix.test carol/\n").expect("a file");
        let services = format!("{address} inet n - n - - smtpd\n{SERVICES}");
        fs::write(path.join("etc/master.cf"), services).expect("a file");
        fs::write(path.join("etc/main.cf"), main_cf(&folder, more)).expect("a file");
        let mut command = std::process::Command::new(installed("postfix", "postfix"));
        command.arg("-c").arg(path.join("etc")).arg("start-fg");
        let mut postfix = Self {
            daemon: Daemon::start("postfix", &mut command, path.join("postfix.log")),
            folder,
            address,
        };
        postfix.daemon.wait_for_port(address);
        postfix
    }

    /// The mails of carol.
    fn mails(&self, count: usize) -> Vec<Vec<u8>> {
        maildir(&self.folder.path().join("mail/carol"), count)
    }

    /// A command of Postfix on this instance.
    fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = client(program, "postfix");
        command.arg("-c").arg(self.folder.path().join("etc"));
        succeed(command.args(arguments), None)
    }

    /// Hands a letter to Postfix.
    fn hand_over(&self, letter: &Letter, from: &str, to: &[&str]) {
        let mut curl = client("curl", "curl");
        curl.args(["-q", "-sS", "--mail-from", from]);
        for recipient in to {
            curl.args(["--mail-rcpt", recipient]);
        }
        let url = format!("smtp://{}/client.postfix.test", self.address);
        succeed(curl.arg("-T").arg(letter.wire_file()).arg(url), None);
    }

    /// Waits until its queue is empty.
    fn drained(&self) {
        wait_for("empty queue of Postfix", || {
            let list = self.ask("postqueue", &["-p"]);
            if list.contains("is empty") {
                Ok(())
            } else {
                Err(format!("{list}{}", self.daemon.log()))
            }
        });
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // The parent of all its processes is told by its own command; `Daemon` sees that it has ended.
        let mut command = client("postfix", "postfix");
        let ended = run(
            command
                .arg("-c")
                .arg(self.folder.path().join("etc"))
                .arg("stop"),
            None,
        );
        if ended.code != 0 {
            eprintln!("postfix stop: {}", ended.printed);
        }
    }
}

fn main_cf(folder: &TempDir, more: &str) -> String {
    let folder = folder.path().display();
    format!(
        "\
compatibility_level = 3.6
config_directory = {folder}/etc
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = /dev/stdout
myhostname = mx.postfix.test
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/etc/access, permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_cert_file = {folder}/certificate.pem
smtpd_tls_key_file = {folder}/certificate.pem
smtpd_tls_received_header = yes
smtp_tls_security_level = encrypt
smtp_dns_support_level = disabled
virtual_mailbox_domains = postfix.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_uid_maps = static:{}
virtual_gid_maps = static:{}
{more}",
        NOBODY.0, NOBODY.1
    )
}

const CAROL: &str = "carol@postfix.test";
/// What Postfix's virtual(8) and the two servers put on top.
const DELIVERED_THERE: [&str; 5] = [
    "Return-Path",
    "X-Original-To",
    "Delivered-To",
    "Received",
    "Received",
];

fn relayhost(address: SocketAddr) -> String {
    format!("relayhost = [{}]:{}\n", address.ip(), address.port())
}

#[test]
fn a_message_reaches_a_mailbox_of_postfix_byte_for_byte_over_tls() {
    let address = own_address();
    let server = Server::with_connector("postfix.test", &format!("next_hop = \"{address}\""));
    let postfix = Postfix::start(address, "");
    for (letter, count) in [
        (Letter::new(STRANGER, CAROL), 1),
        (Letter::large(STRANGER, CAROL), 2),
    ] {
        server.hand_over(&letter, STRANGER, &[CAROL]);
        let story = server.story(&letter.id, &[(CAROL, "relayed")]);
        let attempt = story.ended(CAROL, "relayed", "250 2.0.0 Ok: queued as ");
        assert!(
            attempt["tls"].as_str().is_some_and(|tls| !tls.is_empty()),
            "{attempt:#}"
        );
        assert_eq!(attempt["address"], address.to_string());
        let mails = postfix.mails(count);
        let arrived = mails.iter().find(|mail| {
            mail.windows(letter.id.len())
                .any(|part| part == letter.id.as_bytes())
        });
        let arrived = arrived.expect("the letter is in the maildir");
        assert_eq!(letter.names_above(arrived, Lines::Lf), DELIVERED_THERE);
        let text = String::from_utf8_lossy(arrived);
        assert!(
            text.contains("using TLSv1.3") && text.contains("Received: from mx.here.test"),
            "{text}"
        );
    }
    server.close(&[("relayed", 2)]);
}

#[test]
fn postfix_without_tls_gets_the_message_in_the_clear() {
    let address = own_address();
    let server = Server::with_connector("postfix.test", &format!("next_hop = \"{address}\""));
    let postfix = Postfix::start(address, "smtpd_tls_security_level = none\n");
    let letter = Letter::new(STRANGER, CAROL);
    server.hand_over(&letter, STRANGER, &[CAROL]);
    let story = server.story(&letter.id, &[(CAROL, "relayed")]);
    assert_eq!(
        story.ended(CAROL, "relayed", "250 2.0.0 Ok: queued as ")["tls"],
        ""
    );
    assert_eq!(
        letter.names_above(&postfix.mails(1)[0], Lines::Lf),
        DELIVERED_THERE
    );
    server.close(&[("relayed", 1)]);
}

#[test]
fn a_refusal_by_postfix_comes_back_to_the_sender_in_its_own_words() {
    let address = own_address();
    let server = Server::with_connector("postfix.test", &format!("next_hop = \"{address}\""));
    let postfix = Postfix::start(address, "");
    let letter = Letter::new(ALICE, CAROL);
    let nobody = "nobody@postfix.test";
    server.hand_over(&letter, ALICE, &[CAROL, nobody]);
    let story = server.story(&letter.id, &[(CAROL, "relayed"), (nobody, "returned")]);
    let reply = "550 5.1.1 <nobody@postfix.test>: Recipient address rejected: User unknown in virtual mailbox table";
    story.ended(nobody, "failed", reply);
    story.ended(CAROL, "relayed", "250 2.0.0 Ok: queued as ");
    assert_eq!(
        letter.names_above(&postfix.mails(1)[0], Lines::Lf),
        DELIVERED_THERE
    );
    let report = String::from_utf8(server.only_mail(ALICE)).expect("a report is text");
    let unfolded = report.replace("\r\n ", " ").replace("\r\n\t", " ");
    assert!(report.starts_with("Return-Path: <>\r\n"), "{report}");
    assert!(
        unfolded.contains("Action: failed\r\nStatus: 5.1.1\r\n"),
        "{report}"
    );
    assert!(
        unfolded.contains(&format!("Diagnostic-Code: smtp; {reply}")),
        "{report}"
    );
    assert!(
        !report.contains(&format!("Final-Recipient: rfc822;{CAROL}")),
        "{report}"
    );
    server.close(&[("relayed", 1), ("returned", 1), ("delivered", 1)]);
}

/// Each attempt has a connection of its own: a process of Postfix reads its tables once.
#[test]
fn a_message_that_postfix_greylists_is_listed_with_its_words_and_arrives_at_a_retry() {
    let address = own_address();
    let server = Server::with_connector(
        "postfix.test",
        &format!("next_hop = \"{address}\"\nmax_messages_per_connection = 1"),
    );
    let postfix = Postfix::start(address, "");
    let access = postfix.folder.path().join("etc/access");
    fs::write(
        &access,
        format!("{CAROL} 450 4.7.1 Greylisted, come back later\n"),
    )
    .expect("a file");
    postfix.ask("postfix", &["reload"]);
    let letter = Letter::new(STRANGER, CAROL);
    server.hand_over(&letter, STRANGER, &[CAROL]);
    let words =
        "450 4.7.1 <carol@postfix.test>: Recipient address rejected: Greylisted, come back later";
    wait_for("listing with the words of Postfix", || {
        let queue = server.queue();
        let said = queue.first().and_then(|row| row["last_reply"].as_str());
        if said.is_some_and(|said| said.starts_with(words)) {
            Ok(())
        } else {
            Err(format!("{queue:#?}"))
        }
    });
    fs::write(&access, "").expect("a file");
    postfix.ask("postfix", &["reload"]);
    let story = server.story(&letter.id, &[(CAROL, "relayed")]);
    let first = &story.attempts(CAROL)[0];
    assert_eq!(first["outcome"], "deferred", "{first:#}");
    assert!(
        first["reply"]
            .as_str()
            .is_some_and(|reply| reply.starts_with(words)),
        "{first:#}"
    );
    story.ended(CAROL, "relayed", "250 2.0.0 Ok: queued as ");
    assert_eq!(
        letter.names_above(&postfix.mails(1)[0], Lines::Lf),
        DELIVERED_THERE
    );
    server.close(&[("relayed", 1)]);
}

#[test]
fn a_hundred_messages_reach_postfix_over_fewer_connections() {
    let address = own_address();
    let server = Server::with_connector("postfix.test", &format!("next_hop = \"{address}\""));
    let postfix = Postfix::start(address, "");
    let mut source = client("smtp-source", "postfix");
    source.args([
        "-4", "-d", "-s", "5", "-m", "100", "-l", "2000", "-f", STRANGER, "-t", CAROL,
    ]);
    succeed(source.arg(server.port("inside").to_string()), None);
    assert_eq!(postfix.mails(100).len(), 100);
    wait_for("empty queue", || {
        let queue = server.queue();
        if queue.is_empty() {
            Ok(())
        } else {
            Err(format!("{queue:#?}"))
        }
    });
    let log = postfix.daemon.log();
    let connections = log
        .lines()
        .filter(|line| line.contains("smtpd[") && line.contains("]: connect from"));
    // One more is our own look whether it listens.
    assert!(
        connections.count() <= 50,
        "connections are not used again:\n{log}"
    );
    server.close(&[("relayed", 100)]);
}

#[test]
fn a_wish_for_a_success_report_travels_through_postfix_and_the_report_comes_back() {
    let address = own_address();
    let server = Server::with_connector("postfix.test", &format!("next_hop = \"{address}\""));
    let _postfix = Postfix::start(address, &relayhost(server.port("mx")));
    let letter = Letter::new(ALICE, CAROL);
    let script = "
import smtplib, sys
with smtplib.SMTP(sys.argv[1], int(sys.argv[2])) as s:
    s.sendmail(sys.argv[3], [sys.argv[4]], open(sys.argv[5], 'rb').read(), ['RET=HDRS', 'ENVID=wish+2B7', 'BODY=8BITMIME'],
        ['NOTIFY=SUCCESS,FAILURE', 'ORCPT=rfc822;first@address.test'])
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
    let report = String::from_utf8(server.only_mail(ALICE)).expect("a report is text");
    for line in [
        "Reporting-MTA: dns; mx.postfix.test",
        "Original-Envelope-Id: wish+7",
        "Original-Recipient: rfc822;first@address.test",
        "Action: delivered",
    ] {
        assert!(
            report.contains(&format!("\r\n{line}\r\n")),
            "no {line}:\n{report}"
        );
    }
    server.close(&[("relayed", 1), ("delivered", 1)]);
}

#[test]
fn a_message_from_postfix_stands_in_the_mailbox_byte_for_byte() {
    let server = Server::start("");
    let postfix = Postfix::start(own_address(), &relayhost(server.port("mx")));
    for (letter, number) in [
        (Letter::new(STRANGER, ALICE), 1),
        (Letter::large(STRANGER, ALICE), 2),
    ] {
        postfix.hand_over(&letter, STRANGER, &[ALICE, BOB]);
        let story = server.story(&letter.id, &[(ALICE, "delivered"), (BOB, "delivered")]);
        assert_eq!(story.text("helo"), "mx.postfix.test");
        assert_ne!(story.text("tls"), "");
        for account in [ALICE, BOB] {
            let mail = server.mailbox(account, number).pop().expect("the newest");
            assert_eq!(
                letter.names_above(&mail, Lines::Crlf),
                [&DELIVERED_HERE[..], &["Received"]].concat()
            );
        }
    }
    postfix.drained();
    server.close(&[("delivered", 4)]);
}

#[test]
fn postfix_reports_our_refusal_in_our_words() {
    let server = Server::start("");
    let postfix = Postfix::start(own_address(), &relayhost(server.port("mx")));
    let letter = Letter::new(ALICE, "nobody@here.test");
    postfix.hand_over(&letter, ALICE, &[BOB, "nobody@here.test"]);
    server.story(&letter.id, &[(BOB, "delivered")]);
    let report = String::from_utf8_lossy(&server.only_mail(ALICE)).into_owned();
    assert!(
        report.contains("Diagnostic-Code: smtp; 550 5.1.1 <nobody@here.test>: nobody here by that"),
        "{report}"
    );
    postfix.drained();
    server.close(&[("delivered", 2)]);
}

#[test]
fn postfix_delivers_by_lmtp_and_hears_of_each_recipient() {
    let server = Server::start("");
    let lmtp = server.port("lmtp");
    let more = format!(
        "relay_domains = here.test\nrelay_transport = lmtp:inet:{}:{}\nlmtp_tls_security_level = none\n{}",
        lmtp.ip(),
        lmtp.port(),
        relayhost(lmtp)
    );
    let postfix = Postfix::start(own_address(), &more);
    let letter = Letter::new(CAROL, ALICE);
    postfix.hand_over(&letter, CAROL, &[ALICE, BOB, "nobody@here.test"]);
    let story = server.story(&letter.id, &[(ALICE, "delivered"), (BOB, "delivered")]);
    assert_eq!(story.text("origin"), "lmtp");
    for account in [ALICE, BOB] {
        let names = letter.names_above(&server.only_mail(account), Lines::Crlf);
        assert_eq!(names, [&DELIVERED_HERE[..], &["Received"]].concat());
    }
    let report = String::from_utf8_lossy(&postfix.mails(1)[0]).into_owned();
    assert!(
        report.contains("<nobody@here.test>: nobody here by that"),
        "{report}"
    );
    postfix.drained();
    server.close(&[("delivered", 2)]);
}
