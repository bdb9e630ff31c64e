//! The mailbox's promises, on a store of the engine that the run is about and a simulated world.

use bytes::Bytes;
use ground_directory::{AccountId, Change, Directory, DirectoryError, NewPassword, Options};
use ground_store::bodies::{self, NewBody};
use ground_store::contract::fresh;
use ground_store::{Expect, Query, Sql, Store, StoreError, Unit};
use ground_world::World;
use path_ledger::{MessageId, RecipientId};
use wire_message::{Address, DomainName, Time};

use super::*;

struct House {
    store: Store,
    directory: Directory,
    mailboxes: Mailboxes,
    jo: AccountId,
}

fn jo() -> Address {
    Address::parse("jo@here.test").unwrap()
}

async fn house(quota: Option<u64>) -> House {
    let (world, _simulation) = World::simulated(1);
    let store = fresh(&world).await.unwrap();
    let directory = Directory::open(store.clone(), world, &Options::default());
    let name = DomainName::parse("here.test").unwrap();
    let apply = async |change| directory.apply(&change, Unit::new()).await.unwrap();
    apply(Change::AddDomain { name }).await;
    apply(Change::AddAccount {
        address: jo(),
        password: NewPassword::NoLogin,
        quota,
    })
    .await;
    let jo = directory.show_account(&jo()).await.unwrap().id;
    let mailboxes = Mailboxes::open(store.clone());
    House {
        store,
        directory,
        mailboxes,
        jo,
    }
}

const BODY: &[u8] = b"Subject: hi\r\n\r\nhello\r\n";
const PREFIX: &str = "Return-Path: <a@b.test>\r\n";

/// A body with one reference, as a message of the ledger holds it.
async fn body(house: &House, id: i64) {
    let mut unit = Unit::new();
    bodies::insert(&mut unit, id, &NewBody::Inline(Bytes::from_static(BODY)));
    let hold = Sql::new("UPDATE body SET refs = refs + 1 WHERE id = $1");
    unit.write_exactly(1, hold, vec![id.into()]);
    house.store.write(unit).await.unwrap();
}

fn delivery(house: &House, body: i64, recipient: i64) -> Delivery {
    Delivery {
        account: house.jo,
        body,
        body_size: BODY.len() as u64,
        prefix: PREFIX.to_owned(),
        recipient: RecipientId::from_key(recipient),
        message: MessageId::from_key(7),
        received_at: Time::from_millis(1_800_000_000_000),
    }
}

async fn refs(house: &House, body: i64) -> Option<i64> {
    let query = Query::new("SELECT refs FROM body WHERE id = $1", vec![body.into()]);
    let rows = house.store.read(query).await.unwrap();
    rows.first().map(|row| row.int(0).unwrap())
}

async fn inbox(house: &House) -> Option<Folder> {
    let mut folders = house.mailboxes.folders(house.jo).await.unwrap();
    assert!(folders.len() <= 1);
    folders.pop()
}

fn is_conflict<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Conflict(_)))
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_listed_read_and_counted() {
    let house = house(None).await;
    assert_eq!(inbox(&house).await, None);
    body(&house, 1).await;
    for recipient in [11, 12] {
        let unit = deliver_unit(&delivery(&house, 1, recipient));
        house.store.write(unit).await.unwrap();
    }
    let size = (BODY.len() + PREFIX.len()) as u64;
    let folder = inbox(&house).await.unwrap();
    assert_eq!((folder.name.as_str(), folder.uid_next), (INBOX, 3));
    assert_eq!((folder.messages, folder.octets), (2, 2 * size));
    assert_eq!(folder.uid_validity, 1_800_000_000);
    let mails = house.mailboxes.mails(folder.id, 0, 10).await.unwrap();
    assert_eq!(
        mails.iter().map(|mail| mail.uid).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(
        house.mailboxes.mails(folder.id, 1, 10).await.unwrap(),
        mails[1..]
    );
    assert_eq!(
        house.mailboxes.mails(folder.id, 0, 1).await.unwrap(),
        mails[..1]
    );
    assert_eq!(mails[0].recipient, RecipientId::from_key(11));
    assert_eq!(refs(&house, 1).await, Some(3));

    let mut reader = house.mailboxes.read(mails[0].id).await.unwrap();
    assert_eq!(reader.size(), size);
    let mut octets = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        octets.extend_from_slice(&piece);
    }
    assert_eq!(octets, [PREFIX.as_bytes(), BODY].concat());
}

#[tokio::test(start_paused = true)]
async fn a_recipient_gets_its_mail_exactly_once() {
    let house = house(None).await;
    body(&house, 1).await;
    let once = delivery(&house, 1, 11);
    house.store.write(deliver_unit(&once)).await.unwrap();
    let before = inbox(&house).await;
    assert!(is_conflict(&house.store.write(deliver_unit(&once)).await));
    let obstacle = house.mailboxes.obstacle(&once).await.unwrap();
    assert_eq!(obstacle, Some(Obstacle::AlreadyDelivered));
    assert_eq!(Obstacle::AlreadyDelivered.status(Firmness::Final), None);
    assert_eq!(
        (inbox(&house).await, refs(&house, 1).await),
        (before, Some(2))
    );
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_fails_takes_the_mail_with_it() {
    let house = house(None).await;
    body(&house, 1).await;
    let lost = delivery(&house, 1, 11);
    let mut unit = deliver_unit(&lost);
    let claim = Sql::new("UPDATE recipient SET last_reply = 'x' WHERE id = $1");
    unit.write_exactly(1, claim, vec![11.into()]);
    assert_eq!(unit.statements().last().unwrap().expect, Expect::Rows(1));
    assert!(is_conflict(&house.store.write(unit).await));
    assert_eq!(
        (inbox(&house).await, refs(&house, 1).await),
        (None, Some(1))
    );
    // Nothing here stood in its way, so it was the claim.
    assert_eq!(house.mailboxes.obstacle(&lost).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_takes_nothing_more_and_says_how_full_it_is() {
    let size = (BODY.len() + PREFIX.len()) as u64;
    let house = house(Some(size * 2)).await;
    body(&house, 1).await;
    for recipient in [11, 12] {
        let unit = deliver_unit(&delivery(&house, 1, recipient));
        house.store.write(unit).await.unwrap();
    }
    let third = delivery(&house, 1, 13);
    assert!(is_conflict(&house.store.write(deliver_unit(&third)).await));
    let obstacle = house.mailboxes.obstacle(&third).await.unwrap().unwrap();
    let (used, quota) = (size * 2, size * 2);
    assert_eq!(obstacle, Obstacle::OverQuota { used, quota, size });
    let told = |firmness| {
        let (code, status) = obstacle.status(firmness).unwrap();
        format!("{code} {status}")
    };
    assert_eq!(told(Firmness::Temporary), "452 4.2.2");
    assert_eq!(told(Firmness::Final), "552 5.2.2");

    // Room comes back with what is removed.
    let folder = inbox(&house).await.unwrap();
    let mails = house.mailboxes.mails(folder.id, 0, 1).await.unwrap();
    house.store.write(remove_unit(mails[0].id)).await.unwrap();
    house.store.write(deliver_unit(&third)).await.unwrap();
    let folder = inbox(&house).await.unwrap();
    assert_eq!(
        (folder.messages, folder.octets, folder.uid_next),
        (2, size * 2, 4)
    );
    assert!(is_conflict(
        &house.store.write(remove_unit(mails[0].id)).await
    ));
    let gone = house.mailboxes.read(mails[0].id).await;
    assert!(matches!(gone, Err(MailboxError::NoSuchMail)));
}

#[tokio::test(start_paused = true)]
async fn a_vanished_account_and_a_missing_body_are_typed_answers() {
    let house = house(None).await;
    let bodiless = delivery(&house, 1, 11);
    assert!(is_conflict(
        &house.store.write(deliver_unit(&bodiless)).await
    ));
    let obstacle = house.mailboxes.obstacle(&bodiless).await.unwrap();
    assert_eq!(obstacle, Some(Obstacle::BodyGone));

    body(&house, 1).await;
    let remove = Change::RemoveAccount { address: jo() };
    house.directory.apply(&remove, Unit::new()).await.unwrap();
    let late = delivery(&house, 1, 11);
    assert!(is_conflict(&house.store.write(deliver_unit(&late)).await));
    let obstacle = house.mailboxes.obstacle(&late).await.unwrap();
    assert_eq!(obstacle, Some(Obstacle::NoSuchAccount));
}

#[tokio::test(start_paused = true)]
async fn an_account_goes_with_its_mail_and_the_last_copy_takes_the_body_along() {
    let house = house(None).await;
    body(&house, 1).await;
    let unit = deliver_unit(&delivery(&house, 1, 11));
    house.store.write(unit).await.unwrap();
    let give_up = Sql::new("UPDATE body SET refs = refs - 1 WHERE id = $1");
    let mut unit = Unit::new();
    unit.write_exactly(1, give_up, vec![1.into()]);
    house.store.write(unit).await.unwrap();
    assert_eq!(refs(&house, 1).await, Some(1));

    let remove = Change::RemoveAccount { address: jo() };
    let refused = house
        .directory
        .apply(&remove, Unit::new())
        .await
        .unwrap_err();
    let DirectoryError::AccountHasMail {
        folders: 1,
        messages: 1,
        ..
    } = refused
    else {
        panic!("{refused}");
    };
    house
        .directory
        .apply(&remove, empty_unit(house.jo))
        .await
        .unwrap();
    assert_eq!((inbox(&house).await, refs(&house, 1).await), (None, None));
}
