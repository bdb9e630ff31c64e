//! The whole book is added up from time to time; whatever does not add up is an alarm.

use std::collections::BTreeSet;

use path_ledger::Audit;

use crate::Room;
use crate::alarm::{Alarm, Alarms};

pub(crate) async fn run(room: Room, alarms: Alarms) {
    loop {
        match room.ledger.audit().await {
            Ok(audit) => alarms.replace(is_mine, alarms_of(&audit)),
            Err(error) => tracing::warn!(%error, "the book could not be added up"),
        }
        room.sleep(room.settings().watch.audit_interval).await;
    }
}

fn is_mine(alarm: &Alarm) -> bool {
    match alarm {
        Alarm::Difference(_) | Alarm::Finding(_) => true,
        Alarm::Overdue(_) | Alarm::NoSuchConnector(_) => false,
    }
}

pub(crate) fn alarms_of(audit: &Audit) -> BTreeSet<Alarm> {
    let difference = (audit.difference != 0).then_some(Alarm::Difference(audit.difference));
    let findings = audit.findings.iter();
    findings
        .map(|finding| Alarm::Finding(finding.to_string()))
        .chain(difference)
        .collect()
}
