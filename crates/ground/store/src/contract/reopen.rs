//! What a store is like when it is opened again.

use std::sync::Arc;

use super::sample::{Facts, message, recipient, unit_of};
use super::{Place, one_int};
use crate::{Sql, StoreError, Unit};

/// Handles are dropped while writes wait, as a kill does to callers; the crash tests of the binary do it to the process.
pub(super) async fn what_was_answered_is_there_after_a_kill(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    let answered = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for id in 1..=200_i64 {
        let (store, answered) = (store.clone(), Arc::clone(&answered));
        tasks.push(tokio::spawn(async move {
            let mut unit = Unit::new();
            message(&mut unit, id, 1);
            recipient(&mut unit, id, id, &Facts::of("queued"));
            if store.write(unit).await.is_ok() {
                answered.lock().expect("nobody panicked").push(id);
            }
        }));
    }
    drop(store);
    while answered.lock().expect("nobody panicked").len() < 20 {
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.abort();
    }
    let store = place.open().await?;
    let answered = answered.lock().expect("nobody panicked").clone();
    for id in answered {
        let body = store.read_body(id).await?;
        assert!(body.is_some(), "message {id} was answered and is gone");
    }
    let halves = "SELECT COUNT(*) FROM message WHERE (SELECT COUNT(*) FROM recipient WHERE recipient.message = message.id) <> 1";
    assert_eq!(one_int(&store, halves).await?, 0);
    Ok(())
}

async fn assert_unfit(place: &Arc<dyn Place>, change: Sql, said: &str) -> Result<(), StoreError> {
    let store = place.open().await?;
    store.write(unit_of(change, Vec::new())).await?;
    drop(store);
    let Err(StoreError::Unfit(why)) = place.open().await.map(drop) else {
        panic!("it was opened");
    };
    assert!(why.contains(said), "{why}");
    Ok(())
}

pub(super) async fn a_store_from_the_future_is_refused(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    const NEWER: Sql = Sql::new(
        "INSERT INTO migration (number, name, checksum, applied_at)
         SELECT 9000, 'later', checksum, 0 FROM migration WHERE number = 1",
    );
    assert_unfit(&place, NEWER, "newer program").await
}

pub(super) async fn a_store_with_another_past_is_refused(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    const OTHER: Sql = Sql::new(
        "UPDATE migration SET checksum = (SELECT checksum FROM migration WHERE number = 2) WHERE number = 1",
    );
    assert_unfit(&place, OTHER, "another program").await
}
