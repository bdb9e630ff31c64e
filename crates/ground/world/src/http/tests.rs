//! What is posted, and what becomes of each kind of answer.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::net::ListenOptions;

const LIMIT: Duration = Duration::from_secs(5);

/// Posts to a service that says `answer` and closes, or says nothing more; the answer, and what the service heard.
async fn posted(answer: &'static str, then: Then) -> (Result<Reply, PostError>, String) {
    let (world, _simulation) = World::simulated(3);
    let listener = world
        .net
        .listen("192.0.2.80:80".parse().unwrap(), ListenOptions::default());
    let listener = listener.await.unwrap();
    let service = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"{}") {
            stream.read_buf(&mut heard).await.unwrap();
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        if then == Then::Hangs {
            std::future::pending::<()>().await;
        }
        String::from_utf8(heard).unwrap()
    });
    let post = Post {
        host: "192.0.2.80",
        port: 80,
        over: Over::Plain,
        authority: "hooks.test",
        path: "/hook?a=b",
        fields: &[("content-type", "application/json")],
        answer_max: 20,
        limit: LIMIT,
    };
    let reply = world.post(&post, "{}".into()).await;
    let heard = match then {
        Then::Closes => service.await.unwrap(),
        Then::Hangs => String::new(),
    };
    (reply, heard)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Closes,
    Hangs,
}

#[tokio::test(start_paused = true)]
async fn a_post_is_a_request_of_its_own_with_a_bounded_answer() {
    let (reply, heard) = posted("HTTP/1.1 204 No Content\r\n\r\n", Then::Closes).await;
    assert!(reply.unwrap().is_taken());
    let (line, rest) = heard.split_once("\r\n").unwrap();
    assert_eq!(line, "POST /hook?a=b HTTP/1.1");
    for field in [
        "Host: hooks.test\r\n",
        "Content-Type: application/json\r\n",
        "Content-Length: 2\r\n",
        "Connection: close\r\n",
    ] {
        assert!(rest.contains(field), "{field}: {heard}");
    }
    for (answer, status, retry_after, content) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nyes!",
            200,
            None,
            "yes!",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nyes!\r\n0\r\n\r\n",
            200,
            None,
            "yes!",
        ),
        (
            "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
            503,
            Some("7"),
            "",
        ),
        // Longer than the bound.
        (
            "HTTP/1.1 400 no\r\n\r\n012345678901234567890123",
            400,
            None,
            "",
        ),
        // Broken off.
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nye",
            200,
            None,
            "",
        ),
    ] {
        let (reply, _) = posted(answer, Then::Closes).await;
        let expected = Reply {
            status,
            retry_after: retry_after.map(str::to_owned),
            content: content.into(),
        };
        assert_eq!(reply.unwrap(), expected, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_an_error_within_the_limit() {
    for answer in ["", "HTTP/1.1 200 O", "220 mx.example.test ESMTP\r\n"] {
        let (reply, _) = posted(answer, Then::Closes).await;
        assert!(matches!(reply, Err(PostError::Spoken(_))), "{reply:?}");
    }
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
    ] {
        let (reply, _) = posted(answer, Then::Hangs).await;
        assert!(matches!(reply, Err(PostError::Late(_))), "{reply:?}");
    }
    let (world, _simulation) = World::simulated(3);
    let post = Post {
        host: "192.0.2.81",
        port: 80,
        over: Over::Plain,
        authority: "nobody.test",
        path: "/",
        fields: &[],
        answer_max: 0,
        limit: LIMIT,
    };
    let nobody = world.post(&post, Bytes::new()).await;
    assert!(matches!(nobody, Err(PostError::Connect(_))), "{nobody:?}");
    let field = [("authorization", "two\r\nlines")];
    let post = Post {
        fields: &field,
        ..post
    };
    let broken = world.post(&post, Bytes::new()).await;
    assert!(
        matches!(broken, Err(PostError::Unwritable(_))),
        "{broken:?}"
    );
}
