//! Pages of events, newest first.
//!
//! A page is found by an index whatever the filter names, and costs what a page costs: where kinds matter, a page of each is
//! read, and the newest of all are shown. Keys are ordered by time, so a moment is a key, too.

use std::collections::BTreeSet;
use std::slice;

use ground_store::{Query, Row, StoreError, Value};
use serde::{Deserialize, Serialize};
use wire_message::Time;

use super::{Doer, Event, EventKind, columns};
use crate::id::first_of;
use crate::{EventId, Ledger, LedgerError, MessageId};

/// Events of a page when nobody says.
pub const EVENTS_PAGE: u32 = 100;
/// Events of a page at most: so many of each kind that is named are read.
pub const EVENTS_PAGE_MAX: u32 = 1000;

/// Which events are meant. Every condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    /// One of these; empty: any.
    pub kinds: Vec<EventKind>,
    /// Whose doing it was: a person's are the acts of operators.
    pub doer: Option<Doer>,
    /// Done by whoever or whatever has this name.
    pub actor: Option<String>,
    /// Of this message and all its recipients, or of this recipient.
    pub of: Option<MessageId>,
    /// Written at this moment or later.
    #[serde(with = "crate::rfc3339::maybe")]
    pub since: Option<Time>,
    /// Written before this moment.
    #[serde(with = "crate::rfc3339::maybe")]
    pub until: Option<Time>,
    /// Events a page, at most [`EVENTS_PAGE_MAX`]; [`EVENTS_PAGE`] when not given.
    pub limit: Option<u32>,
    /// The page before this event, which is older.
    pub before: Option<EventId>,
}

/// One event as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ListedEvent {
    /// Its own id.
    pub id: EventId,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

const EVENTS: &str = concat!("SELECT ", columns!(), ", id FROM ");

/// The events of the message or recipient `$1`, each found by an index. What could not be read of a recipient may be written
/// without its message.
const MEANT: &str = "WITH meant AS MATERIALIZED (\
       SELECT * FROM event WHERE message = $1 \
       UNION ALL SELECT * FROM event WHERE message = (SELECT message FROM recipient WHERE id = $1) AND recipient = $1 \
       UNION ALL SELECT * FROM event WHERE message IS NULL AND recipient IS NOT NULL \
         AND recipient IN (SELECT id FROM recipient WHERE id = $1 OR message = $1)) ";

impl Ledger {
    /// A page of events, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<ListedEvent>, LedgerError> {
        let rows = self.store().read(filter.query()).await?;
        Ok(rows.iter().map(listed).collect::<Result<_, _>>()?)
    }
}

fn listed(row: &Row) -> Result<ListedEvent, StoreError> {
    Ok(ListedEvent {
        id: EventId::from_key(row.int(7)?),
        event: Event::of_row(row),
    })
}

impl EventFilter {
    pub(super) fn query(&self) -> Query {
        let mut values: Vec<Value> = Vec::new();
        let (with, source) = match self.of {
            Some(id) => {
                values.push(id.into());
                (MEANT, "meant")
            }
            None => ("", "event"),
        };
        let mut place = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        let first = self.since.map_or(0, first_of);
        let end = self.until.map_or(i64::MAX, first_of);
        let end = self.before.map_or(end, |before| end.min(before.key()));
        let (first, end) = (place(first.into()), place(end.into()));
        let mut shared = format!("id >= {first} AND id < {end}");
        if let Some(actor) = &self.actor {
            shared.push_str(&format!(" AND actor = {}", place(actor.into())));
        }
        let limit = self.limit.unwrap_or(EVENTS_PAGE).min(EVENTS_PAGE_MAX);
        let newest = format!("ORDER BY id DESC LIMIT {}", place(limit.into()));
        let page = |own: &str| format!("{EVENTS}{source} WHERE {shared}{own} {newest}");
        let parts = self.parts();
        let pages = parts.iter().map(|part| page(part));
        let pages: Vec<String> = pages
            .map(|page| format!("SELECT * FROM ({page}) AS part"))
            .collect();
        let text = match pages.is_empty() {
            true => page(""),
            false => format!("{} {newest}", pages.join(" UNION ALL ")),
        };
        Query::new(format!("{with}{text}"), values)
    }

    /// Conditions under which an index has the events by their ids; none when the key alone has them so.
    fn parts(&self) -> Vec<String> {
        let all = self.kinds.is_empty();
        if all && self.doer.is_none() && self.actor.is_none() {
            return Vec::new();
        }
        let kinds = if all { EventKind::ALL } else { &self.kinds };
        let kinds: BTreeSet<&EventKind> = kinds.iter().collect();
        let doers = match (&self.doer, &self.actor) {
            (Some(doer), _) => slice::from_ref(doer),
            (None, None) => Doer::ALL,
            (None, Some(_)) => &[],
        };
        let mut parts = Vec::new();
        for kind in kinds {
            // Words of ours, not values.
            let of_kind = format!(" AND kind = '{kind}'");
            let of_doer = |doer| format!("{of_kind} AND doer = '{doer}'");
            match doers {
                [] => parts.push(of_kind),
                doers => parts.extend(doers.iter().map(of_doer)),
            }
        }
        parts
    }
}
