//! What stands in the book at one moment, read by SQL of its own: no code of the server is asked whether the server is right.

use std::collections::BTreeMap;

use anyhow::Result;
use ground_store::{Query, Row, Store};

/// The whole book of a small story.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    pub(crate) recipients: BTreeMap<i64, Recipient>,
    pub(crate) messages: BTreeMap<i64, Message>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) events: Vec<Event>,
    pub(crate) hops: BTreeMap<String, Hop>,
    /// Mails in mailboxes: the recipient and the message of each.
    pub(crate) mails: Vec<(i64, i64)>,
    /// By state: how many the tally counts, and how many were ever.
    pub(crate) tally: BTreeMap<String, i64>,
    pub(crate) totals: BTreeMap<String, i64>,
}

/// A recipient's row. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient {
    pub(crate) message: i64,
    pub(crate) parent: Option<i64>,
    pub(crate) address: String,
    pub(crate) notify: i64,
    pub(crate) state: String,
    pub(crate) next_hop: String,
    pub(crate) attempts: i64,
    pub(crate) accepted_at: i64,
    pub(crate) retry_at: i64,
    pub(crate) notify_at: Option<i64>,
    pub(crate) deadline_at: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) claimed_by: Option<i64>,
    pub(crate) claimed_until: Option<i64>,
    pub(crate) hold_alarm_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) cause: String,
    pub(crate) actor: String,
}

/// A message's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) sender: String,
    pub(crate) message_id: String,
    /// Of a report: the message it tells of.
    pub(crate) cause: Option<i64>,
    pub(crate) received_at: i64,
    pub(crate) has_body: i64,
}

/// An attempt's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) recipient: i64,
    pub(crate) outcome: String,
}

/// An event's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: i64,
    pub(crate) recipient: Option<i64>,
    pub(crate) kind: String,
    pub(crate) actor: String,
    pub(crate) detail: String,
}

/// A next hop's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) state: String,
    pub(crate) retry_at: i64,
}

const RECIPIENTS: &str = "SELECT id, message, parent, address, notify, state, next_hop, attempts, accepted_at, retry_at, \
     notify_at, deadline_at, expires_at, claimed_by, claimed_until, hold_alarm_at, finished_at, coalesce(cause, ''), \
     coalesce(actor, '') FROM recipient ORDER BY id";
const MESSAGES: &str = "SELECT id, sender, message_id, cause, received_at, CASE WHEN body IS NULL THEN 0 ELSE 1 END \
     FROM message ORDER BY id";
const ATTEMPTS: &str = "SELECT recipient, outcome FROM attempt ORDER BY id";
const EVENTS: &str = "SELECT recipient, kind, actor, detail, at FROM event ORDER BY id";
const HOPS: &str = "SELECT key, state, retry_at FROM next_hop ORDER BY key";
const MAILS: &str = "SELECT recipient, message FROM mail ORDER BY id";
const TALLY: &str = "SELECT state, CAST(sum(n) AS BIGINT) FROM tally GROUP BY state";
const TOTALS: &str = "SELECT what, CAST(sum(n) AS BIGINT) FROM total GROUP BY what";

impl Book {
    /// Reads everything, at one moment.
    pub(crate) async fn read(store: &Store) -> Result<Book> {
        let texts = [
            RECIPIENTS, MESSAGES, ATTEMPTS, EVENTS, HOPS, MAILS, TALLY, TOTALS,
        ];
        let queries = texts.map(|text| Query::new(text, Vec::new())).to_vec();
        let mut answers = store.read_snapshot(queries).await?.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        Ok(Book {
            recipients: each(&next(), |row| Ok((row.int(0)?, recipient(row)?)))?,
            messages: each(&next(), |row| Ok((row.int(0)?, message(row)?)))?,
            attempts: each(&next(), |row| {
                Ok(Attempt {
                    recipient: row.int(0)?,
                    outcome: row.text(1)?.to_owned(),
                })
            })?,
            events: each(&next(), event)?,
            hops: each(&next(), |row| Ok((row.text(0)?.to_owned(), hop(row)?)))?,
            mails: each(&next(), |row| Ok((row.int(0)?, row.int(1)?)))?,
            tally: each(&next(), |row| Ok((row.text(0)?.to_owned(), row.int(1)?)))?,
            totals: each(&next(), |row| Ok((row.text(0)?.to_owned(), row.int(1)?)))?,
        })
    }

    /// Attempts at a recipient with this outcome.
    pub(crate) fn outcomes(&self, recipient: i64, outcome: &str) -> usize {
        let of = |one: &&Attempt| one.recipient == recipient && one.outcome == outcome;
        self.attempts.iter().filter(of).count()
    }

    /// Events of a recipient of this kind.
    pub(crate) fn events<'a>(
        &'a self,
        recipient: i64,
        kind: &'a str,
    ) -> impl Iterator<Item = &'a Event> {
        let of = move |one: &&Event| one.recipient == Some(recipient) && one.kind == kind;
        self.events.iter().filter(of)
    }
}

impl Recipient {
    pub(crate) fn is_final(&self) -> bool {
        self.finished_at.is_some()
    }
}

fn each<T, C: FromIterator<T>>(rows: &[Row], read: impl Fn(&Row) -> Result<T>) -> Result<C> {
    rows.iter().map(read).collect()
}

fn recipient(row: &Row) -> Result<Recipient> {
    Ok(Recipient {
        message: row.int(1)?,
        parent: row.optional_int(2)?,
        address: row.text(3)?.to_owned(),
        notify: row.int(4)?,
        state: row.text(5)?.to_owned(),
        next_hop: row.text(6)?.to_owned(),
        attempts: row.int(7)?,
        accepted_at: row.int(8)?,
        retry_at: row.int(9)?,
        notify_at: row.optional_int(10)?,
        deadline_at: row.optional_int(11)?,
        expires_at: row.optional_int(12)?,
        claimed_by: row.optional_int(13)?,
        claimed_until: row.optional_int(14)?,
        hold_alarm_at: row.optional_int(15)?,
        finished_at: row.optional_int(16)?,
        cause: row.text(17)?.to_owned(),
        actor: row.text(18)?.to_owned(),
    })
}

fn message(row: &Row) -> Result<Message> {
    Ok(Message {
        sender: row.text(1)?.to_owned(),
        message_id: row.text(2)?.to_owned(),
        cause: row.optional_int(3)?,
        received_at: row.int(4)?,
        has_body: row.int(5)?,
    })
}

fn event(row: &Row) -> Result<Event> {
    Ok(Event {
        at: row.int(4)?,
        recipient: row.optional_int(0)?,
        kind: row.text(1)?.to_owned(),
        actor: row.text(2)?.to_owned(),
        detail: row.text(3)?.to_owned(),
    })
}

fn hop(row: &Row) -> Result<Hop> {
    Ok(Hop {
        state: row.text(1)?.to_owned(),
        retry_at: row.int(2)?,
    })
}
