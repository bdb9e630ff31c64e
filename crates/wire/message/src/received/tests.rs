//! Known trace headers, and what a hostile peer would make of them.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::header::{Head, LINE_MAX};

const ESMTPS: With = With {
    greeting: Greeting::Ehlo,
    tls: true,
    authenticated: false,
    smtputf8: false,
};

fn received<'a>(helo: &'a str, recipient: Option<&'a Address>) -> Received<'a> {
    Received {
        source: Source::Peer {
            helo,
            name: Some("ptr.example"),
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        },
        by: "mx.example",
        with: Some(ESMTPS),
        tls: Some("TLS1.3 AES_256"),
        id: "0ABC",
        recipient,
        at: Time::from_millis(1_795_426_200_123),
    }
}

fn check(received: &Received, wanted: &str) {
    assert_eq!(received.to_string(), wanted.replace('\n', "\r\n"));
}

#[test]
fn a_peer_is_named_as_it_named_itself_and_as_we_saw_it() {
    let jo = Address::parse("jo@b.example").unwrap();
    check(
        &received("a.example", Some(&jo)),
        "Received: from a.example (ptr.example [192.0.2.1])\n\tby mx.example with ESMTPS (TLS1.3 AES_256)\n\tid 0ABC\n\
         \tfor <jo@b.example>;\n\tMon, 23 Nov 2026 09:30:00 +0000\n",
    );
}

#[test]
fn a_false_name_is_a_comment_that_it_can_not_leave() {
    let text = received("evil) by x\r\nBcc: y (\\", None).to_string();
    assert!(text.starts_with("Received: from [192.0.2.1] (helo evil? by x??Bcc: y ??; ptr.example [192.0.2.1])\r\n\tby mx"));
}

#[test]
fn a_local_user_needs_no_peer() {
    let local = Received {
        source: Source::Local { user: "jo" },
        with: None,
        tls: None,
        ..received("", None)
    };
    check(
        &local,
        "Received: from localhost (user jo)\n\tby mx.example\n\tid 0ABC;\n\tMon, 23 Nov 2026 09:30:00 +0000\n",
    );
}

#[test]
fn only_smtputf8_shows_what_is_not_ascii() {
    let jo = Address::parse("jö@b.example").unwrap();
    let plain = received("a", Some(&jo));
    assert!(!plain.to_string().contains("for "));
    let smtputf8 = Some(With {
        smtputf8: true,
        ..ESMTPS
    });
    let utf8 = Received {
        with: smtputf8,
        ..plain
    };
    assert!(
        utf8.to_string().contains("with UTF8SMTPS ")
            && utf8.to_string().contains("for <jö@b.example>;")
    );
    let idn = Address::parse("jo@münchen.example").unwrap();
    assert!(
        received("a", Some(&idn))
            .to_string()
            .contains("for <jo@xn--mnchen-3ya.example>;")
    );
}

#[test]
fn every_protocol_has_its_registered_name() {
    let names = |greeting, smtputf8| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(tls, authenticated)| {
            With {
                greeting,
                tls,
                authenticated,
                smtputf8,
            }
            .name()
        })
    };
    assert_eq!(names(Greeting::Helo, true), ["SMTP"; 4]);
    assert_eq!(
        names(Greeting::Ehlo, false),
        ["ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"]
    );
    assert_eq!(
        names(Greeting::Ehlo, true),
        ["UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"]
    );
    assert_eq!(
        names(Greeting::Lhlo, false),
        ["LMTP", "LMTPA", "LMTPS", "LMTPSA"]
    );
    assert_eq!(
        names(Greeting::Lhlo, true),
        ["UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"]
    );
}

proptest! {
    #[test]
    fn whatever_a_peer_says_it_is_one_field_of_five_short_lines(helo: String, by: String, tls: String, id: String) {
        let facts = Received { by: &by, tls: Some(&tls), id: &id, ..received(&helo, None) };
        let text = facts.to_string();
        prop_assert_eq!(Head::of(text.as_bytes()).fields().count(), 1);
        prop_assert!(text.is_ascii() && text.ends_with("09:30:00 +0000\r\n"));
        prop_assert_eq!(text.matches(['\r', '\n']).count(), 8);
        prop_assert!(text.lines().all(|line| line.len() <= LINE_MAX));
        prop_assert_eq!(text.matches('(').count(), 2);
    }
}
