//! Signs of life: the node lives, or has been replaced, or must start anew.

use std::time::Duration;

use path_ledger::{Heartbeat, Ledger};
use tokio::sync::watch;

use crate::Room;

/// How often the node shows that it lives: three signs may be lost before its lease ends ([`path_ledger::NODE_LEASE`]).
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(4);

/// The pause after a sign of life that was not taken.
const HEARTBEAT_AGAIN: Duration = Duration::from_secs(1);

/// Shows that the node lives until it must end, and says why; each time before it does, `beat` is called.
pub async fn until_it_ends(ledger: &Ledger, beat: impl Fn()) -> Heartbeat {
    loop {
        beat();
        let pause = match ledger.heartbeat().await {
            Ok(Heartbeat::Alive) => HEARTBEAT_INTERVAL,
            Ok(Heartbeat::Replaced) => {
                tracing::error!("another node has started under this node's name");
                return Heartbeat::Replaced;
            }
            Ok(Heartbeat::Fenced) => {
                tracing::error!("this node was silent for too long; others took over its work");
                return Heartbeat::Fenced;
            }
            Err(error) => {
                tracing::warn!(%error, "no sign of life was written");
                HEARTBEAT_AGAIN
            }
        };
        ledger.world().clock.sleep(pause).await;
    }
}

/// For ever: a node that has ended once has nothing more to show.
pub(crate) async fn run(room: Room, beats: watch::Sender<Heartbeat>) {
    let end = until_it_ends(&room.ledger, || room.beat()).await;
    beats.send_replace(end);
    loop {
        room.sleep(HEARTBEAT_INTERVAL).await;
    }
}
