//! What was said to be kept is kept, it adds up, and whatever changed is recorded.

use std::collections::BTreeMap;

use super::{Faults, Verdict, broken};
use crate::errand::Confirmed;
use crate::simulate::book::{Book, Event, Message, Recipient};
use crate::statement::Operation;

/// P3: accepted is the sum of everything else, in the totals, in the tally and in the rows.
pub(super) fn adds_up(book: &Book) -> Verdict {
    let promise = "P3 conservation";
    let total = |what: &str| book.totals.get(what).copied().unwrap_or(0);
    let mut rows: BTreeMap<&str, i64> = BTreeMap::new();
    for recipient in book.recipients.values() {
        *rows.entry(recipient.state.as_str()).or_default() += 1;
    }
    let accepted = total("accepted");
    let all = i64::try_from(book.recipients.len()).unwrap_or(i64::MAX);
    if accepted != all {
        return broken(promise, format!("{accepted} accepted, {all} rows"));
    }
    for (state, n) in &rows {
        let counted = match *state {
            "categorizing" | "queued" | "in_flight" | "held" => {
                book.tally.get(*state).copied().unwrap_or(0)
            }
            ended => total(ended),
        };
        if counted != *n {
            return broken(promise, format!("{state}: {n} rows, {counted} counted"));
        }
    }
    let tallied: i64 = book.tally.values().sum();
    let waiting = book
        .recipients
        .values()
        .filter(|one| !one.is_final())
        .count();
    if usize::try_from(tallied).ok() != Some(waiting) {
        return broken(promise, format!("{waiting} wait, {tallied} are tallied"));
    }
    Ok(())
}

/// P9: what was answered with 250 is in the book, for everybody it was for.
pub(super) fn is_kept(book: &Book, confirmed: &[Confirmed]) -> Verdict {
    for letter in confirmed {
        let of = |message: &&Message| message.message_id == letter.message_id;
        let found = book.messages.iter().find(|(_, message)| of(message));
        let Some((id, _)) = found else {
            return broken(
                "P9 accept only what is kept",
                format!("{letter:?} is nowhere"),
            );
        };
        let born = book.recipients.values().filter(|one| one.message == *id);
        let addresses: Vec<&str> = born.map(|one| one.address.as_str()).collect();
        let late = book
            .recipients
            .values()
            .any(|one| one.message == *id && one.state == "categorizing");
        for wanted in letter.recipients.iter().flat_map(|one| reaches(one, late)) {
            if !addresses.iter().any(|one| owner(one) == owner(wanted)) {
                return broken(
                    "P9 accept only what is kept",
                    format!(
                        "{wanted} of {} is not among {addresses:?}",
                        letter.message_id
                    ),
                );
            }
        }
    }
    Ok(())
}

/// P14: as many recipients carry an operator's act, with its reason, as the operator was told.
pub(super) fn acts_recorded(book: &Book, acts: &[(Operation, u64)]) -> Verdict {
    for (act, told) in acts {
        let of = |one: &&Event| one.recipient.is_some() && one.detail == act.reason;
        let recorded = book.events.iter().filter(of).count();
        if u64::try_from(recorded).ok() != Some(*told) {
            return broken(
                "P14 every operator act is recorded",
                format!("{recorded} recipients carry an act on {told}: {act:?}"),
            );
        }
    }
    Ok(())
}

/// Who must be among the recipients of mail for an address: everybody an alias stands for, once the directory was asked.
fn reaches(address: &str, late: bool) -> Vec<&str> {
    match address {
        "team@here.test" if !late => vec!["ada@here.test", "bob@here.test", "eve@far.test"],
        other => vec![other],
    }
}

/// One person has one copy, under any name with a plus.
fn owner(address: &str) -> (&str, &str) {
    let (local, domain) = address.split_once('@').unwrap_or((address, ""));
    (local.split('+').next().unwrap_or(local), domain)
}

/// P5, P8: age and identity never change, and what has ended has ended.
pub(super) fn unchanged(id: i64, old: &Recipient, new: &Recipient) -> Verdict {
    if (old.message, &old.address, old.accepted_at) != (new.message, &new.address, new.accepted_at)
    {
        return broken(
            "P5 bounded age",
            format!("recipient {id} was {old:?} and is {new:?}"),
        );
    }
    if !old.is_final() && !new.is_final() && old.expires_at != new.expires_at {
        return broken(
            "P5 bounded age",
            format!(
                "the end of {id} moved from {:?} to {:?}",
                old.expires_at, new.expires_at
            ),
        );
    }
    if old.is_final() && old != new {
        return broken(
            "P8 no silent drop",
            format!("{id} had ended: {old:?}, and is {new:?}"),
        );
    }
    Ok(())
}

/// P8, P14: whatever changed for a recipient, an attempt or an event says so.
pub(super) fn explained(
    id: i64,
    (old, new): (&Recipient, &Recipient),
    (before, book): (&Book, &Book),
) -> Verdict {
    let records = |book: &Book| {
        let attempts = book
            .attempts
            .iter()
            .filter(|one| one.recipient == id)
            .count();
        let events = book
            .events
            .iter()
            .filter(|one| one.recipient == Some(id))
            .count();
        attempts + events
    };
    let claimed = |state: &str| matches!(state, "queued" | "in_flight");
    let silent = match (old.state.as_str(), new.state.as_str()) {
        // Nobody need know that it was claimed, or given back; or that the directory was asked.
        (from, to) if claimed(from) && claimed(to) => {
            (old.retry_at, old.notify_at, old.attempts)
                == (new.retry_at, new.notify_at, new.attempts)
        }
        ("categorizing", "categorizing" | "queued" | "in_flight") => old.notify_at == new.notify_at,
        // Its members are there instead, and say where they come from.
        ("categorizing", "expanded") => {
            let parent = |one: &Recipient| one.parent == Some(id);
            book.recipients.values().any(parent)
        }
        (from, to) if from == to => {
            (old.notify_at, old.hold_alarm_at) == (new.notify_at, new.hold_alarm_at)
        }
        _ => false,
    };
    if silent || old == new || records(book) > records(before) {
        return Ok(());
    }
    broken(
        "P8 no silent drop",
        format!("nothing in the history says why {id} changed from {old:?} to {new:?}"),
    )
}

/// Attempts in a row that begin and never end, after which mail is held.
const POISON: usize = 3;

/// P4, P11: claims are lost by faults alone, and what loses them again and again is held.
pub(super) fn blame(book: &Book, faults: Faults) -> Verdict {
    let lost = |one: &&Event| {
        one.kind == "claim_lost" || (one.kind == "reconciled" && one.recipient.is_some())
    };
    if let Some(event) = book
        .events
        .iter()
        .find(lost)
        .filter(|_| faults == Faults::None)
    {
        return broken(
            "P4 leases, not locks",
            format!("lost by nobody's fault: {event:?}"),
        );
    }
    for id in book.recipients.keys() {
        let bad =
            |one: &&Event| one.detail.contains("crashed") || one.detail.contains("never ended");
        let bad = book.events(*id, "claim_lost").filter(bad).count();
        let fresh = book.events(*id, "released").count() + book.events(*id, "rerouted").count();
        let ended = book
            .attempts
            .iter()
            .filter(|one| one.recipient == *id)
            .count()
            - bad.min(book.outcomes(*id, "unknown") + book.outcomes(*id, "deferred"));
        if bad > POISON * (1 + fresh + ended) {
            return broken(
                "P11 no head-of-line blocking",
                format!("{id} crashed {bad} attempts and is not held"),
            );
        }
    }
    Ok(())
}
