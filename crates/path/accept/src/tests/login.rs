//! AUTH: over TLS only, and not for those who guess.

use super::*;

/// `\0jo@here.test\0correct horse`
const RIGHT: &str = "AUTH PLAIN AGpvQGhlcmUudGVzdABjb3JyZWN0IGhvcnNl";
/// `\0jo@here.test\0wrong`
const WRONG: &str = "AUTH PLAIN AGpvQGhlcmUudGVzdAB3cm9uZw==";
/// `ada@here.test\0jo@here.test\0correct horse`
const FOR_ADA: &str = "AUTH PLAIN YWRhQGhlcmUudGVzdABqb0BoZXJlLnRlc3QAY29ycmVjdCBob3JzZQ==";

async fn under_tls(house: &House) -> Client {
    let mut client = house.greeted(SUBMISSION).await;
    client.says("STARTTLS", "220 ").await;
    let mut client = house.secured(client).await;
    client.says("EHLO client.test", "250").await;
    client
}

#[tokio::test(start_paused = true)]
async fn passwords_are_taken_over_tls_only() {
    let house = house().await;
    let mut client = house.client(SUBMISSION).await;
    let offer = client.asks("EHLO client.test").await;
    assert!(
        offer.contains("STARTTLS") && !offer.contains("AUTH"),
        "{offer}"
    );
    client.says(RIGHT, "538 5.7.11 ").await;
    client.says("MAIL FROM:<jo@here.test>", "530 5.7.0 ").await;
    client.says("STARTTLS", "220 ").await;
    let mut client = house.secured(client).await;
    let offer = client.asks("EHLO client.test").await;
    assert!(
        offer.contains("AUTH PLAIN LOGIN") && !offer.contains("STARTTLS"),
        "{offer}"
    );
    client.says("MAIL FROM:<jo@here.test>", "530 5.7.0 ").await;
}

#[tokio::test(start_paused = true)]
async fn who_logged_in_may_relay_and_gets_what_the_program_left_out() {
    let mut house = house().await;
    let mut client = under_tls(&house).await;
    client.says(RIGHT, "235 2.7.0 ").await;
    client.says("MAIL FROM:<jo@here.test>", "250 2.1.0 ").await;
    client.says("RCPT TO:<eve@far.test>", "250 2.1.5 ").await;
    client.says("DATA", "354 ").await;
    client.send("From: jo@here.test\r\n\r\nhi\r\n.\r\n").await;
    let answer = client.hear().await;
    assert!(answer.starts_with("250 2.0.0 "), "{answer}");
    let id = answer.split(' ').nth(2).unwrap().to_owned();
    let body = house.body().await;
    assert!(body.contains(" with ESMTPSA (TLSv1.3 "), "{body}");
    let rest = body.split_once("+0000\r\n").unwrap().1;
    let added = format!("Message-ID: <{id}@mx.here.test>\r\nDate: Thu, 1 Jan 2026 ");
    assert!(rest.starts_with(&added), "{rest}");
    assert!(
        rest.ends_with("+0000\r\nFrom: jo@here.test\r\n\r\nhi\r\n"),
        "{rest}"
    );
    let rows = house.rows("SELECT auth, origin FROM message").await;
    assert_eq!(rows[0].text(0).unwrap(), "jo@here.test");
    assert_eq!(rows[0].text(1).unwrap(), "submission");
}

#[tokio::test(start_paused = true)]
async fn login_works_from_the_first_octet_under_tls_too() {
    let house = house().await;
    let client = house.stranger(SECURE).await;
    let mut client = house.secured(client).await;
    assert!(client.hear().await.starts_with("220 "));
    client.says("EHLO client.test", "250").await;
    client.says("AUTH LOGIN", "334 ").await;
    client.says("am9AaGVyZS50ZXN0", "334 ").await;
    client.says("Y29ycmVjdCBob3JzZQ==", "235 2.7.0 ").await;
}

#[tokio::test(start_paused = true)]
async fn guesses_take_longer_each_time_and_end() {
    let house = house().await;
    let mut client = under_tls(&house).await;
    let before = house.world.clock.now();
    client.says(WRONG, "535 5.7.8 ").await;
    client.says(WRONG, "535 5.7.8 ").await;
    client.says(WRONG, "421 4.7.0 ").await;
    assert_eq!(
        house.world.clock.now().since(before),
        Duration::from_secs(2 + 4 + 6)
    );
    assert_eq!(client.hear().await, "");
}

#[tokio::test(start_paused = true)]
async fn nobody_logs_in_as_somebody_else() {
    let house = house().await;
    let mut client = under_tls(&house).await;
    client.says(FOR_ADA, "535 5.7.8 ").await;
    client.says("MAIL FROM:<ada@here.test>", "530 5.7.0 ").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_injected_before_tls_is_forgotten() {
    let house = house().await;
    let mut client = house.greeted(MX).await;
    client
        .send("STARTTLS\r\nMAIL FROM:<evil@far.test>\r\n")
        .await;
    assert!(client.hear().await.starts_with("220 "));
    let mut client = house.secured(client).await;
    client
        .says("RCPT TO:<jo@here.test>", "503 5.5.1 Send EHLO")
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_is_counted_like_a_wrong_password() {
    let house = house_with("[logins]\nclient_failures = 2").await;
    // `\0nobody@here.test\0wrong`
    let nobody = "AUTH PLAIN AG5vYm9keUBoZXJlLnRlc3QAd3Jvbmc=";
    let mut client = under_tls(&house).await;
    client.says(nobody, "535 5.7.8 ").await;
    client.says(nobody, "535 5.7.8 ").await;
    let mut client = under_tls(&house).await;
    let before = house.world.clock.now();
    client
        .says(
            nobody,
            "454 4.7.0 Too many wrong passwords; try again in 1 min",
        )
        .await;
    client.says(RIGHT, "454 4.7.0 ").await;
    assert!(house.world.clock.now().since(before) < Duration::from_secs(1));
    client.says(RIGHT, "421 4.7.0 ").await;
}
