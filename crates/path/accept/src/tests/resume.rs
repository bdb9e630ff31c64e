//! Programs on this machine, and recipients that wait for the directory.

use bytes::Bytes;
use ground_store::bodies::NewBody;
use path_ledger::{Birth, Envelope, MessageId, NewMessage, NewRecipient, Origin};
use tokio_util::sync::CancellationToken;
use wire_message::ReversePath;
use wire_message::address::ForwardPath;
use wire_smtp::command::{BodyType, MailParams, RcptParams};

use super::*;
use crate::{Refused, Submission};

fn submission(recipients: &[&str], content: &'static str) -> Submission {
    Submission {
        user: "root".to_owned(),
        mail: MailParams::new(ReversePath::Address(address("jo@here.test"))),
        recipients: recipients
            .iter()
            .map(|to| RcptParams::new(ForwardPath::Address(address(to))))
            .collect(),
        content: Bytes::from_static(content.as_bytes()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_may_write_to_anybody_with_any_line_ends() {
    let mut house = house().await;
    let program = submission(&["eve@far.test"], "Subject: cron\n\nline\r\nlast\n");
    let id: MessageId = house.intake.submit(program).await.unwrap();
    let body = house.body().await;
    assert!(
        body.starts_with("Received: from localhost (user root)\r\n\tby mx.here.test\r\n"),
        "{body}"
    );
    assert!(body.contains(&format!("Message-ID: <{id}@mx.here.test>\r\n")));
    assert!(
        body.ends_with("Subject: cron\r\n\r\nline\r\nlast\r\n"),
        "{body}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_program_hears_which_recipients_are_nobody_and_nothing_is_kept() {
    let house = house().await;
    let program = submission(&["jo@here.test", "nobody@here.test"], "\n");
    let Err(Refused::Recipients { recipients }) = house.intake.submit(program).await else {
        panic!("it was not refused for its recipients");
    };
    assert_eq!(recipients.len(), 1);
    assert_eq!(recipients[0].0, "<nobody@here.test>");
    assert_eq!(recipients[0].1.code(), 550);
    assert_eq!(house.messages().await, 0);
    let zeros = house
        .intake
        .submit(submission(&["jo@here.test"], "a\0b"))
        .await;
    assert!(matches!(zeros, Err(Refused::Message { .. })));
}

fn report(house: &House, to: &[&str]) -> NewMessage {
    let recipient = |to: &&str| NewRecipient {
        address: address(to),
        orcpt: None,
        notify: None,
        parent: None,
        birth: Birth::Categorizing {
            reason: "new".to_owned(),
        },
    };
    NewMessage {
        id: house.ledger.new_id(),
        envelope: Envelope {
            received_at: house.ledger.now(),
            sender: ReversePath::Null,
            origin: Origin::Report,
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
        },
        body: NewBody::Inline(Bytes::from_static(b"x: y\r\n\r\n")),
        recipients: to.iter().map(recipient).collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn reports_get_their_way_at_once() {
    let house = house().await;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(crate::resume(
        house.intake.clone(),
        stop.clone(),
        pulse(&house),
    ));
    let to = [
        "eve@far.test",
        "jo@here.test",
        "boss@here.test",
        "team@here.test",
        "gone@here.test",
    ];
    house.ledger.accept(report(&house, &to)).await.unwrap();
    let before = house.world.clock.now();
    loop {
        let recipients = house.recipients().await;
        if !recipients.iter().any(|one| one.contains("categorizing")) {
            break;
        }
        house.world.clock.sleep(Duration::from_millis(1)).await;
    }
    assert!(house.world.clock.now().since(before) < Duration::from_millis(500));
    let mut recipients = house.recipients().await;
    recipients.sort();
    assert_eq!(
        recipients,
        [
            "ada@here.test queued mailbox",
            "boss@here.test expanded",
            "eve@far.test queued mx:far.test",
            "gone@here.test queued mailbox",
            // Also on the list, and what the alias stands for: one copy.
            "jo@here.test queued mailbox",
            "team@here.test expanded",
        ]
    );
    stop.cancel();
    worker.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_recipient_whose_way_cannot_be_recorded_stands_in_nobodys_way() {
    let house = house().await;
    for to in ["eve@far.test", "jo@here.test"] {
        house.ledger.accept(report(&house, &[to])).await.unwrap();
    }
    house
        .store
        .faults()
        .fail_next_write(ground_store::StoreError::Refused("x".into()));
    let stop = CancellationToken::new();
    let worker = tokio::spawn(crate::resume(
        house.intake.clone(),
        stop.clone(),
        pulse(&house),
    ));
    house.world.clock.sleep(Duration::from_secs(5)).await;
    let waiting = ["eve@far.test categorizing", "jo@here.test queued mailbox"];
    assert_eq!(house.recipients().await, waiting);
    house.world.clock.sleep(Duration::from_secs(30)).await;
    assert_eq!(
        house.recipients().await[0],
        "eve@far.test queued mx:far.test"
    );
    stop.cancel();
    worker.await.unwrap();
}

/// Takes the directory's accounts away, or gives them back.
async fn rename(house: &House, sql: &'static str) {
    let mut unit = Unit::new();
    unit.write(ground_store::Sql::new(sql), Vec::new());
    house.store.write(unit).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn while_the_directory_is_silent_clients_wait_and_programs_are_served() {
    let house = house().await;
    rename(&house, "ALTER TABLE account RENAME TO away").await;
    let mut client = house.greeted(MX).await;
    client.says("MAIL FROM:<a@far.test>", "250").await;
    client
        .says(
            "RCPT TO:<jo@here.test>",
            "451 4.3.0 <jo@here.test>: cannot look this up",
        )
        .await;
    client.says("DATA", "554 5.5.1 ").await;
    let program = submission(&["jo@here.test"], "\n");
    house.intake.submit(program).await.unwrap();
    assert_eq!(house.recipients().await, ["jo@here.test categorizing"]);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(crate::resume(
        house.intake.clone(),
        stop.clone(),
        pulse(&house),
    ));
    house.world.clock.sleep(Duration::from_secs(100)).await;
    assert_eq!(house.recipients().await, ["jo@here.test categorizing"]);
    rename(&house, "ALTER TABLE away RENAME TO account").await;
    house.world.clock.sleep(Duration::from_secs(31)).await;
    assert_eq!(house.recipients().await, ["jo@here.test queued mailbox"]);
    stop.cancel();
    worker.await.unwrap();
}

fn pulse(house: &House) -> ground_world::supervise::Pulse {
    let clock = &house.intake.world().clock;
    ground_world::supervise::Pulse::new(clock, crate::RESUME_PULSE)
}
