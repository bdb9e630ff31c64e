//! curl, which scripts send mail with.

use std::process::Command;

use crate::letter::{Letter, Lines};
use crate::postrider::{ALICE, BOB, DELIVERED_HERE, PASSWORD, STRANGER, Server};
use crate::program::{client, run, succeed};

fn curl(server: &Server, scheme: &str, listener: &str, from: &str, to: &str) -> Command {
    let mut curl = client("curl", "curl");
    curl.args(["-q", "-sS", "-v", "--mail-from", from, "--mail-rcpt", to]);
    curl.arg(format!("{scheme}://{}/curl.test", server.port(listener)));
    curl
}

#[test]
fn a_message_from_curl_stands_in_the_mailbox_byte_for_byte() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, ALICE);
    let mut curl = curl(&server, "smtp", "mx", STRANGER, ALICE);
    succeed(curl.arg("-T").arg(letter.wire_file()), None);
    let story = server.story(&letter.id, &[(ALICE, "delivered")]);
    assert_eq!(story.text("helo"), "curl.test");
    assert_eq!(
        letter.names_above(&server.only_mail(ALICE), Lines::Crlf),
        DELIVERED_HERE
    );
    server.close(&[("delivered", 1)]);
}

#[test]
fn a_large_message_from_curl_streams_through() {
    let server = Server::start("");
    let letter = Letter::large(STRANGER, ALICE);
    let mut curl = curl(&server, "smtp", "mx", STRANGER, ALICE);
    succeed(curl.arg("-T").arg(letter.wire_file()), None);
    server.story(&letter.id, &[(ALICE, "delivered")]);
    assert_eq!(
        letter.names_above(&server.only_mail(ALICE), Lines::Crlf),
        DELIVERED_HERE
    );
    server.close(&[("delivered", 1)]);
}

#[test]
fn curl_logs_in_after_starttls_and_over_implicit_tls() {
    let server = Server::start("");
    for (scheme, listener) in [("smtp", "submission"), ("smtps", "submissions")] {
        let letter = Letter::new(BOB, ALICE);
        let mut curl = curl(&server, scheme, listener, BOB, ALICE);
        curl.args([
            "--ssl-reqd",
            "--insecure",
            "--user",
            &format!("{BOB}:{PASSWORD}"),
        ]);
        succeed(curl.arg("-T").arg(letter.wire_file()), None);
        let story = server.story(&letter.id, &[(ALICE, "delivered")]);
        assert_eq!(story.text("auth"), BOB);
        assert_ne!(story.text("tls"), "");
    }
    for mail in server.mailbox(ALICE, 2) {
        assert!(mail.ends_with(b"\r\nend\r\n"));
    }
    server.close(&[("delivered", 2)]);
}

#[test]
fn curl_is_told_that_relay_is_closed() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, "far@away.test");
    let mut curl = curl(&server, "smtp", "mx", STRANGER, "far@away.test");
    let ended = run(curl.arg("-T").arg(letter.wire_file()), None);
    // CURLE_SEND_ERROR: every recipient was refused.
    assert_eq!(ended.code, 55, "{}", ended.printed);
    assert!(ended.printed.contains("< 550 5.7.1"), "{}", ended.printed);
    server.close(&[]);
}
