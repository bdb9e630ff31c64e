//! One reason for everything, and what comes next with the rule of each moment.

use std::time::Duration;

use path_ledger::{
    AttemptOutcome, Doer, Event, EventKind, HopKey, HopState, MessageId, NodeState, Origin,
    RecipientId, StoryAttempt,
};

use super::*;

const NOW: Time = Time::from_millis(1_767_225_600_000);
const MINUTE: Duration = Duration::from_secs(60);

fn recipient(state: State) -> StoryRecipient {
    StoryRecipient {
        id: RecipientId::from_key(2),
        damaged: None,
        parent: None,
        address: "bo@far.test".into(),
        state,
        orcpt: None,
        next_hop: "mx:far.test".into(),
        tries: 1,
        suspicion: None,
        claimed_by: None,
        claimed_until: None,
        retry_at: NOW - MINUTE,
        notify_at: Some(NOW + MINUTE * 50),
        deadline_at: Some(NOW + MINUTE * 50),
        expires_at: Some(NOW + MINUTE * 5000),
        hold_reason: None,
        held_by: None,
        hold_alarm_at: None,
        last_reply: "450 4.7.1 Greylisted".into(),
        last_peer: "mx.far.test".into(),
        finished_at: None,
        cause: None,
        actor: None,
        attempts: vec![StoryAttempt {
            damaged: None,
            node: "node1".into(),
            started_at: NOW - MINUTE * 2,
            ended_at: NOW - MINUTE * 2,
            next_hop: "mx:far.test".into(),
            peer: "mx.far.test".into(),
            address: "192.0.2.25:25".into(),
            tls: String::new(),
            last_command: "RCPT".into(),
            reply: "450 4.7.1 Greylisted".into(),
            bytes: 0,
            outcome: Some(AttemptOutcome::Deferred),
            transcript: String::new(),
        }],
    }
}

fn story(recipient: &StoryRecipient) -> Story {
    Story {
        id: MessageId::from_key(1),
        damaged: None,
        received_at: NOW - MINUTE * 10,
        sender: "ada@here.test".into(),
        size: 30,
        origin: Some(Origin::Smtp),
        listener: "mx".into(),
        peer: "192.0.2.1:1025".into(),
        helo: "client.test".into(),
        tls: String::new(),
        auth: String::new(),
        envid: None,
        message_id: "<1@here.test>".into(),
        subject: "hello".into(),
        cause: None,
        body_kept: true,
        recipients: vec![recipient.clone()],
        events: Vec::new(),
        reports: Vec::new(),
    }
}

fn node(state: NodeState, draining: bool) -> NodeStatus {
    NodeStatus {
        name: "node1".into(),
        state,
        draining,
        epoch: 7,
        heartbeat_at: NOW,
        in_flight: 0,
    }
}

/// What a case looks at; changed by each as it likes.
struct Case {
    recipient: StoryRecipient,
    hop: HopStatus,
    nodes: Vec<NodeStatus>,
    settings: Settings,
    sender: String,
    events: Vec<Event>,
}

fn case(state: State) -> Case {
    Case {
        recipient: recipient(state),
        hop: HopStatus::unknown(HopKey::mx("far.test")),
        nodes: vec![node(NodeState::Up, false)],
        settings: Settings::parse("hostname = \"mx.test\"\n").unwrap(),
        sender: "ada@here.test".into(),
        events: Vec::new(),
    }
}

impl Case {
    fn but(mut self, change: impl FnOnce(&mut Case)) -> Case {
        change(&mut self);
        self
    }

    fn explained(self) -> Explanation {
        let story = Story {
            sender: self.sender,
            events: self.events,
            ..story(&self.recipient)
        };
        explain(&Facts {
            story: &story,
            recipient: &self.recipient,
            hop: Some(self.hop),
            in_flight: 3,
            nodes: &self.nodes,
            settings: &self.settings,
            directory: Some("bo@far.test is in no domain here".into()),
            now: NOW,
        })
    }
}

#[track_caller]
fn check(case: Case, reason: Reason, first: Next, rule: Rule, words: &str) {
    let explained = case.explained();
    assert_eq!(explained.reason, reason, "{explained:#?}");
    let due = &explained.next[0];
    assert_eq!((due.what, due.rule), (first, rule), "{explained:#?}");
    assert!(explained.why.starts_with(reason.meaning()));
    assert!(explained.why.contains(words), "{}", explained.why);
    assert_eq!(explained.meaning, explained.state.meaning());
    let sorted = explained.next.is_sorted_by_key(|due| due.at.clone());
    assert!(sorted, "{:#?}", explained.next);
}

#[test]
fn what_waits_says_for_what_until_when_and_by_which_rule() {
    let queued = || case(State::Queued);
    let own_time = queued().but(|case| case.recipient.retry_at = NOW + MINUTE);
    check(
        own_time,
        Reason::OwnTime,
        Next::Try,
        Rule::Retry,
        "reply: 450 4.7.1 Greylisted; peer: mx.far.test; tries: 1",
    );
    check(
        queued(),
        Reason::Due,
        Next::Try,
        Rule::Poll,
        "in_flight: 3; max_connections: 20",
    );
    let down = |case: &mut Case| {
        case.hop.state = HopState::Down;
        case.hop.retry_at = NOW + MINUTE;
        case.hop.failures = 4;
        case.hop.last_reply = "connection refused".into();
    };
    check(
        queued().but(down),
        Reason::HopDown,
        Next::HopTry,
        Rule::HopRetry,
        "reply: connection refused; failures: 4",
    );
    let later = queued()
        .but(down)
        .but(|case| case.recipient.retry_at = NOW + MINUTE * 2);
    check(later, Reason::OwnTime, Next::Try, Rule::Retry, "Greylisted");
    let paused = queued().but(|case| {
        case.hop.state = HopState::Paused;
        case.hop.paused_by = Some("ann".into());
        case.hop.paused_until = Some(NOW + MINUTE);
        case.hop.reason = Some("maintenance".into());
    });
    check(
        paused,
        Reason::HopPaused,
        Next::PauseEnd,
        Rule::Pause,
        "by: ann; because: maintenance",
    );
    let suspect = queued().but(|case| {
        case.recipient.suspicion = Some(2);
        case.recipient.retry_at = NOW + MINUTE;
    });
    check(
        suspect,
        Reason::Suspect,
        Next::Try,
        Rule::Retry,
        "suspicion: 2",
    );
    let expired = queued().but(|case| case.recipient.expires_at = Some(NOW));
    check(
        expired,
        Reason::LifetimeEnded,
        Next::Return,
        Rule::Lifetime,
        "Greylisted",
    );
    let asked = case(State::Categorizing).but(|case| case.recipient.next_hop.clear());
    check(
        asked,
        Reason::Directory,
        Next::AskDirectory,
        Rule::DirectoryRetry,
        "Greylisted",
    );
}

#[test]
fn what_nobody_can_try_says_why_nobody_can() {
    let queued = || case(State::Queued);
    let notice = (Next::DelayNotice, Rule::DelayNotice);
    let gone = queued().but(|case| case.recipient.next_hop = "via:partner".into());
    check(
        gone,
        Reason::NoSuchConnector,
        notice.0,
        notice.1,
        "connector: partner",
    );
    let alone = queued().but(|case| case.nodes.clear());
    check(
        alone,
        Reason::NoNode,
        notice.0,
        notice.1,
        "next_hop: mx:far.test",
    );
    let stopped = queued().but(|case| case.nodes = vec![node(NodeState::Stopped, false)]);
    check(stopped, Reason::NoNode, notice.0, notice.1, "");
    let drained = queued().but(|case| case.nodes = vec![node(NodeState::Up, true)]);
    check(drained, Reason::NodesDrained, notice.0, notice.1, "");
}

#[test]
fn what_is_in_flight_says_on_which_node_and_until_when() {
    let claimed = |until| {
        case(State::InFlight).but(|case| {
            case.recipient.claimed_by = Some(7);
            case.recipient.claimed_until = Some(until);
        })
    };
    check(
        claimed(NOW + MINUTE),
        Reason::Claimed,
        Next::ClaimEnd,
        Rule::Lease,
        "node: node1; epoch: 7",
    );
    check(
        claimed(NOW),
        Reason::ClaimEnded,
        Next::Look,
        Rule::Sweep,
        "node: node1",
    );
    let gone = claimed(NOW + MINUTE).but(|case| case.nodes.clear());
    check(
        gone,
        Reason::ClaimEnded,
        Next::Look,
        Rule::Sweep,
        "epoch: 7",
    );
}

#[test]
fn what_is_held_says_by_whom_why_and_when_it_rings() {
    let held = |reason: &str| {
        let reason = reason.to_owned();
        case(State::Held).but(|case| {
            case.recipient.hold_reason = Some(reason);
            case.recipient.held_by = Some("ann".into());
            case.recipient.hold_alarm_at = Some(NOW + MINUTE);
        })
    };
    let alarm = (Next::HoldAlarm, Rule::HoldAlarm);
    check(
        held("odd"),
        Reason::Held,
        alarm.0,
        alarm.1,
        "by: ann; because: odd",
    );
    let damaged = format!("{}no address", path_ledger::DAMAGED);
    check(
        held(&damaged),
        Reason::HeldDamaged,
        alarm.0,
        alarm.1,
        "no address",
    );
    let poison = format!("{}5 attempts", path_ledger::POISONED);
    check(
        held(&poison),
        Reason::HeldPoison,
        alarm.0,
        alarm.1,
        "5 attempts",
    );
    let unread = case(State::Queued).but(|case| case.recipient.damaged = Some("no address".into()));
    check(
        unread,
        Reason::Damaged,
        Next::Look,
        Rule::Sweep,
        "damage: no address",
    );
}

#[test]
fn what_is_final_says_how_it_ended_and_how_long_it_is_kept() {
    for state in State::ALL.iter().filter(|state| state.is_final()) {
        let ended = case(*state).but(|case| {
            case.recipient.finished_at = Some(NOW);
            case.recipient.expires_at = None;
            case.recipient.cause = Some("550 5.1.1 who?".into());
            case.recipient.actor = Some("deliver".into());
        });
        check(
            ended,
            Reason::Finished,
            Next::HistoryEnd,
            Rule::History,
            "cause: 550 5.1.1 who?; by: deliver",
        );
    }
}

#[test]
fn what_has_no_sender_ends_as_a_dead_letter_and_a_report_by_its_own_lifetime() {
    let end = |case: Case| {
        let explained = case.explained();
        let last = explained.next.last().unwrap();
        (last.what, last.rule)
    };
    assert_eq!(end(case(State::Queued)), (Next::Return, Rule::Lifetime));
    let nobody = case(State::Queued).but(|case| case.sender.clear());
    assert_eq!(end(nobody), (Next::DeadLetter, Rule::Lifetime));
}

#[test]
fn the_way_is_the_one_the_settings_give_now_with_its_limits() {
    let case = case(State::Queued).but(|case| {
        case.settings = Settings::parse(
            "hostname = \"mx.test\"\n[[connector]]\nname = \"partner\"\naddress_space = [\"*.test\"]\nnext_hop = \"mx\"\n\
             cost = 7\ntls = \"verify\"\nmax_connections = 2\nretry = [\"1m\", \"2m\"]\n",
        )
        .unwrap();
        case.recipient.retry_at = NOW + MINUTE;
    });
    let explained = case.explained();
    let way = explained.way.unwrap();
    assert_eq!(way.connector.as_deref(), Some("partner"));
    assert_eq!(way.address_space.as_deref(), Some("*.test"));
    assert_eq!((way.cost, way.max_connections), (Some(7), Some(2)));
    assert_eq!(way.tls.as_deref(), Some("verify"));
    assert_eq!(way.retry, ["1m", "2m"]);
    let setting = explained.next[0].setting.as_deref();
    assert_eq!(setting, Some("retry of [[connector]] partner"));
}

#[test]
fn the_way_so_far_is_told_step_by_step_with_who_decided() {
    let case = case(State::Queued).but(|case| {
        case.recipient.retry_at = NOW + MINUTE;
        case.events.push(Event {
            at: NOW - MINUTE,
            message: None,
            recipient: Some(RecipientId::from_key(2)),
            kind: EventKind::Retried,
            doer: Doer::Person,
            actor: "ann".into(),
            detail: "now".into(),
        });
    });
    let explained = case.explained();
    let steps = explained.steps.iter();
    let steps: Vec<_> = steps
        .map(|step| (step.step.as_ref(), step.by.as_str()))
        .collect();
    let expected = [
        ("accepted", "listener mx"),
        ("remote", "directory"),
        ("by_mx", "DNS"),
        ("deferred", "mx.far.test"),
        ("retried", "ann"),
    ];
    assert_eq!(steps, expected);
    let attempt = &explained.steps[3].detail;
    let again = format!("not tried again before {}", NOW + MINUTE);
    assert!(
        attempt.contains("450 4.7.1 Greylisted") && attempt.contains(&again),
        "{attempt}"
    );
    assert_eq!(explained.since, (NOW - MINUTE).to_string());
}

#[test]
fn the_manual_of_words_is_the_declarations() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/words.md");
    let printed = std::fs::read_to_string(path).expect("docs/words.md is there");
    let same = printed == manual();
    assert!(
        same,
        "run: cargo run -p access-admin --example words > docs/words.md"
    );
}

/// Every Rust file below a folder.
fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_sentence_of_a_word_is_written_a_second_time() {
    let mut all = Vec::new();
    let crates = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    sources(std::path::Path::new(crates), &mut all);
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        for (_, vocabulary) in super::manual::VOCABULARIES {
            for (word, meaning) in vocabulary.words {
                let copied = text.contains(&format!("\"{meaning}"));
                assert!(
                    !copied,
                    "{word} is told a second time in {}",
                    path.display()
                );
            }
        }
    }
}
