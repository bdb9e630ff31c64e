//! A regular look for what should not be: mail past its deadline, mail for a way that is no longer there.

use std::collections::BTreeSet;

use path_ledger::{HopKind, LedgerError};
use wire_message::Time;

use crate::Room;
use crate::alarm::{Alarm, Alarms};

/// Overdue recipients that are named one by one; more are no more alarming.
const OVERDUE_NAMED: u32 = 20;

pub(crate) async fn run(room: Room, alarms: Alarms) {
    loop {
        match look(&room).await {
            Ok(found) => alarms.replace(is_mine, found),
            Err(error) => tracing::warn!(%error, "the book could not be looked through"),
        }
        room.sleep(room.settings().watch.reconcile_interval).await;
    }
}

fn is_mine(alarm: &Alarm) -> bool {
    match alarm {
        Alarm::Overdue(_) | Alarm::NoSuchConnector(_) => true,
        Alarm::Difference(_) | Alarm::Finding(_) => false,
    }
}

pub(crate) async fn look(room: &Room) -> Result<BTreeSet<Alarm>, LedgerError> {
    let settings = room.settings();
    let slack = i64::try_from(settings.watch.slack.as_millis()).unwrap_or(i64::MAX);
    let now = room.ledger.now();
    let latest = Time::from_millis(now.as_millis().saturating_sub(slack));
    let overdue = room.ledger.due(latest, OVERDUE_NAMED).await?;
    let mut found: BTreeSet<Alarm> = overdue
        .into_iter()
        .map(|row| Alarm::Overdue(row.recipient.id))
        .collect();
    for hop in room.ledger.ready_hops(now).await? {
        let gone = match hop.key.kind() {
            HopKind::Via(name) => !settings.connectors.iter().any(|one| one.name == name),
            HopKind::Mailbox | HopKind::Mx(_) => false,
        };
        if gone {
            found.insert(Alarm::NoSuchConnector(hop.key));
        }
    }
    Ok(found)
}
