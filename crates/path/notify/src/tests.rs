//! What senders read, as tables.

use ground_store::{Options, Store};
use ground_world::World;
use path_ledger::LedgerOptions;

use super::*;
use wire_message::OriginalRecipient;
use wire_smtp::command::Ret;

const ORIGINAL: &[u8] =
    b"Message-ID: <1@a.example>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello.\r\n";

const FAILURE: Notify = on(false, true, false);
const DELAY: Notify = on(false, false, true);
const SUCCESS: Notify = on(true, false, false);

const fn on(success: bool, failure: bool, delay: bool) -> Notify {
    Notify::On {
        success,
        failure,
        delay,
    }
}

fn reporter() -> Reporter {
    let settings = Settings::parse("hostname = \"mx.example\"\nstore = \"sqlite:x.db\"\n");
    Reporter::new(&settings.unwrap()).unwrap()
}

fn envelope() -> Envelope {
    Envelope {
        received_at: Time::from_millis(1_795_426_100_000),
        sender: ReversePath::Address(Address::parse("jo@a.example").unwrap()),
        origin: Origin::Smtp,
        listener: "mx".into(),
        peer: "192.0.2.1:4000".into(),
        helo: "a.example".into(),
        tls: String::new(),
        auth: String::new(),
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: Some("env+1".into()),
        message_id: "<1@a.example>".into(),
        subject: "Grüße".into(),
        cause: None,
    }
}

fn fate(address: &str, notify: Option<Notify>) -> Fate {
    Fate {
        address: Address::parse(address).unwrap(),
        orcpt: None,
        notify,
        expires_at: Some(Time::from_millis(1_795_771_800_000)),
        last_attempt: Some(Time::from_millis(1_795_426_140_000)),
        said: Said::reply("mx.b.example", "550-5.1.1 No such user\n550 5.1.1 here"),
    }
}

fn stamp() -> Stamp {
    Stamp {
        id: MessageId::from_key(77),
        at: Time::from_millis(1_795_426_200_000),
    }
}

fn report_with(action: Action, envelope: &Envelope, content: &Content, fates: &[Fate]) -> Notice {
    let size = match content {
        Content::Whole(content) | Content::Head(content) => content.len() as u64,
        Content::Gone => 100,
    };
    let about = About {
        id: MessageId::from_key(5),
        envelope,
        size,
        content,
    };
    reporter().report(action, &about, fates, stamp())
}

fn told(action: Action, fates: &[Fate]) -> Notice {
    let content = Content::Whole(Bytes::from_static(ORIGINAL));
    report_with(action, &envelope(), &content, fates)
}

fn owed(notice: Notice) -> (NewMessage, Report) {
    let Notice::Owed(message) = notice else {
        panic!("no report: {notice:?}");
    };
    let NewBody::Inline(bytes) = &message.body else {
        panic!("a report is composed in memory");
    };
    let report = Report::parse(bytes).unwrap();
    (*message, report)
}

#[test]
fn notify_decides_who_is_told_of_what() {
    let (never, all) = (Notify::Never, on(true, true, true));
    for (notify, wanted) in [
        (None, [false, false, false, true, true]),
        (Some(never), [false; 5]),
        (Some(FAILURE), [false, false, false, false, true]),
        (Some(DELAY), [false, false, false, true, false]),
        (Some(SUCCESS), [true, true, true, false, false]),
        (Some(all), [true; 5]),
    ] {
        let actions = [
            Action::Delivered,
            Action::Relayed,
            Action::Expanded,
            Action::Delayed,
            Action::Failed,
        ];
        for (action, wanted) in actions.into_iter().zip(wanted) {
            match told(action, &[fate("k@b.example", notify)]) {
                Notice::Owed(_) => assert!(wanted, "{action:?} for {notify:?}"),
                Notice::NotAsked => assert!(!wanted, "{action:?} for {notify:?}"),
                Notice::NobodyToTell => panic!("there is a sender"),
            }
        }
    }
}

#[test]
fn a_message_without_a_sender_has_nobody_to_tell() {
    let envelope = Envelope {
        sender: ReversePath::Null,
        ..envelope()
    };
    for notify in [None, Some(Notify::Never), Some(on(true, true, true))] {
        let fates = [fate("k@b.example", notify)];
        let notice = report_with(Action::Failed, &envelope, &Content::Gone, &fates);
        assert!(matches!(notice, Notice::NobodyToTell));
        assert!(notice.into_messages().is_empty());
    }
}

#[test]
fn one_report_names_all_who_are_to_be_told_of_and_nobody_else() {
    let fates = [
        fate("k@b.example", None),
        fate("l@b.example", Some(Notify::Never)),
        fate("m@b.example", Some(FAILURE)),
        fate("n@b.example", Some(SUCCESS)),
    ];
    let (_, report) = owed(told(Action::Failed, &fates));
    let named: Vec<_> = report
        .recipients
        .iter()
        .map(|outcome| outcome.final_recipient.to_string())
        .collect();
    assert_eq!(named, ["k@b.example", "m@b.example"]);
}

#[test]
fn a_report_is_mail_from_nobody_that_is_never_reported_on() {
    let (message, _) = owed(told(Action::Failed, &[fate("k@b.example", None)]));
    assert_eq!(message.id, stamp().id);
    let envelope = &message.envelope;
    assert_eq!(
        (&envelope.sender, envelope.origin, envelope.cause),
        (
            &ReversePath::Null,
            Origin::Report,
            Some(MessageId::from_key(5))
        )
    );
    assert_eq!(envelope.received_at, stamp().at);
    assert_eq!(envelope.message_id, format!("<{}@mx.example>", stamp().id));
    assert_eq!(envelope.subject, "Not delivered: Grüße");
    let [to] = message.recipients.as_slice() else {
        panic!("one recipient");
    };
    assert_eq!(to.address.to_string(), "jo@a.example");
    assert_eq!(to.notify, Some(Notify::Never));
    assert!(matches!(to.birth, Birth::Categorizing { .. }));
}

#[test]
fn what_the_envelope_and_the_reply_said_stands_in_the_report() {
    let mut one = fate("k@b.example", None);
    one.orcpt = Some(OriginalRecipient::parse("rfc822;alias+2Bx@c.example").unwrap());
    let (message, report) = owed(told(Action::Failed, &[one]));
    assert_eq!(report.to.to_string(), "jo@a.example");
    assert_eq!(report.from.to_string(), "MAILER-DAEMON@mx.example");
    assert_eq!(report.envelope_id.as_deref(), Some("env+1"));
    assert_eq!(report.reporting_mta, "mx.example");
    assert_eq!(report.received_from_mta.as_deref(), Some("a.example"));
    assert_eq!(report.arrival, Some(envelope().received_at));
    let outcome = &report.recipients[0];
    assert_eq!(
        outcome.original_recipient.as_ref().unwrap().value(),
        "alias+x@c.example"
    );
    assert_eq!(outcome.status, "5.1.1".parse().unwrap());
    assert_eq!(outcome.remote_mta.as_deref(), Some("mx.b.example"));
    let diagnostic = outcome.diagnostic.as_ref().unwrap();
    assert_eq!(
        (diagnostic.kind.as_str(), diagnostic.text.as_str()),
        ("smtp", "550-5.1.1 No such user 550 5.1.1 here")
    );
    assert_eq!(
        outcome.final_log_id,
        Some(MessageId::from_key(5).to_string())
    );
    let NewBody::Inline(bytes) = &message.body else {
        panic!("inline");
    };
    let head = Head::of(bytes);
    for (name, wanted) in [
        ("Auto-Submitted", "auto-replied"),
        ("In-Reply-To", "<1@a.example>"),
        ("References", "<1@a.example>"),
    ] {
        assert_eq!(head.find(name).unwrap().text(), wanted);
    }
}

/// What happened, our status if the words are ours, the words, and the status and kind of diagnostic in the report.
const STATUSES: &[(Action, &str, &str, &str, &str)] = &[
    (Action::Failed, "", "550 5.1.1 no", "5.1.1", "smtp"),
    (Action::Failed, "", "550 no", "5.0.0", "smtp"),
    (Action::Failed, "", "550 4.1.1 odd", "5.0.0", "smtp"),
    (Action::Failed, "", "450 4.7.1 wait", "4.7.1", "smtp"),
    (Action::Failed, "4.4.7", "too late", "4.4.7", "x-postrider"),
    (Action::Failed, "", "", "5.0.0", ""),
    (Action::Delayed, "", "450 4.7.1 wait", "4.7.1", "smtp"),
    (Action::Delayed, "", "554 5.7.1 no", "4.7.1", "smtp"),
    (Action::Delayed, "", "refused", "4.0.0", "x-postrider"),
    (Action::Delayed, "", "1234 no code", "4.0.0", "x-postrider"),
    (Action::Delayed, "", "999 bottles", "4.0.0", "x-postrider"),
    (Action::Relayed, "", "250 2.6.0 ok", "2.6.0", "smtp"),
    (Action::Delivered, "", "250 ok", "2.0.0", "smtp"),
    (Action::Expanded, "5.1.1", "list", "2.0.0", "x-postrider"),
];

#[test]
fn a_status_has_the_class_of_what_happened_and_the_detail_that_was_said() {
    for (action, ours, text, status, kind) in STATUSES {
        let mut one = fate("k@b.example", Some(on(true, true, true)));
        one.said = Said {
            peer: "mx.b.example".into(),
            text: (*text).into(),
            status: ours.parse().ok(),
        };
        let (_, report) = owed(told(*action, &[one]));
        let outcome = &report.recipients[0];
        assert_eq!(&outcome.status.to_string(), status, "{action:?} {text}");
        let said = outcome.diagnostic.as_ref();
        assert_eq!(said.map_or("", |said| &said.kind), *kind, "{text}");
        assert_eq!(outcome.action, *action);
        let until = outcome.will_retry_until;
        assert_eq!(until.is_some(), *action == Action::Delayed);
    }
}

#[test]
fn a_person_reads_first_what_happened_to_whom_what_was_tried_and_what_to_do() {
    for (action, wanted) in [
        (Action::Failed, "could not be delivered"),
        (Action::Delayed, "has not been delivered yet"),
        (Action::Delivered, "was delivered"),
        (Action::Relayed, "does not report deliveries"),
        (Action::Expanded, "several recipients"),
    ] {
        let fates = [fate("k@b.example", Some(on(true, true, true)))];
        let (_, report) = owed(told(action, &fates));
        let text = report.text.unwrap();
        assert!(text.contains(wanted), "{action:?}: {text}");
        assert!(text.contains("<k@b.example>") && text.contains("mx.b.example"));
    }
}

#[test]
fn as_much_of_the_original_comes_back_as_was_asked_for_and_is_bearable() {
    let (none, full, headers) = (None, Some(Ret::Full), Some(Ret::Headers));
    let (small, unasked, most) = (100, UNASKED_MAX as u64, RETURN_MAX as u64);
    for (action, ret, size, wanted) in [
        (Action::Failed, none, small, Extent::Full),
        (Action::Failed, none, unasked, Extent::Full),
        (Action::Failed, none, unasked + 1, Extent::Headers),
        (Action::Failed, full, unasked + 1, Extent::Full),
        (Action::Failed, full, most, Extent::Full),
        (Action::Failed, full, most + 1, Extent::Headers),
        (Action::Failed, headers, small, Extent::Headers),
        (Action::Delayed, full, small, Extent::Headers),
        (Action::Delivered, full, small, Extent::Headers),
    ] {
        let envelope = Envelope { ret, ..envelope() };
        assert_eq!(
            extent_for(action, &envelope, size),
            wanted,
            "{action:?} {ret:?} {size}"
        );
    }
}

#[test]
fn the_original_stands_in_the_report_whole_or_as_its_head_or_as_far_as_it_is_known() {
    let whole = Content::Whole(Bytes::from_static(ORIGINAL));
    let head = Content::Head(Bytes::from_static(ORIGINAL));
    for (ret, content, extent, there, missing) in [
        (None, &whole, Extent::Full, "Hello.", "nothing"),
        (
            Some(Ret::Headers),
            &whole,
            Extent::Headers,
            "=C3=BC",
            "Hello.",
        ),
        (None, &head, Extent::Headers, "=C3=BC", "Hello."),
        (
            None,
            &Content::Gone,
            Extent::Headers,
            "<1@a.example>",
            "Hello.",
        ),
    ] {
        let envelope = Envelope { ret, ..envelope() };
        let fates = [fate("k@b.example", None)];
        let (message, report) = owed(report_with(Action::Failed, &envelope, content, &fates));
        let original = String::from_utf8_lossy(report.original.bytes());
        assert_eq!(report.original.extent(), extent, "{content:?}");
        assert!(
            original.contains(there) && !original.contains(missing),
            "{original}"
        );
        assert_eq!(message.envelope.subject, "Not delivered: Grüße");
    }
}

#[test]
fn a_sender_beyond_ascii_is_told_by_a_message_that_says_so() {
    let envelope = Envelope {
        sender: ReversePath::Address(Address::parse("jö@a.example").unwrap()),
        ..envelope()
    };
    let fates = [fate("k@b.example", None)];
    let (message, report) = owed(report_with(
        Action::Failed,
        &envelope,
        &Content::Gone,
        &fates,
    ));
    assert!(message.envelope.smtputf8);
    assert_eq!(message.envelope.body_type, BodyType::EightBitMime);
    assert_eq!(report.to.to_string(), "jö@a.example");
}

/// The text of a report on a message that came like `envelope`, by a server whose settings say where its pages are.
async fn text_with_links(action: Action, envelope: &Envelope, web: &str) -> (String, String) {
    let (world, _simulation) = World::simulated(1);
    let store = Store::open("sqlite::memory:", Options::default(), &world);
    let settings = Settings::parse(&format!("hostname = \"mx.example\"\n{web}")).unwrap();
    let options = LedgerOptions::from_settings("node1", &settings);
    let ledger = Ledger::open(store.await.unwrap(), world, options).await;
    let ledger = ledger.unwrap();
    let about = About {
        id: MessageId::from_key(5),
        envelope,
        size: 100,
        content: &Content::Gone,
    };
    let all = Some(on(true, true, true));
    let reporter = Reporter::with_links(&ledger, &settings).await.unwrap();
    let notice = reporter.report(action, &about, &[fate("k@b.example", all)], stamp());
    let (_, report) = owed(notice);
    let path = ledger.status_links().await.unwrap().path(about.id);
    (report.text.unwrap(), path)
}

const WEB: &str = "web_address = \"https://mail.example\"\n";

#[tokio::test(start_paused = true)]
async fn our_own_senders_are_led_to_the_status_when_something_waits_or_failed() {
    let came = |origin, auth: &str| Envelope {
        origin,
        auth: auth.into(),
        ..envelope()
    };
    let jo = "jo@a.example";
    for (envelope, action, web, led) in [
        (came(Origin::Submission, jo), Action::Delayed, WEB, true),
        (came(Origin::Submission, jo), Action::Failed, WEB, true),
        (came(Origin::Sendmail, ""), Action::Delayed, WEB, true),
        // Whoever logged in is known, by whatever listener.
        (came(Origin::Smtp, jo), Action::Failed, WEB, true),
        // There is nothing to ask any more.
        (came(Origin::Submission, jo), Action::Relayed, WEB, false),
        (came(Origin::Submission, jo), Action::Delivered, WEB, false),
        (came(Origin::Submission, jo), Action::Expanded, WEB, false),
        // A stranger, whatever sender he names.
        (came(Origin::Smtp, ""), Action::Delayed, WEB, false),
        (came(Origin::Lmtp, ""), Action::Failed, WEB, false),
        (came(Origin::Submission, ""), Action::Failed, WEB, false),
        // Nobody knows where the pages are.
        (came(Origin::Submission, jo), Action::Delayed, "", false),
    ] {
        let (text, path) = text_with_links(action, &envelope, web).await;
        let line = format!("\r\nSee where it is: https://mail.example{path}\r\n");
        let told = format!("{:?} {action:?}: {text}", envelope.origin);
        assert_eq!(text.contains(&line), led, "{told}");
        assert_eq!(text.contains("/status/"), led, "{told}");
    }
}
