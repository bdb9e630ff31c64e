//! Limits, pressure, and failures of the store: refused with the reason, over by themselves.

use ground_store::StoreError;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_told_before_data_and_over_by_itself() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    house.simulation.disk.set_free(50_000_000);
    let refusal = "452 4.3.1 The disk is almost full (50 MB left); try again later";
    house.world.clock.sleep(Duration::from_secs(2)).await;
    client.says("MAIL FROM:<a@far.test>", refusal).await;
    house.simulation.disk.set_free(1 << 40);
    house.world.clock.sleep(Duration::from_secs(2)).await;
    let answer = client.mails(&["jo@here.test"], "x: y\r\n\r\n").await;
    assert!(answer.starts_with("250 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_told_before_data_and_over_by_itself() {
    let house = house_with("[limits]\nqueued_recipients = 2").await;
    let mut client = house.greeted(MX).await;
    client
        .mails(&["jo@here.test", "ada@here.test"], "x: y\r\n\r\n")
        .await;
    house.world.clock.sleep(Duration::from_secs(2)).await;
    client
        .says("MAIL FROM:<a@far.test>", "452 4.3.1 The queue is full")
        .await;
    house
        .settings
        .send_replace(Arc::new(settings("[limits]\nqueued_recipients = 3")));
    let answer = client.mails(&["jo@here.test"], "x: y\r\n\r\n").await;
    assert!(answer.starts_with("250 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_keeps_the_sender_in_charge() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    for (failure, expected) in [
        (StoreError::Full("x".into()), "452 4.3.1 "),
        (StoreError::Unavailable("x".into()), "451 4.3.0 "),
    ] {
        house.store.faults().fail_next_write(failure);
        let answer = client.mails(&["jo@here.test"], "x: y\r\n\r\n").await;
        assert!(answer.starts_with(expected), "{answer}");
        assert_eq!(house.messages().await, 0);
    }
    let answer = client.mails(&["jo@here.test"], "x: y\r\n\r\n").await;
    assert!(answer.starts_with("250 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn more_recipients_go_into_the_next_transaction() {
    let house = house_with("[limits]\nmax_recipients = 1").await;
    let mut client = house.greeted(MX).await;
    client.says("MAIL FROM:<a@far.test>", "250").await;
    client.says("RCPT TO:<jo@here.test>", "250").await;
    client.says("RCPT TO:<ada@here.test>", "452 4.5.3 ").await;
    client.says("DATA", "354").await;
}

#[tokio::test(start_paused = true)]
async fn a_session_of_errors_or_without_end_is_closed() {
    let house = house_with("[limits]\nmax_errors = 3\nmax_commands = 6").await;
    let mut client = house.greeted(MX).await;
    client.says("WHAT", "500").await;
    client.says("RCPT TO:<jo@here.test>", "503").await;
    client.says("WHAT", "500").await;
    assert_eq!(
        client.hear().await,
        "421 4.7.0 Too many errors in one session"
    );
    assert_eq!(client.hear().await, "");
    let mut client = house.greeted(MX).await;
    for _ in 0..5 {
        client.says("NOOP", "250").await;
    }
    client.says("NOOP", "250").await;
    assert_eq!(
        client.hear().await,
        "421 4.7.0 Too many commands in one session"
    );
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_is_told_so_and_let_go() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    assert_eq!(client.hear().await, "421 4.4.2 You took too long");
    assert_eq!(client.hear().await, "");
    let mut client = house.greeted(MX).await;
    client.begins(&["jo@here.test"]).await;
    client.send("x: y\r\n").await;
    let before = house.world.clock.now();
    assert_eq!(client.hear().await, "421 4.4.2 You took too long");
    assert_eq!(
        house.world.clock.now().since(before),
        Duration::from_secs(180)
    );
    assert_eq!(house.messages().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drips_has_an_end_too() {
    let house = house_with("[timeouts]\nserver_session = \"10m\"").await;
    let mut client = house.greeted(MX).await;
    client.begins(&["jo@here.test"]).await;
    for _ in 0..21 {
        client.send("x\r\n").await;
        house.world.clock.sleep(Duration::from_secs(60)).await;
        if house.server.sessions() == 0 {
            break;
        }
    }
    assert_eq!(client.hear().await, "421 4.4.2 The session took too long");
}

#[tokio::test(start_paused = true)]
async fn a_busy_session_ends_too() {
    let house = house_with("[timeouts]\nserver_session = \"10m\"").await;
    let mut client = house.greeted(MX).await;
    for _ in 0..9 {
        house.world.clock.sleep(Duration::from_secs(60)).await;
        client.says("NOOP", "250").await;
    }
    house.world.clock.sleep(Duration::from_secs(50)).await;
    client.send("NOOP\r\n".repeat(10)).await;
    house.world.clock.sleep(Duration::from_secs(11)).await;
    for _ in 0..10 {
        assert!(client.hear().await.starts_with("250 "));
    }
    assert!(client.hear().await.starts_with("421 4.4.2 "));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fills_up_within_a_transaction_is_told_at_data() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client.says("MAIL FROM:<a@far.test>", "250").await;
    client.says("RCPT TO:<jo@here.test>", "250").await;
    house.simulation.disk.set_free(1_000_000);
    house.world.clock.sleep(Duration::from_secs(2)).await;
    client
        .says("DATA", "452 4.3.1 The disk is almost full")
        .await;
    client.says("NOOP", "250").await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fills_up_within_a_large_message_costs_that_message_alone() {
    let house = house_with("[storage]\ninline_body = \"4 KiB\"").await;
    let mut client = house.greeted(MX).await;
    client.begins(&["jo@here.test"]).await;
    house.simulation.disk.set_free(0);
    let content = "0123456789\r\n".repeat(30_000);
    client.send(format!("x: y\r\n\r\n{content}.\r\n")).await;
    let answer = client.hear().await;
    assert!(answer.starts_with("452 4.3.1 "), "{answer}");
    house.simulation.disk.set_free(1 << 40);
    house.world.clock.sleep(Duration::from_secs(2)).await;
    let answer = client.mails(&["jo@here.test"], &content).await;
    assert!(answer.starts_with("250 2.0.0 "), "{answer}");
    assert_eq!(house.messages().await, 1);
}
