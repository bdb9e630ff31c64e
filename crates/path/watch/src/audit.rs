//! The whole book is added up from time to time; a tally that is off is counted again, whatever else does not add up is an
//! alarm.

use path_ledger::{Audit, LedgerError};
use tokio::sync::watch;
use wire_message::Time;

use crate::Room;
use crate::alarm::{Alarms, Found};
use crate::catalogue::AlarmKind;

/// Tallies that are counted again in one pass.
const RECOUNTS: usize = 100;

/// The last audit of a running server, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audited {
    /// When it was made.
    pub at: Time,
    /// Accepted, less everything else; not 0: the book does not add up.
    pub difference: i64,
}

pub(crate) async fn run(room: Room, alarms: Alarms, told: watch::Sender<Option<Audited>>) {
    loop {
        match pass(&room).await {
            Ok(audit) => {
                let kinds = [AlarmKind::Difference, AlarmKind::Finding];
                alarms.replace(&kinds, alarms_of(&audit));
                told.send_replace(Some(Audited {
                    at: room.ledger.now(),
                    difference: audit.difference,
                }));
            }
            Err(error) => tracing::warn!(%error, "the book could not be added up"),
        }
        room.sleep(room.settings().watch.audit_interval).await;
    }
}

/// Adds up, puts right what it can, and then adds up once more.
pub(crate) async fn pass(room: &Room) -> Result<Audit, LedgerError> {
    let audit = room.ledger.audit().await?;
    let off = audit.findings.iter().filter_map(|one| one.of.as_ref());
    let off: Vec<_> = off.take(RECOUNTS).collect();
    if off.is_empty() {
        return Ok(audit);
    }
    for (state, next_hop) in off {
        room.ledger.recount(state, next_hop).await?;
    }
    room.ledger.audit().await
}

pub(crate) fn alarms_of(audit: &Audit) -> Vec<Found> {
    let difference = (audit.difference != 0).then(|| {
        let detail = format!("the book does not add up, by {}", audit.difference);
        Found::new(AlarmKind::Difference, "book", detail)
    });
    let finding = |finding: &path_ledger::Finding| {
        let detail = finding.to_string();
        Found::new(AlarmKind::Finding, detail.clone(), detail)
    };
    audit
        .findings
        .iter()
        .map(finding)
        .chain(difference)
        .collect()
}
