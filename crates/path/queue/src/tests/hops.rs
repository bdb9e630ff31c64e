//! What is about a next hop: reuse, pace, fairness, and a hop that is down.

use super::*;

#[tokio::test(start_paused = true)]
async fn many_messages_share_one_connection() {
    let mut house = house("[queue]\nhop_initial_concurrency = 1\nhop_max_concurrency = 1\n").await;
    let peer = house.peer(Script::default()).await;
    for n in 0..50 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.until(50, "relayed", seconds(30)).await;
    assert_eq!(
        (peer.heard().connections, peer.heard().messages.len()),
        (1, 50)
    );
    house.pass(seconds(10)).await;
    assert_eq!(peer.heard().open, 0, "an idle connection is closed");
    assert_eq!(peer.heard().lines.last().unwrap(), "QUIT");
}

#[tokio::test(start_paused = true)]
async fn a_connection_carries_no_more_messages_than_its_bound() {
    let connector = "[queue]\nhop_initial_concurrency = 1\nhop_max_concurrency = 1\n[[connector]]\nname = \"partner\"\n\
                     address_space = [\"peer.test\"]\nnext_hop = \"192.0.2.25:25\"\nmax_messages_per_connection = 10\n";
    let mut house = house(connector).await;
    let peer = house.peer(Script::default()).await;
    for n in 0..25 {
        let mut one = mail(&format!("r{n}@peer.test"));
        one.hop = HopKey::via("partner");
        house.queued(one).await;
    }
    house.start();
    house.until(25, "relayed", seconds(30)).await;
    assert_eq!(peer.heard().connections, 3);
}

#[tokio::test(start_paused = true)]
async fn mail_that_is_handed_over_needs_no_poll_and_no_claim() {
    let mut house = house("[queue]\npoll_interval = \"1m\"\n").await;
    house.peer(Script::default()).await;
    house.start();
    house.pass(seconds(5)).await;
    house.handed(mail("bo@peer.test")).await.unwrap();
    house.until(1, "relayed", seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_hop_costs_one_row_for_each_try_whatever_waits() {
    let mut house = house(NO_JITTER).await;
    let peer = house.peer(Script::default()).await;
    house.down();
    for n in 0..300 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.pass(seconds(30)).await;
    let key = HopKey::mx("peer.test");
    let before = house.ledger.hop(&key).await.unwrap();
    assert_eq!((before.state, before.failures), (HopState::Down, 1));
    assert!(
        before.last_reply.contains("refused"),
        "{}",
        before.last_reply
    );
    let others = "SELECT 'r', id, state, retry_at, attempts, deadline_at, claimed_by, last_reply FROM recipient \
                  UNION ALL SELECT 'a', id, '', 0, 0, 0, 0, '' FROM attempt \
                  UNION ALL SELECT 'e', id, kind, at, 0, 0, 0, detail FROM event ORDER BY 1, 2";
    let rows_before = format!("{:?}", house.rows(others).await);
    assert_eq!(house.in_state("queued").await, 300);
    // The next tries come after 3, 5 and 10 minutes.
    house.pass(minutes(15)).await;
    let after = house.ledger.hop(&key).await.unwrap();
    assert_eq!(after.failures, 4);
    assert_eq!(format!("{:?}", house.rows(others).await), rows_before);
    assert!(peer.heard().messages.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_hop_that_comes_back_drains_oldest_first() {
    let mut house = house("[queue]\nretry_jitter = 0.0\nhop_max_concurrency = 1\n").await;
    let peer = house.peer(Script::default()).await;
    house.down();
    let mut ids = Vec::new();
    for n in 0..100 {
        ids.push(house.queued(mail(&format!("r{n}@peer.test"))).await);
        house.pass(Duration::from_millis(5)).await;
    }
    house.start();
    house.pass(seconds(30)).await;
    assert!(
        house.handed(mail("new@peer.test")).await.is_none(),
        "new mail waits its turn"
    );
    house.up();
    house.until(100, "relayed", minutes(2)).await;
    let subjects: Vec<String> = peer
        .heard()
        .messages
        .iter()
        .map(|m| m[9..22].to_owned())
        .collect();
    let expected: Vec<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(subjects, expected);
    let hop = house.ledger.hop(&HopKey::mx("peer.test")).await.unwrap();
    assert_eq!((hop.state, hop.failures), (HopState::Up, 0));
    house.pass(seconds(10)).await;
    assert!(
        house.handed(mail("new@peer.test")).await.is_some(),
        "and is handed over again"
    );
}

#[tokio::test(start_paused = true)]
async fn connections_grow_with_success_up_to_their_bound() {
    let mut house = house("[queue]\nhop_initial_concurrency = 2\nhop_max_concurrency = 6\n").await;
    let slow = Script::default().slow(seconds(1));
    let peer = house.peer(slow).await;
    for n in 0..100 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.pass(Duration::from_millis(900)).await;
    assert_eq!(peer.heard().most_open, 2);
    house.until(100, "relayed", minutes(2)).await;
    assert_eq!(peer.heard().most_open, 6);
}

#[tokio::test(start_paused = true)]
async fn a_hop_that_closes_each_session_at_once_counts_as_down_after_a_few() {
    let mut house = house(NO_JITTER).await;
    let peer = house
        .peer(Script::default().at("MAIL", Say::Bye("421 4.3.2 closing\r\n")))
        .await;
    for n in 0..50 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.pass(seconds(20)).await;
    let hop = house.ledger.hop(&HopKey::mx("peer.test")).await.unwrap();
    assert_eq!(
        (hop.state, hop.last_reply.as_str()),
        (HopState::Down, "421 4.3.2 closing")
    );
    assert_eq!(house.in_state("queued").await, 50);
    let touched = house
        .number("SELECT count(*) FROM recipient WHERE attempts > 0")
        .await;
    assert!(touched <= 10, "{touched} recipients paid for it");
    peer.now_says(Script::default());
    house.until(50, "relayed", minutes(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_hop_delays_no_other() {
    let mut house = house("[queue]\nmax_concurrent_attempts = 4\nhop_max_concurrency = 4\nhop_initial_concurrency = 4\n").await;
    house.peer(Script::default().at("MAIL", Say::Hang)).await;
    for n in 0..200 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.pass(seconds(5)).await;
    let quick = Peer::new(Script::default());
    quick.serve(&house.world, "192.0.2.26:25").await;
    house
        .simulation
        .dns
        .addresses("quick.test", &["192.0.2.26".parse().unwrap()]);
    for n in 0..20 {
        house.queued(mail(&format!("r{n}@quick.test"))).await;
    }
    house.until(20, "relayed", seconds(5)).await;
    assert_eq!(quick.heard().messages.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_takes_no_mail_returns_all_of_it() {
    let mut house = house("").await;
    house.simulation.dns.mx("null.test", &[(0, ".")]);
    for n in 0..30 {
        house.queued(mail(&format!("r{n}@null.test"))).await;
    }
    house.start();
    house.until(30, "returned", seconds(10)).await;
    let cause = house
        .text("SELECT cause FROM recipient WHERE state = 'returned'")
        .await;
    assert!(cause.starts_with("556 5.1.10"), "{cause}");
    assert_eq!(
        house.in_state("categorizing").await,
        30,
        "each sender is told"
    );
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_does_not_exist_is_believed_at_the_second_look() {
    let mut house = house(NO_JITTER).await;
    house.queued(mail("bo@gone.test")).await;
    house.start();
    house.pass(seconds(30)).await;
    assert_eq!(house.in_state("queued").await, 1);
    house.until(1, "returned", minutes(2)).await;
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_never_return_mail() {
    let connector = "[[connector]]\nname = \"partner\"\naddress_space = [\"*\"]\nnext_hop = \"192.0.2.25:25\"\n\
                     tls = \"required\"\nusername = \"u\"\npassword_file = \"missing\"\n";
    let mut house = house(connector).await;
    let mut one = mail("bo@peer.test");
    one.hop = HopKey::via("partner");
    house.queued(one).await;
    house.start();
    house.pass(minutes(60)).await;
    assert_eq!(house.in_state("queued").await, 1);
    let hop = house.ledger.hop(&HopKey::via("partner")).await.unwrap();
    let told = &hop.last_reply;
    assert!(told.contains("password_file"), "{told}");
    // Senders are told this, too, and need not know where it lies.
    assert!(!told.contains("missing"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_queue_leaves_nothing_claimed_and_a_dropped_one_only_leases() {
    let mut house = house("[queue]\nhop_max_concurrency = 1\nhop_initial_concurrency = 1\n").await;
    let slow = Script::default().slow(seconds(3));
    house.peer(slow).await;
    for n in 0..20 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.pass(seconds(1)).await;
    assert!(house.in_state("in_flight").await > 1);
    house.queue.take().unwrap().stop(seconds(30)).await;
    assert_eq!(
        (
            house.in_state("relayed").await,
            house.in_state("queued").await
        ),
        (1, 19)
    );
    house.start();
    house.pass(seconds(1)).await;
    drop(house.queue.take());
    house.pass(seconds(120)).await;
    let claimed = house.in_state("in_flight").await;
    assert!(claimed > 1, "{claimed}");
    assert_eq!(
        house.ledger.lost_claims().await.unwrap().queued,
        u64::try_from(claimed).unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn a_hop_that_a_person_pauses_stops_at_once_and_goes_on_when_the_pause_ends() {
    let mut house = house("[queue]\nhop_initial_concurrency = 1\nhop_max_concurrency = 1\n").await;
    let peer = house.peer(Script::default().slow(seconds(1))).await;
    for n in 0..30 {
        house.queued(mail(&format!("r{n}@peer.test"))).await;
    }
    house.start();
    house.pass(seconds(5)).await;
    let until = house.ledger.now() + minutes(30);
    house
        .ledger
        .hop_pause(&HopKey::mx("peer.test"), "ada", until, "quiet, please")
        .await
        .unwrap();
    house.pass(seconds(5)).await;
    let sent = peer.heard().messages.len();
    assert!((4..10).contains(&sent), "{sent} were sent");
    assert_eq!(house.in_state("in_flight").await, 0);
    house.pass(minutes(29)).await;
    assert_eq!(peer.heard().messages.len(), sent);
    house.until(30, "relayed", minutes(3)).await;
}
