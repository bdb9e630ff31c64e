//! smtp-source, Postfix's load generator: many sessions at once, one and many messages a session.

use std::process::Command;

use crate::letter::{Letter, Lines};
use crate::postrider::{ALICE, DELIVERED_HERE, STRANGER, Server};
use crate::program::{client, succeed};

/// A call of it; the address comes last, after the options.
fn smtp_source() -> Command {
    let mut source = client("smtp-source", "postfix");
    source.args(["-f", STRANGER, "-t", ALICE, "-M", "source.test"]);
    source
}

#[test]
fn two_hundred_messages_of_twenty_sessions_arrive_once_each() {
    let server = Server::start("");
    for more in [
        &["-s", "20", "-m", "100", "-l", "4096"][..],
        &["-d", "-s", "5", "-m", "100", "-l", "300"],
    ] {
        let address = server.port("mx").to_string();
        succeed(smtp_source().args(more).arg(address), None);
    }
    let ids = |mail: Vec<u8>| {
        let text = String::from_utf8(mail).expect("text");
        let id = text.lines().find(|line| line.starts_with("Message-Id:"));
        id.expect("a Message-Id").to_owned()
    };
    let mut found: Vec<_> = server.mailbox(ALICE, 200).into_iter().map(ids).collect();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 200);
    server.close(&[("delivered", 200)]);
}

#[test]
fn a_message_from_smtp_source_stands_in_the_mailbox_byte_for_byte() {
    for (listener, protocol) in [("mx", None), ("lmtp", Some("-L"))] {
        let server = Server::start("");
        let letter = Letter::new(STRANGER, ALICE);
        let mut source = smtp_source();
        source.args(protocol).arg("-F").arg(letter.text_file());
        succeed(source.arg(server.port(listener).to_string()), None);
        server.story(&letter.id, &[(ALICE, "delivered")]);
        // It puts an empty line below every file.
        let mail = server.only_mail(ALICE);
        let mail = mail.strip_suffix(b"\r\n").expect("an empty line");
        assert_eq!(letter.names_above(mail, Lines::Crlf), DELIVERED_HERE);
        server.close(&[("delivered", 1)]);
    }
}
