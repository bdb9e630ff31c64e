//! The promises, each as a question to two readings of the book: what it was, and what it is now.
//!
//! A check knows nothing of the server's code. It answers with what is broken, in words, or with nothing.

mod end;
mod record;
mod time;

pub(crate) use end::{Copies, over};

use std::collections::BTreeMap;

use super::book::{Book, Recipient};
use crate::errand::Confirmed;
use crate::statement::Operation;

/// How late anything may be: the slack of the settings, and the time in which a task that died or hangs is replaced.
const GRACE: i64 = 150_000;

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
    /// Whether somebody is there who can try what could be tried.
    pub(crate) moves: Able,
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
    pub(crate) fn look(
        &mut self,
        book: Book,
        at: Conditions,
        (confirmed, acts): (&[Confirmed], &[(Operation, u64)]),
    ) -> Verdict {
        if at.able == Able::No {
            self.excused = at.now;
        }
        record::adds_up(&book)?;
        record::is_kept(&book, confirmed)?;
        record::acts_recorded(&book, acts)?;
        time::hops_open(&book, at.now)?;
        record::blame(&book, at.faults)?;
        for (id, old) in &self.before.recipients {
            let Some(new) = book.recipients.get(id) else {
                return broken(
                    "P8 no silent drop",
                    format!("recipient {id} is gone: {old:?}"),
                );
            };
            record::unchanged(*id, old, new)?;
            record::explained(*id, (old, new), (&self.before, &book))?;
        }
        for (id, recipient) in &book.recipients {
            end::is_whole(*id, recipient, &book)?;
            time::on_time(*id, recipient, at.now, self.excused)?;
            time::delays_told(*id, recipient, &book, (at.now, self.excused))?;
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
                Some((since, before)) if *before == how && at.moves == Able::Yes => *since,
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
