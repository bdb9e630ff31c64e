//! The server's dialogue as scripts: lines in, events and replies out; and what no cut of the input may change.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the driver of the tests has few habits"
)]

use super::*;
use crate::command::{Dialect, Mechanism};
use proptest::prelude::*;
use wire_message::ForwardPath;

/// A driver with habits: recipients called `nobody` are refused, `full` is full at the end (LMTP), the password `wrong`
/// is wrong, content that holds `stop` is refused on the way, the sender `busy@` is told 421.
struct Driver {
    server: Server,
    recipients: Vec<String>,
    /// Events and replies, in the order in which they came out.
    told: Vec<String>,
}

impl Driver {
    fn new(features: Features, channel: Channel) -> Driver {
        let mut server = Server::new(Arc::new(features), channel);
        server.greet();
        server.output().clear();
        Driver {
            server,
            recipients: Vec::new(),
            told: Vec::new(),
        }
    }

    fn feed(&mut self, octets: &[u8]) {
        self.server.input().extend_from_slice(octets);
        while let Some(event) = self.server.poll() {
            self.told.push(format!("E: {}", name(&event)));
            self.decide(event);
        }
    }

    fn output(&mut self) -> String {
        String::from_utf8(self.server.output().split().to_vec()).unwrap()
    }

    fn decide(&mut self, event: Event) {
        match event {
            Event::Rcpt(rcpt) => self.recipient(&rcpt.to),
            Event::Mail(mail) if mail.from.to_string().starts_with("<busy@") => {
                self.server.refuse(Reply::plain(421, "4.3.2 Busy"));
            }
            Event::Auth { credentials, .. } if credentials.password.reveal() == "wrong" => {
                self.server.refuse(Reply::plain(535, "5.7.8 No"));
            }
            Event::Body(octets) if octets.windows(4).any(|w| w == b"stop") => {
                self.server
                    .refuse_body(Reply::plain(452, "4.3.1 Disk full"));
            }
            Event::BodyEnd if self.server.features.dialect == Dialect::Lmtp => {
                for to in std::mem::take(&mut self.recipients) {
                    self.server
                        .answer_recipient(&match to.starts_with("<full@") {
                            true => Reply::plain(452, "4.2.2 Full"),
                            false => Reply::plain(250, "2.0.0 Kept"),
                        });
                }
            }
            Event::StartTls => {
                self.server.accept();
                self.server.tls_established();
            }
            Event::Mail(_) => {
                self.recipients.clear();
                self.accept();
            }
            _ => self.accept(),
        }
    }

    fn accept(&mut self) {
        if self.server.awaits_decision() {
            self.server.accept();
        }
    }

    fn recipient(&mut self, to: &ForwardPath) {
        if to.to_string().starts_with("<nobody@") {
            return self.server.refuse(Reply::plain(550, "5.1.1 Nobody"));
        }
        self.recipients.push(to.to_string());
        self.server.accept();
    }
}

fn name(event: &Event) -> String {
    match event {
        Event::Hello(hello) => format!("Hello {}", hello.name),
        Event::Mail(mail) => mail.to_string(),
        Event::Rcpt(rcpt) => rcpt.to_string(),
        Event::Body(octets) => format!("Body {}", octets.escape_ascii()),
        Event::Auth {
            mechanism,
            credentials,
        } => format!(
            "Auth {} {} {}",
            mechanism.as_str(),
            credentials.user,
            credentials.password.reveal()
        ),
        Event::ProtocolError(_) => "ProtocolError".to_owned(),
        other => format!("{other:?}"),
    }
}

/// `\r`, `\n`, `\0` and `\x..` in a script line are octets; a line ends with CRLF unless it ends with `\`.
fn octets(line: &str) -> Vec<u8> {
    let (line, end) = match line.strip_suffix('\\') {
        Some(line) => (line, ""),
        None => (line, "\r\n"),
    };
    let line = line
        .replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\0", "\0");
    format!("{line}{end}").into_bytes()
}

/// Plays the `C: ` lines and compares all that comes out with the rest of the script.
fn play(features: Features, channel: Channel, script: &str) {
    let mut driver = Driver::new(features, channel);
    let mut played = Vec::new();
    for line in script.trim().lines().map(str::trim) {
        let Some(command) = line.strip_prefix("C: ") else {
            continue;
        };
        played.push(line.to_owned());
        driver.feed(&octets(command));
        played.append(&mut driver.told);
        played.extend(
            driver
                .output()
                .lines()
                .map(|line| format!("S: {line}").trim_end().to_owned()),
        );
    }
    let expected: Vec<_> = script.trim().lines().map(str::trim).collect();
    assert_eq!(played.join("\n"), expected.join("\n"));
}

fn check(script: &str) {
    play(
        Features::new(Dialect::Smtp, "mx.test"),
        Channel::Clear,
        script,
    );
}

fn check_lmtp(script: &str) {
    play(
        Features::new(Dialect::Lmtp, "mx.test"),
        Channel::Clear,
        script,
    );
}

/// The same after EHLO, MAIL and RCPT.
fn check_content(script: &str) {
    let opening = "
        C: HELO c.test
        E: Hello c.test
        S: 250 mx.test
        C: MAIL FROM:<a@a.test>
        E: MAIL FROM:<a@a.test>
        S: 250 2.1.0 Sender ok
        C: RCPT TO:<b@b.test>
        E: RCPT TO:<b@b.test>
        S: 250 2.1.5 Recipient ok\n";
    check(&format!("{opening}{}", script.trim_start()));
}

#[test]
fn a_message_passes_and_the_next_one_follows() {
    check_content(
        "C: DATA
        E: DataBegin(Data)
        S: 354 End data with <CR><LF>.<CR><LF>
        C: Subject: x\\r\\n\\r\\n..dot\\r\\n.\\r\\nMAIL FROM:<>
        E: Body Subject: x\\r\\n\\r\\n.dot\\r\\n
        E: BodyEnd
        E: MAIL FROM:<>
        S: 250 2.0.0 Ok
        S: 250 2.1.0 Sender ok",
    );
}

#[test]
fn ehlo_tells_what_is_offered() {
    let mut features = Features::new(Dialect::Submission, "mx.test");
    features.max_size = 1000;
    features.max_recipients = 5;
    features.starttls = true;
    features.auth = vec![Mechanism::Plain, Mechanism::Login];
    let script = "
        C: EHLO c.test
        E: Hello c.test
        S: 250-mx.test
        S: 250-PIPELINING
        S: 250-SIZE 1000
        S: 250-STARTTLS
        S: 250-ENHANCEDSTATUSCODES
        S: 250-8BITMIME
        S: 250-SMTPUTF8
        S: 250-DSN
        S: 250-CHUNKING
        S: 250-BINARYMIME
        S: 250-LIMITS RCPTMAX=5
        S: 250 HELP
        C: STARTTLS\\r\\nEHLO injected
        E: StartTls
        S: 220 2.0.0 Ready to start TLS
        C: MAIL FROM:<a@a.test>
        E: ProtocolError
        S: 503 5.5.1 Send EHLO or HELO first
        C: EHLO c.test
        E: Hello c.test
        S: 250-mx.test
        S: 250-PIPELINING
        S: 250-SIZE 1000
        S: 250-AUTH PLAIN LOGIN
        S: 250-ENHANCEDSTATUSCODES
        S: 250-8BITMIME
        S: 250-SMTPUTF8
        S: 250-DSN
        S: 250-CHUNKING
        S: 250-BINARYMIME
        S: 250-LIMITS RCPTMAX=5
        S: 250 HELP";
    play(features, Channel::Clear, script);
}

#[test]
fn commands_out_of_order_get_503() {
    check(
        "C: MAIL FROM:<a@a.test>
        E: ProtocolError
        S: 503 5.5.1 Send EHLO or HELO first
        C: HELO c.test
        E: Hello c.test
        S: 250 mx.test
        C: RCPT TO:<b@b.test>
        E: ProtocolError
        S: 503 5.5.1 Send MAIL first
        C: DATA
        E: ProtocolError
        S: 503 5.5.1 Send MAIL first
        C: MAIL FROM:<a@a.test>
        E: MAIL FROM:<a@a.test>
        S: 250 2.1.0 Sender ok
        C: MAIL FROM:<a@a.test>
        E: ProtocolError
        S: 503 5.5.1 Nested MAIL command
        C: DATA
        E: ProtocolError
        S: 503 5.5.1 No valid recipients
        C: RCPT TO:<nobody@b.test>
        E: RCPT TO:<nobody@b.test>
        S: 550 5.1.1 Nobody
        C: DATA
        E: ProtocolError
        S: 554 5.5.1 No valid recipients
        C: EHLO again
        E: Hello again
        S: 250-mx.test
        S: 250-PIPELINING
        S: 250-SIZE 0
        S: 250-ENHANCEDSTATUSCODES
        S: 250-8BITMIME
        S: 250-SMTPUTF8
        S: 250-DSN
        S: 250-CHUNKING
        S: 250-BINARYMIME
        S: 250 HELP
        C: RCPT TO:<b@b.test>
        E: ProtocolError
        S: 503 5.5.1 Send MAIL first
        C: LHLO x
        E: ProtocolError
        S: 500 5.5.1 LHLO is not spoken here
        C: STARTTLS
        E: ProtocolError
        S: 502 5.5.1 STARTTLS is not offered
        C: QUIT
        E: Quit
        S: 221 2.0.0 Bye
        C: NOOP",
    );
}

#[test]
fn questions_without_a_transaction_are_answered() {
    check(
        "C: VRFY root\\r\\nEXPN list\\r\\nHELP\\r\\nNOOP\\r\\nRSET\\r\\nXYZZY
        E: Vrfy(Lookup(\"root\"))
        E: Expn(Lookup(\"list\"))
        E: Help(None)
        E: Noop
        E: Reset
        E: ProtocolError
        S: 252 2.5.2 Cannot verify, but will take mail for it and try to deliver
        S: 252 2.5.2 Cannot verify, but will take mail for it and try to deliver
        S: 214-2.0.0 Commands:
        S: 214-2.0.0 EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT
        S: 214 2.0.0 VRFY EXPN HELP STARTTLS AUTH
        S: 250 2.0.0 Ok
        S: 250 2.0.0 Ok
        S: 500 5.5.1 command not recognized",
    );
}

#[test]
fn a_bare_line_end_never_ends_a_command() {
    check(
        "C: HELO c.test\\nMAIL FROM:<a@a.test>
        E: ProtocolError
        S: 500 5.5.2 bare CR or LF in a command
        C: NO\\rOP
        E: ProtocolError
        S: 500 5.5.2 bare CR or LF in a command
        C: NOOP\\r
        E: ProtocolError
        S: 500 5.5.2 bare CR or LF in a command
        C: NOOP \\0
        E: ProtocolError
        S: 500 5.5.2 control or undecodable octets in a command",
    );
}

#[test]
fn no_smuggled_end_ends_a_message() {
    let cases = [
        ("\\n.\\n", "LF"),
        ("\\n.\\r\\n", "LF"),
        ("\\r\\n.\\n", "LF"),
        ("\\r.\\r", "CR"),
        ("\\r.\\r\\n", "CR"),
        ("\\r\\n.\\r", "CR"),
        ("\\n.\\r", "LF"),
        ("\\r.\\n", "CR"),
        ("\\r\\n.\\r\\r\\n", "CR"),
        ("\\r\\r\\n.\\n", "CR"),
        ("\\n\\n.\\n", "LF"),
    ];
    for (end, what) in cases {
        let fault = format!("Bare{}{}", &what[..1], what[1..].to_lowercase());
        check_content(&format!(
            "C: DATA
            E: DataBegin(Data)
            S: 354 End data with <CR><LF>.<CR><LF>
            C: hello{end}MAIL FROM:<evil@a.test>
            C: RCPT TO:<victim@b.test>\\r\\n.
            E: BodyRefused(Fault({fault}))
            S: 550 5.5.2 Bare {what} in the message; lines end with CRLF
            C: RCPT TO:<b@b.test>
            E: ProtocolError
            S: 503 5.5.1 Send MAIL first"
        ));
    }
}

#[test]
fn nul_and_long_lines_and_big_messages_are_refused_at_the_end() {
    let mut features = Features::new(Dialect::Smtp, "mx.test");
    features.max_text_line = 10;
    features.max_size = 20;
    let cases = [
        ("a\\0b", "Nul", "550 5.6.0 NUL octet in the message"),
        (
            "12345678901",
            "LongLine",
            "550 5.6.0 A line of the message is too long",
        ),
        (
            "1234567890\\r\\n123456789",
            "TooBig",
            "552 5.3.4 The message is too big",
        ),
    ];
    for (content, fault, reply) in cases {
        let script = format!(
            "C: HELO c.test
            E: Hello c.test
            S: 250 mx.test
            C: MAIL FROM:<> SIZE=21
            E: ProtocolError
            S: 552 5.3.4 The message is too big
            C: MAIL FROM:<>
            E: MAIL FROM:<>
            S: 250 2.1.0 Sender ok
            C: RCPT TO:<b@b.test>
            E: RCPT TO:<b@b.test>
            S: 250 2.1.5 Recipient ok
            C: DATA
            E: DataBegin(Data)
            S: 354 End data with <CR><LF>.<CR><LF>
            C: {content}
            C: .
            E: BodyRefused(Fault({fault}))
            S: {reply}"
        );
        // A long line that arrives whole is never given out: the fault is found in the same read.
        play(features.clone(), Channel::Clear, &script);
    }
}

#[test]
fn a_stuffed_dot_does_not_count_and_998_octets_fit() {
    let line = "x".repeat(998);
    let dotted = format!(".{}", "y".repeat(997));
    check_content(&format!(
        "C: DATA
        E: DataBegin(Data)
        S: 354 End data with <CR><LF>.<CR><LF>
        C: {line}\\r\\n.{dotted}\\r\\n.
        E: Body {line}\\r\\n{dotted}\\r\\n
        E: BodyEnd
        S: 250 2.0.0 Ok"
    ));
}

#[test]
fn the_driver_can_refuse_content_on_the_way() {
    check_content(
        "C: DATA
        E: DataBegin(Data)
        S: 354 End data with <CR><LF>.<CR><LF>
        C: stop
        E: Body stop\\r\\n
        C: more\\r\\n.
        E: BodyRefused(Driver)
        S: 452 4.3.1 Disk full
        C: NOOP
        E: Noop
        S: 250 2.0.0 Ok",
    );
}

#[test]
fn chunks_make_a_message() {
    check_content(
        "C: BDAT 7\\r\\nhello\\r\\nBDAT 4 LAST\\r\\n.\\r\\nx\\
        E: DataBegin(Bdat(7))
        E: Body hello\\r\\n
        E: Body .\\r\\nx
        E: BodyEnd
        S: 250 2.0.0 Ok
        S: 250 2.0.0 Ok
        C: BDAT 6 LAST\\r\\nQUIT\\r\\
        C: \\n\\
        E: ProtocolError
        S: 503 5.5.1 Send MAIL first",
    );
}

#[test]
fn data_and_rcpt_do_not_mix_with_chunks() {
    check_content(
        "C: BDAT 2\\r\\nab\\
        E: DataBegin(Bdat(2))
        E: Body ab
        S: 250 2.0.0 Ok
        C: DATA
        E: ProtocolError
        S: 503 5.5.1 DATA after BDAT
        C: RCPT TO:<c@b.test>
        E: ProtocolError
        S: 503 5.5.1 RCPT after BDAT
        C: RSET
        E: Reset
        S: 250 2.0.0 Ok
        C: MAIL FROM:<> BODY=BINARYMIME
        E: MAIL FROM:<> BODY=BINARYMIME
        S: 250 2.1.0 Sender ok
        C: RCPT TO:<b@b.test>
        E: RCPT TO:<b@b.test>
        S: 250 2.1.5 Recipient ok
        C: DATA
        E: ProtocolError
        S: 503 5.5.1 BODY=BINARYMIME needs BDAT
        C: BDAT 4 LAST\\r\\na\\0\\n\\r\\
        E: DataBegin(Bdat(4))
        E: Body a\\x00\\n\\r
        E: BodyEnd
        S: 250 2.0.0 Ok",
    );
}

#[test]
fn a_chunk_that_fails_takes_its_octets_and_the_later_chunks_with_it() {
    check_content(
        "C: BDAT 6\\r\\nQUIT\\n\\n\\
        E: DataBegin(Bdat(6))
        E: BodyRefused(Fault(BareLf))
        S: 550 5.5.2 Bare LF in the message; lines end with CRLF
        C: BDAT 6 LAST\\r\\nQUIT\\r\\n\\
        E: ProtocolError
        S: 503 5.5.1 Send MAIL first
        C: NOOP
        E: Noop
        S: 250 2.0.0 Ok",
    );
}

#[test]
fn a_bare_cr_is_found_across_chunks_and_at_the_end() {
    check_content(
        "C: BDAT 1\\r\\n\\r\\
        E: DataBegin(Bdat(1))
        E: Body \\r
        S: 250 2.0.0 Ok
        C: BDAT 1\\r\\nx\\
        E: BodyRefused(Fault(BareCr))
        S: 550 5.5.2 Bare CR in the message; lines end with CRLF",
    );
    check_content(
        "C: BDAT 1 LAST\\r\\n\\r\\
        E: DataBegin(Bdat(1))
        E: Body \\r
        E: BodyRefused(Fault(BareCr))
        S: 550 5.5.2 Bare CR in the message; lines end with CRLF",
    );
}

#[test]
fn a_chunk_of_unknown_length_ends_the_session() {
    check_content(
        "C: BDAT x LAST\\r\\nQUIT
        E: ProtocolError
        S: 501 5.5.4 syntax: BDAT octets [LAST]
        C: NOOP",
    );
}

#[test]
fn lmtp_answers_each_recipient() {
    check_lmtp(
        "C: LHLO c.test\\
        C: \\r\\nEHLO x
        E: Hello c.test
        E: ProtocolError
        S: 250-mx.test
        S: 250-PIPELINING
        S: 250-SIZE 0
        S: 250-ENHANCEDSTATUSCODES
        S: 250-8BITMIME
        S: 250-SMTPUTF8
        S: 250-DSN
        S: 250-CHUNKING
        S: 250-BINARYMIME
        S: 250 HELP
        S: 500 5.5.1 EHLO is not spoken here
        C: MAIL FROM:<>\\r\\nRCPT TO:<a@b.test>\\r\\nRCPT TO:<nobody@b.test>\\r\\nRCPT TO:<full@b.test>\\r\\nDATA
        E: MAIL FROM:<>
        E: RCPT TO:<a@b.test>
        E: RCPT TO:<nobody@b.test>
        E: RCPT TO:<full@b.test>
        E: DataBegin(Data)
        S: 250 2.1.0 Sender ok
        S: 250 2.1.5 Recipient ok
        S: 550 5.1.1 Nobody
        S: 250 2.1.5 Recipient ok
        S: 354 End data with <CR><LF>.<CR><LF>
        C: x\\r\\n.
        E: Body x\\r\\n
        E: BodyEnd
        S: 250 2.0.0 Kept
        S: 452 4.2.2 Full
        C: MAIL FROM:<>\\r\\nRCPT TO:<a@b.test>\\r\\nRCPT TO:<b@b.test>\\r\\nBDAT 1 LAST\\r\\n\\n\\
        E: MAIL FROM:<>
        E: RCPT TO:<a@b.test>
        E: RCPT TO:<b@b.test>
        E: DataBegin(Bdat(1))
        E: BodyRefused(Fault(BareLf))
        S: 250 2.1.0 Sender ok
        S: 250 2.1.5 Recipient ok
        S: 250 2.1.5 Recipient ok
        S: 550 5.5.2 Bare LF in the message; lines end with CRLF
        S: 550 5.5.2 Bare LF in the message; lines end with CRLF
        C: MAIL FROM:<>\\r\\nDATA
        E: MAIL FROM:<>
        E: ProtocolError
        S: 250 2.1.0 Sender ok
        S: 503 5.5.1 No valid recipients",
    );
}

#[test]
fn people_prove_who_they_are() {
    let mut features = Features::new(Dialect::Submission, "mx.test");
    features.auth = vec![Mechanism::Plain, Mechanism::Login];
    features.require_auth = true;
    let script = "
        C: HELO c.test
        E: Hello c.test
        S: 250 mx.test
        C: MAIL FROM:<a@a.test>
        E: ProtocolError
        S: 530 5.7.0 Authentication required
        C: AUTH CRAM-MD5
        E: ProtocolError
        S: 504 5.5.4 unrecognized authentication mechanism
        C: AUTH PLAIN
        S: 334
        C: *
        E: ProtocolError
        S: 501 5.7.0 Authentication cancelled
        C: AUTH PLAIN !!!
        E: ProtocolError
        S: 501 5.5.2 cannot decode the base64 text
        C: AUTH LOGIN
        S: 334 VXNlcm5hbWU6
        C: am8=
        S: 334 UGFzc3dvcmQ6
        C: d3Jvbmc=
        E: Auth LOGIN jo wrong
        S: 535 5.7.8 No
        C: AUTH LOGIN am8=
        S: 334 UGFzc3dvcmQ6
        C: c2VjcmV0
        E: Auth LOGIN jo secret
        S: 235 2.7.0 Authentication successful
        C: AUTH PLAIN AGpvAHNlY3JldA==
        E: ProtocolError
        S: 503 5.5.1 Already authenticated
        C: MAIL FROM:<a@a.test>
        E: MAIL FROM:<a@a.test>
        S: 250 2.1.0 Sender ok";
    play(features.clone(), Channel::Tls, script);
    let plain = "
        C: HELO c.test
        E: Hello c.test
        S: 250 mx.test
        C: AUTH PLAIN AGpvAHNlY3JldA==
        E: Auth PLAIN jo secret
        S: 235 2.7.0 Authentication successful";
    play(features.clone(), Channel::Tls, plain);
    let clear = "
        C: HELO c.test
        E: Hello c.test
        S: 250 mx.test
        C: AUTH PLAIN AGpvAHNlY3JldA==
        E: ProtocolError
        S: 538 5.7.11 Encryption required for authentication";
    play(features, Channel::Clear, clear);
}

#[test]
fn tls_can_be_demanded_first() {
    let mut features = Features::new(Dialect::Submission, "mx.test");
    features.starttls = true;
    features.require_tls = true;
    let script = "
        C: HELO c.test
        E: Hello c.test
        S: 250 mx.test
        C: BDAT 6 LAST\\r\\nQUIT\\r\\n\\
        E: ProtocolError
        S: 530 5.7.0 Must issue a STARTTLS command first
        C: RSET
        E: ProtocolError
        S: 530 5.7.0 Must issue a STARTTLS command first
        C: NOOP
        E: Noop
        S: 250 2.0.0 Ok";
    play(features, Channel::Clear, script);
}

#[test]
fn a_refusal_by_421_ends_the_session() {
    check(
        "C: HELO c.test
        E: Hello c.test
        S: 250 mx.test
        C: MAIL FROM:<busy@a.test>\\r\\nNOOP
        E: MAIL FROM:<busy@a.test>
        S: 421 4.3.2 Busy",
    );
}

#[test]
fn addresses_beyond_ascii_need_smtputf8() {
    check(
        "C: HELO c.test
        E: Hello c.test
        S: 250 mx.test
        C: MAIL FROM:<\u{e9}@a.test>
        E: ProtocolError
        S: 553 5.6.7 an internationalized address needs SMTPUTF8
        C: MAIL FROM:<>
        E: MAIL FROM:<>
        S: 250 2.1.0 Sender ok
        C: RCPT TO:<\u{e9}@b.test>
        E: ProtocolError
        S: 553 5.6.7 An internationalized address needs SMTPUTF8
        C: RSET
        E: Reset
        S: 250 2.0.0 Ok
        C: MAIL FROM:<\u{e9}@a.test> SMTPUTF8
        E: MAIL FROM:<\u{e9}@a.test> SMTPUTF8
        S: 250 2.1.0 Sender ok
        C: RCPT TO:<\u{e9}@b.test>
        E: RCPT TO:<\u{e9}@b.test>
        S: 250 2.1.5 Recipient ok",
    );
}

#[test]
fn an_endless_command_line_is_dropped_as_it_comes() {
    let mut driver = Driver::new(Features::new(Dialect::Smtp, "mx.test"), Channel::Clear);
    for _ in 0..100 {
        driver.feed(&[b'x'; 1000]);
        assert!(driver.server.input().len() < 2 * crate::command::AUTH_LINE);
    }
    driver.feed(b"\r\nNOOP\r\n");
    assert_eq!(
        driver.output(),
        "500 5.5.2 line too long\r\n250 2.0.0 Ok\r\n"
    );
}

#[test]
fn a_message_without_dots_comes_as_one_chunk_of_the_input() {
    let mut driver = Driver::new(Features::new(Dialect::Smtp, "mx.test"), Channel::Clear);
    driver.feed(b"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@b.test>\r\nDATA\r\n");
    driver.told.clear();
    let mut content =
        "a line of seventy octets or so, as mail has them, again and again\r\n".repeat(60);
    content.push_str(".\r\n");
    let server = &mut driver.server;
    server.input().extend_from_slice(content.as_bytes());
    let place = server.input().as_ptr();
    let Some(Event::Body(chunk)) = server.poll() else {
        panic!("no content")
    };
    assert_eq!(chunk.as_ptr(), place);
    assert_eq!(chunk.len() + 3, content.len());
    assert_eq!(server.poll(), Some(Event::BodyEnd));
}

#[test]
fn counters_count() {
    let mut driver = Driver::new(Features::new(Dialect::Smtp, "mx.test"), Channel::Clear);
    driver.feed(b"HELO c\r\nNOOP\r\nXX\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@b.test>\r\nRCPT TO:<b@b.test>\r\nDATA\r\n.\r\n");
    let expected = Counters {
        commands: 7,
        errors: 2,
        idle: 1,
        transactions: 1,
        refused_recipients: 1,
        messages: 1,
    };
    assert_eq!(driver.server.counters(), expected);
}

/// Events with neighbouring pieces of content joined, and content that was refused left out.
fn events(pieces: &[&[u8]], dialect: Dialect) -> (Vec<String>, String) {
    let mut features = Features::new(dialect, "mx.test");
    features.max_text_line = 40;
    features.max_size = 200;
    features.auth = vec![Mechanism::Plain, Mechanism::Login];
    let mut driver = Driver::new(features, Channel::Tls);
    for piece in pieces {
        driver.feed(piece);
    }
    let mut joined: Vec<String> = Vec::new();
    for line in std::mem::take(&mut driver.told) {
        let body = joined
            .last()
            .is_some_and(|last| last.starts_with("E: Body "));
        match line.strip_prefix("E: Body ") {
            Some(more) if body => joined.last_mut().unwrap().push_str(more),
            _ if body && line.starts_with("E: BodyRefused") => *joined.last_mut().unwrap() = line,
            _ => joined.push(line),
        }
    }
    // What is given out of content before its end is known depends on the cuts.
    if joined
        .last()
        .is_some_and(|last| last.starts_with("E: Body "))
    {
        joined.pop();
    }
    (joined, driver.output())
}

fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"EHLO c.test\r\n",
        b"LHLO c.test\r\n",
        b"MAIL FROM:<a@a.test>\r\n",
        b"MAIL FROM:<> BODY=BINARYMIME\r\n",
        b"RCPT TO:<b@b.test>\r\n",
        b"RCPT TO:<full@b.test>\r\n",
        b"RCPT TO:<nobody@b.test>\r\n",
        b"DATA\r\n",
        b"BDAT 4\r\n",
        b"BDAT 6 LAST\r\n",
        b"BDAT 0 LAST\r\n",
        b"AUTH PLAIN\r\n",
        b"AUTH LOGIN\r\n",
        b"AGpvAHNlY3JldA==\r\n",
        b"*\r\n",
        b"RSET\r\n",
        b"STARTTLS\r\n",
        b"text\r\n",
        b"..text\r\n",
        b".\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b".",
        b"\0",
        b"x",
        b"a line that is longer than the forty octets\r\n",
    ];
    prop_oneof![
        8 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ]
}

fn dialect() -> impl Strategy<Value = Dialect> {
    prop_oneof![Just(Dialect::Smtp), Just(Dialect::Lmtp)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn cuts_in_the_input_change_nothing(
        dialect in dialect(),
        ready in any::<bool>(),
        parts in proptest::collection::vec(fragment(), 0..24),
        size in 1usize..9,
    ) {
        let mut input = Vec::new();
        if ready {
            input.extend_from_slice(b"EHLO c\r\nLHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@b.test>\r\nDATA\r\n");
        }
        input.extend(parts.concat());
        let whole = events(&[&input], dialect);
        let pieces: Vec<_> = input.chunks(size).collect();
        prop_assert_eq!(&whole, &events(&pieces, dialect));
        let octets: Vec<_> = input.chunks(1).collect();
        prop_assert_eq!(&whole, &events(&octets, dialect));
    }

    #[test]
    fn any_octets_are_survived(input in proptest::collection::vec(any::<u8>(), 0..400)) {
        events(&[&input], Dialect::Smtp);
    }
}
