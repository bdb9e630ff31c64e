//! When something must happen next to a recipient, whatever its state: the one place that knows.
//!
//! [`deadline`] is the rule. A write that cannot know the row's other times (a claim, a settlement: they read nothing) asks
//! the database to apply the same rule with the expressions below; a test compares the two over every case.

use wire_message::Time;

/// What a recipient waits for, apart from its sender's next notice and the end of its lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// For the directory, to be asked again then.
    Categorizing { retry_at: Time },
    /// For its next hop. The queue asks who is ready; the watch has nothing to do until a notice or the end is due.
    Queued,
    /// For the node that claimed it.
    InFlight { claimed_until: Time },
    /// For a person.
    Held { alarm_at: Time },
}

/// The next moment at which the watch must look: never after `expires_at`.
pub(crate) fn deadline(waiting: Waiting, notify_at: Option<Time>, expires_at: Time) -> Time {
    let owed = notify_at.map_or(expires_at, |notify_at| notify_at.min(expires_at));
    match waiting {
        Waiting::Categorizing { retry_at } => owed.min(retry_at),
        Waiting::Queued => owed,
        Waiting::InFlight { claimed_until } => owed.min(claimed_until),
        Waiting::Held { alarm_at } => owed.min(alarm_at),
    }
}

/// The deadline of a queued row, in SQL.
macro_rules! deadline_of_queued {
    () => {
        "CASE WHEN notify_at < expires_at THEN notify_at ELSE expires_at END"
    };
}

/// The deadline of a row with a time of its own (`$own`: a parameter or column), in SQL.
macro_rules! deadline_with {
    ($own:literal) => {
        concat!(
            "CASE WHEN ",
            $own,
            " < expires_at AND (notify_at IS NULL OR ",
            $own,
            " < notify_at) THEN ",
            $own,
            " WHEN notify_at < expires_at THEN notify_at ELSE expires_at END"
        )
    };
}

pub(crate) use {deadline_of_queued, deadline_with};

#[cfg(test)]
mod tests;
