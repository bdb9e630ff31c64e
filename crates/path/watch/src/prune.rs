//! History past its age, and the files of bodies nobody needs any more, are removed.

use std::time::Duration;

use path_ledger::LedgerError;
use wire_message::Time;

use crate::Room;

/// How often files are removed. What is done with has no hurry; a crash leaves it for the next time.
pub const FILES_INTERVAL: Duration = Duration::from_secs(60);

/// Messages removed in one transaction, so that the writer is never blocked for long.
const MESSAGES_AT_ONCE: u32 = 200;

/// Words of the search removed in one transaction, for the same reason.
const WORDS_AT_ONCE: u32 = 2000;

pub(crate) async fn history(room: Room) {
    loop {
        if room.ledger.keeps_house()
            && let Err(error) = pass(&room).await
        {
            tracing::warn!(%error, "history could not be pruned");
        }
        room.sleep(room.settings().watch.prune_interval).await;
    }
}

/// Removes all history past its age.
pub(crate) async fn pass(room: &Room) -> Result<(), LedgerError> {
    let history = room.settings().queue.history.as_millis();
    let now = room.ledger.now().as_millis();
    let before = now.saturating_sub(i64::try_from(history).unwrap_or(i64::MAX));
    let before = Time::from_millis(before);
    while room.ledger.prune(before, MESSAGES_AT_ONCE).await? >= u64::from(MESSAGES_AT_ONCE) {
        room.beat();
    }
    while room.ledger.prune_words(WORDS_AT_ONCE).await? > 0 {
        room.beat();
    }
    Ok(())
}

/// Removes the files of finished bodies, and those left by crashes before `started`: no session of ours writes to them.
pub(crate) async fn files(room: Room, started: Time) {
    loop {
        if let Err(error) = room.ledger.remove_done_files().await {
            tracing::warn!(%error, "files of finished bodies could not be removed");
        }
        match room.ledger.remove_orphan_files(started).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "files of messages that a crash cut off"),
            Err(error) => tracing::warn!(%error, "files left by a crash could not be removed"),
        }
        room.sleep(FILES_INTERVAL).await;
    }
}
