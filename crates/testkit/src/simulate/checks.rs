//! The promises, each as a question to two readings of the book: what it was, and what it is now.
//!
//! A check knows nothing of the server's code. It answers with what is broken, in words, or with nothing.

use std::collections::BTreeMap;

use super::book::{Book, Event, Message, Recipient};
use crate::errand::Confirmed;

/// How late anything may be: the slack of the settings, and the time in which a task that died or hangs is replaced.
const GRACE: i64 = 90_000;

/// Ages of delay notices, as in the settings of the stories.
const NOTICES: [i64; 2] = [60_000, 240_000];

/// The longest wait between attempts, with chance and a lease.
const WAIT: i64 = 180_000;

/// Attempts in a row that begin and never end, after which mail is held.
const POISON: usize = 3;

/// How long mail that could be tried may wait to be claimed, and claimed mail to be tried, while a node works.
const STALL: i64 = 300_000;

/// Bits of NOTIFY in the book (RFC 3461 s4.1).
const NEVER: i64 = 1;
const FAILURE: i64 = 4;
const DELAY: i64 = 8;

/// What is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which promise, as in the design.
    pub promise: &'static str,
    /// How.
    pub words: String,
}

/// Under which conditions the book is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conditions {
    /// By the servers' clock, in milliseconds.
    pub(crate) now: i64,
    /// Whether somebody is there who can write what is due.
    pub(crate) able: Able,
    pub(crate) faults: Faults,
}

/// Whether anything has happened to a node so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Faults {
    None,
    /// A claim may be lost by it.
    Some,
}

/// Whether the promises about time can be kept at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Able {
    Yes,
    /// No node runs, or none can write.
    No,
}

/// Looks at the book again and again.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    before: Book,
    /// Until when nobody could keep a promise about time.
    excused: i64,
    /// Since when each recipient could have moved on, as what.
    waiting: BTreeMap<i64, (i64, String)>,
}

type Verdict = Result<(), Broken>;

fn broken<T>(promise: &'static str, words: String) -> Result<T, Broken> {
    Err(Broken { promise, words })
}

impl Checker {
    /// Compares the book with what it was, and with what has been confirmed to clients.
    pub(crate) fn look(&mut self, book: Book, at: Conditions, confirmed: &[Confirmed]) -> Verdict {
        if at.able == Able::No {
            self.excused = at.now;
        }
        adds_up(&book)?;
        is_kept(&book, confirmed)?;
        hops_open(&book, at.now)?;
        blame(&book, at.faults)?;
        for (id, old) in &self.before.recipients {
            let Some(new) = book.recipients.get(id) else {
                return broken(
                    "P8 no silent drop",
                    format!("recipient {id} is gone: {old:?}"),
                );
            };
            unchanged(*id, old, new)?;
            explained(*id, (old, new), (&self.before, &book))?;
        }
        for (id, recipient) in &book.recipients {
            is_whole(*id, recipient, &book)?;
            on_time(*id, recipient, at.now, self.excused)?;
            delays_told(*id, recipient, &book, (at.now, self.excused))?;
        }
        self.moving(&book, at)?;
        self.before = book;
        Ok(())
    }

    /// P11, P12: what could be tried is tried.
    fn moving(&mut self, book: &Book, at: Conditions) -> Verdict {
        let mut waiting = BTreeMap::new();
        for (id, recipient) in &book.recipients {
            let Some(how) = could_move(recipient, book, at.now) else {
                continue;
            };
            let since = match self.waiting.get(id) {
                Some((since, before)) if *before == how => *since,
                Some(_) | None => at.now,
            };
            let late = at.now - since.max(self.excused);
            if late > STALL {
                return broken(
                    "P11 no head-of-line blocking",
                    format!("recipient {id} could move for {} s: {how}", late / 1000),
                );
            }
            waiting.insert(*id, (since, how));
        }
        self.waiting = waiting;
        Ok(())
    }

    pub(crate) fn book(&self) -> &Book {
        &self.before
    }
}

/// What a recipient waits for that depends on nobody but us; it changes whenever something was done about it.
fn could_move(recipient: &Recipient, book: &Book, now: i64) -> Option<String> {
    let attempts = recipient.attempts;
    match recipient.state.as_str() {
        "in_flight" => Some(format!("claimed, {attempts} attempts")),
        "categorizing" if recipient.retry_at <= now => {
            Some(format!("to be categorized since {}", recipient.retry_at))
        }
        "queued" if recipient.retry_at <= now => {
            let hop = book.hops.get(&recipient.next_hop);
            let open = hop.is_none_or(|hop| hop.state == "up" || hop.retry_at <= now);
            let hop = hop.map(|hop| (&hop.state, hop.retry_at));
            open.then(|| format!("due, {attempts} attempts, hop {hop:?}"))
        }
        _ => None,
    }
}

/// P3: accepted is the sum of everything else, in the totals, in the tally and in the rows.
fn adds_up(book: &Book) -> Verdict {
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
fn is_kept(book: &Book, confirmed: &[Confirmed]) -> Verdict {
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

/// P12: no next hop, and nobody, waits longer than the schedule says.
fn hops_open(book: &Book, now: i64) -> Verdict {
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

/// P4, P11: claims are lost by faults alone, and what loses them again and again is held.
fn blame(book: &Book, faults: Faults) -> Verdict {
    let lost = |one: &&Event| one.kind == "claim_lost";
    if let Some(event) = book
        .events
        .iter()
        .find(lost)
        .filter(|_| faults == Faults::None)
    {
        return broken(
            "P4 leases, not locks",
            format!("a claim was lost by nobody's fault: {event:?}"),
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

/// P6: each delay notice is told of by a report, not early, and every age that has passed had one.
fn delays_told(id: i64, recipient: &Recipient, book: &Book, (now, excused): (i64, i64)) -> Verdict {
    let promise = "P6 told on time";
    let told: Vec<i64> = book.events(id, "delay_noticed").map(|one| one.at).collect();
    for at in &told {
        if *at < recipient.accepted_at + NOTICES[0] {
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
        if !held && owed.max(excused) + GRACE < now && !told.iter().any(|at| *at >= owed) {
            return broken(
                promise,
                format!("nobody was told that {id} waits for {age} ms: {recipient:?}"),
            );
        }
    }
    Ok(())
}

/// P5, P8: age and identity never change, and what has ended has ended.
fn unchanged(id: i64, old: &Recipient, new: &Recipient) -> Verdict {
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
fn explained(
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
        ("categorizing", "categorizing" | "queued" | "in_flight" | "expanded") => {
            old.notify_at == new.notify_at
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

/// P2, P4, P6: what a row must be like, whenever it is looked at.
fn is_whole(id: i64, recipient: &Recipient, book: &Book) -> Verdict {
    let made = book
        .attempts
        .iter()
        .filter(|one| one.recipient == id)
        .count();
    if usize::try_from(recipient.attempts).ok() != Some(made) {
        return broken(
            "P1 one truth",
            format!("{made} attempts are in the history of {id}: {recipient:?}"),
        );
    }
    if !recipient.is_final() {
        if book.mails.iter().any(|(of, _)| *of == id) {
            return broken(
                "P10 at most one visible delivery",
                format!("{id} is in a mailbox already: {recipient:?}"),
            );
        }
        let clock =
            recipient.deadline_at.is_some() && recipient.deadline_at <= recipient.expires_at;
        let body = book.messages.get(&recipient.message);
        if !clock || body.is_none_or(|message| message.has_body == 0) {
            return broken(
                "P2 closed states",
                format!("{id} without clock or body: {recipient:?}"),
            );
        }
        return Ok(());
    }
    if recipient.cause.is_empty() || recipient.actor.is_empty() {
        return broken(
            "P8 no silent drop",
            format!("{id} ended without a cause: {recipient:?}"),
        );
    }
    let mails = book.mails.iter().filter(|(of, _)| *of == id).count();
    let copies_wanted = usize::from(recipient.state == "delivered");
    if mails != copies_wanted {
        return broken(
            "P10 at most one visible delivery",
            format!("{id} is {} and in {mails} mailboxes", recipient.state),
        );
    }
    if book
        .events(id, "expired")
        .any(|one| Some(one.at) < recipient.expires_at)
    {
        return broken(
            "P5 bounded age",
            format!("{id} ended before its time: {recipient:?}"),
        );
    }
    let final_reply = recipient.cause.starts_with('5');
    if recipient.state == "returned" && recipient.actor == "deliver" && !final_reply {
        return broken(
            "P6 told on time",
            format!("{id} was returned for what may pass: {recipient:?}"),
        );
    }
    let attempted = |outcome: &str| book.outcomes(id, outcome);
    if recipient.state == "relayed" && attempted("relayed") != 1 {
        return broken(
            "P10 at most one visible delivery",
            format!("{id} is relayed, by {} attempts", attempted("relayed")),
        );
    }
    is_told(id, recipient, book)
}

/// P6: the report stands in the book from the moment the failure does.
fn is_told(id: i64, recipient: &Recipient, book: &Book) -> Verdict {
    let Some(message) = book.messages.get(&recipient.message) else {
        return broken("P1 one truth", format!("recipient {id} has no message"));
    };
    let wanted = recipient.notify == 0 || recipient.notify & FAILURE != 0;
    match recipient.state.as_str() {
        "returned" if message.sender.is_empty() => broken(
            "P6 told on time",
            format!("{id} was returned to nobody; that is a dead letter"),
        ),
        "returned" if wanted && recipient.notify & NEVER == 0 => {
            let told = |report: &Message| {
                report.cause == Some(recipient.message)
                    && Some(report.received_at) == recipient.finished_at
            };
            match book.messages.values().any(told) {
                true => Ok(()),
                false => broken(
                    "P6 told on time",
                    format!("no report tells of {id}: {recipient:?}"),
                ),
            }
        }
        _ => Ok(()),
    }
}

/// P2, P4, P5, P6: nothing that was due is late, but for the time in which nobody could do it.
fn on_time(id: i64, recipient: &Recipient, now: i64, excused: i64) -> Verdict {
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

/// What peers have confirmed: by Message-ID and recipient, how often.
pub(crate) type Copies = BTreeMap<(String, String), usize>;

/// P8, P10: at the end of a story, when everything works again and enough time has passed.
pub(crate) fn over(book: &Book, copies: &Copies) -> Verdict {
    for (id, recipient) in &book.recipients {
        if !recipient.is_final() {
            return broken(
                "P5 bounded age",
                format!("{id} has not ended: {recipient:?}"),
            );
        }
        let message = book.messages.get(&recipient.message);
        let message_id = message.map_or("", |message| message.message_id.as_str());
        let key = (message_id.to_owned(), recipient.address.clone());
        let copies = copies.get(&key).copied().unwrap_or(0);
        let known = usize::from(recipient.state == "relayed");
        let unknown = book.outcomes(*id, "unknown");
        if copies < known || copies > known + unknown {
            return broken(
                "P10 at most one visible delivery",
                format!("{copies} copies for {unknown} unknown outcomes: {id} {recipient:?}"),
            );
        }
    }
    Ok(())
}
