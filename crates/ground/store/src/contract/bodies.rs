//! Bodies: stored, counted, read back, removed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::sample::{Facts, assert_refused, message, message_with, moved, recipient, unit_of};
use super::{Place, one_int};
use crate::bodies::{CHUNK_BYTES, NewBody, SpooledBody};
use crate::{Sql, Store, StoreError, Unit};

const COPY: Sql = Sql::new(
    "INSERT INTO mail (id, folder, uid, body, size, prefix, received_at, recipient, message)
     VALUES ($1, 1, $1, $2, 4, '', 0, $1, $2)",
);
const REMOVE_COPY: Sql = Sql::new("DELETE FROM mail WHERE id = $1");

/// Octets that no chunk boundary fits.
fn large() -> Vec<u8> {
    (0..CHUNK_BYTES * 3 + 17)
        .map(|index| (index % 251) as u8)
        .collect()
}

async fn spooled(store: &Store, content: &[u8]) -> Result<SpooledBody, StoreError> {
    let mut spool = store.spool().await?;
    for part in content.chunks(1000) {
        spool.append(part).await?;
    }
    spool.finish().await
}

async fn folder(store: &Store) -> Result<(), StoreError> {
    const ACCOUNT: Sql = Sql::new(
        "INSERT INTO account (id, address, password, created_at) VALUES (1, 'a@example.test', '', 0)",
    );
    const FOLDER: Sql = Sql::new(
        "INSERT INTO folder (id, account, name, uid_validity, uid_next, messages, octets) VALUES (1, 1, 'INBOX', 1, 3, 2, 8)",
    );
    let mut unit = unit_of(ACCOUNT, Vec::new());
    unit.write(FOLDER, Vec::new());
    store.write(unit).await.map(drop)
}

pub(super) async fn a_small_body_comes_back(place: Arc<dyn Place>) -> Result<(), StoreError> {
    let store = place.open().await?;
    for (id, content) in [(1, Bytes::new()), (2, Bytes::from(large()))] {
        let mut unit = Unit::new();
        message_with(&mut unit, id, 1, &NewBody::Inline(content.clone()));
        recipient(&mut unit, id, id, &Facts::of("queued"));
        store.write(unit).await?;
        let reader = store.read_body(id).await?.expect("a body");
        assert_eq!(reader.size(), content.len() as u64);
        assert_eq!(reader.whole(1 << 20).await?, content);
    }
    assert!(store.read_body(3).await?.is_none());
    let refused = store.read_body(2).await?.expect("a body").whole(10).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    Ok(())
}

pub(super) async fn a_large_body_comes_back_in_bounded_chunks(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    let content = large();
    let body = spooled(&store, &content).await?;
    assert_eq!(body.size(), content.len() as u64);
    let mut unit = Unit::new();
    message_with(&mut unit, 1, 0, &NewBody::File(body));
    store.write(unit).await?;
    let mut reader = store.read_body(1).await?.expect("a body");
    let mut found = Vec::new();
    while let Some(chunk) = reader.next().await? {
        assert!(chunk.len() <= CHUNK_BYTES);
        found.extend_from_slice(&chunk);
    }
    assert!(found == content, "the content differs");
    Ok(())
}

pub(super) async fn a_body_lives_as_long_as_someone_needs_it(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    folder(&store).await?;
    let mut unit = Unit::new();
    message(&mut unit, 1, 2);
    recipient(&mut unit, 1, 1, &Facts::of("in_flight"));
    recipient(&mut unit, 2, 1, &Facts::of("queued"));
    store.write(unit).await?;
    let refs = "SELECT COALESCE((SELECT refs FROM body), 0)";
    assert_eq!(one_int(&store, refs).await?, 1);
    for id in [1, 2] {
        let mut settle = unit_of(COPY, vec![id.into(), 1.into()]);
        moved(&mut settle, id, &Facts::of("delivered"));
        store.write(settle).await?;
        assert_eq!(one_int(&store, refs).await?, 2);
    }
    let needs = "SELECT COUNT(*) FROM message WHERE body IS NOT NULL";
    assert_eq!(one_int(&store, needs).await?, 0);
    let mut child = Unit::new();
    recipient(&mut child, 3, 1, &Facts::of("queued"));
    assert_refused(&store, child, "a recipient after the body is gone").await;
    for (id, left) in [(1, 1), (2, 0)] {
        store.write(unit_of(REMOVE_COPY, vec![id.into()])).await?;
        assert_eq!(one_int(&store, refs).await?, left);
    }
    assert!(store.read_body(1).await?.is_none());
    assert_refused(
        &store,
        unit_of(COPY, vec![3.into(), 1.into()]),
        "a copy of nothing",
    )
    .await;
    Ok(())
}

pub(super) async fn a_dead_letter_keeps_its_body_until_it_is_pruned(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    let mut unit = Unit::new();
    message(&mut unit, 1, 1);
    recipient(&mut unit, 1, 1, &Facts::of("queued"));
    store.write(unit).await?;
    let mut dead = Unit::new();
    moved(&mut dead, 1, &Facts::of("dead_letter"));
    store.write(dead).await?;
    assert!(store.read_body(1).await?.is_some());
    const RECIPIENT: Sql = Sql::new("DELETE FROM recipient WHERE message = 1");
    const MESSAGE: Sql = Sql::new("DELETE FROM message WHERE id = 1");
    let mut prune = unit_of(RECIPIENT, Vec::new());
    prune.write(MESSAGE, Vec::new());
    store.write(prune).await?;
    assert!(store.read_body(1).await?.is_none());
    Ok(())
}

pub(super) async fn a_body_that_changed_is_reported_as_damaged(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    let body = spooled(&store, &large()).await?;
    let mut unit = Unit::new();
    message(&mut unit, 1, 1);
    message_with(&mut unit, 2, 0, &NewBody::File(body.clone()));
    message_with(
        &mut unit,
        3,
        0,
        &NewBody::File(spooled(&store, &large()).await?),
    );
    store.write(unit).await?;
    const CHANGE: Sql = Sql::each(
        "UPDATE body SET content = CAST('Body' AS BLOB) WHERE id = 1",
        "UPDATE body SET content = CAST('Body' AS BYTEA) WHERE id = 1",
    );
    const SHORTEN: Sql = Sql::new("UPDATE body SET size = size - 1 WHERE id = 3");
    // Only the reconciler may remove a file, and not one in use.
    let kept = store.discard_body_file(body.name()).await;
    assert!(matches!(kept, Err(StoreError::Refused(_))), "{kept:?}");
    const CHECKSUM: Sql = Sql::new(
        "UPDATE body SET checksum = (SELECT checksum FROM body WHERE id = 1) WHERE id = 2",
    );
    let mut unit = unit_of(CHANGE, Vec::new());
    unit.write(CHECKSUM, Vec::new());
    unit.write(SHORTEN, Vec::new());
    store.write(unit).await?;
    for id in 1..=3 {
        let answer = store
            .read_body(id)
            .await?
            .expect("a body")
            .whole(1 << 20)
            .await;
        assert!(
            matches!(answer, Err(StoreError::Damaged(_))),
            "{id}: {answer:?}"
        );
    }
    Ok(())
}

pub(super) async fn files_are_removed_after_their_rows_and_orphans_are_found(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    let used = spooled(&store, b"used").await?;
    let orphan = spooled(&store, b"orphan").await?;
    let mut unit = Unit::new();
    message_with(&mut unit, 1, 1, &NewBody::File(used));
    recipient(&mut unit, 1, 1, &Facts::of("queued"));
    store.write(unit).await?;
    let orphans = |found: Vec<crate::bodies::Orphan>| -> Vec<String> {
        found.into_iter().map(|orphan| orphan.name).collect()
    };
    assert_eq!(orphans(store.orphan_body_files().await?), [orphan.name()]);
    let mut settle = Unit::new();
    moved(&mut settle, 1, &Facts::of("relayed"));
    store.write(settle).await?;
    assert_eq!(orphans(store.orphan_body_files().await?), [orphan.name()]);
    assert_eq!(store.remove_done_files().await?, 1);
    assert_eq!(store.remove_done_files().await?, 0);
    assert_eq!(
        one_int(&store, "SELECT COUNT(*) FROM body_file_done").await?,
        0
    );
    store.discard_body_file(orphan.name()).await?;
    store.discard_body_file(orphan.name()).await?;
    assert_eq!(store.orphan_body_files().await?, []);
    Ok(())
}

pub(super) async fn a_spool_that_is_given_up_leaves_nothing(
    place: Arc<dyn Place>,
) -> Result<(), StoreError> {
    let store = place.open().await?;
    let mut spool = store.spool().await?;
    spool.append(&large()).await?;
    assert_eq!(store.orphan_body_files().await?.len(), 1);
    drop(spool);
    // Nobody waits for the removal; it must come by itself.
    let nothing_left = async {
        while !store.orphan_body_files().await?.is_empty() {
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), nothing_left).await;
    waited.expect("what was given up is removed")
}
