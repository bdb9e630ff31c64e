//! New words come into the index of the search by batches, and those of history that is gone leave it.

use std::time::Duration;

use path_ledger::LedgerError;

use crate::Room;

/// How often. What is not in the index yet is searched row by row, so this bounds what a search reads.
pub const SEARCH_INTERVAL: Duration = Duration::from_secs(5);

/// Recipients in one batch: many enough to share pages, few enough that the writer is not blocked for long.
const BATCH: u32 = 1000;

pub(crate) async fn run(room: Room) {
    loop {
        if room.ledger.keeps_house()
            && let Err(error) = pass(&room).await
        {
            tracing::warn!(%error, "new words could not be brought into the index");
        }
        room.sleep(SEARCH_INTERVAL).await;
    }
}

async fn pass(room: &Room) -> Result<(), LedgerError> {
    while room.ledger.index_words(BATCH).await? >= u64::from(BATCH) {
        room.beat();
    }
    Ok(())
}
