//! Dust: folded counts leave dead rows behind, which whoever reads the counts would have to pass. The server's own
//! housekeeping comes once a minute, which is late by some hundred thousand of them under load; this task comes every few
//! seconds while there is load, and never otherwise.

use std::sync::Arc;
use std::time::Duration;

use ground_world::World;
use tokio::sync::Notify;

use super::connection::Connection;
use super::dialer::{Dialer, Role};
use super::trouble::Trouble;
use crate::StoreError;

/// Folds after which it is time: some ten thousand dead rows, which a reader passes in a few milliseconds.
pub(super) const FOLDS: u32 = 10;

/// How long one visit may take.
const DEADLINE: Duration = Duration::from_secs(30);

const LEFT: &str = "the counts were not tidied up; the server does it in a minute";

/// Another node may be at it, and the tables stay as large as their dust between two visits.
const SWEEP: &str =
    "VACUUM (SKIP_LOCKED, TRUNCATE false) tally_change, total_change, tally_kept, total_kept";

/// Where the writer says that it is time. The task ends with it.
pub(super) struct Broom(Arc<Notify>);

impl Broom {
    pub(super) fn with(dialer: &Arc<Dialer>, world: &World) -> Self {
        let due = Arc::new(Notify::new());
        let (weak, dialer) = (Arc::downgrade(&due), Arc::clone(dialer));
        let clock = world.clock.clone();
        tokio::spawn(async move {
            let mut connection = None;
            while let Some(due) = weak.upgrade() {
                // Whoever holds the other end rings a last time when it goes.
                due.notified().await;
                drop(due);
                let swept = clock.timeout(DEADLINE, sweep(&dialer, &mut connection));
                match swept.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(%error, "{LEFT}"),
                    Err(late) => tracing::debug!(%late, "{LEFT}"),
                }
            }
        });
        Self(due)
    }

    /// It is time.
    pub(super) fn sweep(&self) {
        self.0.notify_one();
    }
}

impl Drop for Broom {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn sweep(dialer: &Dialer, connection: &mut Option<Connection>) -> Result<(), StoreError> {
    let open = match connection.take() {
        Some(open) if !open.is_closed() => open,
        Some(_) | None => dialer.connect(Role::Writer).await?,
    };
    open.batch(SWEEP).await.map_err(Trouble::told)?;
    *connection = Some(open);
    Ok(())
}
