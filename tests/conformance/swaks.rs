//! swaks, the testers' client: SMTP in the clear and encrypted, logged in, pipelined, LMTP.

use std::process::Command;

use crate::letter::{Letter, Lines};
use crate::postrider::{ALICE, BOB, DELIVERED_HERE, PASSWORD, STRANGER, Server};
use crate::program::{client, run, succeed};

fn swaks(server: &Server, listener: &str, from: &str, to: &str, letter: &Letter) -> Command {
    let mut swaks = client("swaks", "swaks");
    let address = server.port(listener);
    // Its own configuration must not be the tester's.
    swaks.env("HOME", letter.wire_file().parent().expect("a folder"));
    swaks.args([
        "--server",
        &address.ip().to_string(),
        "--port",
        &address.port().to_string(),
    ]);
    swaks.args(["--helo", "swaks.test", "--from", from, "--to", to]);
    swaks
        .arg("--data")
        .arg(format!("@{}", letter.unended_file().display()));
    swaks
}

#[test]
fn a_message_from_swaks_stands_in_the_mailbox_byte_for_byte() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, ALICE);
    let said = succeed(&mut swaks(&server, "mx", STRANGER, ALICE, &letter), None);
    let story = server.story(&letter.id, &[(ALICE, "delivered")]);
    assert!(
        said.contains(story.text("id")),
        "the reply names the message: {said}"
    );
    let mail = server.only_mail(ALICE);
    assert_eq!(letter.names_above(&mail, Lines::Crlf), DELIVERED_HERE);
    assert!(mail.starts_with(format!("Return-Path: <{STRANGER}>\r\n").as_bytes()));
    assert_eq!(story.text("helo"), "swaks.test");
    assert_eq!(story.text("tls"), "");
    server.close(&[("delivered", 1)]);
}

#[test]
fn swaks_encrypts_by_starttls_and_pipelines() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, ALICE);
    let both = format!("{ALICE},{BOB}");
    let mut swaks = swaks(&server, "mx", STRANGER, &both, &letter);
    succeed(swaks.args(["--tls", "--pipeline"]), None);
    let story = server.story(&letter.id, &[(ALICE, "delivered"), (BOB, "delivered")]);
    assert!(
        story.text("tls").contains("TLSv1.3") || story.text("tls").contains("TLS1.3"),
        "{:#}",
        story.0
    );
    for account in [ALICE, BOB] {
        assert_eq!(
            letter.names_above(&server.only_mail(account), Lines::Crlf),
            DELIVERED_HERE
        );
    }
    server.close(&[("delivered", 2)]);
}

#[test]
fn swaks_logs_in_by_plain_and_by_login_and_not_with_a_wrong_password() {
    let server = Server::start("");
    for (mechanism, number) in [("PLAIN", 1), ("LOGIN", 2)] {
        let letter = Letter::new(BOB, ALICE);
        let mut swaks = swaks(&server, "submission", BOB, ALICE, &letter);
        swaks.args(["--tls", "--auth", mechanism]);
        succeed(
            swaks.args(["--auth-user", BOB, "--auth-password", PASSWORD]),
            None,
        );
        let story = server.story(&letter.id, &[(ALICE, "delivered")]);
        assert_eq!(story.text("auth"), BOB);
        assert_eq!(story.text("origin"), "submission");
        assert_eq!(server.mailbox(ALICE, number).len(), number);
    }
    let letter = Letter::new(BOB, ALICE);
    let mut swaks = swaks(&server, "submission", BOB, ALICE, &letter);
    swaks.args(["--tls", "--auth", "PLAIN", "--auth-user", BOB]);
    let ended = run(swaks.args(["--auth-password", "wrong"]), None);
    assert_ne!(ended.code, 0);
    assert!(ended.printed.contains("<~* 535 5.7.8"), "{}", ended.printed);
    server.close(&[("delivered", 2)]);
}

#[test]
fn swaks_is_told_who_is_unknown_and_that_relay_is_closed() {
    let server = Server::start("");
    for (to, reply) in [
        ("nobody@here.test", "550 5.1.1"),
        ("far@away.test", "550 5.7.1"),
    ] {
        let letter = Letter::new(STRANGER, to);
        let ended = run(&mut swaks(&server, "mx", STRANGER, to, &letter), None);
        // Its code for: no recipient was accepted.
        assert_eq!(ended.code, 24, "{}", ended.printed);
        assert!(
            ended.printed.contains(&format!("<** {reply}")),
            "{}",
            ended.printed
        );
    }
    server.close(&[]);
}

#[test]
fn swaks_delivers_by_lmtp() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, ALICE);
    let mut swaks = swaks(&server, "lmtp", STRANGER, ALICE, &letter);
    succeed(swaks.args(["--protocol", "LMTP"]), None);
    let story = server.story(&letter.id, &[(ALICE, "delivered")]);
    assert_eq!(story.text("origin"), "lmtp");
    assert_eq!(
        letter.names_above(&server.only_mail(ALICE), Lines::Crlf),
        DELIVERED_HERE
    );
    server.close(&[("delivered", 1)]);
}
