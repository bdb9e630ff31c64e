//! What an operator does to next hops.

use ground_settings::Period;
use path_ledger::{HopKey, HopKind, HopState, PAUSE_MAX, Paused, Resumed};
use serde_json::json;
use wire_message::Time;

use super::{Answered, ledger};
use crate::control::Answer;
use crate::rooms::Rooms;

pub(super) async fn pause(
    rooms: &Rooms,
    by: &str,
    hop: &str,
    until: &str,
    reason: &str,
) -> Answered {
    let hop = there(rooms, hop)?;
    let until = moment(until, rooms.ledger.now())?;
    if reason.is_empty() {
        return Err(Answer::asker(
            "a pause needs a reason: others will ask for it",
        ));
    }
    let paused = rooms.ledger.hop_pause(&hop, by, until, reason).await;
    match paused.map_err(ledger)? {
        Paused::Yes => Ok(Answer::One {
            fact: json!({
                "next_hop": hop,
                "state": HopState::Paused,
                "paused_by": by,
                "paused_until": until.to_string(),
                "pause_reason": reason,
            }),
        }),
        Paused::NotInThePast => Err(Answer::asker(format!("{until} has passed"))),
        Paused::NotForSoLong => Err(Answer::asker(format!(
            "a pause may last {}: pause again later, or hold its mail (postrider hold --next-hop {hop})",
            Period(PAUSE_MAX)
        ))),
    }
}

pub(super) async fn resume(rooms: &Rooms, by: &str, hop: &str, reason: &str) -> Answered {
    let hop = key(hop)?;
    let resumed = rooms.ledger.hop_resume(&hop, by, reason).await;
    match resumed.map_err(ledger)? {
        Resumed::Yes => Ok(Answer::One {
            fact: json!({ "next_hop": hop, "state": HopState::Up }),
        }),
        Resumed::WasNotPaused => Err(Answer::asker(format!(
            "{hop} is not paused: see postrider hop list"
        ))),
    }
}

/// A next hop that is there: mail for a connector nobody has set would wait for its whole lifetime.
pub(super) fn there(rooms: &Rooms, text: &str) -> Result<HopKey, Answer> {
    let hop = key(text)?;
    if let HopKind::Via(name) = hop.kind() {
        let settings = rooms.settings.borrow();
        if !settings
            .connectors
            .iter()
            .any(|connector| connector.name == name)
        {
            return Err(Answer::asker(format!(
                "there is no connector {name:?} in the configuration"
            )));
        }
    }
    Ok(hop)
}

/// Domains are written in any case.
fn key(text: &str) -> Result<HopKey, Answer> {
    let hop: HopKey = text.parse().map_err(Answer::asker)?;
    Ok(match hop.kind() {
        HopKind::Mx(domain) => HopKey::mx(domain),
        HopKind::Mailbox | HopKind::Via(_) => hop,
    })
}

/// A moment, or a time from now.
fn moment(text: &str, now: Time) -> Result<Time, Answer> {
    let from_now = || text.parse().ok().map(|Period(time)| now + time);
    let moment = text.parse().ok().or_else(from_now);
    moment.ok_or_else(|| {
        Answer::asker(format!(
            "{text:?} is neither a moment such as 2026-11-23T10:00:00Z nor a time from now such as 2h"
        ))
    })
}
