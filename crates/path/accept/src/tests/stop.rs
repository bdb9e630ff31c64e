//! Stopping and changing settings: sessions are told, transactions finish.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_stopping_server_ends_idle_sessions_and_lets_transactions_finish() {
    let house = house().await;
    let mut idle = house.greeted(MX).await;
    let mut busy = house.greeted(MX).await;
    busy.begins(&["jo@here.test"]).await;
    let mut server = house.server;
    let stopping = tokio::spawn(async move { server.stop().await });
    assert_eq!(idle.hear().await, "421 4.3.2 The server stops; come again");
    busy.send("x: y\r\n\r\nhi\r\n.\r\n").await;
    assert!(busy.hear().await.starts_with("250 2.0.0 "));
    assert_eq!(busy.hear().await, "421 4.3.2 The server stops; come again");
    stopping.await.unwrap();
    let connecting = house
        .world
        .net
        .connect(MX.parse().unwrap(), ConnectOptions::default());
    assert!(connecting.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_transaction_without_end_does_not_keep_the_server() {
    let mut house = house().await;
    let mut busy = house.greeted(MX).await;
    busy.begins(&["jo@here.test"]).await;
    let before = house.world.clock.now();
    house.server.stop().await;
    assert_eq!(house.world.clock.now().since(before), crate::GRACE);
    assert_eq!(busy.hear().await, "");
}

#[tokio::test(start_paused = true)]
async fn new_settings_hold_from_the_next_transaction_on_in_the_same_session() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client.begins(&["jo@here.test"]).await;
    house
        .settings
        .send_replace(Arc::new(settings("[limits]\nmessage_size = \"1 KiB\"")));
    let long = format!("x: y\r\n\r\n{}", "0123456789\r\n".repeat(200));
    client.send(format!("{long}.\r\n")).await;
    assert!(client.hear().await.starts_with("250 2.0.0 "));
    let answer = client.mails(&["jo@here.test"], &long).await;
    assert!(answer.starts_with("552 5.3.4 "), "{answer}");
}
