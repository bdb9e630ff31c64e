//! The sweep by time: lost claims first, then whatever is due, in bounded batches until nothing is.

use std::sync::Arc;

use path_ledger::{DueRow, LedgerError, Sweep, Swept};
use path_notify::Action;
use tokio::task::JoinSet;
use wire_message::Time;

use crate::Room;
use crate::decide::{Decision, RECHECK, decide};
use crate::report::{compose, expired_words, expiry_cause, last_words};

/// Messages that are treated at one time: their units share a flush.
pub const GROUPS_AT_ONCE: usize = 64;

/// Rounds of lost claims in one pass, so that mail that is due waits for a bounded time behind them.
const LOST_ROUNDS: u32 = 20;

/// Rows of one message with one decision.
type Group = (Decision, Vec<DueRow>);

pub(crate) async fn run(room: Room) {
    loop {
        if let Err(error) = lost_claims(&room).await {
            tracing::warn!(%error, "lost claims could not be swept");
        }
        if let Err(error) = pass(&room).await {
            tracing::warn!(%error, "deadlines could not be swept");
        }
        room.sleep(room.settings().watch.sweep_interval).await;
    }
}

async fn lost_claims(room: &Room) -> Result<(), LedgerError> {
    for _ in 0..LOST_ROUNDS {
        room.beat();
        if room.ledger.lost_claims().await?.found == 0 {
            break;
        }
    }
    Ok(())
}

/// Treats all that is due now.
pub(crate) async fn pass(room: &Room) -> Result<(), LedgerError> {
    let batch = room.settings().watch.sweep_batch;
    loop {
        let now = room.ledger.now();
        let rows = room.ledger.due(now, batch).await?;
        let whole = rows.len() < batch as usize;
        let options = room.ledger.options();
        let groups = group(rows, |row| decide(row, now, &options));
        let treated = treat_all(room, groups, now).await;
        if whole || treated == 0 {
            return Ok(());
        }
    }
}

/// Brings together what is decided alike for one message, in the order of its first row.
pub(crate) fn group<D: PartialEq>(
    rows: Vec<DueRow>,
    decide: impl Fn(&DueRow) -> D,
) -> Vec<(D, Vec<DueRow>)> {
    let mut groups: Vec<(D, Vec<DueRow>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for row in rows {
        let decision = decide(&row);
        let alike: &mut Vec<usize> = places.entry(row.recipient.message).or_default();
        let found = alike
            .iter()
            .copied()
            .find(|place| groups.get(*place).is_some_and(|group| group.0 == decision));
        match found.and_then(|place| groups.get_mut(place)) {
            Some((_, rows)) => rows.push(row),
            None => {
                alike.push(groups.len());
                groups.push((decision, vec![row]));
            }
        }
    }
    groups
}

/// Treats groups beside each other; says how many are in the book now.
async fn treat_all(room: &Room, groups: Vec<Group>, now: Time) -> usize {
    let mut treated = 0;
    let mut tasks = JoinSet::new();
    for group in groups {
        room.beat();
        if tasks.len() >= GROUPS_AT_ONCE {
            treated += usize::from(tasks.join_next().await.is_some_and(is_done));
        }
        let room = room.clone();
        tasks.spawn(async move { treat_or_postpone(&room, group, now).await });
    }
    while let Some(joined) = tasks.join_next().await {
        room.beat();
        treated += usize::from(is_done(joined));
    }
    treated
}

fn is_done(joined: Result<Swept, tokio::task::JoinError>) -> bool {
    match joined {
        Ok(swept) => swept == Swept::Done,
        Err(error) => {
            tracing::error!(%error, "a due message could not be treated");
            false
        }
    }
}

/// One message that cannot be treated must not stand before all others, so it is looked at again later; that moves no
/// promise of its own, and the reconciler raises an alarm when it is past the slack.
async fn treat_or_postpone(room: &Room, group: Group, now: Time) -> Swept {
    let group = Arc::new(group);
    let mut task = JoinSet::new();
    let (inside, work) = (room.clone(), group.clone());
    task.spawn(async move { treat(&inside, &work.0, &work.1).await });
    let failure = match task.join_next().await {
        Some(Ok(Ok(swept))) => return swept,
        Some(Ok(Err(error))) => error.to_string(),
        Some(Err(error)) => error.to_string(),
        None => "its task is gone".to_owned(),
    };
    let (decision, rows) = &*group;
    let message = rows.first().map(|row| row.recipient.message);
    tracing::error!(
        ?message,
        ?decision,
        failure,
        "a due message could not be treated; it is tried again"
    );
    let deadline = now + RECHECK;
    match room.ledger.sweep(rows, Sweep::Postpone { deadline }).await {
        Ok(swept) => swept,
        // Found again by the next pass.
        Err(_unwell) => Swept::Escaped,
    }
}

async fn treat(room: &Room, decision: &Decision, rows: &[DueRow]) -> Result<Swept, LedgerError> {
    let settings = room.settings();
    let sweep = match decision {
        Decision::Expire => Sweep::Expire {
            cause: expiry_cause(rows),
            notices: compose(&room.ledger, &settings, Action::Failed, rows, expired_words).await,
        },
        Decision::DelayNotice { next_notify_at } => Sweep::DelayNotice {
            notices: compose(&room.ledger, &settings, Action::Delayed, rows, last_words).await,
            next_notify_at: *next_notify_at,
        },
        Decision::HoldAlarm { next } => {
            for row in rows {
                let reason = row.recipient.hold.as_ref().map(|hold| &hold.reason);
                tracing::error!(message = %row.recipient.message, recipient = %row.recipient.address, reason, "still held");
            }
            Sweep::HoldAlarm { next: *next }
        }
        Decision::Postpone { deadline } => Sweep::Postpone {
            deadline: *deadline,
        },
    };
    room.ledger.sweep(rows, sweep).await
}
