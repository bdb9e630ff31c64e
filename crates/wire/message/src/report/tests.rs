//! Reports as programs and people read them, and there-and-back.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::enhanced::Class;
use crate::header::{HEAD_MAX, Head, LINE_MAX};

const ORIGINAL: &[u8] =
    b"From: jo@a.example\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@a.example>\r\n\r\nHello\r\n--x\r\n";

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn failed(to: &str) -> Outcome {
    Outcome {
        original_recipient: OriginalRecipient::new("rfc822", "alias+x@c.example").ok(),
        remote_mta: Some("mx.b.example".to_owned()),
        diagnostic: Some(Diagnostic {
            kind: "smtp".to_owned(),
            text: "550 5.1.1 No such user".to_owned(),
        }),
        last_attempt: Some(Time::from_millis(1_795_426_140_000)),
        final_log_id: Some("0ABC".to_owned()),
        ..Outcome::new(
            address(to),
            Action::Failed,
            EnhancedStatus::new(Class::Permanent, 1, 1),
        )
    }
}

fn report(outcome: Outcome, original: Original) -> Report {
    Report {
        from: address("mailer-daemon@mx.example"),
        to: address("jo@a.example"),
        message_id: "r1@mx.example".to_owned(),
        date: Time::from_millis(1_795_426_200_000),
        text: None,
        status_link: None,
        envelope_id: Some("env 1".to_owned()),
        reporting_mta: "mx.example".to_owned(),
        received_from_mta: Some("a.example".to_owned()),
        arrival: Some(Time::from_millis(1_795_426_100_000)),
        recipients: vec![outcome],
        original,
    }
}

fn text_of(report: &Report) -> String {
    String::from_utf8(report.compose().bytes).unwrap()
}

/// The media types of the parts, and whether the message needs 8BITMIME and SMTPUTF8.
fn check(report: &Report, status: &str, original: &str, eight_bit: bool, smtputf8: bool) {
    let composed = report.compose();
    assert_eq!(
        (composed.eight_bit, composed.smtputf8),
        (eight_bit, smtputf8)
    );
    assert_eq!(composed.bytes.is_ascii(), !eight_bit);
    assert_eq!(Head::of(&composed.bytes).needs_smtputf8(), smtputf8);
    let text = String::from_utf8_lossy(&composed.bytes);
    for media in [status, original] {
        assert!(
            text.contains(&format!("Content-Type: {media}\r\n")),
            "{media} in {text}"
        );
    }
}

/// It is for the person alone: no field for programs has it, and a report without it says nothing of links.
#[test]
fn a_link_to_the_status_stands_on_a_line_of_its_own() {
    let without = report(failed("jo@b.example"), Original::headers(ORIGINAL));
    assert!(!without.explain().contains("See where"));
    let link = "https://mail.example/status/AQ-_";
    let with = Report {
        status_link: Some(link.to_owned()),
        ..without.clone()
    };
    let line = format!("\r\n\r\nSee where it is: {link}\r\n\r\n");
    assert!(with.explain().contains(&line), "{}", with.explain());
    assert_eq!(text_of(&with).matches(link).count(), 1);
}

#[test]
fn the_fields_for_programs_are_those_of_rfc_3464() {
    let text = text_of(&report(failed("jo@b.example"), Original::headers(ORIGINAL)));
    let wanted = "Content-Type: message/delivery-status\n\
        Content-Description: Delivery report\n\
        Content-Transfer-Encoding: 7bit\n\n\
        Original-Envelope-Id: env 1\n\
        Reporting-MTA: dns; mx.example\n\
        Received-From-MTA: dns; a.example\n\
        Arrival-Date: Mon, 23 Nov 2026 09:28:20 +0000\n\n\
        Original-Recipient: rfc822;alias+x@c.example\n\
        Final-Recipient: rfc822;jo@b.example\n\
        Action: failed\n\
        Status: 5.1.1\n\
        Remote-MTA: dns; mx.b.example\n\
        Diagnostic-Code: smtp; 550 5.1.1 No such user\n\
        Last-Attempt-Date: Mon, 23 Nov 2026 09:29:00 +0000\n\
        Final-Log-ID: 0ABC\n\n--=_postrider_";
    assert!(text.contains(&wanted.replace('\n', "\r\n")), "{text}");
}

#[test]
fn the_head_says_that_it_is_a_report_and_about_what() {
    let composed = report(failed("jo@b.example"), Original::headers(ORIGINAL)).compose();
    let head = Head::of(&composed.bytes);
    let value = |name| head.find(name).unwrap().text();
    assert_eq!(head.subject().unwrap(), "Not delivered: Grüße");
    assert_eq!(
        value("From"),
        "Mail Delivery System <mailer-daemon@mx.example>"
    );
    assert_eq!(value("Auto-Submitted"), "auto-replied");
    assert_eq!(value("In-Reply-To"), "<1@a.example>");
    assert!(
        value("Content-Type")
            .starts_with("multipart/report; report-type=delivery-status; boundary=\"=")
    );
}

#[test]
fn a_person_reads_what_happened_what_was_tried_and_what_to_do() {
    let report = report(failed("jo@b.example"), Original::headers(ORIGINAL));
    let wanted = "This is the mail server mx.example.\n\n\
        Your message could not be delivered to the recipients below.\n\
        It has been given up for them: nothing more will be tried.\n\n    \
            Subject: Grüße\n    \
            Message-ID: <1@a.example>\n    \
            Accepted: Mon, 23 Nov 2026 09:28:20 +0000\n    \
            Your envelope id: env 1\n\n\
        <jo@b.example>\n    \
            You wrote to: alias+x@c.example\n    \
            What happened: the mailbox does not exist (5.1.1)\n    \
            Last tried: Mon, 23 Nov 2026 09:29:00 +0000, at mx.b.example\n    \
            The answer: 550 5.1.1 No such user\n    \
            What to do: check the address for mistakes, then send the message again\n\n\
        The details for programs and the returned message follow.\n";
    assert_eq!(report.explain(), wanted.replace('\n', "\r\n"));
    assert!(text_of(&report).contains("Subject: Gr=C3=BC=C3=9Fe\r\n"));
}

#[test]
fn a_delay_says_how_long_trying_goes_on() {
    let mut outcome = failed("jo@b.example");
    outcome.action = Action::Delayed;
    outcome.status = EnhancedStatus::new(Class::Temporary, 4, 1);
    outcome.will_retry_until = Some(Time::from_millis(1_795_771_800_000));
    let text = text_of(&report(outcome, Original::headers(ORIGINAL)));
    assert!(text.contains("Action: delayed\r\nStatus: 4.4.1\r\n"));
    assert!(text.contains("Will-Retry-Until: Fri, 27 Nov 2026 09:30:00 +0000\r\n"));
    assert!(text.contains("What to do: nothing; you will be told if it is given up"));
}

#[test]
fn each_part_takes_the_form_that_its_content_needs() {
    const OLD: &str = "message/delivery-status";
    const NEW: &str = "message/global-delivery-status";
    let full = |bytes: &'static [u8]| Original::full(Bytes::from_static(bytes));
    let plain = failed("jo@b.example");
    check(
        &report(plain.clone(), full(ORIGINAL)),
        OLD,
        "message/rfc822",
        false,
        false,
    );
    check(
        &report(plain.clone(), Original::headers(ORIGINAL)),
        OLD,
        "text/rfc822-headers",
        false,
        false,
    );
    check(
        &report(plain.clone(), full(b"A: b\r\n\r\n\xfc\r\n")),
        OLD,
        "message/rfc822",
        true,
        false,
    );
    let utf8 = "A: ü\r\n\r\nb\r\n".as_bytes();
    check(
        &report(plain.clone(), full(utf8)),
        OLD,
        "message/global",
        true,
        false,
    );
    check(
        &report(plain.clone(), Original::headers(utf8)),
        OLD,
        "message/global-headers",
        true,
        false,
    );
    check(
        &report(plain.clone(), Original::headers(b"A: \xfc\r\n")),
        OLD,
        "text/rfc822-headers",
        true,
        false,
    );
    check(
        &report(failed("jö@b.example"), full(ORIGINAL)),
        NEW,
        "message/rfc822",
        true,
        false,
    );
    let mut sender = report(plain, full(ORIGINAL));
    sender.to = address("jö@a.example");
    check(&sender, NEW, "message/rfc822", true, true);
}

#[test]
fn a_reply_beyond_ascii_does_not_force_the_new_form() {
    let mut outcome = failed("jo@b.example");
    outcome.diagnostic.as_mut().unwrap().text = "550 für \\x{41} niemand".to_owned();
    let report = report(outcome, Original::headers(ORIGINAL));
    assert!(text_of(&report).contains("Diagnostic-Code: smtp; 550 f\\x{FC}r \\x{41} niemand\r\n"));
    let again = Report::parse(&report.compose().bytes).unwrap();
    assert_eq!(again.recipients, report.recipients);
}

#[test]
fn nothing_a_peer_said_becomes_a_field_or_a_part() {
    let mut outcome = failed("jo@b.example");
    let evil = "550 no\r\n\r\n--=_postrider\r\nAction: delivered\r\n\0";
    outcome.diagnostic.as_mut().unwrap().text = evil.to_owned();
    outcome.remote_mta = Some(evil.to_owned());
    outcome.final_log_id = Some(evil.to_owned());
    let mut report = report(outcome, Original::headers(ORIGINAL));
    report.envelope_id = Some(evil.to_owned());
    let again = Report::parse(&report.compose().bytes).unwrap();
    assert_eq!(again.recipients.len(), 1);
    assert_eq!(again.recipients[0].action, Action::Failed);
    let said = again.recipients[0].diagnostic.clone().unwrap().text;
    assert_eq!(said, "550 no --=_postrider Action: delivered");
}

#[test]
fn an_original_that_could_not_pass_is_returned_as_its_mended_head() {
    let long = format!("A: {}\r\n\r\nb\r\n", "ü".repeat(2000));
    let big = [b"A: b\r\n\r\n".as_slice(), &b"x\r\n".repeat(RETURN_MAX / 3)].concat();
    for message in [
        b"A: b\rc\r\n\r\nd\r\n".to_vec(),
        b"A: b\n\nd\r\n".to_vec(),
        b"A: b\r\n\r\nd\0\r\n".to_vec(),
        [b"A: b\r\n\r\n".as_slice(), &[b'x'; LINE_MAX + 1]].concat(),
        long.clone().into_bytes(),
        big,
    ] {
        let original = Original::full(message.into());
        assert_eq!(original.extent(), Extent::Headers);
        let lines: Vec<&[u8]> = original.bytes().split_inclusive(|&b| b == b'\n').collect();
        assert!(
            lines
                .iter()
                .all(|line| line.ends_with(b"\r\n") && line.len() <= LINE_MAX + 2)
        );
        assert!(!original.bytes().contains(&0));
    }
    let mended = Original::headers(long.as_bytes());
    let value = Head::of(mended.bytes()).find("A").unwrap().text();
    assert_eq!(value.replace(' ', ""), "ü".repeat(2000));
    assert_eq!(
        Original::full(Bytes::from_static(b"A: b\r\n\r\nno end")).extent(),
        Extent::Full
    );
}

#[test]
fn a_boundary_never_occurs_in_what_it_bounds() {
    let first = part::boundary(&[b"a"]);
    assert!(first.starts_with("=_postrider_") && first.len() <= 70);
    // Whoever sent a report back to us would enclose our own boundary.
    let report_in_report = report(failed("a@b"), Original::full(Bytes::from_static(ORIGINAL)))
        .compose()
        .bytes;
    let outer = report(failed("a@b"), Original::full(report_in_report.into()));
    let again = Report::parse(&outer.compose().bytes).unwrap();
    assert_eq!(again.original, outer.original);
}

#[test]
fn what_is_no_report_is_refused_with_its_reason() {
    assert_eq!(Report::parse(b""), Err(ReportError::NotAReport));
    assert_eq!(Report::parse(ORIGINAL), Err(ReportError::NotAReport));
    let whole = text_of(&report(failed("jo@b.example"), Original::headers(ORIGINAL)));
    for (cut, wanted) in [
        (
            "Reporting-MTA: dns; mx.example\r\n",
            ReportError::Missing("Reporting-MTA"),
        ),
        (
            "Final-Recipient: rfc822;jo@b.example\r\n",
            ReportError::Missing("Final-Recipient"),
        ),
        ("Action: failed\r\n", ReportError::Missing("Action")),
        ("Status: 5.1.1\r\n", ReportError::Missing("Status")),
        (
            "Content-Type: message/delivery-status\r\n",
            ReportError::NoPart("delivery-status"),
        ),
        (
            "Date: Mon, 23 Nov 2026 09:30:00 +0000\r\n",
            ReportError::Missing("Date"),
        ),
        ("boundary=", ReportError::NotAReport),
        ("multipart/report", ReportError::NotAReport),
    ] {
        assert!(whole.contains(cut), "{cut}");
        // Only the first: "Date:" ends other names too.
        let without = whole.replacen(cut, "", 1);
        assert_eq!(Report::parse(without.as_bytes()), Err(wanted), "{cut}");
    }
}

#[test]
fn a_foreign_report_is_read_too() {
    let foreign = "From: MAILER-DAEMON@b.example (Mail System)\nTo: jo@a.example\nDate: 23 Nov 26 10:30 +0100\n\
        Message-Id: <x@b>\nContent-Type: MULTIPART/Report; boundary=B1;\n\treport-type=\"delivery-status\"\n\npreamble\n\
        --B1\n\nSorry.\n--B1x\n--B1\nContent-Type: message/delivery-status\n\nReporting-MTA: smtp; b.example\n\n\
        Final-Recipient: RFC822; jo@c.example\nAction: Failed\nStatus: 5.0.0 (permanent)\nDiagnostic-Code: X-Unix; 77\n\n\
        --B1--\nepilogue\n";
    let foreign = foreign.replace(
        "MAILER-DAEMON@b.example (Mail System)",
        "\"Mail <System>\" <m@b.example>",
    );
    let report = Report::parse(foreign.as_bytes()).unwrap();
    assert_eq!(report.text.as_deref(), Some("Sorry.\n--B1x"));
    assert_eq!(report.from, address("m@b.example"));
    assert_eq!(
        report.recipients[0].final_recipient,
        address("jo@c.example")
    );
    assert_eq!(report.recipients[0].diagnostic.as_ref().unwrap().text, "77");
    assert_eq!(report.original.bytes(), b"");
}

fn time() -> impl Strategy<Value = Time> {
    (0i64..4_000_000_000).prop_map(|seconds| Time::from_millis(seconds * 1000))
}

fn mailbox() -> impl Strategy<Value = Address> {
    "([a-z\"<>é ]{1,12}|[a-z]{1,9})@(b\\.example|ü\\.example)"
        .prop_map(|text| {
            text.rsplit_once('@')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .unwrap()
        })
        .prop_map(|(local, domain)| Address::new(&local, domain.parse().unwrap()).unwrap())
}

/// A word or several, as they stand in a field: clean, not empty.
fn words() -> impl Strategy<Value = String> {
    "[a-zé0-9.:;\\\\]{1,90}( [a-zé0-9;=]{1,60}){0,9}"
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let action = prop_oneof![
        Just(Action::Delivered),
        Just(Action::Relayed),
        Just(Action::Expanded),
        Just(Action::Delayed),
        Just(Action::Failed)
    ];
    let class = prop_oneof![
        Just(Class::Success),
        Just(Class::Temporary),
        Just(Class::Permanent)
    ];
    let status = (class, 0u16..1000, 0u16..1000)
        .prop_map(|(class, subject, detail)| EnhancedStatus::new(class, subject, detail));
    let original =
        proptest::option::of(mailbox().prop_map(|address| OriginalRecipient::from(&address)));
    let said = proptest::option::of(words());
    let times = (proptest::option::of(time()), time());
    (
        mailbox(),
        action,
        status,
        original,
        said,
        times,
        proptest::option::of(words()),
    )
        .prop_map(
            |(to, action, status, original_recipient, said, times, name)| Outcome {
                original_recipient,
                remote_mta: name.clone(),
                diagnostic: said.map(|text| Diagnostic {
                    kind: "smtp".to_owned(),
                    text,
                }),
                last_attempt: times.0,
                will_retry_until: (action == Action::Delayed).then_some(times.1),
                final_log_id: name,
                ..Outcome::new(to, action, status)
            },
        )
}

fn any_report() -> impl Strategy<Value = Report> {
    let body = "([A-Z]: [a-zé =?]{0,20}\r\n){0,4}\r\n([a-zé=_-]{0,20}\r\n){0,6}[a-z]{0,3}";
    let original = prop_oneof![
        body.prop_map(|text| Original::full(text.into())),
        body.prop_map(|text| Original::headers(text.as_bytes())),
    ];
    let text = proptest::option::of("([a-zé=. \t]{0,100}\r\n){0,6}[ \n\r-]{0,3}");
    let outcomes = proptest::collection::vec(outcome(), 1..4);
    let about = (
        proptest::option::of(words()),
        words(),
        proptest::option::of(time()),
    );
    (
        mailbox(),
        mailbox(),
        time(),
        text,
        about,
        outcomes,
        original,
    )
        .prop_map(
            |(
                from,
                to,
                date,
                text,
                (envelope_id, reporting_mta, arrival),
                recipients,
                original,
            )| Report {
                from,
                to,
                message_id: "id@mx.example".to_owned(),
                date,
                text,
                status_link: None,
                received_from_mta: envelope_id.clone(),
                envelope_id,
                reporting_mta,
                arrival,
                recipients,
                original,
            },
        )
}

proptest! {
    #[test]
    fn every_report_comes_back(report in any_report()) {
        let composed = report.compose();
        for line in composed.bytes.split(|&byte| byte == b'\n') {
            prop_assert!(line.len() <= LINE_MAX + 1);
        }
        prop_assert!(!composed.bytes.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'));
        prop_assert_eq!(composed.eight_bit, !composed.bytes.is_ascii());
        let again = Report::parse(&composed.bytes).unwrap();
        let text = Some(report.text.clone().unwrap_or_else(|| report.explain()));
        prop_assert_eq!(again, Report { text, ..report });
    }

    #[test]
    fn no_broken_report_makes_the_parser_panic(report in any_report(), cut: prop::sample::Index, byte: u8) {
        let mut bytes = report.compose().bytes;
        let at = cut.index(bytes.len());
        bytes[at] = byte;
        if let Ok(report) = Report::parse(&bytes) {
            prop_assert!(Report::parse(&report.compose().bytes).is_ok());
        }
        bytes.truncate(at);
        prop_assert!(Report::parse(&bytes).map_or(true, |report| !report.recipients.is_empty()));
    }

    #[test]
    fn any_bytes_can_be_returned(message: Vec<u8>, lines in "([A: \t\r\n\0ü]{0,6}){0,9}") {
        for message in [message, lines.into_bytes()] {
            for original in [Original::headers(&message), Original::full(message.clone().into())] {
                prop_assert!(original.bytes().len() <= HEAD_MAX);
                let report = report(failed("a@b"), original);
                let again = Report::parse(&report.compose().bytes).unwrap();
                prop_assert_eq!(again.original, report.original);
            }
        }
    }
}

#[test]
fn a_head_beyond_ascii_needs_smtputf8_wherever_it_is() {
    let mut report = report(failed("x@b.example"), Original::headers(b""));
    report.message_id = "1@mü.example".to_owned();
    let composed = report.compose();
    assert!(composed.smtputf8 && composed.eight_bit);
    report.message_id = "1@m.example".to_owned();
    assert!(!report.compose().smtputf8);
}
