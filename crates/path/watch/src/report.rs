//! The reports a sweep owes: what was last said about each recipient, and as much of the message as they return.

use std::time::Duration;

use ground_settings::Settings;
use path_ledger::{DueRow, HopState, Ledger, NewMessage, State};
use path_notify::{About, Action, Content, Fate, Reporter, Said, Stamp, Wish, extent_for, wish};
use wire_message::{Class, EnhancedStatus, ReversePath};

/// Delivery time expired (RFC 3463 s3.5): temporary, because it might have passed in the end.
const EXPIRED: EnhancedStatus = EnhancedStatus::new(Class::Temporary, 4, 7);
/// Other or undefined mail system status: it waits here.
const WAITS: EnhancedStatus = EnhancedStatus::new(Class::Temporary, 3, 0);
/// The system takes no messages (RFC 3463 s3.4): a person stopped it.
const PAUSED: EnhancedStatus = EnhancedStatus::new(Class::Temporary, 3, 2);

/// One report on all `rows`, which are of one message, with what `said` says of each; none when nobody is to be told.
pub(crate) async fn compose(
    ledger: &Ledger,
    settings: &Settings,
    action: Action,
    rows: &[DueRow],
    said: impl Fn(&DueRow) -> Said,
) -> Vec<NewMessage> {
    let wanted = |row: &DueRow| wish(action, row.recipient.notify) == Wish::Told;
    let Some(first) = rows.first().filter(|_| rows.iter().any(wanted)) else {
        return Vec::new();
    };
    if first.envelope.sender == ReversePath::Null {
        return Vec::new();
    }
    let reporter = match Reporter::with_links(ledger, settings).await {
        Ok(reporter) => reporter,
        Err(error) => {
            // Settings with such a name are refused when they are loaded.
            tracing::error!(%error, "no report can be made");
            return Vec::new();
        }
    };
    let extent = extent_for(action, &first.envelope, first.size);
    let content = Content::read(ledger, first.body.as_ref(), extent).await;
    let about = About {
        id: first.recipient.message,
        envelope: &first.envelope,
        size: first.size,
        content: &content,
    };
    let fate = |row: &DueRow| Fate::of_row(&row.recipient, said(row));
    let fates: Vec<Fate> = rows.iter().map(fate).collect();
    let stamp = Stamp {
        id: ledger.new_id(),
        at: ledger.now(),
    };
    reporter
        .report(action, &about, &fates, stamp)
        .into_messages()
}

/// Why a recipient waits, in the last words that were said. A hop that is down speaks for all that waits for it.
pub(crate) fn last_words(row: &DueRow) -> Said {
    let recipient = &row.recipient;
    if recipient.state == State::Held {
        return Said::ours(
            WAITS,
            "the message is held at this server until it has been looked at",
        );
    }
    match row.hop.as_ref().map(|hop| (hop.state, hop)) {
        Some((HopState::Down, hop)) if !hop.last_reply.is_empty() => {
            Said::reply(&hop.last_peer, &hop.last_reply)
        }
        Some((HopState::Paused, _)) => Said::ours(
            PAUSED,
            "delivery to this destination is paused at this server",
        ),
        Some((HopState::Down | HopState::Up, _)) | None if recipient.last_reply.is_empty() => {
            Said::ours(WAITS, "the message waits for its turn at this server")
        }
        Some((HopState::Down | HopState::Up, _)) | None => {
            Said::reply(&recipient.last_peer, &recipient.last_reply)
        }
    }
}

/// The last words about a recipient whose time has run out.
pub(crate) fn expired_words(row: &DueRow) -> Said {
    Said {
        status: Some(EXPIRED),
        ..last_words(row)
    }
}

/// Why these rows expire: their age, and what was said last when it is the same for all.
pub(crate) fn expiry_cause(rows: &[DueRow]) -> String {
    let lifetime = rows.first().and_then(|row| {
        let recipient = &row.recipient;
        Some(recipient.expires_at?.since(recipient.accepted_at))
    });
    let cause = match lifetime {
        Some(lifetime) => format!("not handed over within {}", in_words(lifetime)),
        None => "not handed over in time".to_owned(),
    };
    let mut said = rows.iter().map(|row| last_words(row).text);
    match said.next() {
        Some(first) if said.all(|other| other == first) => format!("{cause}; last: {first}"),
        Some(_) | None => cause,
    }
}

/// A duration for people: in its two largest units.
pub(crate) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let mut rest = seconds;
    let units = [
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let mut words = Vec::new();
    for (size, name) in units
        .into_iter()
        .skip_while(|unit| unit.0 > seconds)
        .take(2)
    {
        let count = rest / size;
        rest %= size;
        match count {
            0 => {}
            1 => words.push(format!("1 {name}")),
            _ => words.push(format!("{count} {name}s")),
        }
    }
    if words.is_empty() {
        return "0 seconds".to_owned();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_its_two_largest_units() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "1 minute"),
            (90, "1 minute 30 seconds"),
            (18_030, "5 hours"),
            (19_830, "5 hours 30 minutes"),
            (345_600, "4 days"),
            (432_059, "5 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
