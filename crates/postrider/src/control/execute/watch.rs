//! What the watch has seen; without a server, what the rows show.

use path_watch::{Alarm, AlarmKind, alarms_of_rows};
use serde_json::json;

use super::{Answered, ledger};
use crate::control::{Answer, Mover};
use crate::rooms::Rooms;
use access_admin::metrics;

pub(super) async fn alarms(rooms: &Rooms) -> Answered {
    super::rows(standing(rooms).await?)
}

/// Alarms under which a node must get no new mail from a load balancer. What was stuck is replaced by the time it is told of.
fn is_unhealthy(kind: AlarmKind, of_this_node: bool) -> bool {
    match kind {
        AlarmKind::Stalled | AlarmKind::Overdue | AlarmKind::StoreFailing => true,
        AlarmKind::NoSignOfLife => of_this_node,
        AlarmKind::Stuck
        | AlarmKind::TaskFailed
        | AlarmKind::NoSuchConnector
        | AlarmKind::OurFault
        | AlarmKind::HeldForgotten
        | AlarmKind::Damaged
        | AlarmKind::Poison
        | AlarmKind::DeadLetters
        | AlarmKind::Difference
        | AlarmKind::Finding
        | AlarmKind::ClockStepped => false,
    }
}

pub(super) async fn health(rooms: &Rooms) -> Answered {
    let Some(watch) = &rooms.watch else {
        return Err(Answer::Refused {
            whose: Mover::Time,
            why: "no server runs on this configuration".to_owned(),
        });
    };
    let book = &rooms.ledger;
    let mut reasons = Vec::new();
    if !book.is_alive() {
        reasons.push("its sign of life is not taken by the store; it takes no mail".to_owned());
    }
    if book.is_draining() {
        reasons.push("it is drained: postrider node resume".to_owned());
    }
    if let Some(trouble) = book.trouble() {
        reasons.push(format!("the store fails: {trouble}"));
    }
    let name = book.node_name();
    for alarm in watch.alarms() {
        if is_unhealthy(alarm.kind, alarm.subject == name) {
            let Alarm {
                subject, detail, ..
            } = &alarm;
            let kind = alarm.kind.word();
            reasons.push(format!("{kind}: {subject}: {detail}"));
        }
    }
    let healthy = reasons.is_empty();
    Ok(Answer::One {
        fact: json!({ "healthy": healthy, "node": name, "reasons": reasons }),
    })
}

pub(super) async fn metrics(rooms: &Rooms) -> Answered {
    let alarms = standing(rooms).await?;
    let audited = rooms.watch.as_ref().and_then(|watch| watch.last_audit());
    let text = metrics::text(&rooms.ledger, &alarms, audited)
        .await
        .map_err(ledger)?;
    Ok(Answer::Octets {
        content: text.into(),
    })
}

async fn standing(rooms: &Rooms) -> Result<Vec<Alarm>, Answer> {
    if let Some(watch) = &rooms.watch {
        return Ok(watch.alarms());
    }
    let settings = rooms.settings.borrow().clone();
    let found = alarms_of_rows(&rooms.ledger, &settings);
    found.await.map_err(ledger)
}
