//! Who may be written to, and what becomes of each recipient.

use super::*;

#[tokio::test(start_paused = true)]
async fn strangers_reach_our_people_and_relay_is_closed() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client.says("MAIL FROM:<ann@far.test>", "250 2.1.0 ").await;
    for (recipient, expected) in [
        ("jo@here.test", "250 2.1.5 "),
        ("jo+lists@here.test", "250 2.1.5 "),
        ("postmaster", "250 2.1.5 "),
        (
            "nobody@here.test",
            "550 5.1.1 <nobody@here.test>: nobody here by that name",
        ),
        ("eve@far.test", "550 5.7.1 <eve@far.test>: relay denied"),
        ("eve%far.test@here.test", "550 5.1.1 "),
    ] {
        client
            .says(&format!("RCPT TO:<{recipient}>"), expected)
            .await;
    }
    let mut inside = house.greeted(INSIDE).await;
    inside.says("MAIL FROM:<>", "250 2.1.0 ").await;
    inside.says("RCPT TO:<eve@far.test>", "250 2.1.5 ").await;
}

#[tokio::test(start_paused = true)]
async fn each_recipient_is_born_where_its_way_begins() {
    let mut house = house().await;
    let mut client = house.greeted(INSIDE).await;
    let to = [
        "jo@here.test",
        "boss@here.test",
        "team@here.test",
        "bob@partner.test",
        "jo@here.test",
    ];
    let answer = client.mails(&to, "Subject: x\r\n\r\nhello").await;
    assert!(
        answer.starts_with("250 2.0.0 ") && answer.ends_with(" accepted"),
        "{answer}"
    );
    assert_eq!(
        house.recipients().await,
        [
            "jo@here.test in_flight mailbox",
            "boss@here.test expanded",
            "team@here.test expanded",
            "ada@here.test in_flight mailbox",
            "eve@far.test in_flight mx:far.test",
            "bob@partner.test in_flight via:partner",
        ]
    );
    let mut handed = Vec::new();
    for _ in 0..3 {
        let one = house.handovers.next().await.unwrap();
        assert!(answer.contains(&one.job.message.to_string()));
        handed.push((one.job.next_hop.to_string(), one.job.recipients.len()));
    }
    handed.sort();
    let expected = [("mailbox", 2), ("mx:far.test", 1), ("via:partner", 1)];
    assert_eq!(handed, expected.map(|(hop, count)| (hop.to_owned(), count)));
}

#[tokio::test(start_paused = true)]
async fn without_room_in_the_queue_a_recipient_is_born_queued() {
    let house = house().await;
    house
        .intake
        .parts
        .handoff
        .shut(&path_ledger::HopKey::mailbox());
    let mut client = house.greeted(MX).await;
    let answer = client.mails(&["jo@here.test"], "x: y\r\n\r\n").await;
    assert!(answer.starts_with("250 "), "{answer}");
    assert_eq!(house.recipients().await, ["jo@here.test queued mailbox"]);
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_recipient_keeps_the_name_its_sender_knows() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client.mails(&["boss@here.test"], "x: y\r\n\r\n").await;
    let rows = house
        .rows("SELECT address, state, orcpt, cause FROM recipient ORDER BY id")
        .await;
    let [parent, child] = &rows[..] else {
        panic!("{rows:?}")
    };
    assert_eq!(parent.text(0).unwrap(), "boss@here.test");
    assert_eq!(parent.text(1).unwrap(), "expanded");
    assert_eq!(
        parent.text(3).unwrap(),
        "boss@here.test is an alias; jo@here.test is a mailbox here"
    );
    assert_eq!(child.text(0).unwrap(), "jo@here.test");
    assert_eq!(child.text(2).unwrap(), "rfc822;boss@here.test");
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_names_nobody_fails_where_reports_are_owed() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client.mails(&["stale@here.test"], "x: y\r\n\r\n").await;
    let recipients = house.recipients().await;
    assert!(
        recipients.contains(&"gone@here.test in_flight mailbox".to_owned()),
        "{recipients:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_envelope_is_kept_as_it_was_given() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client
        .says(
            "MAIL FROM:<ann@far.test> RET=HDRS ENVID=q1 BODY=8BITMIME SIZE=100",
            "250",
        )
        .await;
    client
        .says(
            "RCPT TO:<jo@here.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;j@old.test",
            "250",
        )
        .await;
    client.says("DATA", "354").await;
    client
        .send("Message-ID: <a@b>\r\nSubject: Hi\r\n\r\nx\r\n.\r\n")
        .await;
    client.hear().await;
    let rows = house
        .rows("SELECT sender, ret, envid, body_type, helo, listener, message_id, subject, origin FROM message")
        .await;
    let found: Vec<_> = (0..9).map(|at| rows[0].text(at).unwrap()).collect();
    let expected = [
        "ann@far.test",
        "hdrs",
        "q1",
        "8bitmime",
        "client.test",
        "mx",
        "<a@b>",
        "Hi",
        "smtp",
    ];
    assert_eq!(found, expected);
    let rows = house.rows("SELECT orcpt, notify FROM recipient").await;
    assert_eq!(rows[0].text(0).unwrap(), "rfc822;j@old.test");
    assert_eq!(rows[0].int(1).unwrap(), 2 + 8);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_owed_notices_about_mail_from_nobody() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client.says("MAIL FROM:<>", "250").await;
    client
        .says("RCPT TO:<jo@here.test> NOTIFY=SUCCESS,FAILURE", "250")
        .await;
    client.says("DATA", "354").await;
    client.says("x: y\r\n\r\n.", "250").await;
    let rows = house.rows("SELECT notify FROM recipient").await;
    assert_eq!(rows[0].int(0).unwrap(), 1, "NOTIFY=NEVER");
}

#[tokio::test(start_paused = true)]
async fn lmtp_answers_for_each_recipient() {
    let house = house().await;
    let mut client = house.lmtp().await;
    client.begins(&["jo@here.test", "ada@here.test"]).await;
    client.send("x: y\r\n\r\nhi\r\n.\r\n").await;
    let (first, second) = (client.hear().await, client.hear().await);
    assert!(first.starts_with("250 2.0.0 "), "{first}");
    assert_eq!(first, second);
    client.says("NOOP", "250").await;
    assert_eq!(house.recipients().await.len(), 2);
}
