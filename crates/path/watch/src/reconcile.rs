//! What the book says of next hops and bodies, compared with the book itself, by slices.

use std::time::Duration;

use ground_settings::Settings;
use path_ledger::{BodyCursor, HopKey, HopKind, LedgerError};

use crate::Room;

/// Recipients whose message is read through in one pass: with small messages some megabytes, and a full queue in some hours.
const BODIES_A_PASS: u32 = 100;

/// Octets read in one pass, and the rest of the message with which they are reached: large messages must not keep the disk busy.
const OCTETS_A_PASS: u64 = 32 << 20;

pub(crate) async fn run(room: Room) {
    let mut from = BodyCursor::default();
    loop {
        room.sleep(room.settings().watch.reconcile_interval).await;
        if !room.ledger.keeps_house() {
            continue;
        }
        if let Err(error) = hops(&room).await {
            tracing::warn!(%error, "next hops could not be compared with the attempts");
        }
        room.beat();
        match bodies(&room, &from).await {
            Ok(next) => from = next,
            Err(error) => tracing::warn!(%error, "bodies could not be read through"),
        }
    }
}

pub(crate) async fn hops(room: &Room) -> Result<(), LedgerError> {
    let settings = room.settings();
    let put_right = room
        .ledger
        .put_hops_right(|hop| longest_wait(&settings, hop));
    for hop in put_right.await? {
        tracing::error!(hop = %hop.key, detail = hop.detail, "a next hop was put right");
    }
    Ok(())
}

/// A slice; where the next one begins.
pub(crate) async fn bodies(room: &Room, from: &BodyCursor) -> Result<BodyCursor, LedgerError> {
    let found = room
        .ledger
        .check_bodies(from, BODIES_A_PASS, OCTETS_A_PASS)
        .await?;
    if !found.damaged.is_empty() {
        tracing::error!(recipients = ?found.damaged, "messages cannot be read; they are held");
    }
    Ok(found.next.unwrap_or_default())
}

/// The longest that a schedule lets a hop wait; another node's look at it may add a lease.
fn longest_wait(settings: &Settings, hop: &HopKey) -> Duration {
    let own = match hop.kind() {
        HopKind::Via(name) => settings.connectors.iter().find(|one| one.name == name),
        HopKind::Mailbox | HopKind::Mx(_) => None,
    };
    let queue = &settings.queue;
    let schedule = own.map_or_else(|| queue.schedule(), |connector| connector.schedule(queue));
    let longest = schedule.retry.into_iter().max().unwrap_or_default();
    longest + queue.lease
}
