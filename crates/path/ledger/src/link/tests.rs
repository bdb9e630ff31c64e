//! A link is good for its message, in its store, and nothing that differs from it is.

use crate::fixture::{book, options};
use crate::{Ledger, MessageId};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_link_is_read_as_the_message_it_was_made_of() {
    let links = book().await.ledger.status_links().await.unwrap();
    for key in [0, 1, 4711, i64::MAX] {
        let id = MessageId::from_key(key);
        let token = links.token(id);
        assert_eq!(links.read(&token), Some(id));
        assert_eq!(token.len(), 36);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(token.chars().all(plain), "{token}");
        assert_eq!(links.path(id), format!("/status/{token}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_was_changed_anywhere_is_none() {
    let links = book().await.ledger.status_links().await.unwrap();
    let token = links.token(MessageId::from_key(4711));
    let octets = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
    for place in 0..octets.len() {
        for bit in 0..8 {
            let mut changed = octets.clone();
            changed[place] ^= 1 << bit;
            let changed = BASE64URL_NOPAD.encode(&changed);
            assert_eq!(links.read(&changed), None, "octet {place}, bit {bit}");
        }
    }
    for cut in 0..token.len() {
        assert_eq!(links.read(&token[..cut]), None, "{cut} letters");
    }
    for wrong in [
        format!("{token}A"),
        format!("{token}AAAA"),
        format!("{token}="),
        format!(" {token}"),
        token.to_lowercase(),
        "ä".to_owned(),
    ] {
        assert_eq!(links.read(&wrong), None, "{wrong}");
    }
}

/// The signature of one message does not do for another.
#[tokio::test(start_paused = true)]
async fn a_signature_is_of_one_message() {
    let links = book().await.ledger.status_links().await.unwrap();
    let (one, other) = (MessageId::from_key(4711), MessageId::from_key(4712));
    let decode = |id| {
        let token = links.token(id);
        BASE64URL_NOPAD.decode(token.as_bytes()).unwrap()
    };
    let mut mixed = decode(one)[..SIGNED].to_vec();
    mixed.extend_from_slice(&decode(other)[SIGNED..]);
    assert_eq!(links.read(&BASE64URL_NOPAD.encode(&mixed)), None);
}

#[tokio::test(start_paused = true)]
async fn every_node_and_every_start_has_the_same_links_and_another_store_has_others() {
    let mut one = book().await;
    let id = MessageId::from_key(4711);
    let links = one.ledger.status_links().await.unwrap();
    let mut second = options();
    second.node_name = "node2".to_owned();
    let (store, world) = (one.ledger.store().clone(), one.ledger.world().clone());
    let second = Ledger::open(store, world, second).await.unwrap();
    assert_eq!(second.status_links().await.unwrap(), links);
    one.restart().await;
    assert_eq!(one.ledger.status_links().await.unwrap(), links);
    let secrets = "SELECT count(*) FROM store_secret";
    assert_eq!(one.number(secrets).await, 1);
    let stranger = StatusLinks::of(&[7; 32]);
    assert_eq!(stranger.read(&links.token(id)), None);
    // What signs is not the secret itself: whoever signs with that for something else signs no link.
    let signed = blake3::keyed_hash(&[7; 32], b"x");
    assert_ne!(signed, blake3::keyed_hash(&stranger.key, b"x"));
}

/// Two nodes that are first at the same moment agree.
#[tokio::test(start_paused = true)]
async fn whoever_comes_second_takes_the_secret_of_the_first() {
    let one = book().await;
    let mut options = options();
    options.node_name = "node2".to_owned();
    let (store, world) = (one.ledger.store().clone(), one.ledger.world().clone());
    let other = Ledger::open(store, world, options).await.unwrap();
    let (first, second) = tokio::join!(one.ledger.status_links(), other.status_links());
    assert_eq!(first.unwrap(), second.unwrap());
}
