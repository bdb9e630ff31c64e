//! Into mailboxes here.

use super::*;

async fn with_account(toml: &str, quota: Option<u64>) -> House {
    let house = house(toml).await;
    let name = DomainName::parse("here.test").unwrap();
    apply(&house, Change::AddDomain { name }).await;
    let address: Address = "jo@here.test".parse().unwrap();
    let password = NewPassword::NoLogin;
    let change = Change::AddAccount {
        address,
        password,
        quota,
    };
    apply(&house, change).await;
    house
}

async fn apply(house: &House, change: Change) {
    house.directory.apply(&change, Unit::new()).await.unwrap();
}

fn local(to: &str) -> Mail {
    let mut mail = mail(to);
    mail.hop = HopKey::mailbox();
    mail
}

async fn copies(house: &House) -> i64 {
    house.number("SELECT count(*) FROM mail").await
}

#[tokio::test(start_paused = true)]
async fn a_message_is_in_the_mailbox_exactly_when_the_book_says_so() {
    let mut house = with_account("", None).await;
    house.start();
    for _ in 0..20 {
        house.queued(local("jo+list@here.test")).await;
    }
    house.handed(local("jo@here.test")).await.unwrap();
    house.until(21, "delivered", seconds(10)).await;
    assert_eq!(copies(&house).await, 21);
    let prefix = house
        .text("SELECT prefix FROM mail ORDER BY id LIMIT 1")
        .await;
    assert!(
        prefix.starts_with("Return-Path: <ada@sender.test>\r\nDelivered-To: jo"),
        "{prefix}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_from_the_store_makes_no_second_copy() {
    let mut house = with_account("", None).await;
    house.start();
    house.pass(seconds(2)).await;
    house.handed(local("jo@here.test")).await.unwrap();
    house.store.faults().lose_next_answer();
    house.until(1, "delivered", seconds(60)).await;
    assert_eq!(copies(&house).await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_gone_returns_its_mail() {
    let mut house = with_account("", None).await;
    house.queued(local("jo@here.test")).await;
    let address = "jo@here.test".parse().unwrap();
    apply(&house, Change::RemoveAccount { address }).await;
    house.start();
    house.until(1, "returned", seconds(10)).await;
    let cause = house
        .text("SELECT cause FROM recipient WHERE state = 'returned'")
        .await;
    assert!(cause.starts_with("550 5.1.1"), "{cause}");
    assert_eq!(copies(&house).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_holds_up_its_own_mail_alone() {
    let mut house = with_account(NO_JITTER, Some(10)).await;
    let address: Address = "al@here.test".parse().unwrap();
    let password = NewPassword::NoLogin;
    apply(
        &house,
        Change::AddAccount {
            address,
            password,
            quota: None,
        },
    )
    .await;
    let mut both = local("jo@here.test");
    both.to.push("al@here.test".to_owned());
    house.queued(both).await;
    house.start();
    house.until(1, "delivered", seconds(10)).await;
    let reply = house
        .text("SELECT last_reply FROM recipient WHERE state = 'queued'")
        .await;
    assert!(reply.starts_with("452 4.2.2"), "{reply}");
    let wait = house
        .number("SELECT retry_at - accepted_at FROM recipient WHERE state = 'queued'")
        .await;
    assert!(
        wait >= 30 * 60 * 1000,
        "a full mailbox is asked seldom: {wait} ms"
    );
    let address = "jo@here.test".parse().unwrap();
    apply(
        &house,
        Change::SetQuota {
            address,
            quota: None,
        },
    )
    .await;
    house.until(2, "delivered", minutes(35)).await;
}
