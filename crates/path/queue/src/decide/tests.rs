//! What follows from an attempt: every fate and its consequence as tables.

use path_deliver::{Afterwards, Facts};
use path_ledger::Origin;
use wire_message::Address;
use wire_smtp::command::{BodyType, Notify};

use super::*;
use ground_settings::Queue;

const NOW: Time = Time::from_millis(1_000_000);

fn recipient(attempts: u32) -> JobRecipient {
    JobRecipient {
        id: RecipientId::from_key(1),
        address: "bo@peer.test".parse().unwrap(),
        orcpt: None,
        notify: Some(Notify::On {
            success: true,
            failure: true,
            delay: false,
        }),
        attempts,
        suspicion: None,
        accepted_at: Time::EPOCH,
        expires_at: NOW + Duration::from_secs(7200),
    }
}

fn envelope() -> Envelope {
    let sender: Address = "ada@here.test".parse().unwrap();
    Envelope {
        received_at: Time::EPOCH,
        sender: sender.into(),
        origin: Origin::Smtp,
        listener: String::new(),
        peer: String::new(),
        helo: String::new(),
        tls: String::new(),
        auth: String::new(),
        body_type: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
        message_id: String::new(),
        subject: String::new(),
        cause: None,
    }
}

fn decided(fate: Fate, hand: Hand, dsn: Dsn, attempts: u32) -> Decision {
    let facts = Facts {
        started_at: NOW,
        ended_at: NOW,
        peer: "mx.peer.test".to_owned(),
        address: String::new(),
        tls: String::new(),
        last_command: String::new(),
        reply: String::new(),
        bytes: 0,
        transcript: String::new(),
    };
    let report = Report {
        fates: vec![fate],
        facts,
        dsn,
        afterwards: Afterwards::Open,
    };
    let envelope = envelope();
    let policy = Policy {
        hand,
        envelope: &envelope,
        schedule: &|| Queue::default().schedule(),
        now: NOW,
        jitter: &|wait| wait,
    };
    decide(&report, &[recipient(attempts)], &policy).remove(0)
}

fn refused(code: u16, text: &'static str, step: At) -> Fate {
    Fate::Refused {
        step,
        reply: Reply::plain(code, text),
    }
}

fn accepted() -> Fate {
    Fate::Accepted {
        reply: Reply::plain(250, "2.0.0 ok"),
    }
}

#[test]
fn who_takes_care_of_success_reports_decides_which_is_ours() {
    let owed = |hand, dsn| {
        decided(accepted(), hand, dsn, 0)
            .owed
            .map(|(action, _)| action)
    };
    assert_eq!(owed(Hand::Mailbox, Dsn::Passed), Some(Action::Delivered));
    assert_eq!(owed(Hand::Smtp, Dsn::Passed), None);
    assert_eq!(owed(Hand::Smtp, Dsn::NotPassed), Some(Action::Relayed));
    assert_eq!(owed(Hand::Lmtp, Dsn::NotPassed), Some(Action::Delivered));
}

#[test]
fn trouble_of_our_own_and_unknown_outcomes_never_return_a_message() {
    let ours = Fate::Ours {
        reply: Reply::plain(451, "4.3.0 the disk"),
    };
    let unknown = Fate::Unknown {
        why: "lost".to_owned(),
    };
    for (fate, alarm) in [(ours, true), (unknown, false)] {
        let decision = decided(fate, Hand::Smtp, Dsn::Passed, 0);
        assert!(
            matches!(decision.step, Step::Deferred { .. }),
            "{decision:?}"
        );
        assert_eq!(decision.alarm.is_some(), alarm);
    }
}

#[test]
fn a_closing_peer_costs_the_message_no_time_once_and_its_own_time_again() {
    let closing = || refused(421, "4.3.2 closing", At::Mail);
    let first = decided(closing(), Hand::Smtp, Dsn::Passed, 0);
    assert_eq!(first.step, Step::BackToQueue);
    let again = decided(closing(), Hand::Smtp, Dsn::Passed, 1);
    assert!(matches!(again.step, Step::Deferred { .. }));
    let at_the_end = decided(
        refused(421, "4.3.2 closing", At::End),
        Hand::Smtp,
        Dsn::Passed,
        0,
    );
    assert!(matches!(at_the_end.step, Step::Deferred { .. }));
}

#[test]
fn a_damaged_message_is_held_for_a_person() {
    let damaged = Fate::Damaged {
        why: "checksum".to_owned(),
    };
    let decision = decided(damaged, Hand::Smtp, Dsn::Passed, 0);
    assert!(matches!(decision.step, Step::Held { .. }));
    assert!(decision.alarm.is_some());
}
