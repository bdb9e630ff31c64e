//! What is due for a recipient: a pure function of its row, the moment and the settings.

use std::time::Duration;

use path_ledger::{DueRow, LedgerOptions, Patience, State};
use path_notify::{Action, Wish, wish};
use wire_message::{ReversePath, Time};

#[cfg(test)]
mod tests;

/// When a row is looked at again whose time has come and that is not the watch's to move: it waits for the directory or
/// its node, or could not be treated. Well within the default slack.
pub const RECHECK: Duration = Duration::from_secs(60);

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Its lifetime has ended.
    Expire,
    /// The sender is owed a delay notice.
    DelayNotice {
        /// The next one.
        next_notify_at: Option<Time>,
    },
    /// Somebody should look at the hold.
    HoldAlarm {
        /// When it rings again.
        next: Time,
    },
    /// Nothing yet.
    Postpone {
        /// When to look again.
        deadline: Time,
    },
}

/// Decides what is due for `row` at `now`.
pub(crate) fn decide(row: &DueRow, now: Time, options: &LedgerOptions) -> Decision {
    let recipient = &row.recipient;
    // Final rows have no end and are never due.
    let expires_at = recipient.expires_at.unwrap_or(Time::MAX);
    let in_flight = recipient.state == State::InFlight;
    if expires_at <= now && !in_flight {
        return Decision::Expire;
    }
    let notify_at = recipient.notify_at.filter(|_| can_be_told(row));
    if notify_at.is_some_and(|notify_at| notify_at <= now) && expires_at > now {
        return Decision::DelayNotice {
            next_notify_at: next_notice(row, now, options),
        };
    }
    let alarm_at = recipient.hold.as_ref().map(|hold| hold.alarm_at);
    if alarm_at.is_some_and(|alarm_at| alarm_at <= now) {
        return Decision::HoldAlarm {
            next: now + options.hold_alarm,
        };
    }
    let own = match recipient.state {
        State::Categorizing => Some(recipient.retry_at.max(now + RECHECK)),
        State::InFlight => Some(now + RECHECK),
        State::Held => alarm_at,
        State::Queued
        | State::Delivered
        | State::Relayed
        | State::Expanded
        | State::Returned
        | State::Discarded
        | State::DeadLetter => None,
    };
    let times = [own, notify_at, Some(expires_at)];
    let deadline = times.into_iter().flatten().min().unwrap_or(expires_at);
    Decision::Postpone {
        deadline: deadline.max(now),
    }
}

/// When the next delay notice after `now` is owed.
pub(crate) fn next_notice(row: &DueRow, now: Time, options: &LedgerOptions) -> Option<Time> {
    let recipient = &row.recipient;
    let age = now.since(recipient.accepted_at);
    let next = patience(row, options).next_notice(age)?;
    let next = recipient.accepted_at + next;
    (can_be_told(row) && Some(next) < recipient.expires_at).then_some(next)
}

/// Whether there is a sender who wants to hear of delays.
pub(crate) fn can_be_told(row: &DueRow) -> bool {
    match row.envelope.sender {
        ReversePath::Null => false,
        ReversePath::Address(_) => wish(Action::Delayed, row.recipient.notify) == Wish::Told,
    }
}

fn patience<'a>(row: &DueRow, options: &'a LedgerOptions) -> &'a Patience {
    match &row.recipient.next_hop {
        Some(hop) => options.patience(hop),
        None => &options.patience,
    }
}
