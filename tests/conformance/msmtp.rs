//! msmtp, which sends for mail programs on many desktops.

use std::process::Command;

use crate::letter::{Letter, Lines};
use crate::postrider::{ALICE, BOB, DELIVERED_HERE, PASSWORD, STRANGER, Server};
use crate::program::{client, run, succeed};

fn msmtp(server: &Server, listener: &str, letter: &Letter, settings: &str) -> Command {
    let address = server.port(listener);
    let config = format!(
        "account default\nhost {}\nport {}\ndomain msmtp.test\nundisclosed_recipients off\n{settings}",
        address.ip(),
        address.port()
    );
    let mut msmtp = client("msmtp", "msmtp");
    msmtp.arg("-C").arg(letter.beside("msmtprc", &config));
    msmtp
}

fn login(mechanism: &str, starttls: &str) -> String {
    format!(
        "tls on\ntls_certcheck off\ntls_starttls {starttls}\nauth {mechanism}\nuser {BOB}\npassword {PASSWORD}\n"
    )
}

#[test]
fn a_message_from_msmtp_stands_in_the_mailbox_byte_for_byte() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, ALICE);
    let mut msmtp = msmtp(&server, "mx", &letter, "auth off\ntls off\n");
    succeed(
        msmtp.args(["-f", STRANGER, ALICE]),
        Some(&letter.text_file()),
    );
    server.story(&letter.id, &[(ALICE, "delivered")]);
    assert_eq!(
        letter.names_above(&server.only_mail(ALICE), Lines::Crlf),
        DELIVERED_HERE
    );
    server.close(&[("delivered", 1)]);
}

#[test]
fn msmtp_logs_in_after_starttls_and_over_implicit_tls() {
    let server = Server::start("");
    let ways = [
        ("plain", "submission", "on"),
        ("login", "submissions", "off"),
    ];
    for (mechanism, listener, starttls) in ways {
        let letter = Letter::new(BOB, ALICE);
        let mut msmtp = msmtp(&server, listener, &letter, &login(mechanism, starttls));
        succeed(msmtp.args(["-f", BOB, "-t"]), Some(&letter.text_file()));
        let story = server.story(&letter.id, &[(ALICE, "delivered")]);
        assert_eq!(story.text("auth"), BOB);
        assert_eq!(story.text("listener"), listener);
        assert_ne!(story.text("tls"), "");
    }
    assert_eq!(server.mailbox(ALICE, 2).len(), 2);
    server.close(&[("delivered", 2)]);
}

#[test]
fn msmtp_says_its_delivery_wishes_and_gets_its_report() {
    let server = Server::start("");
    let letter = Letter::new(BOB, ALICE);
    let mut msmtp = msmtp(&server, "submission", &letter, &login("plain", "on"));
    msmtp.args([
        "-f",
        BOB,
        "--dsn-notify=success",
        "--dsn-return=headers",
        ALICE,
    ]);
    succeed(&mut msmtp, Some(&letter.text_file()));
    let story = server.story(&letter.id, &[(ALICE, "delivered")]);
    let report = String::from_utf8(server.only_mail(BOB)).expect("a report is text");
    assert!(report.contains("\r\nAction: delivered\r\n"), "{report}");
    assert!(
        report.contains(&format!("\r\nFinal-Recipient: rfc822;{ALICE}\r\n")),
        "{report}"
    );
    assert_eq!(
        story.0["reports"].as_array().map(Vec::len),
        Some(1),
        "{:#}",
        story.0
    );
    server.close(&[("delivered", 2)]);
}

#[test]
fn msmtp_is_told_that_nobody_is_there() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, "nobody@here.test");
    let mut msmtp = msmtp(&server, "mx", &letter, "auth off\ntls off\n");
    let ended = run(
        msmtp.args(["-f", STRANGER, "nobody@here.test"]),
        Some(&letter.text_file()),
    );
    assert_ne!(ended.code, 0);
    assert!(ended.printed.contains("550 5.1.1"), "{}", ended.printed);
    server.close(&[]);
}
