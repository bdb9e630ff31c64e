//! Promises about passwords.

use argon2::password_hash::phc::PasswordHash;
use ground_store::{Query, Unit};
use wire_message::Address;

use super::*;
use crate::tests::{CHEAP, House, account, domain, house};
use crate::{Change, NewPassword};

async fn with_password(password: &str) -> House {
    let house = house().await;
    house
        .make([domain("here.test"), account("none@here.test")])
        .await;
    let address = Address::parse("jo@here.test").unwrap();
    let password = NewPassword::Set(password.to_owned());
    let quota = None;
    house
        .make([Change::AddAccount {
            address,
            password,
            quota,
        }])
        .await;
    house
}

#[tokio::test]
async fn only_the_right_password_of_an_account_that_may_log_in_is_granted() {
    let house = with_password("correct horse").await;
    let long = "x".repeat(PASSWORD_MAX + 1);
    for (login, password, granted) in [
        ("jo@here.test", "correct horse", true),
        ("JO@HERE.test", "correct horse", true),
        ("jo@here.test", "correct horse ", false),
        ("jo@here.test", "", false),
        ("jo@here.test", long.as_str(), false),
        ("none@here.test", "", false),
        ("nobody@here.test", "correct horse", false),
        ("not an address", "correct horse", false),
    ] {
        let login_answer = house
            .directory
            .verify(login, password.as_bytes())
            .await
            .unwrap();
        let is_granted = matches!(&login_answer, Login::Granted(account) if account.address.to_string() == "jo@here.test");
        assert_eq!(is_granted, granted, "{login} {login_answer:?}");
    }
}

#[tokio::test]
async fn a_changed_password_counts_at_once_and_none_locks_out() {
    let house = with_password("old").await;
    let address = Address::parse("jo@here.test").unwrap();
    let set = async |password| {
        let address = address.clone();
        house
            .make([Change::SetPassword { address, password }])
            .await;
    };
    let granted = async |password: &str| {
        let answer = house
            .directory
            .verify("jo@here.test", password.as_bytes())
            .await;
        answer.unwrap() != Login::Refused
    };
    set(NewPassword::Set("new".to_owned())).await;
    assert_eq!((granted("old").await, granted("new").await), (false, true));
    set(NewPassword::NoLogin).await;
    assert_eq!((granted("new").await, granted("").await), (false, false));
}

#[tokio::test]
async fn the_store_keeps_an_argon2id_hash_with_a_salt_of_its_own() {
    let house = with_password("same").await;
    let address = Address::parse("twin@here.test").unwrap();
    let password = NewPassword::Set("same".to_owned());
    let quota = None;
    house
        .make([Change::AddAccount {
            address,
            password,
            quota,
        }])
        .await;
    let query = Query::new(
        "SELECT password FROM account WHERE password <> ''",
        Vec::new(),
    );
    let rows = house.store.read(query).await.unwrap();
    let hashes: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert_ne!(hashes[0], hashes[1]);
    for hash in hashes {
        let parsed = PasswordHash::new(hash).unwrap();
        assert_eq!(parsed.algorithm.as_str(), "argon2id");
        assert!(hash.contains("m=8,t=1,p=1"), "{hash}");
    }
}

#[test]
fn nobody_costs_as_much_as_somebody() {
    let cost = PasswordCost {
        memory_kib: 64,
        passes: 3,
    };
    let real = hashed(b"x", &[7; 16], cost).unwrap();
    let (decoy, real) = (decoy(cost), real);
    let decoy_hash = PasswordHash::new(&decoy).unwrap();
    let real_hash = PasswordHash::new(&real).unwrap();
    assert_eq!(decoy_hash.params, real_hash.params);
    assert_eq!(decoy_hash.algorithm, real_hash.algorithm);
    assert_eq!(decoy_hash.version, real_hash.version);
    let lengths = |hash: &PasswordHash| {
        let (salt, output) = (hash.salt.as_ref().unwrap(), hash.hash.as_ref().unwrap());
        (salt.len(), output.as_bytes().len())
    };
    assert_eq!(lengths(&decoy_hash), lengths(&real_hash));
    assert!(is_right(b"x", &real) && !is_right(b"x", &decoy));
}

#[tokio::test]
async fn a_password_that_cannot_be_checked_is_not_set() {
    let house = with_password("old").await;
    let address = Address::parse("jo@here.test").unwrap();
    for password in [String::new(), "x".repeat(PASSWORD_MAX + 1)] {
        let password = NewPassword::Set(password);
        let change = Change::SetPassword {
            address: address.clone(),
            password,
        };
        let refused = house.directory.apply(&change, Unit::new()).await;
        assert!(matches!(refused, Err(DirectoryError::BadPassword(_))));
    }
    assert!(!format!("{:?}", NewPassword::Set("secret".to_owned())).contains("secret"));
    assert!(matches!(
        house.directory.verify("jo@here.test", b"old").await,
        Ok(Login::Granted(_))
    ));
    assert_eq!(house.directory.rooms.passwords.cost, CHEAP);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_too_long_for_a_turn_hears_busy() {
    let house = with_password("old").await;
    let turns = house.directory.rooms.passwords.turns.clone();
    let all = turns.acquire_many(2).await.unwrap();
    let late = house.directory.verify("jo@here.test", b"old").await;
    assert!(matches!(late, Err(DirectoryError::Busy)), "{late:?}");
    drop(all);
    assert!(matches!(
        house.directory.verify("jo@here.test", b"old").await,
        Ok(Login::Granted(_))
    ));
}
