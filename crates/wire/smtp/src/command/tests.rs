//! Command lines: what each means, what each is refused with, and there and back.

use super::*;
use proptest::prelude::*;
use wire_message::{Address, OriginalRecipient, ReversePath};

/// The command in its own words, or the refusal.
fn read(line: &str) -> String {
    match Command::parse(line.as_bytes(), Dialect::Smtp) {
        Ok(Command::Mail(mail)) => mail.to_string(),
        Ok(Command::Rcpt(rcpt)) => rcpt.to_string(),
        Ok(Command::Bdat(bdat)) => bdat.to_string(),
        Ok(Command::Hello(hello)) => format!("{} {}", hello.verb.as_str(), hello.name),
        Ok(
            command @ (Command::Data
            | Command::Rset
            | Command::Noop
            | Command::Quit
            | Command::Vrfy(_)
            | Command::Expn(_)
            | Command::Help(_)
            | Command::StartTls
            | Command::Auth(_)),
        ) => format!("{command:?}"),
        Err(error) => error.reply().to_string(),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        assert_eq!(&read(line), expected, "{line:?}");
    }
}

#[test]
fn greetings_take_any_word() {
    check(&[
        ("EHLO mx.test", "EHLO mx.test"),
        ("helo [192.0.2.1] ", "HELO [192.0.2.1]"),
        ("EHLO under_score", "EHLO under_score"),
        ("EHLO", "501 5.5.4 syntax: EHLO hostname"),
        ("HELO two words", "501 5.5.4 syntax: HELO hostname"),
        ("LHLO x", "500 5.5.1 LHLO is not spoken here"),
    ]);
}

#[test]
fn senders_and_their_parameters() {
    check(&[
        ("MAIL FROM:<a@a.test>", "MAIL FROM:<a@a.test>"),
        ("mail from: <a@a.test> ", "MAIL FROM:<a@a.test>"),
        (
            "MAIL FROM:<> SIZE=10 body=8bitmime",
            "MAIL FROM:<> SIZE=10 BODY=8BITMIME",
        ),
        ("MAIL FROM:<> BODY=7BIT", "MAIL FROM:<>"),
        (
            "MAIL FROM:<> RET=hdrs ENVID=a+20b",
            "MAIL FROM:<> RET=HDRS ENVID=a+20b",
        ),
        ("MAIL FROM:<> AUTH=<>", "MAIL FROM:<> AUTH=<>"),
        ("MAIL FROM:<> AUTH=a+40b.test", "MAIL FROM:<> AUTH=a@b.test"),
        ("MAIL FROM:<> AUTH=unreadable", "MAIL FROM:<> AUTH=<>"),
        (
            "MAIL FROM:<\u{e9}@a.test> SMTPUTF8",
            "MAIL FROM:<\u{e9}@a.test> SMTPUTF8",
        ),
        (
            "MAIL FROM:<\u{e9}@a.test>",
            "553 5.6.7 an internationalized address needs SMTPUTF8",
        ),
        (
            "MAIL FROM:a@a.test",
            "501 5.5.4 syntax: MAIL FROM:<address> [parameters]",
        ),
        (
            "MAIL <a@a.test>",
            "501 5.5.4 syntax: MAIL FROM:<address> [parameters]",
        ),
        (
            "MAIL FROM:<a@a.test>SIZE=1",
            "501 5.5.4 syntax: MAIL FROM:<address> [parameters]",
        ),
        ("MAIL FROM:<> SIZE=1 size=2", "501 5.5.4 SIZE given twice"),
        ("MAIL FROM:<> SIZE=-1", "501 5.5.4 bad value of SIZE"),
        ("MAIL FROM:<> SIZE", "501 5.5.4 bad value of SIZE"),
        ("MAIL FROM:<> SMTPUTF8=1", "501 5.5.4 bad value of SMTPUTF8"),
        (
            "MAIL FROM:<> BODY=9BIT",
            "504 5.5.4 unsupported value of BODY",
        ),
        ("MAIL FROM:<> RET=NONE", "501 5.5.4 bad value of RET"),
        ("MAIL FROM:<> ENVID=+0D+0A", "501 5.5.4 bad value of ENVID"),
        (
            "MAIL FROM:<> X-FOO=1",
            "555 5.5.4 unsupported parameter X-FOO",
        ),
    ]);
    assert!(read("MAIL FROM:<a b@a.test>").starts_with("501 5.1.7 bad sender address"));
    let beyond = read("MAIL FROM:<> SIZE=99999999999999999999");
    assert_eq!(beyond, format!("MAIL FROM:<> SIZE={}", u64::MAX));
}

#[test]
fn recipients_and_their_parameters() {
    check(&[
        ("RCPT TO:<b@b.test>", "RCPT TO:<b@b.test>"),
        ("RCPT TO: <b@b.test>", "RCPT TO:<b@b.test>"),
        ("RCPT TO:<@x.test,@y.test:b@b.test>", "RCPT TO:<b@b.test>"),
        ("RCPT TO:<Postmaster>", "RCPT TO:<postmaster>"),
        (
            "RCPT TO:<b@b.test> NOTIFY=never",
            "RCPT TO:<b@b.test> NOTIFY=NEVER",
        ),
        (
            "RCPT TO:<b@b.test> NOTIFY=DELAY,SUCCESS ORCPT=rfc822;o+2Bp@b.test",
            "RCPT TO:<b@b.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+2Bp@b.test",
        ),
        (
            "RCPT TO:<b@b.test> NOTIFY=NEVER,DELAY",
            "501 5.5.4 bad value of NOTIFY",
        ),
        (
            "RCPT TO:<b@b.test> NOTIFY=",
            "501 5.5.4 bad value of NOTIFY",
        ),
        ("RCPT TO:<b@b.test> ORCPT=x", "501 5.5.4 bad value of ORCPT"),
        (
            "RCPT TO:<b@b.test> SIZE=1",
            "555 5.5.4 unsupported parameter SIZE",
        ),
        (
            "RCPT b@b.test",
            "501 5.5.4 syntax: RCPT TO:<address> [parameters]",
        ),
    ]);
    assert!(read("RCPT TO:<>").starts_with("501 5.1.3 bad recipient address"));
}

#[test]
fn the_other_commands() {
    check(&[
        ("DATA", "Data"),
        ("data \t", "Data"),
        ("DATA x", "501 5.5.4 syntax: DATA"),
        ("RSET", "Rset"),
        ("NOOP whatever", "Noop"),
        ("QUIT", "Quit"),
        ("STARTTLS", "StartTls"),
        ("STARTTLS x", "501 5.5.4 syntax: STARTTLS"),
        ("VRFY", "501 5.5.4 syntax: VRFY address"),
        ("VRFY jo", "Vrfy(Lookup(\"jo\"))"),
        ("EXPN jo", "Expn(Lookup(\"jo\"))"),
        ("HELP", "Help(None)"),
        ("HELP MAIL", "Help(Some(Lookup(\"MAIL\")))"),
        ("BDAT 10", "BDAT 10"),
        ("bdat 0 last", "BDAT 0 LAST"),
        ("BDAT", "501 5.5.4 syntax: BDAT octets [LAST]"),
        ("BDAT -1", "501 5.5.4 syntax: BDAT octets [LAST]"),
        ("BDAT 1 LAST x", "501 5.5.4 syntax: BDAT octets [LAST]"),
        (
            "BDAT 99999999999999999999",
            "501 5.5.4 syntax: BDAT octets [LAST]",
        ),
        ("", "500 5.5.1 command not recognized"),
        ("GET / HTTP/1.1", "500 5.5.1 command not recognized"),
        (
            "NOOP \x01",
            "500 5.5.2 control or undecodable octets in a command",
        ),
        (
            "AUTH PLAIN AGEAYg==",
            "Auth(AuthStart { mechanism: Plain, initial: Some(\"***\") })",
        ),
        (
            "AUTH login =",
            "Auth(AuthStart { mechanism: Login, initial: Some(\"***\") })",
        ),
        (
            "AUTH GSSAPI",
            "504 5.5.4 unrecognized authentication mechanism",
        ),
        ("AUTH PLAIN ?", "501 5.5.2 cannot decode the base64 text"),
        (
            "AUTH",
            "501 5.5.4 syntax: AUTH mechanism [initial-response]",
        ),
    ]);
}

#[test]
fn each_verb_has_its_limit() {
    for (asked, octets) in [(0, 512), (512, 512), (4096, 4096), (65_536, 65_536)] {
        let cases = [
            ("NOOP ", octets),
            ("MAIL FROM:<> X=", octets + 673),
            ("RCPT TO:<b@b.test> X=", octets + 528),
            ("AUTH PLAIN ", octets.max(12_288)),
        ];
        for (head, limit) in cases {
            let fits = format!("{head}{}", "x".repeat(limit - 2 - head.len()));
            let read = |line: &str| {
                let limit = LineLimit::new(asked);
                Command::parse_within(line.as_bytes(), Dialect::Smtp, limit)
            };
            let long = Err(CommandError::LineTooLong);
            assert_ne!(read(&fits), long, "{head} {asked}");
            assert_eq!(read(&format!("{fits}x")), long, "{head} {asked}");
        }
    }
}

fn mail() -> impl Strategy<Value = MailParams> {
    let from = prop_oneof![
        Just(ReversePath::Null),
        "[a-z+]{1,9}@[a-z]{1,9}\\.test"
            .prop_map(|a| ReversePath::Address(Address::parse(&a).unwrap())),
    ];
    let body = proptest::sample::select(vec![
        BodyType::SevenBit,
        BodyType::EightBitMime,
        BodyType::BinaryMime,
    ]);
    let ret = proptest::option::of(proptest::sample::select(vec![Ret::Full, Ret::Headers]));
    let envid = proptest::option::of("[ -~]{1,30}");
    (from, any::<Option<u64>>(), body, any::<bool>(), ret, envid).prop_map(
        |(from, size, body, smtputf8, ret, envid)| MailParams {
            auth: size.map(|_| from.clone()),
            from,
            size,
            body,
            smtputf8,
            ret,
            envid,
        },
    )
}

proptest! {
    #[test]
    fn senders_are_read_back(mail in mail()) {
        let line = mail.to_string();
        let read = Command::parse(line.as_bytes(), Dialect::Smtp);
        prop_assert_eq!(read, Ok(Command::Mail(mail)), "{}", line);
    }

    #[test]
    fn recipients_are_read_back(
        to in "[a-z]{1,9}@[a-z]{1,9}\\.test",
        flags in 1u8..9,
        orcpt in proptest::option::of("[ -~\u{e9}]{1,30}"),
    ) {
        let mut rcpt = RcptParams::new(Address::parse(&to).unwrap());
        rcpt.notify = Some(match flags {
            8 => Notify::Never,
            f => Notify::On { success: f & 1 != 0, failure: f & 2 != 0, delay: f & 4 != 0 },
        });
        rcpt.orcpt = orcpt.map(|value| OriginalRecipient::new("utf-8", &value).unwrap());
        let line = rcpt.to_string();
        let read = Command::parse(line.as_bytes(), Dialect::Lmtp);
        prop_assert_eq!(read, Ok(Command::Rcpt(rcpt)), "{}", line);
    }

    #[test]
    fn any_line_is_survived(verb in "(MAIL FROM:|RCPT TO:|BDAT|AUTH|EHLO)?", tail in proptest::collection::vec(any::<u8>(), 0..60)) {
        let line = [verb.as_bytes(), &tail].concat();
        if let Err(error) = Command::parse(&line, Dialect::Submission) {
            prop_assert!(error.reply().code() >= 500);
        }
    }
}
