//! Nothing is late, and nothing early.

use super::{DELAY, GRACE, STALL, Verdict, broken};
use crate::simulate::book::{Book, Message, Recipient};

/// Ages of delay notices, as in the settings of the stories.
const NOTICES: [i64; 2] = [60_000, 240_000];

/// The longest wait between attempts, with chance and a lease.
const WAIT: i64 = 180_000;

/// P12: no next hop, and nobody, waits longer than the schedule says.
pub(super) fn hops_open(book: &Book, now: i64) -> Verdict {
    let late = book
        .hops
        .iter()
        .find(|(_, hop)| hop.state == "down" && hop.retry_at > now + WAIT);
    if let Some((key, hop)) = late {
        return broken(
            "P12 every wait has an end",
            format!("{key} waits beyond all bounds: {hop:?}"),
        );
    }
    let waits = |one: &&Recipient| one.state == "queued" && one.retry_at > now + WAIT;
    match book.recipients.values().find(waits) {
        Some(one) => broken(
            "P12 every wait has an end",
            format!("it waits beyond all bounds: {one:?}"),
        ),
        None => Ok(()),
    }
}

/// Milliseconds by which the book's clock may go back at once: a wall clock that was stepped and comes back is followed, and by
/// then the book's was slewed by a two-thousandth of a story.
pub(super) const CORRECTED: i64 = 1000;

/// P6: each delay notice is told of by a report, not early, and every age that has passed had one.
pub(super) fn delays_told(
    id: i64,
    recipient: &Recipient,
    book: &Book,
    (now, excused): (i64, i64),
) -> Verdict {
    let promise = "P6 told on time";
    let told: Vec<i64> = book.events(id, "delay_noticed").map(|one| one.at).collect();
    for at in &told {
        if *at < recipient.accepted_at + NOTICES[0] - CORRECTED {
            return broken(
                promise,
                format!("{id} is told of too early, at {at}: {recipient:?}"),
            );
        }
        let report = |one: &Message| one.cause == Some(recipient.message) && one.received_at == *at;
        if !book.messages.values().any(report) {
            return broken(
                promise,
                format!("no report tells of the delay of {id} at {at}"),
            );
        }
    }
    let sender = book
        .messages
        .get(&recipient.message)
        .map(|one| one.sender.as_str());
    let wanted = recipient.notify == 0 || recipient.notify & DELAY != 0;
    if recipient.is_final() || !wanted || sender.is_none_or(str::is_empty) {
        return Ok(());
    }
    for age in NOTICES {
        let owed = recipient.accepted_at + age;
        let held = recipient.expires_at.is_none_or(|end| end <= owed);
        if !held
            && owed.max(excused) + GRACE < now
            && !told.iter().any(|at| *at + CORRECTED >= owed)
        {
            return broken(
                promise,
                format!("nobody was told that {id} waits for {age} ms: {recipient:?}"),
            );
        }
    }
    Ok(())
}

/// P2, P4, P5, P6: nothing that was due is late, but for the time in which nobody could do it.
pub(super) fn on_time(id: i64, recipient: &Recipient, now: i64, excused: i64) -> Verdict {
    let late = |due: Option<i64>| due.is_some_and(|due| due.max(excused) + GRACE < now);
    let words = |what: &str| format!("{id}: {what} is late at {now}: {recipient:?}");
    if recipient.is_final() {
        return Ok(());
    }
    if recipient.state != "in_flight" && late(recipient.deadline_at) {
        return broken("P2 closed states", words("the deadline"));
    }
    if late(recipient.claimed_until) {
        return broken("P4 leases, not locks", words("the end of the claim"));
    }
    if late(recipient.hold_alarm_at) {
        return broken("P2 closed states", words("the alarm of the hold"));
    }
    let told = recipient.notify == 0 || recipient.notify & DELAY != 0;
    if told && late(recipient.notify_at) {
        return broken("P6 told on time", words("the delay notice"));
    }
    // What is being tried when its time is over may come to its end.
    let last = recipient
        .expires_at
        .map(|at| match recipient.state.as_str() {
            "in_flight" => at + STALL,
            _ => at,
        });
    if late(last) {
        return broken("P5 bounded age", words("the end"));
    }
    Ok(())
}
