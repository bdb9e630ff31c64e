//! The categorizer's promises, on a directory in memory and a simulated world.

use ground_directory::{Change, NewPassword, Options};
use ground_settings::Cidr;
use ground_store::{Sql, Store, Unit};
use ground_world::World;

use super::*;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn settings() -> Settings {
    Settings::parse("hostname = \"mx.here.test\"").unwrap()
}

async fn house() -> (Store, Directory) {
    let (world, _simulation) = World::simulated(1);
    let options = ground_store::Options::default();
    let store = Store::open("sqlite::memory:", options, &world)
        .await
        .unwrap();
    let directory = Directory::open(store.clone(), world, &Options::default());
    let name = DomainName::parse("here.test").unwrap();
    for change in [
        Change::AddDomain { name },
        Change::AddAccount {
            address: address("jo@here.test"),
            password: NewPassword::NoLogin,
            quota: None,
        },
        Change::AddAlias {
            address: address("team@here.test"),
            targets: vec![address("jo@here.test"), address("ada@far.test")],
        },
    ] {
        directory.apply(&change, Unit::new()).await.unwrap();
    }
    (store, directory)
}

fn stranger() -> Asker {
    Asker::client(Some("192.0.2.9".parse().unwrap()), None, &[])
}

/// The reply to RCPT, or the word of what was accepted.
async fn answer(directory: &Directory, asker: &Asker, recipient: &str) -> String {
    let recipient = address(recipient);
    let decision = categorize(directory, &settings(), asker, &recipient).await;
    if let Some(reply) = decision.refusal(&recipient) {
        return format!("{} {}", reply.code(), reply.enhanced().unwrap());
    }
    match &decision {
        Decision::Mailbox { account, .. } => format!("mailbox {}", account.address),
        Decision::Remote { .. } => "remote".to_owned(),
        Decision::Rewritten { to, .. } => format!("rewritten {}", to.address),
        Decision::Expanded { children, .. } => format!("expanded {}", children.len()),
        Decision::Nobody { .. }
        | Decision::NotHere { .. }
        | Decision::Misled { .. }
        | Decision::Later { .. } => panic!("{decision:?} has no reply"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_reaches_our_people_and_nobody_else() {
    let (_store, directory) = house().await;
    for (recipient, wanted) in [
        ("jo@here.test", "mailbox jo@here.test"),
        ("jo+tag@here.test", "mailbox jo@here.test"),
        ("team@here.test", "expanded 2"),
        ("nobody@here.test", "550 5.1.1"),
        ("ada@far.test", "550 5.7.1"),
        ("ada@[192.0.2.1]", "550 5.7.1"),
        ("ada%far.test@here.test", "550 5.1.1"),
        ("postmaster@here.test", "mailbox jo@here.test"),
        ("Postmaster@MX.here.test", "mailbox jo@here.test"),
        ("jo@mx.here.test", "550 5.7.1"),
    ] {
        assert_eq!(
            answer(&directory, &stranger(), recipient).await,
            wanted,
            "{recipient}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn only_who_may_relay_reaches_the_rest_of_the_world() {
    let (_store, directory) = house().await;
    let peer = |text: &str| Some(text.parse().unwrap());
    let networks: [Cidr; 2] = [
        "192.0.2.0/24".parse().unwrap(),
        "2001:db8::/32".parse().unwrap(),
    ];
    for (asker, wanted) in [
        (Asker::Ourselves, "remote"),
        (
            Asker::client(peer("198.51.100.1"), Some("jo@here.test"), &[]),
            "remote",
        ),
        (Asker::client(peer("192.0.2.9"), None, &networks), "remote"),
        (
            Asker::client(peer("2001:db8::1"), None, &networks),
            "remote",
        ),
        (
            Asker::client(peer("198.51.100.1"), None, &networks),
            "550 5.7.1",
        ),
        (Asker::client(peer("192.0.2.9"), None, &[]), "550 5.7.1"),
        (Asker::client(None, None, &networks), "550 5.7.1"),
    ] {
        let answer = answer(&directory, &asker, "ada@far.test").await;
        assert_eq!(answer, wanted, "{asker:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_cannot_be_asked_never_says_nobody() {
    let (store, directory) = house().await;
    let mut unit = Unit::new();
    let damage = Sql::new("UPDATE domain SET catch_all = 'not an address'");
    unit.write_exactly(1, damage, Vec::new());
    let moved = Sql::new("UPDATE directory_version SET n = n + 1");
    unit.write_exactly(1, moved, Vec::new());
    store.write(unit).await.unwrap();
    directory
        .world()
        .clock
        .sleep(ground_directory::VERSION_RECHECK)
        .await;
    let asker = stranger();
    assert_eq!(
        answer(&directory, &asker, "nobody@here.test").await,
        "451 4.3.0"
    );
    let decision = categorize(
        &directory,
        &settings(),
        &asker,
        &address("nobody@here.test"),
    )
    .await;
    assert!(
        decision.reason().contains("not an address"),
        "{}",
        decision.reason()
    );
}
