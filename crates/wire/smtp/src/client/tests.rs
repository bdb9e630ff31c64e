//! The client's dialogue as scripts: what the server says and the driver wants in, commands and events out.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "most events are shown as they are"
)]

use super::*;
use crate::command::{BodyType, Credentials, MailParams, Mechanism, Notify, RcptParams, Ret};
use proptest::prelude::*;
use wire_message::{Address, OriginalRecipient, ReversePath};

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn transaction(hand_over: HandOver, recipients: &[&str]) -> Transaction {
    Transaction {
        mail: MailParams::new(ReversePath::Address(address("a@a.test"))),
        recipients: recipients
            .iter()
            .map(|to| RcptParams::new(address(to)))
            .collect(),
        hand_over,
    }
}

fn show(event: &Event) -> String {
    match event {
        Event::Done(report) => {
            let fates: Vec<_> = report.recipients.iter().map(fate).collect();
            format!("Done {}", fates.join(" | "))
        }
        Event::Closed(Closed::Refused(step, reply)) => {
            format!("Refused {}: {reply}", step.as_str())
        }
        Event::Closed(Closed::ClosedByPeer(step, reply)) => {
            format!("ClosedByPeer {}: {reply}", step.as_str())
        }
        Event::Closed(Closed::Lost(step)) => format!("Lost {}", step.as_str()),
        Event::Closed(Closed::Protocol(fault)) => format!("Protocol {fault}"),
        Event::StartTlsRefused(reply) => format!("StartTlsRefused {reply}"),
        Event::Authenticated(reply) => format!("Authenticated {reply}"),
        Event::AuthRefused(reply) => format!("AuthRefused {reply}"),
        other => format!("{other:?}"),
    }
}

fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Accepted(reply) => format!("accepted {reply}"),
        Fate::RefusedBefore(step, reply) => format!("refused at {}: {reply}", step.as_str()),
        Fate::RefusedAfter(reply) => format!("refused after: {reply}"),
        Fate::NotHandedOver => "not handed over".to_owned(),
        Fate::Unknown => "unknown".to_owned(),
    }
}

/// Does what a `D: ` line says.
fn wish(client: &mut Client, words: &str) {
    let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
    let recipients: Vec<_> = rest.split(' ').collect();
    let text = rest.replace("\\r", "\r").replace("\\n", "\n");
    let credentials = Credentials::new("jo", "secret");
    match verb {
        "data" => client
            .send(transaction(HandOver::Data, &recipients))
            .unwrap(),
        "bdat" => client
            .send(transaction(HandOver::Bdat, &recipients))
            .unwrap(),
        "more" => client.content(text.as_bytes(), Chunk::More),
        "last" => client.content(text.as_bytes(), Chunk::Last),
        "starttls" => client.starttls().unwrap(),
        "tls" => client.tls_established(),
        "plain" => client.authenticate(Mechanism::Plain, &credentials).unwrap(),
        "login" => client.authenticate(Mechanism::Login, &credentials).unwrap(),
        "reset" => client.reset().unwrap(),
        "quit" => client.quit().unwrap(),
        "lost" => client.connection_lost(),
        other => panic!("no such wish: {other}"),
    }
}

/// Plays the `S: ` and `D: ` lines and compares all that comes out with the rest. `hold` before a wish keeps its
/// output from the transport. A line of S that ends in `\` has no CRLF; ` / ` separates replies of one read.
fn play(dialect: Dialect, script: &str) -> Client {
    let mut client = Client::new(Config::new(dialect, "c.test"));
    let mut played = Vec::new();
    for line in script.trim().lines().map(str::trim) {
        let mut held = false;
        match line.split_once(": ") {
            Some(("S", said)) => {
                let said = said.replace(" / ", "\r\n");
                let said = match said.strip_suffix('\\') {
                    Some(part) => part.to_owned(),
                    None => format!("{said}\r\n"),
                };
                client.input().extend_from_slice(said.as_bytes());
            }
            Some(("D", words)) => {
                held = words.starts_with("hold ");
                wish(&mut client, words.strip_prefix("hold ").unwrap_or(words));
            }
            _ => continue,
        }
        played.push(line.to_owned());
        while let Some(event) = client.poll() {
            played.push(format!("E: {}", show(&event)));
        }
        if !held {
            let sent = String::from_utf8(client.output().split().to_vec()).unwrap();
            played.extend(sent.lines().map(|line| format!("C: {line}")));
        }
    }
    let expected: Vec<_> = script.trim().lines().map(str::trim).collect();
    assert_eq!(played.join("\n"), expected.join("\n"));
    client
}

fn check(script: &str) -> Client {
    play(Dialect::Smtp, script)
}

/// The same after a greeting and an EHLO that offers these.
fn check_with(keywords: &[&str], script: &str) -> Client {
    let mut opening = "S: 220 mx.test\nC: EHLO c.test\n".to_owned();
    match keywords.split_last() {
        None => opening.push_str("S: 250 mx.test\n"),
        Some((last, keywords)) => {
            opening.push_str("S: 250-mx.test\n");
            for keyword in keywords {
                opening.push_str(&format!("S: 250-{keyword}\n"));
            }
            opening.push_str(&format!("S: 250 {last}\n"));
        }
    }
    check(&format!("{opening}E: Ready\n{}", script.trim_start()))
}

#[test]
fn a_transaction_goes_step_by_step_without_pipelining() {
    check_with(
        &[],
        "D: data b@b.test c@b.test
        C: MAIL FROM:<a@a.test>
        S: 250 ok
        C: RCPT TO:<b@b.test>
        S: 250 ok
        C: RCPT TO:<c@b.test>
        S: 550 5.1.1 nobody
        C: DATA
        S: 354 go
        E: WantContent
        D: more .x\\n
        C: ..x
        D: last y
        C: y
        C: .
        S: 250 2.0.0 kept
        E: Done accepted 250 2.0.0 kept | refused at RCPT: 550 5.1.1 nobody
        D: quit
        C: QUIT
        S: 221 bye
        E: Closed(Quit)",
    );
}

#[test]
fn a_transaction_goes_in_one_flight_with_pipelining() {
    check_with(
        &["PIPELINING"],
        "D: data b@b.test c@b.test
        C: MAIL FROM:<a@a.test>
        C: RCPT TO:<b@b.test>
        C: RCPT TO:<c@b.test>
        C: DATA
        S: 250 ok / 450 4.7.1 greylisted / 250-two / 250 lines / 354 go
        E: WantContent
        D: last x
        C: x
        C: .
        S: 250 kept
        E: Done refused at RCPT: 450 4.7.1 greylisted | accepted 250 kept",
    );
}

#[test]
fn a_chunk_flies_with_its_recipients() {
    check_with(
        &["PIPELINING", "CHUNKING"],
        "D: bdat b@b.test
        E: WantContent
        C: MAIL FROM:<a@a.test>
        C: RCPT TO:<b@b.test>
        D: last x\\r\\n.\\r\\n
        C: BDAT 6 LAST
        C: x
        C: .
        S: 250 ok / 250 ok / 250 kept
        E: Done accepted 250 kept
        D: bdat b@b.test
        E: WantContent
        C: MAIL FROM:<a@a.test>
        C: RCPT TO:<b@b.test>
        D: last x\\r\\n
        C: BDAT 3 LAST
        C: x
        S: 250 ok / 550 no / 503 no recipients
        C: RSET
        S: 250 ok
        E: Done refused at RCPT: 550 no",
    );
}

#[test]
fn chunks_wait_for_their_answers_without_pipelining() {
    check_with(
        &["CHUNKING"],
        "D: bdat b@b.test
        C: MAIL FROM:<a@a.test>
        S: 250 ok
        C: RCPT TO:<b@b.test>
        S: 250 ok
        E: WantContent
        D: more ab
        C: BDAT 2
        C: ab
        D: more ignored
        S: 250 ok
        E: WantContent
        D: more cd
        C: BDAT 2
        C: cd
        S: 452 4.3.1 full
        C: RSET
        S: 250 ok
        E: Done refused after: 452 4.3.1 full",
    );
}

#[test]
fn all_recipients_refused_and_data_accepted_is_a_lone_dot() {
    check_with(
        &["PIPELINING"],
        "D: data b@b.test
        C: MAIL FROM:<a@a.test>
        C: RCPT TO:<b@b.test>
        C: DATA
        S: 250 ok / 550 no / 354 go
        C: .
        S: 554 nobody
        E: Done refused at RCPT: 550 no
        D: data b@b.test
        C: MAIL FROM:<a@a.test>
        C: RCPT TO:<b@b.test>
        C: DATA
        S: 250 ok / 550 no / 554 no recipients
        C: RSET
        S: 250 ok
        E: Done refused at RCPT: 550 no",
    );
}

#[test]
fn a_refused_sender_is_told_for_each_recipient() {
    check_with(
        &["PIPELINING"],
        "D: data b@b.test c@b.test
        C: MAIL FROM:<a@a.test>
        C: RCPT TO:<b@b.test>
        C: RCPT TO:<c@b.test>
        C: DATA
        S: 550 5.7.1 not you / 503 a / 503 b / 503 c
        E: Done refused at MAIL: 550 5.7.1 not you | refused at MAIL: 550 5.7.1 not you",
    );
}

#[test]
fn data_and_content_can_be_refused() {
    check_with(
        &[],
        "D: data b@b.test
        C: MAIL FROM:<a@a.test>
        S: 250 ok
        C: RCPT TO:<b@b.test>
        S: 250 ok
        C: DATA
        S: 451 4.3.0 later
        C: RSET
        S: 250 ok
        E: Done refused at DATA: 451 4.3.0 later
        D: data b@b.test
        C: MAIL FROM:<a@a.test>
        S: 250 ok
        C: RCPT TO:<b@b.test>
        S: 250 ok
        C: DATA
        S: 354 go
        E: WantContent
        D: last x
        C: x
        C: .
        S: 554 5.6.0 spam
        E: Done refused after: 554 5.6.0 spam",
    );
}

#[test]
fn a_lost_connection_says_whether_the_message_may_be_there() {
    let before = "D: data b@b.test
        C: MAIL FROM:<a@a.test>
        S: 250 ok
        C: RCPT TO:<b@b.test>
        S: 250 ok
        C: DATA
        S: 354 go
        E: WantContent";
    check_with(
        &[],
        &format!(
            "{before}
        D: more x
        C: x
        D: lost
        E: Done not handed over
        E: Lost content"
        ),
    );
    check_with(
        &[],
        &format!(
            "{before}
        D: hold last x
        D: lost
        E: Done not handed over
        E: Lost end of content
        C: x
        C: ."
        ),
    );
    check_with(
        &[],
        &format!(
            "{before}
        D: last x
        C: x
        C: .
        D: lost
        E: Done unknown
        E: Lost end of content"
        ),
    );
}

#[test]
fn a_lost_connection_behind_a_pipelined_chunk_is_unknown_for_those_not_refused() {
    check_with(
        &["PIPELINING", "CHUNKING"],
        "D: bdat b@b.test c@b.test
        E: WantContent
        C: MAIL FROM:<a@a.test>
        C: RCPT TO:<b@b.test>
        C: RCPT TO:<c@b.test>
        D: last x
        C: BDAT 1 LAST
        C: x
        S: 250 ok / 550 no
        D: lost
        E: Done refused at RCPT: 550 no | unknown
        E: Lost RCPT",
    );
}

#[test]
fn lmtp_answers_are_given_to_their_recipients() {
    play(
        Dialect::Lmtp,
        "S: 220 mx.test LMTP
        C: LHLO c.test
        S: 250-mx.test / 250 PIPELINING
        E: Ready
        D: data a@b.test b@b.test c@b.test d@b.test
        C: MAIL FROM:<a@a.test>
        C: RCPT TO:<a@b.test>
        C: RCPT TO:<b@b.test>
        C: RCPT TO:<c@b.test>
        C: RCPT TO:<d@b.test>
        C: DATA
        S: 250 ok / 250 ok / 550 no / 250 ok / 250 ok / 354 go
        E: WantContent
        D: last x
        C: x
        C: .
        S: 250 kept
        S: 452 full
        D: lost
        E: Done accepted 250 kept | refused at RCPT: 550 no | refused after: 452 full | unknown
        E: Lost end of content",
    );
}

#[test]
fn the_peer_may_close_at_any_moment() {
    check("S: 421 busy\nE: ClosedByPeer greeting: 421 busy");
    check_with(
        &[],
        "S: 421 idle too long\nE: ClosedByPeer idle: 421 idle too long",
    );
    let all = "D: data b@b.test c@b.test
        C: MAIL FROM:<a@a.test>
        C: RCPT TO:<b@b.test>
        C: RCPT TO:<c@b.test>
        C: DATA";
    check_with(
        &["PIPELINING"],
        &format!(
            "{all}
        S: 250 ok / 421 enough
        E: Done refused at RCPT: 421 enough | not handed over
        E: ClosedByPeer RCPT: 421 enough"
        ),
    );
    let content = format!(
        "{all}
        S: 250 ok / 250 ok / 250 ok / 354 go
        E: WantContent
        D: more x
        C: x"
    );
    check_with(
        &["PIPELINING"],
        &format!(
            "{content}
        S: 421 down
        E: Done refused after: 421 down | refused after: 421 down
        E: ClosedByPeer content: 421 down"
        ),
    );
    check_with(
        &["PIPELINING"],
        &format!(
            "{content}
        S: 552 too big
        E: Done refused after: 552 too big | refused after: 552 too big
        E: Refused content: 552 too big"
        ),
    );
}

#[test]
fn an_answer_that_answers_nothing_ends_the_session() {
    check(
        "S: 220 hi / 250 already\nE: Protocol a reply that answers nothing: 250 already\nC: EHLO c.test",
    );
    check_with(
        &[],
        "S: 250 what\nE: Protocol a reply that answers nothing: 250 what",
    );
    check_with(
        &[],
        "D: hold data b@b.test
        S: 250 early
        E: Done not handed over
        E: Protocol a reply that answers nothing: 250 early
        C: MAIL FROM:<a@a.test>",
    );
    check_with(
        &[],
        "D: data b@b.test
        C: MAIL FROM:<a@a.test>
        S: 354 what
        E: Done not handed over
        E: Protocol 354 what does not answer MAIL",
    );
    check("S: SSH-2.0-x\nE: Protocol not a reply: \"SSH-2.0-x\"");
    check("S: 220-a / 250 b\nE: Protocol a reply changes its code from 220 to 250");
}

#[test]
fn greetings_fall_back_and_fail() {
    check("S: 554 5.7.1 no service\nE: Refused greeting: 554 5.7.1 no service");
    check(
        "S: 220 old
        C: EHLO c.test
        S: 500 what
        C: HELO c.test
        S: 250 old.test
        E: Ready",
    );
    check(
        "S: 220 x
        C: EHLO c.test
        S: 502 what
        C: HELO c.test
        S: 550 go away
        E: Refused EHLO: 550 go away",
    );
    check("S: 220 x\nC: EHLO c.test\nS: 451 later\nE: Refused EHLO: 451 later");
    play(
        Dialect::Lmtp,
        "S: 220 x\nC: LHLO c.test\nS: 500 what\nE: Refused EHLO: 500 what",
    );
}

#[test]
fn starttls_begins_anew_and_takes_nothing_in_the_clear() {
    let client = check_with(
        &["STARTTLS", "CHUNKING"],
        "D: starttls
        C: STARTTLS
        S: 220 go
        E: StartTls
        D: tls
        C: EHLO c.test
        S: 250 mx.test
        E: Ready",
    );
    assert!(!client.capabilities().chunking);
    check_with(
        &["STARTTLS"],
        "D: starttls
        C: STARTTLS
        S: 220 go / 250 injected
        E: Protocol octets in the clear behind the answer to STARTTLS",
    );
    check_with(
        &["STARTTLS"],
        "D: starttls
        C: STARTTLS
        S: 220 go
        E: StartTls
        D: lost
        E: Lost STARTTLS",
    );
    check_with(
        &["STARTTLS"],
        "D: starttls
        C: STARTTLS
        S: 454 4.7.0 no
        E: StartTlsRefused 454 4.7.0 no
        D: quit
        C: QUIT
        D: lost
        E: Closed(Quit)",
    );
}

#[test]
fn credentials_are_offered_and_never_recorded() {
    let client = check_with(
        &["AUTH PLAIN LOGIN"],
        "D: login
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: am8=
        S: 334 UGFzc3dvcmQ6
        C: c2VjcmV0
        S: 535 5.7.8 wrong
        E: AuthRefused 535 5.7.8 wrong
        D: plain
        C: AUTH PLAIN AGpvAHNlY3JldA==
        S: 334 go on
        C: AGpvAHNlY3JldA==
        S: 334 more
        C: *
        S: 501 cancelled
        E: AuthRefused 501 cancelled
        D: plain
        C: AUTH PLAIN AGpvAHNlY3JldA==
        S: 235 welcome
        E: Authenticated 235 welcome",
    );
    let transcript: Vec<_> = client.transcript().collect();
    let transcript = transcript.join("\n");
    assert!(transcript.contains("C: AUTH PLAIN ***\nS: 235 welcome"));
    for secret in ["am8=", "c2VjcmV0", "AGpvAHNlY3JldA=="] {
        assert!(!transcript.contains(secret), "{transcript}");
    }
}

#[test]
fn parameters_go_only_where_they_are_offered() {
    let mut full = transaction(HandOver::Data, &["b@b.test"]);
    full.mail.size = Some(100);
    full.mail.ret = Some(Ret::Full);
    full.mail.envid = Some("id 1".to_owned());
    full.mail.auth = Some(ReversePath::Null);
    full.recipients[0].notify = Some(Notify::Never);
    full.recipients[0].orcpt = Some(OriginalRecipient::new("rfc822", "o@b.test").unwrap());
    let cases: [(&[&str], &str); 2] = [
        (
            &["PIPELINING"],
            "MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\nDATA\r\n",
        ),
        (
            &["PIPELINING", "SIZE", "DSN", "AUTH=PLAIN"],
            "MAIL FROM:<a@a.test> SIZE=100 RET=FULL ENVID=id+201 AUTH=<>\r\n\
             RCPT TO:<b@b.test> NOTIFY=NEVER ORCPT=rfc822;o@b.test\r\nDATA\r\n",
        ),
    ];
    for (keywords, expected) in cases {
        let mut client = check_with(keywords, "");
        client.send(full.clone()).unwrap();
        assert_eq!(client.output().split(), expected.as_bytes());
    }
}

#[test]
fn what_the_peer_lacks_is_told_before_anything_is_sent() {
    let plain = transaction(HandOver::Data, &["b@b.test"]);
    let with = |change: &dyn Fn(&mut Transaction)| {
        let mut changed = plain.clone();
        change(&mut changed);
        changed
    };
    let cases = [
        (
            with(&|t| t.mail.body = BodyType::EightBitMime),
            Unmet::EightBitMime,
        ),
        (
            with(&|t| t.mail.body = BodyType::BinaryMime),
            Unmet::BinaryMime,
        ),
        (with(&|t| t.mail.smtputf8 = true), Unmet::SmtpUtf8),
        (
            with(&|t| t.recipients[0] = RcptParams::new(address("\u{e9}@b.test"))),
            Unmet::SmtpUtf8,
        ),
        (with(&|t| t.hand_over = HandOver::Bdat), Unmet::Chunking),
        (with(&|t| t.mail.size = Some(11)), Unmet::Size(10)),
        (with(&|t| t.recipients.clear()), Unmet::NoRecipients),
    ];
    for (transaction, unmet) in cases {
        let mut client = check_with(&["SIZE 10"], "");
        assert_eq!(client.send(transaction), Err(unmet));
        assert!(client.output().is_empty() && client.is_ready());
    }
    let mut client = check("S: 220 x\nC: EHLO c.test");
    assert_eq!(client.send(plain), Err(Unmet::NotReady));
}

#[test]
fn it_says_what_it_waits_for() {
    let mut client = Client::new(Config::new(Dialect::Smtp, "c.test"));
    assert_eq!(client.awaiting(), Some(Step::Greeting));
    client = check_with(&[], "");
    assert_eq!(client.awaiting(), None);
    client
        .send(transaction(HandOver::Data, &["b@b.test"]))
        .unwrap();
    assert_eq!(client.awaiting(), Some(Step::Mail));
    for (reply, step) in [(250, Step::Rcpt), (250, Step::Data), (354, Step::Content)] {
        client.output().clear();
        client
            .input()
            .extend_from_slice(format!("{reply} x\r\n").as_bytes());
        while client.poll().is_some() {}
        assert_eq!(client.awaiting(), Some(step));
    }
    client.content(b"", Chunk::Last);
    assert_eq!(client.awaiting(), Some(Step::End));
    assert_eq!(Step::End.time_limit(), Step::END_TIME);
}

#[test]
fn the_transcript_is_short() {
    let mut client = check_with(&[], "");
    for _ in 0..TRANSCRIPT_LINES {
        client.reset().unwrap();
        client.output().clear();
        let long = format!("250 {}\r\n", "\u{e9}".repeat(500));
        client.input().extend_from_slice(long.as_bytes());
        assert_eq!(client.poll(), Some(Event::Reset));
    }
    assert_eq!(client.transcript().count(), TRANSCRIPT_LINES);
    assert!(
        client
            .transcript()
            .all(|line| line.len() <= 3 + TRANSCRIPT_LINE)
    );
}

/// Feeds a peer's octets cut into pieces; a driver that always wants something and sends everything.
fn survive(pieces: &[&[u8]], hand_over: HandOver) -> Vec<String> {
    let mut client = Client::new(Config::new(Dialect::Lmtp, "c.test"));
    let mut told = Vec::new();
    for piece in pieces {
        client.input().extend_from_slice(piece);
        loop {
            client.output().clear();
            if client.wants_content() {
                client.content(b"x", Chunk::Last);
                continue;
            }
            match client.poll() {
                Some(event) => told.push(show(&event)),
                None if client.is_ready() => {
                    if client
                        .send(transaction(hand_over, &["b@b.test", "c@b.test"]))
                        .is_err()
                    {
                        client.quit().unwrap();
                    }
                }
                None => break,
            }
        }
    }
    client.connection_lost();
    while let Some(event) = client.poll() {
        told.push(show(&event));
    }
    assert!(client.is_closed());
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_the_peer_says_the_session_ends_and_each_transaction_is_told(
        replies in proptest::collection::vec(
            proptest::sample::select(vec![
                "220 x\r\n", "250 x\r\n", "250-a\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "354 go\r\n", "450 no\r\n",
                "550 no\r\n", "421 bye\r\n", "25", "0 x\r\n", "\r\n", "junk\r\n",
            ]), 0..20),
    ) {
        let input = format!("220 x\r\n{}", replies.concat());
        for hand_over in [HandOver::Data, HandOver::Bdat] {
            let octets: Vec<_> = input.as_bytes().chunks(1).collect();
            let told = survive(&octets, hand_over);
            let closed = told.iter().filter(|event| event.starts_with("Closed")
                || event.starts_with("Lost") || event.starts_with("Refused")
                || event.starts_with("Protocol")).count();
            prop_assert_eq!(closed, 1);
        }
    }

    #[test]
    fn any_octets_are_survived(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        survive(&[b"220 x\r\n250 x\r\n", &input], HandOver::Data);
    }
}
