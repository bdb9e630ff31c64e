//! What senders may know, from stories that know more.

use std::time::Duration;

use path_ledger::{AttemptOutcome, HopState, RecipientId, State, StoryAttempt, StoryRecipient};

use super::*;

/// What must be nowhere: each word is in the story on purpose.
const SECRETS: [&str; 17] = [
    "via:inner-gate",
    "inner-gate",
    "10.9.8.7",
    "gate.inner.test",
    "node-seven",
    "olga-operator",
    "looks like a leak",
    "secret-member",
    "member-two",
    "hidden-target",
    "/etc/secret",
    "Subject-of-it",
    "peer-of-ours",
    "helo-of-ours",
    "transcript-line",
    "listener-name",
    "sent-as-auth",
];

fn now() -> Time {
    Time::from_millis(1_800_000_000_000)
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

fn recipient(id: i64, address: &str, state: State) -> StoryRecipient {
    let ended = state.is_final();
    StoryRecipient {
        id: RecipientId::from_key(id),
        damaged: None,
        parent: None,
        address: address.to_owned(),
        state,
        orcpt: None,
        next_hop: "mx:there.test".to_owned(),
        tries: 1,
        suspicion: None,
        claimed_by: None,
        claimed_until: None,
        retry_at: now() + minutes(3),
        notify_at: (!ended).then(|| now() + minutes(60)),
        deadline_at: (!ended).then(|| now() + minutes(60)),
        expires_at: Some(now() + minutes(600)),
        hold_reason: None,
        held_by: None,
        hold_alarm_at: None,
        last_reply: String::new(),
        last_peer: String::new(),
        finished_at: ended.then(|| now() - minutes(1)),
        cause: ended.then(|| "looks like a leak".to_owned()),
        actor: ended.then(|| "olga-operator".to_owned()),
        attempts: Vec::new(),
    }
}

fn attempt(peer: &str, reply: &str, transcript: &str) -> StoryAttempt {
    StoryAttempt {
        damaged: None,
        node: "node-seven".to_owned(),
        started_at: now() - minutes(6),
        ended_at: now() - minutes(5),
        next_hop: "via:inner-gate".to_owned(),
        peer: peer.to_owned(),
        address: "10.9.8.7:25".to_owned(),
        tls: String::new(),
        last_command: "RCPT".to_owned(),
        reply: reply.to_owned(),
        bytes: 1,
        outcome: Some(AttemptOutcome::Deferred),
        transcript: format!("C: transcript-line\n{transcript}"),
    }
}

fn story(recipients: Vec<StoryRecipient>) -> Story {
    Story {
        id: MessageId::from_key(4711),
        damaged: None,
        received_at: now() - minutes(10),
        sender: "jo@here.test".to_owned(),
        size: 10,
        origin: Some(path_ledger::Origin::Submission),
        listener: "listener-name".to_owned(),
        peer: "peer-of-ours".to_owned(),
        helo: "helo-of-ours".to_owned(),
        tls: String::new(),
        auth: "sent-as-auth".to_owned(),
        envid: None,
        message_id: "<1@here.test>".to_owned(),
        subject: "Subject-of-it".to_owned(),
        cause: None,
        body_kept: true,
        recipients,
        events: Vec::new(),
        reports: Vec::new(),
    }
}

fn child(parent: i64, id: i64, address: &str, state: State) -> StoryRecipient {
    StoryRecipient {
        parent: Some(RecipientId::from_key(parent)),
        last_reply: format!("550 5.1.1 <{address}> unknown"),
        last_peer: "gate.inner.test".to_owned(),
        ..recipient(id, address, state)
    }
}

/// A list with members, an alias, somebody held, somebody behind a gate of ours, and a hop of ours that is down.
fn full_story() -> (Story, Hops) {
    let held = StoryRecipient {
        hold_reason: Some("looks like a leak".to_owned()),
        held_by: Some("olga-operator".to_owned()),
        hold_alarm_at: Some(now() + minutes(5)),
        last_reply: "held: looks like a leak".to_owned(),
        ..recipient(1, "held@there.test", State::Held)
    };
    let gated = StoryRecipient {
        next_hop: "via:inner-gate".to_owned(),
        last_reply: "451 4.7.1 gate.inner.test [10.9.8.7] is busy".to_owned(),
        last_peer: "gate.inner.test".to_owned(),
        attempts: vec![attempt(
            "gate.inner.test",
            "451 4.7.1 gate.inner.test [10.9.8.7] is busy",
            "S: 451 4.7.1 gate.inner.test [10.9.8.7] is busy",
        )],
        ..recipient(2, "gated@there.test", State::Queued)
    };
    let ours = StoryRecipient {
        last_reply: "451 4.3.5 the password file /etc/secret cannot be used".to_owned(),
        last_peer: "mx.there.test".to_owned(),
        attempts: vec![attempt("mx.there.test", "", "-- /etc/secret")],
        ..recipient(3, "ours@there.test", State::Queued)
    };
    let down = StoryRecipient {
        next_hop: "mx:down.test".to_owned(),
        ..recipient(4, "down@down.test", State::Queued)
    };
    let discarded = recipient(5, "gone@there.test", State::Discarded);
    let recipients = vec![
        held,
        gated,
        ours,
        down,
        discarded,
        recipient(6, "list@here.test", State::Expanded),
        child(6, 7, "secret-member@there.test", State::Returned),
        child(6, 8, "member-two@there.test", State::Queued),
        recipient(9, "alias@here.test", State::Expanded),
        child(9, 10, "hidden-target@there.test", State::Relayed),
    ];
    let hop = HopStatus {
        state: HopState::Down,
        retry_at: now() + minutes(30),
        last_reply: "451 4.4.1 10.9.8.7:25 refused the connection".to_owned(),
        last_peer: "gate.inner.test".to_owned(),
        ..HopStatus::unknown(HopKey::mx("down.test"))
    };
    let hops = Hops::from([(hop.key.to_string(), hop)]);
    (story(recipients), hops)
}

#[test]
fn nothing_is_told_that_is_not_the_senders_to_know() {
    let (story, hops) = full_story();
    let whole = serde_json::to_string(&story).unwrap();
    let told = status(&story, &hops, now());
    let told = serde_json::to_string(&told).unwrap();
    for secret in SECRETS {
        assert!(whole.contains(secret), "{secret} is not in the story");
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    for named in ["held@there.test", "list@here.test", "alias@here.test"] {
        assert!(told.contains(named), "{named} in {told}");
    }
}

fn one(recipient: StoryRecipient, hops: &Hops) -> StatusRecipient {
    let mut all = status(&story(vec![recipient]), hops, now()).recipients;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn each_state_is_told_with_what_can_come_of_it() {
    let (try_at, notice, end) = (
        Some(now() + minutes(3)),
        Some(now() + minutes(60)),
        Some(now() + minutes(600)),
    );
    let ended = Some(now() - minutes(1));
    for (state, told, next_try, notice, expires, finished) in [
        (
            State::Categorizing,
            Told::LookedUp,
            try_at,
            notice,
            end,
            None,
        ),
        (State::Queued, Told::Waiting, try_at, notice, end, None),
        (State::InFlight, Told::UnderWay, None, notice, end, None),
        (State::Held, Told::Held, None, notice, end, None),
        (State::Delivered, Told::Delivered, None, None, None, ended),
        (State::Relayed, Told::HandedOver, None, None, None, ended),
        (State::Expanded, Told::PassedOn, None, None, None, ended),
        (State::Returned, Told::GivenUp, None, None, None, ended),
        (State::DeadLetter, Told::GivenUp, None, None, None, ended),
        (State::Discarded, Told::Ended, None, None, None, ended),
    ] {
        let found = one(recipient(1, "r@there.test", state), &Hops::new());
        assert_eq!(found.told, told, "{state:?}");
        assert_eq!(found.next_try_at, next_try, "{state:?}");
        assert_eq!(found.notice_at, notice, "{state:?}");
        assert_eq!(found.expires_at, expires, "{state:?}");
        assert_eq!(found.ended_at, finished, "{state:?}");
    }
    assert_eq!(State::ALL.len(), 10, "each state is in the table");
}

#[test]
fn a_hop_that_is_down_or_paused_says_when_the_next_try_is() {
    let key = HopKey::mx("there.test");
    let queued = || recipient(1, "r@there.test", State::Queued);
    let down = |retry_at| HopStatus {
        state: HopState::Down,
        retry_at,
        ..HopStatus::unknown(key.clone())
    };
    let paused = HopStatus {
        state: HopState::Paused,
        paused_by: Some("olga-operator".to_owned()),
        paused_until: Some(now() + minutes(90)),
        reason: Some("looks like a leak".to_owned()),
        ..HopStatus::unknown(key.clone())
    };
    for (hop, at) in [
        (down(now() + minutes(30)), Some(now() + minutes(30))),
        (down(now() - minutes(30)), Some(now() + minutes(3))),
        (paused, Some(now() + minutes(90))),
        // Its lifetime ends first.
        (down(now() + minutes(601)), None),
    ] {
        let hops = Hops::from([(key.to_string(), hop)]);
        assert_eq!(one(queued(), &hops).next_try_at, at);
    }
    let due = StoryRecipient {
        retry_at: now() - minutes(5),
        ..queued()
    };
    assert_eq!(one(due, &Hops::new()).next_try_at, Some(now()));
}

#[test]
fn the_other_side_is_quoted_when_it_is_on_record_and_else_by_its_code() {
    let greeted = "450-4.7.1 Greylisted,\n450 4.7.1 come back";
    let said = "S: 450-4.7.1 Greylisted,\nS: 450 4.7.1 come back";
    let case = |hop: &str, state, reply: &str, transcript: &str| StoryRecipient {
        next_hop: hop.to_owned(),
        last_reply: reply.to_owned(),
        last_peer: "mx.there.test".to_owned(),
        attempts: vec![attempt("mx.there.test", reply, transcript)],
        ..recipient(1, "r@there.test", state)
    };
    let (mx, queued) = ("mx:there.test", State::Queued);
    for (recipient, by, text) in [
        (
            case(mx, queued, greeted, said),
            Some("mx.there.test"),
            "450-4.7.1 Greylisted, 450 4.7.1 come back",
        ),
        (
            case(mx, State::Returned, "550 5.1.1 no jo", "S: 550 5.1.1 no jo"),
            Some("mx.there.test"),
            "550 5.1.1 no jo",
        ),
        (
            case(mx, State::Relayed, "250 2.0.0 Ok: X1", ""),
            Some("mx.there.test"),
            "250 2.0.0 Ok: X1",
        ),
        // Nobody is on record with it.
        (
            case(mx, queued, "451 4.4.2 10.9.8.7 broke off", "-- 10.9.8.7"),
            None,
            "451 4.4.2 (the connection broke off)",
        ),
        (
            case(mx, queued, "550 5.1.1 no jo", "S: 550 5.1.1 no"),
            None,
            "550 5.1.1 (the mailbox does not exist)",
        ),
        (
            case(mx, queued, "outcome unknown: x", ""),
            None,
            "none, for good or ill",
        ),
        (case(mx, queued, "450", ""), None, "450"),
        // A server of ours, or a mailbox here.
        (
            case("via:inner-gate", queued, greeted, said),
            None,
            "450 4.7.1 (the message was refused by policy)",
        ),
        (
            case("via:inner-gate", State::Relayed, "250 2.0.0 10.9.8.7", ""),
            None,
            "250 2.0.0",
        ),
        (
            case("mailbox", queued, "452 4.2.2 u7 has 12 octets", ""),
            None,
            "452 4.2.2 (the mailbox is full)",
        ),
    ] {
        let told = recipient.last_reply.clone();
        let found = one(recipient, &Hops::new());
        let said = found.said.unwrap();
        assert_eq!(
            (said.by.as_deref(), said.text.as_str()),
            (by, text),
            "{told}"
        );
        assert_eq!(found.tried_at, Some(now() - minutes(5)), "{told}");
    }
    for state in [State::Held, State::Discarded, State::Delivered] {
        let found = one(case(mx, state, greeted, said), &Hops::new());
        assert_eq!(found.said, None, "{state:?}");
    }
}

/// Of those behind an alias or a list nothing is told but how all of them are.
#[test]
fn who_stands_for_others_is_told_as_one() {
    for (ends, told) in [
        (vec![State::Relayed], Told::PassedOn),
        (vec![State::Queued], Told::PassingOn),
        (vec![State::Held], Told::PassingOn),
        (vec![State::Returned], Told::GivenUp),
        (vec![State::Discarded, State::DeadLetter], Told::GivenUp),
        (vec![State::Delivered, State::Relayed], Told::PassedOn),
        (vec![State::Delivered, State::Returned], Told::InPart),
        (vec![State::Returned, State::InFlight], Told::PassingOn),
    ] {
        let mut all = vec![recipient(1, "list@here.test", State::Expanded)];
        // A list within the list, and the members in that.
        all.push(StoryRecipient {
            parent: Some(RecipientId::from_key(1)),
            ..recipient(2, "member-two@here.test", State::Expanded)
        });
        let members = ends.iter().zip(10..);
        all.extend(members.map(|(state, id)| child(2, id, "secret-member@there.test", *state)));
        let found = status(&story(all), &Hops::new(), now()).recipients;
        let [found] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(found.told, told, "{ends:?}");
        assert_eq!(found.said, None);
        assert_eq!(found.tried_at, None);
        let ended = told != Told::PassingOn;
        assert_eq!(found.ended_at.is_some(), ended, "{ends:?}");
        assert_eq!(found.expires_at.is_some(), !ended, "{ends:?}");
    }
}

/// What cannot be read may be anybody's.
#[test]
fn a_damaged_row_names_nobody() {
    let damaged = StoryRecipient {
        damaged: Some("its parent is no number".to_owned()),
        ..recipient(1, "secret-member@there.test", State::Held)
    };
    let found = one(damaged, &Hops::new());
    assert!(!found.address.contains("secret-member"), "{found:?}");
    assert_eq!(found.told, Told::Held);
    let looped = StoryRecipient {
        parent: Some(RecipientId::from_key(2)),
        ..recipient(2, "member-two@there.test", State::Expanded)
    };
    let list = recipient(1, "list@here.test", State::Expanded);
    let mut inner = looped.clone();
    inner.id = RecipientId::from_key(3);
    inner.parent = Some(RecipientId::from_key(1));
    let found = status(&story(vec![list, inner, looped]), &Hops::new(), now());
    assert_eq!(found.recipients.len(), 1);
}
