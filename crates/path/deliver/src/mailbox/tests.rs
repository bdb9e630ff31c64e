//! An attempt into mailboxes here: exactly once, within quota, or with its reason.

use bytes::Bytes;
use ground_directory::{Change, NewPassword};
use ground_store::bodies::NewBody;
use ground_store::{Options, Store};
use ground_world::World;
use path_ledger::{Birth, Envelope, HopKey, LedgerOptions, NewMessage, NewRecipient, Origin};
use wire_message::{DomainName, ReversePath};
use wire_smtp::command::BodyType;

use super::*;

struct House {
    ledger: Ledger,
    directory: Directory,
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

async fn house() -> House {
    let (world, _simulation) = World::simulated(3);
    let store = Store::open("sqlite::memory:", Options::default(), &world)
        .await
        .unwrap();
    let options = LedgerOptions::from_settings("mx.test", &Settings::default());
    let ledger = Ledger::open(store.clone(), world.clone(), options)
        .await
        .unwrap();
    let options = ground_directory::Options::default();
    let house = House {
        ledger,
        directory: Directory::open(store, world, &options),
    };
    let name = DomainName::parse("here.test").unwrap();
    house.apply(Change::AddDomain { name }).await;
    house.account("jo@here.test").await;
    house
}

impl House {
    async fn apply(&self, change: Change) {
        self.directory.apply(&change, Unit::new()).await.unwrap();
    }

    async fn account(&self, name: &str) {
        let change = Change::AddAccount {
            address: address(name),
            password: NewPassword::NoLogin,
            quota: None,
        };
        self.apply(change).await;
    }

    async fn attempt(&self, to: &str) -> Put {
        let envelope = Envelope {
            received_at: self.ledger.now(),
            sender: ReversePath::Null,
            origin: Origin::Smtp,
            listener: String::new(),
            peer: String::new(),
            helo: String::new(),
            tls: String::new(),
            auth: String::new(),
            body_type: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            message_id: String::new(),
            subject: String::new(),
            cause: None,
        };
        let recipient = NewRecipient {
            address: address(to),
            orcpt: None,
            notify: None,
            parent: None,
            birth: Birth::Claimed {
                next_hop: HopKey::mailbox(),
            },
        };
        let new = NewMessage {
            id: self.ledger.new_id(),
            envelope,
            body: NewBody::Inline(Bytes::from_static(b"hi\r\n")),
            recipients: vec![recipient],
        };
        let job = self.ledger.accept(new).await.unwrap().jobs.remove(0);
        let door = Door::new(self.directory.clone(), &self.ledger);
        door.attempt(&job, &Settings::default(), Care::Straight)
            .await
    }

    #[track_caller]
    fn check(put: &Put, words: &str, writes: bool) {
        let said = put.report.fates[0].words();
        assert!(said.starts_with(words), "{said}");
        assert_eq!(!put.units[0].is_empty(), writes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recipient_is_whoever_its_name_stands_for_now() {
    let house = house().await;
    House::check(&house.attempt("jo+tag@here.test").await, "250", true);
    House::check(&house.attempt("al@here.test").await, "550 5.1.1", false);
    let name = DomainName::parse("here.test").unwrap();
    let target = Some(address("jo@here.test"));
    house.apply(Change::SetCatchAll { name, target }).await;
    House::check(&house.attempt("al@here.test").await, "250", true);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_became_an_alias_is_followed_to_one_mailbox_and_waits_when_there_are_more() {
    let house = house().await;
    let alias = |targets: &[&str]| Change::AddAlias {
        address: address("team@here.test"),
        targets: targets.iter().map(|one| address(one)).collect(),
    };
    house.apply(alias(&["jo@here.test"])).await;
    House::check(&house.attempt("team@here.test").await, "250", true);
    house.account("al@here.test").await;
    house.apply(alias(&["al@here.test"])).await;
    let put = house.attempt("team@here.test").await;
    House::check(&put, "451 4.3.5", false);
    assert!(matches!(put.report.fates[0], Fate::Ours { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_left_takes_no_mail() {
    let house = house().await;
    House::check(&house.attempt("bo@gone.test").await, "550 5.1.2", false);
}
