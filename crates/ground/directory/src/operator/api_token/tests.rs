//! Promises about tokens of programs.

use std::time::Duration;

use ground_store::Unit;

use super::*;
use crate::operator::tests::{Office, name, office};
use crate::operator::{Change, Right, Token};

impl Office {
    async fn with_token(&self, expires_at: Option<Time>) -> Token {
        let token = self.operators.new_api_token().unwrap();
        self.make(adding(&token, expires_at)).await;
        token
    }

    async fn admits(&self, token: &Token) -> Option<Admitted> {
        self.operators.api_token(token.text()).await.unwrap()
    }
}

fn adding(token: &Token, expires_at: Option<Time>) -> Change {
    Change::AddToken {
        name: name("watch"),
        token: token.clone(),
        rights: Rights::only(Right::View),
        by: "jo".to_owned(),
        expires_at,
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_lets_a_program_in_until_it_is_removed() {
    let office = office().await;
    let token = office.with_token(None).await;
    assert!(token.text().starts_with("prt_"), "{}", token.text());
    let admitted = office.admits(&token).await.unwrap();
    assert_eq!(
        (admitted.name, admitted.rights),
        (name("watch"), Rights::only(Right::View))
    );
    for unknown in ["", "prt_", &token.text()[4..]] {
        assert_eq!(office.operators.api_token(unknown).await.unwrap(), None);
    }
    let another = office.operators.new_api_token().unwrap();
    let taken = office
        .operators
        .apply(&adding(&another, None), Unit::new())
        .await;
    assert!(
        matches!(taken, Err(DirectoryError::TokenExists { .. })),
        "{taken:?}"
    );
    office
        .make(Change::RemoveToken {
            name: name("watch"),
        })
        .await;
    assert_eq!(office.admits(&token).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_at_its_time_and_is_listed_until_it_is_removed() {
    let office = office().await;
    let end = Time::from_millis(office.operators.now().as_millis() + 60_000);
    let token = office.with_token(Some(end)).await;
    office.pass(Duration::from_millis(59_999));
    assert!(office.admits(&token).await.is_some());
    office.pass(Duration::from_millis(1));
    assert_eq!(office.admits(&token).await, None);
    let listed = office.operators.api_tokens(&Page::default()).await.unwrap();
    assert_eq!(
        (listed[0].expires_at, listed[0].created_by.as_str()),
        (Some(end), "jo")
    );
}

#[tokio::test(start_paused = true)]
async fn that_a_token_is_in_use_is_written_once_a_minute() {
    let office = office().await;
    let token = office.with_token(None).await;
    let seen = async || office.operators.api_tokens(&Page::default()).await.unwrap()[0].seen_at;
    assert_eq!(seen().await, None);
    let first = office.operators.now();
    for (seconds, noted) in [(0, 0), (59, 0), (1, 60)] {
        office.pass(Duration::from_secs(seconds));
        office.admits(&token).await.unwrap();
        let seen = seen().await.map(|seen| seen.since(first).as_secs());
        assert_eq!(seen, Some(noted));
    }
}
