//! The page of a status link: what it shows, to whom, and what it never shows.

use std::time::Duration;

use bytes::Bytes;
use ground_store::bodies::NewBody;
use path_ledger::{
    Attempt, AttemptOutcome, Birth, Envelope, Filter, HopKey, MessageId, NewMessage, NewRecipient,
    Origin, RecipientId, Settlement, Step,
};
use wire_message::{Address, ReversePath};
use wire_smtp::command::BodyType;

use super::*;
use crate::senders::Told;

/// A message of `auth` to `to`.
pub(super) fn message(house: &House, auth: &str, to: Vec<(&str, Birth)>) -> NewMessage {
    let recipient = |(address, birth): (&str, Birth)| NewRecipient {
        address: Address::parse(address).unwrap(),
        orcpt: None,
        notify: None,
        parent: None,
        birth,
    };
    let id = house.ledger.new_id();
    NewMessage {
        id,
        envelope: Envelope {
            received_at: house.ledger.now(),
            sender: ReversePath::Address(Address::parse("jo@here.test").unwrap()),
            origin: Origin::Submission,
            listener: "listener-name".into(),
            peer: "192.0.2.99:1025".into(),
            helo: "helo-name.test".into(),
            tls: String::new(),
            auth: auth.into(),
            body_type: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            message_id: format!("<{id}@here.test>"),
            subject: format!("secret-subject {HOSTILE}"),
            cause: None,
        },
        body: NewBody::Inline(Bytes::from_static(b"Subject: x\r\n\r\nsecret-body\r\n")),
        recipients: to.into_iter().map(recipient).collect(),
    }
}

pub(super) fn queued(hop: HopKey) -> Birth {
    Birth::Queued { next_hop: hop }
}

impl House {
    pub(super) async fn accept(&self, message: NewMessage) -> MessageId {
        let id = message.id;
        self.ledger.accept(message).await.unwrap();
        id
    }

    async fn link(&self, id: MessageId) -> String {
        self.ledger.status_links().await.unwrap().path(id)
    }

    async fn recipient(&self, id: MessageId, place: usize) -> RecipientId {
        let story = self.ledger.story(id).await.unwrap().unwrap();
        story.recipients[place].id
    }

    /// Claims what is queued for `hop`, and settles it so.
    async fn settle(&self, hop: &HopKey, step: Step, said: (&str, &str)) {
        let jobs = self.ledger.claim(hop, 10, self.ledger.now()).await.unwrap();
        let (reply, transcript) = said;
        for job in jobs {
            let steps = job.recipients.iter().map(|one| (one.id, step.clone()));
            let settlement = Settlement {
                message: job.message,
                next_hop: hop.clone(),
                steps: steps.collect(),
                attempt: Some(Attempt {
                    started_at: self.ledger.now(),
                    ended_at: self.ledger.now(),
                    peer: "mx.there.test".into(),
                    address: "10.9.8.7:25".into(),
                    tls: String::new(),
                    last_command: "RCPT".into(),
                    reply: reply.into(),
                    bytes: 1,
                    outcome: AttemptOutcome::Deferred,
                    transcript: transcript.into(),
                }),
                notices: Vec::new(),
                extra: Unit::new(),
            };
            self.ledger.settle(settlement).await.unwrap();
        }
    }
}

/// Somebody held, a list, an alias, and somebody behind a gate of ours.
async fn full_message(house: &House) -> MessageId {
    let member = |address: &str, parent, hop| NewRecipient {
        address: Address::parse(address).unwrap(),
        orcpt: None,
        notify: None,
        parent: Some(parent),
        birth: queued(hop),
    };
    let expanded = || Birth::Expanded {
        cause: "list@here.test stands for 2 addresses".into(),
    };
    let held = Birth::Held {
        reason: "looks-like-a-leak".into(),
        by: "olga-operator".into(),
    };
    let gate = HopKey::via("inner-gate");
    let (there, gated) = (HopKey::mx("there.test"), queued(gate.clone()));
    let mut message = message(
        house,
        "jo@here.test",
        vec![
            ("held@there.test", held),
            ("list@here.test", expanded()),
            ("gated@there.test", gated),
        ],
    );
    message
        .recipients
        .push(member("secret-member@there.test", 1, there.clone()));
    message
        .recipients
        .push(member("member-two@there.test", 1, there.clone()));
    let id = house.accept(message).await;
    let later = house.ledger.now() + Duration::from_secs(600);
    let defer = |reply: &str| Step::Deferred {
        retry_at: later,
        reply: reply.into(),
    };
    let words = "451 4.7.1 gate.inner.test [10.9.8.7] is busy";
    house
        .settle(&gate, defer(words), (words, &format!("S: {words}")))
        .await;
    let words = "450 4.2.1 secret-member@there.test is busy";
    house
        .settle(&there, defer(words), (words, &format!("S: {words}")))
        .await;
    id
}

#[tokio::test(start_paused = true)]
async fn whoever_holds_the_link_sees_the_state_and_nothing_that_is_not_the_senders() {
    let house = House::open().await;
    let id = full_message(&house).await;
    let other = house
        .accept(message(
            &house,
            "jo@here.test",
            vec![("other@there.test", queued(HopKey::mx("x.test")))],
        ))
        .await;
    let (own, others) = (id.to_string(), other.to_string());
    let seen = house.get(&As::Nobody, &house.link(id).await).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.text);
    for told in [
        own.as_str(),
        "held@there.test",
        Told::Held.meaning(),
        "list@here.test",
        Told::PassingOn.meaning(),
        "gated@there.test",
        "451 4.7.1",
        "in 10 min",
        "Next try",
        "Given up, and the sender told",
    ] {
        assert!(seen.text.contains(told), "{told} is missing: {}", seen.text);
    }
    for secret in [
        "inner-gate",
        "gate.inner.test",
        "10.9.8.7",
        "looks-like-a-leak",
        "olga-operator",
        "secret-member",
        "member-two",
        "stands for 2",
        "mx:there.test",
        "mx.there.test",
        "node1",
        "listener-name",
        "192.0.2.99",
        "helo-name",
        "secret-subject",
        "secret-body",
        "alert(1)",
        "other@there.test",
        others.as_str(),
        // No verbs, no login, no way to operators' pages.
        "<form",
        "<button",
        "<script",
        "/messages",
        "/queues",
        "Postrider",
    ] {
        assert!(!seen.text.contains(secret), "{secret} in {}", seen.text);
    }
    assert!(seen.text.contains("name=\"robots\" content=\"noindex"));
    assert_eq!(seen.headers[header::REFERRER_POLICY], "no-referrer");
    assert_eq!(seen.headers["x-robots-tag"], "noindex, nofollow");
    assert_eq!(seen.headers[header::CACHE_CONTROL], "no-store");
    assert!(!seen.headers.contains_key(header::SET_COOKIE));
    // To operators it is the same page.
    house.operator("jo", "view").await;
    let jo = house.log_in("jo").await;
    assert_eq!(house.get(&jo, &house.link(id).await).await.text, seen.text);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_a_public_server_is_quoted() {
    let house = House::open().await;
    let hop = HopKey::mx("there.test");
    let to = vec![("r@there.test", queued(hop.clone()))];
    let id = house.accept(message(&house, "jo@here.test", to)).await;
    let words = format!("550 5.1.1 nobody {HOSTILE}");
    let step = Step::Returned {
        cause: words.clone(),
    };
    house
        .settle(&hop, step, (&words, &format!("S: {words}")))
        .await;
    let page = house.get(&As::Nobody, &house.link(id).await).await.text;
    assert!(page.contains("mx.there.test answered"), "{page}");
    assert!(page.contains("550 5.1.1 nobody"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(!page.contains("10.9.8.7"), "{page}");
}

/// Changed anywhere, or made up: the page is the one of a message that is not kept any more.
#[tokio::test(start_paused = true)]
async fn a_forged_link_leads_where_one_to_nothing_leads() {
    let house = House::open().await;
    let to = |name| vec![(name, queued(HopKey::mx("there.test")))];
    let id = house
        .accept(message(&house, "jo@here.test", to("a@there.test")))
        .await;
    let gone = house.link(MessageId::from_key(4711)).await;
    let nothing = house.get(&As::Nobody, &gone).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    let link = house.link(id).await;
    let (path, token) = link.rsplit_once('/').unwrap();
    let mut forged = vec!["x".to_owned(), id.to_string(), format!("{token}A")];
    for place in 0..token.len() {
        let mut letters: Vec<char> = token.chars().collect();
        letters[place] = if letters[place] == 'A' { 'B' } else { 'A' };
        forged.push(letters.into_iter().collect());
    }
    forged.push("%FF%FE".to_owned());
    for (number, token) in forged.iter().enumerate() {
        // Each from somewhere else: nobody has to wait.
        let peer = format!("198.51.100.{number}:1");
        let path = format!("{path}/{token}");
        let seen = house.ask_from(&peer, &As::Nobody, "GET", &path, None).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{token}");
        assert_eq!(seen.text, nothing.text, "{token}");
    }
    assert_eq!(house.get(&As::Nobody, &link).await.status, StatusCode::OK);
}

/// When the history goes, the link leads nowhere, though it is still ours.
#[tokio::test(start_paused = true)]
async fn a_link_ends_with_the_history() {
    let house = House::open().await;
    let hop = HopKey::mx("there.test");
    let to = vec![("r@there.test", queued(hop.clone()))];
    let id = house.accept(message(&house, "jo@here.test", to)).await;
    let link = house.link(id).await;
    let step = Step::Relayed {
        reply: "250 2.0.0 fine".into(),
    };
    house.settle(&hop, step, ("250 2.0.0 fine", "")).await;
    let day = Duration::from_secs(86_400);
    house.simulation.clock.advance(day).await;
    assert_eq!(house.get(&As::Nobody, &link).await.status, StatusCode::OK);
    let now = house.ledger.now();
    assert_eq!(house.ledger.prune(now, 10).await.unwrap(), 1);
    // Nor does another message that calls itself so take its place.
    let mut other = message(
        &house,
        "jo@here.test",
        vec![("other@there.test", queued(hop))],
    );
    other.envelope.message_id = format!("<{id}>");
    house.accept(other).await;
    let limit = Settings::default().logins.client_failures;
    // Whoever reloads it makes nobody wait.
    for _ in 0..=limit {
        let seen = house.get(&As::Nobody, &link).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND);
        assert!(!seen.text.contains("other@there.test"));
    }
}

#[tokio::test(start_paused = true)]
async fn who_makes_links_up_has_to_wait_and_keeps_nobody_from_logging_in() {
    let house = House::open().await;
    house.operator("jo", "view").await;
    let to = vec![("r@there.test", queued(HopKey::mx("there.test")))];
    let id = house.accept(message(&house, "jo@here.test", to)).await;
    let link = house.link(id).await;
    let limit = Settings::default().logins.client_failures;
    let ask = async |path: &str| {
        let seen = house.ask_from("192.0.2.66:1", &As::Nobody, "GET", path, None);
        seen.await.status
    };
    for number in 0..limit {
        assert_eq!(
            ask(&format!("/status/{number}")).await,
            StatusCode::NOT_FOUND
        );
        // A good one clears nothing.
        if number + 1 < limit {
            assert_eq!(ask(&link).await, StatusCode::OK);
        }
    }
    // Even a good one is not looked at.
    assert_eq!(ask(&link).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(house.get(&As::Nobody, &link).await.status, StatusCode::OK);
    let entered = house.enter("192.0.2.66:2", "jo", PASSWORD, "").await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER);
    house.world.clock.sleep(Duration::from_secs(61)).await;
    assert_eq!(ask(&link).await, StatusCode::OK);
}

/// What an operator does shows, and his name does not.
#[tokio::test(start_paused = true)]
async fn what_an_operator_does_is_told_without_his_name_and_reason() {
    let house = House::open().await;
    let to = vec![("r@there.test", queued(HopKey::mx("there.test")))];
    let id = house.accept(message(&house, "jo@here.test", to)).await;
    let link = house.link(id).await;
    let filter = Filter {
        ids: vec![MessageId::from_key(house.recipient(id, 0).await.key())],
        ..Filter::default()
    };
    for (act, told) in [
        (path_ledger::Act::Hold, Told::Held),
        (path_ledger::Act::Discard, Told::Ended),
    ] {
        let preview = house.ledger.preview(&filter).await.unwrap();
        let done = house
            .ledger
            .act(&preview, act, "olga-operator", "looks-like-a-leak");
        assert_eq!(done.await.unwrap().done, 1);
        let page = house.get(&As::Nobody, &link).await.text;
        assert!(page.contains(told.meaning()), "{page}");
        assert!(!page.contains("olga-operator"), "{page}");
        assert!(!page.contains("looks-like-a-leak"), "{page}");
    }
}
