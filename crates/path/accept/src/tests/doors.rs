//! Who is let in, and how many.

use super::*;

#[tokio::test(start_paused = true)]
async fn one_session_more_than_there_is_room_for_is_told_so() {
    let house = house_with("[limits]\nmax_sessions = 2").await;
    let first = house.client(MX).await;
    let mut second = house.client(INSIDE).await;
    let mut third = house.stranger(MX).await;
    let refusal = "421 4.3.2 mx.here.test Too many sessions; try again later";
    assert_eq!(third.hear().await, refusal);
    assert_eq!(third.hear().await, "");
    drop(first);
    second.says("QUIT", "221 ").await;
    while house.server.sessions() > 0 {
        house.world.clock.sleep(Duration::from_millis(1)).await;
    }
    house.client(MX).await;
}

#[tokio::test(start_paused = true)]
async fn one_peer_never_takes_all_the_room() {
    let house = house_with("[limits]\nmax_sessions_per_peer = 1").await;
    let proxied = |from: &str| format!("PROXY TCP4 {from} 192.0.2.1 1000 25\r\n");
    let mut first = house.stranger(PROXIED).await;
    first.send(proxied("203.0.113.7")).await;
    assert!(first.hear().await.starts_with("220 "));
    let mut again = house.stranger(PROXIED).await;
    again.send(proxied("203.0.113.7")).await;
    assert!(again.hear().await.starts_with("421 4.3.2 "));
    let mut other = house.stranger(PROXIED).await;
    other.send(proxied("203.0.113.8")).await;
    assert!(other.hear().await.starts_with("220 "));
}

#[tokio::test(start_paused = true)]
async fn a_proxy_says_who_the_client_is_in_either_version() {
    let mut second = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    second.extend([203, 0, 113, 9, 192, 0, 2, 1, 4, 0, 0, 25]);
    for (header, peer) in [
        (
            b"PROXY TCP4 203.0.113.7 192.0.2.1 1000 25\r\n".to_vec(),
            "203.0.113.7:1000",
        ),
        (second, "203.0.113.9:1024"),
    ] {
        let mut house = house().await;
        let mut client = house.stranger(PROXIED).await;
        client.send(header).await;
        assert!(client.hear().await.starts_with("220 "));
        client.says("EHLO client.test", "250").await;
        client.mails(&["jo@here.test"], "x: y\r\n\r\n").await;
        let rows = house.rows("SELECT peer FROM message").await;
        assert_eq!(rows[0].text(0).unwrap(), peer);
        let address = peer.split(':').next().unwrap();
        assert!(house.body().await.contains(&format!("([{address}])")));
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_no_proxy_hears_nothing() {
    let house = house().await;
    let mut client = house.stranger(PROXIED).await;
    client.send("EHLO client.test\r\n").await;
    assert_eq!(client.hear().await, "");
    let mut silent = house.stranger(PROXIED).await;
    let before = house.world.clock.now();
    assert_eq!(silent.hear().await, "");
    assert_eq!(
        house.world.clock.now().since(before),
        Duration::from_secs(10)
    );
}

#[tokio::test(start_paused = true)]
async fn a_hundred_sessions_at_once_each_keep_their_message() {
    let house = Arc::new(house().await);
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..100 {
        let house = house.clone();
        clients.spawn(async move {
            let mut client = house.greeted(MX).await;
            let mut ids = Vec::new();
            for _ in 0..3 {
                let content = format!("Subject: {number}\r\n\r\nhi");
                ids.push(client.mails(&["jo@here.test"], &content).await);
            }
            ids
        });
    }
    let mut ids: Vec<String> = clients.join_all().await.concat();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 300);
    assert_eq!(house.messages().await, 300);
}

#[tokio::test(start_paused = true)]
async fn curiosity_is_answered_politely() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client.says("VRFY jo", "252 2.5.2 ").await;
    client.says("EXPN team", "502 5.7.0 ").await;
    client.says("HELP", "214-2.0.0 ").await;
}

#[tokio::test(start_paused = true)]
async fn a_listeners_own_limit_counts_its_own_sessions_alone() {
    let own = "[[listener]]\nname = \"small\"\nprotocol = \"smtp\"\naddress = \"127.0.0.1:28\"\nmax_sessions = 1";
    let house = house_with(own).await;
    let _elsewhere = (house.client(MX).await, house.client(MX).await);
    let _only = house.client("127.0.0.1:28").await;
    let mut second = house.stranger("127.0.0.1:28").await;
    assert!(second.hear().await.starts_with("421 4.3.2 "));
    house.client(MX).await;
}
