//! The promises of the head, each on a few lines of text.

use super::*;

fn rules(gaps: Gaps) -> Rules {
    Rules {
        id: MessageId::from_key(42),
        at: Time::from_millis(1_767_225_600_000),
        hostname: "mx.here.test".to_owned(),
        max_received: 3,
        gaps,
    }
}

fn received(by: &str, id: &str, times: usize) -> String {
    format!("Received: from a.test (a [192.0.2.1])\r\n\tby {by} with ESMTP\r\n\tid {id};\r\n\tThu, 1 Jan 2026 00:00:00 +0000\r\n").repeat(times)
}

#[test]
fn what_a_listing_shows_is_read_and_bounded() {
    let head = format!(
        "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n there\r\nmessage-id: <a@b.test>\r\nMessage-ID: <c@d.test>\r\n\r\nSubject: body{}",
        "x".repeat(100)
    );
    let facts = rules(Gaps::Leave).examine(head.as_bytes()).unwrap();
    assert_eq!(facts.subject, "Grüße there");
    assert_eq!(facts.message_id, "<a@b.test>");
    assert_eq!(facts.missing, "");
    let long = format!("Subject: {}\r\n\r\n", "ü".repeat(5000));
    let facts = rules(Gaps::Leave).examine(long.as_bytes()).unwrap();
    assert_eq!(facts.subject.chars().count(), SUBJECT_MAX);
}

#[test]
fn a_users_message_gets_what_it_lacks_and_nothing_it_has() {
    let examine = |text: &str| rules(Gaps::Fill).examine(text.as_bytes()).unwrap().missing;
    let id = format!("Message-ID: <{}@mx.here.test>\r\n", MessageId::from_key(42));
    let date = "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n";
    assert_eq!(examine("Subject: x\r\n\r\n"), format!("{id}{date}"));
    assert_eq!(examine("Date: yesterday\r\n\r\n"), id);
    assert_eq!(examine("Message-ID: <a@b>\r\n\r\n"), date);
    assert_eq!(examine("Message-ID: <a@b>\r\ndate: x\r\n\r\n"), "");
}

#[test]
fn a_message_that_passed_too_many_servers_is_refused() {
    let mut few = rules(Gaps::Leave);
    few.max_received = 3;
    let answer = |times| few.examine(received("far.test", "1", times).as_bytes());
    assert!(answer(3).is_ok());
    let refusal = answer(4).unwrap_err();
    assert!(refusal.to_string().starts_with("554 5.4.6 "), "{refusal}");
}

#[test]
fn a_message_that_comes_back_again_and_again_is_refused() {
    let mut many = rules(Gaps::Leave);
    many.max_received = 50;
    let id = MessageId::from_key(7).to_string();
    let answer = |by: &str, id: &str, times| many.examine(received(by, id, times).as_bytes());
    assert!(answer("mx.here.test", &id, OWN_PASSES_MAX - 1).is_ok());
    let refusal = answer("MX.here.test", &id, OWN_PASSES_MAX).unwrap_err();
    assert!(refusal.to_string().starts_with("554 5.4.6 "), "{refusal}");
    assert!(answer("mx.far.test", &id, OWN_PASSES_MAX).is_ok());
    assert!(answer("mx.here.test", "no-id-of-ours", OWN_PASSES_MAX).is_ok());
}
