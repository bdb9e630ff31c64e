//! What is kept of a message's content, and what content is refused.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_the_trace_header_and_the_content_without_stuffed_dots() {
    let mut house = house().await;
    let mut client = house.greeted(MX).await;
    let answer = client
        .mails(&["jo@here.test"], "Subject: x\r\n\r\n..dot\r\nend")
        .await;
    let id = answer.split(' ').nth(2).unwrap().to_owned();
    let body = house.body().await;
    let (trace, rest) = body.split_once("Subject:").unwrap();
    assert!(trace.starts_with("Received: from client.test ("), "{trace}");
    assert!(
        trace.contains("\r\n\tby mx.here.test with ESMTP\r\n"),
        "{trace}"
    );
    assert!(
        trace.contains(&format!("\tid {id}\r\n\tfor <jo@here.test>;")),
        "{trace}"
    );
    assert_eq!(rest, " x\r\n\r\n.dot\r\nend\r\n");
}

#[tokio::test(start_paused = true)]
async fn smuggled_line_ends_are_refused_and_what_follows_is_no_command() {
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r",
        "\r.\r\n",
        "\n\n.\r\n",
    ] {
        let house = house().await;
        let mut client = house.greeted(MX).await;
        client.begins(&["jo@here.test"]).await;
        let smuggled = "MAIL FROM:<evil@far.test>\r\nRCPT TO:<ada@here.test>\r\nDATA\r\nevil";
        client
            .send(format!("x: y\r\n\r\na{end}{smuggled}\r\n.\r\n"))
            .await;
        let answer = client.hear().await;
        assert!(
            answer.starts_with("550 5.5.2 Bare "),
            "{end:?} was answered {answer:?}"
        );
        client.says("NOOP", "250").await;
        assert_eq!(house.messages().await, 0, "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn chunks_make_one_message() {
    let mut house = house().await;
    let mut client = house.greeted(MX).await;
    client
        .says("MAIL FROM:<ann@far.test> BODY=BINARYMIME", "250")
        .await;
    client.says("RCPT TO:<jo@here.test>", "250").await;
    client.send("BDAT 6\r\nx: y\r\n").await;
    assert!(client.hear().await.starts_with("250 "));
    client.send("BDAT 6 LAST\r\n\r\na\0\nb").await;
    let answer = client.hear().await;
    assert!(answer.ends_with(" accepted"), "{answer}");
    assert!(house.body().await.ends_with("x: y\r\n\r\na\0\nb"));
}

#[tokio::test(start_paused = true)]
async fn too_big_a_message_is_refused_before_during_and_by_its_chunks() {
    let house = house_with("[limits]\nmessage_size = \"1 KiB\"").await;
    let mut client = house.greeted(MX).await;
    client
        .says("MAIL FROM:<ann@far.test> SIZE=1025", "552 5.3.4 ")
        .await;
    let answer = client.mails(&["jo@here.test"], &"x\r\n".repeat(500)).await;
    assert!(answer.starts_with("552 5.3.4 "), "{answer}");
    client.says("MAIL FROM:<ann@far.test>", "250").await;
    client.says("RCPT TO:<jo@here.test>", "250").await;
    client
        .send(format!("BDAT 2000 LAST\r\n{}", "x".repeat(2000)))
        .await;
    assert!(client.hear().await.starts_with("552 5.3.4 "));
    assert_eq!(house.messages().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_large_message_stands_in_a_file_whole() {
    let mut house = house_with("[storage]\ninline_body = \"4 KiB\"").await;
    let mut client = house.greeted(MX).await;
    let content = format!("Subject: large\r\n\r\n{}", "0123456789\r\n".repeat(30_000));
    let answer = client.mails(&["jo@here.test"], &content).await;
    assert!(answer.starts_with("250 "), "{answer}");
    let rows = house.rows("SELECT file IS NOT NULL, size FROM body").await;
    assert_eq!(rows[0].int(0).unwrap(), 1);
    let rows = house.rows("SELECT subject FROM message").await;
    assert_eq!(rows[0].text(0).unwrap(), "large");
    let body = house.body().await;
    assert!(body.starts_with("Received: "));
    assert!(body.ends_with(&format!("{content}\r\n")));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_loops_is_refused() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    let head = "Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n".repeat(51);
    let answer = client
        .mails(&["jo@here.test"], &format!("{head}\r\nx"))
        .await;
    assert!(answer.starts_with("554 5.4.6 "), "{answer}");
    assert_eq!(house.messages().await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_pipelined_is_answered_in_order_and_in_one_piece() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client
        .send("MAIL FROM:<a@far.test>\r\nRCPT TO:<jo@here.test>\r\nRCPT TO:<no@here.test>\r\nDATA\r\n")
        .await;
    let mut piece = [0; 4096];
    let length = client.stream.read(&mut piece).await.unwrap();
    let codes: Vec<_> = piece[..length]
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.get(..3))
        .map(|code| String::from_utf8_lossy(code).into_owned())
        .collect();
    assert_eq!(codes, ["250", "250", "550", "354"]);
    client
        .send("x: y\r\n\r\n.\r\nMAIL FROM:<>\r\nQUIT\r\n")
        .await;
    for expected in ["250 2.0.0 ", "250 2.1.0 ", "221 "] {
        let answer = client.hear().await;
        assert!(answer.starts_with(expected), "{answer}");
    }
    assert_eq!(client.hear().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dies_in_the_middle_leaves_nothing() {
    let house = house_with("[storage]\ninline_body = \"4 KiB\"").await;
    let mut client = house.greeted(MX).await;
    client.begins(&["jo@here.test"]).await;
    client
        .send(format!("x: y\r\n\r\n{}", "0123456789\r\n".repeat(30_000)))
        .await;
    house.simulation.net.reset_connections(MX.parse().unwrap());
    while house.server.sessions() > 0 {
        house.world.clock.sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(house.messages().await, 0);
    let folder = std::path::Path::new("/data/book.db-bodies");
    assert_eq!(house.world.disk.list(folder).await.unwrap(), []);
}
