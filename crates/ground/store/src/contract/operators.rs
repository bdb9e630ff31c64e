//! What the database itself keeps about operators, tokens, sessions and secrets, whoever writes.

use std::sync::Arc;

use super::sample::{assert_refused, unit_of};
use super::{Place, one_int};
use crate::{Sql, StoreError, Unit, Value};

fn operator(name: &str, totp: &str, rights: &str) -> Unit {
    const OPERATOR: Sql = Sql::new(
        "INSERT INTO operator (name, password, totp, totp_offered, totp_step, rights, created_at)
         VALUES ($1, '', $2, '', 0, $3, 1)",
    );
    unit_of(OPERATOR, vec![name.into(), totp.into(), rights.into()])
}

fn token(name: &str, hash: &Value, rights: &str) -> Unit {
    const TOKEN: Sql = Sql::new(
        "INSERT INTO api_token (name, token_hash, rights, created_by, created_at) VALUES ($1, $2, $3, 'jo', 1)",
    );
    unit_of(TOKEN, vec![name.into(), hash.clone(), rights.into()])
}

fn session(hash: &Value, operator: &str) -> Unit {
    const SESSION: Sql = Sql::new(
        "INSERT INTO web_session (token_hash, operator, created_at, seen_at, expires_at, peer, agent)
         VALUES ($1, $2, 1, 1, 2, '192.0.2.1', '')",
    );
    unit_of(SESSION, vec![hash.clone(), operator.into()])
}

fn hash(octets: usize) -> Value {
    vec![7_u8; octets].into()
}

pub(super) async fn rights_are_known_words_each_once_and_in_one_order(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    for (number, rights) in (0_u8..).zip([
        "view",
        "act",
        "view,content",
        "act,administer",
        "view,act,content,administer",
    ]) {
        let name = format!("jo{number}");
        store.write(operator(&name, "", rights)).await?;
        store
            .write(token(&name, &vec![number; 32].into(), rights))
            .await?;
    }
    for rights in [
        "",
        "root",
        "VIEW",
        "act,view",
        "view,view",
        "view,",
        "view, act",
        "view,root",
    ] {
        assert_refused(&store, operator("ada", "", rights), rights).await;
        assert_refused(&store, token("ada", &hash(32), rights), rights).await;
    }
    Ok(())
}

pub(super) async fn an_operator_is_well_named_and_takes_its_sessions_along(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    let long = "x".repeat(65);
    for name in ["", "Jo", "jo doe", "jo\n", "j\u{f6}", &long] {
        assert_refused(&store, operator(name, "", "view"), name).await;
        assert_refused(&store, token(name, &hash(32), "view"), name).await;
    }
    assert_refused(&store, operator("jo", "GEZDGNBV", "view"), "a short secret").await;
    assert_refused(&store, token("jo", &hash(31), "view"), "a short hash").await;
    assert_refused(&store, session(&hash(32), "jo"), "a session of nobody").await;
    store.write(operator("jo", "", "view")).await?;
    assert_refused(&store, session(&hash(31), "jo"), "a short hash").await;
    store.write(session(&hash(32), "jo")).await?;
    const REMOVE: Sql = Sql::new("DELETE FROM operator WHERE name = 'jo'");
    store.write(unit_of(REMOVE, Vec::new())).await?;
    assert_eq!(
        one_int(&store, "SELECT count(*) FROM web_session").await?,
        0
    );
    Ok(())
}

pub(super) async fn an_account_takes_its_sessions_along_and_a_secret_is_made_once(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    const ACCOUNT: Sql = Sql::new(
        "INSERT INTO account (id, address, password, quota, created_at) VALUES (7, 'jo@here.test', '', NULL, 1)",
    );
    const SESSION: Sql = Sql::new(
        "INSERT INTO account_session (token_hash, account, created_at, seen_at, expires_at, peer, agent)
         VALUES ($1, 7, 1, 1, 2, '192.0.2.1', '')",
    );
    const SECRET: Sql =
        Sql::new("INSERT INTO store_secret (name, octets, made_at) VALUES ('status link', $1, 1)");
    let of = |sql, octets| unit_of(sql, vec![hash(octets)]);
    assert_refused(&store, of(SESSION, 32), "a session of nobody").await;
    store.write(unit_of(ACCOUNT, Vec::new())).await?;
    assert_refused(&store, of(SESSION, 31), "a short hash").await;
    store.write(of(SESSION, 32)).await?;
    const REMOVE: Sql = Sql::new("DELETE FROM account WHERE id = 7");
    store.write(unit_of(REMOVE, Vec::new())).await?;
    let left = "SELECT count(*) FROM account_session";
    assert_eq!(one_int(&store, left).await?, 0);
    assert_refused(&store, of(SECRET, 16), "a short secret").await;
    store.write(of(SECRET, 32)).await?;
    assert_refused(&store, of(SECRET, 32), "a second secret").await;
    Ok(())
}
