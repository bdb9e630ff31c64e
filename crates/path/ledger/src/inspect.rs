//! Raw rows and bodies, as they stand: for a book that is damaged, and for people who want to see for themselves.
//!
//! Needs no node and no epoch: it only reads, server up or down.

use std::fmt;

use bytes::Bytes;
use ground_store::{Query, Row, Store, Value};
use serde::{Deserialize, Serialize};

use crate::{LedgerError, MessageId};

#[cfg(test)]
mod tests;

/// Rows one look shows.
pub const ROWS_MAX: u32 = 1000;

/// A table of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Messages.
    Message,
    /// Their recipients.
    Recipient,
    /// Attempts at them.
    Attempt,
    /// Events.
    Event,
    /// Bodies, without their content.
    Body,
    /// Next hops.
    NextHop,
    /// Nodes.
    Node,
}

// The columns, in the order of the schema; a test compares them.
const MESSAGE: &[&str] = &[
    "id",
    "received_at",
    "sender",
    "size",
    "body",
    "origin",
    "listener",
    "peer",
    "helo",
    "tls",
    "auth",
    "body_type",
    "smtputf8",
    "ret",
    "envid",
    "message_id",
    "subject",
    "cause",
    "pending",
];
const RECIPIENT: &[&str] = &[
    "id",
    "message",
    "parent",
    "address",
    "orcpt",
    "notify",
    "state",
    "next_hop",
    "attempts",
    "suspicion",
    "accepted_at",
    "retry_at",
    "notify_at",
    "deadline_at",
    "expires_at",
    "claimed_by",
    "claimed_until",
    "begun_at",
    "hold_reason",
    "held_by",
    "hold_alarm_at",
    "last_reply",
    "last_peer",
    "finished_at",
    "cause",
    "actor",
];
const ATTEMPT: &[&str] = &[
    "id",
    "message",
    "recipient",
    "node",
    "started_at",
    "ended_at",
    "next_hop",
    "peer",
    "address",
    "tls",
    "last_command",
    "reply",
    "bytes",
    "outcome",
    "transcript",
];
const EVENT: &[&str] = &[
    "id",
    "at",
    "message",
    "recipient",
    "kind",
    "doer",
    "actor",
    "detail",
];
const BODY: &[&str] = &["id", "size", "checksum", "refs", "file"];
const NEXT_HOP: &[&str] = &[
    "key",
    "state",
    "retry_at",
    "failures",
    "changed_at",
    "last_reply",
    "last_peer",
    "paused_by",
    "paused_until",
    "reason",
];
const NODE: &[&str] = &[
    "id",
    "name",
    "epoch",
    "state",
    "draining",
    "beats",
    "heartbeat_at",
    "away_since",
    "back_at",
];

impl Table {
    /// Every table.
    pub const ALL: [Table; 7] = [
        Table::Message,
        Table::Recipient,
        Table::Attempt,
        Table::Event,
        Table::Body,
        Table::NextHop,
        Table::Node,
    ];

    /// Its name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Table::Message => "message",
            Table::Recipient => "recipient",
            Table::Attempt => "attempt",
            Table::Event => "event",
            Table::Body => "body",
            Table::NextHop => "next_hop",
            Table::Node => "node",
        }
    }

    /// The table of this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.word() == word)
    }

    const fn columns(self) -> &'static [&'static str] {
        match self {
            Table::Message => MESSAGE,
            Table::Recipient => RECIPIENT,
            Table::Attempt => ATTEMPT,
            Table::Event => EVENT,
            Table::Body => BODY,
            Table::NextHop => NEXT_HOP,
            Table::Node => NODE,
        }
    }

    /// By what a row is asked for: its key, or its message.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Table::Message | Table::Body | Table::Node => &["id"],
            Table::Recipient | Table::Attempt | Table::Event => &["id", "message"],
            Table::NextHop => &["key"],
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One row as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// Of which table.
    pub table: Table,
    /// Its columns in the schema's order, with their values as text; `null` for NULL.
    pub columns: Vec<(String, Option<String>)>,
}

/// Which rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The newest.
    Newest,
    /// Of this id: its own or its message's.
    Id(MessageId),
    /// Of this text key: a next hop's.
    Key(String),
}

/// Rows of a table as they stand, newest first, at most [`ROWS_MAX`].
///
/// # Errors
/// The store's.
pub async fn inspect(
    store: &Store,
    table: Table,
    which: &Which,
) -> Result<Vec<Inspection>, LedgerError> {
    let names = table.columns();
    let keys = table.keys();
    let (condition, mut values) = match which {
        Which::Newest => (String::new(), Vec::new()),
        Which::Id(id) => (where_any(keys), vec![Value::from(*id)]),
        Which::Key(key) => (where_any(keys), vec![Value::from(key)]),
    };
    values.push(ROWS_MAX.into());
    let key = keys.first().copied().unwrap_or("id");
    let place = values.len();
    let text = format!(
        "SELECT {} FROM {table}{condition} ORDER BY {key} DESC LIMIT ${place}",
        names.join(", ")
    );
    let rows = store.read(Query::new(text, values)).await?;
    Ok(rows.iter().map(|row| raw(table, names, row)).collect())
}

/// A body of at most `limit` octets; `None` when there is no such body.
///
/// # Errors
/// [`ground_store::StoreError::Damaged`] when it is not what was stored; [`ground_store::StoreError::Refused`] when it is larger.
pub async fn inspect_body(
    store: &Store,
    id: MessageId,
    limit: usize,
) -> Result<Option<Bytes>, LedgerError> {
    match store.read_body(id.key()).await? {
        Some(reader) => Ok(Some(reader.whole(limit).await?)),
        None => Ok(None),
    }
}

fn where_any(keys: &[&str]) -> String {
    let terms: Vec<String> = keys.iter().map(|key| format!("{key} = $1")).collect();
    format!(" WHERE {}", terms.join(" OR "))
}

fn raw(table: Table, names: &[&str], row: &Row) -> Inspection {
    let named = names.iter().zip(row.values());
    let columns = named.map(|(name, value)| ((*name).to_owned(), text_of(name, value)));
    Inspection {
        table,
        columns: columns.collect(),
    }
}

/// Ids and moments as people know them, everything else as it stands.
fn text_of(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Int(key) if is_id(name, *key) => Some(MessageId::from_key(*key).to_string()),
        Value::Int(millis) if name.ends_with("_at") || name.ends_with("_until") || name == "at" => {
            Some(wire_message::Time::from_millis(*millis).to_string())
        }
        Value::Int(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.to_string()),
        Value::Blob(octets) => Some(octets.iter().map(|octet| format!("{octet:02x}")).collect()),
    }
}

/// A node's key is small, and no id.
fn is_id(name: &str, key: i64) -> bool {
    matches!(
        name,
        "id" | "message" | "recipient" | "parent" | "body" | "cause"
    ) && key > 255
}
