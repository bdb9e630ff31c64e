//! What moves: each table with its key and its columns, said once for both directions and both engines. A case of the
//! contract compares this with the schema of each engine, so that a column that is added there is not forgotten here.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::{Row, Sql, Unit, Value};

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The columns of its primary key, which are the first of `columns`.
    pub(crate) key: usize,
    /// Every column that is copied.
    pub(crate) columns: &'static [&'static str],
    /// Those of them that hold octets; all others hold integers or text.
    pub(crate) octets: &'static [&'static str],
    /// Columns that the target works out for itself.
    pub(crate) derived: &'static [&'static str],
    pub(crate) birth: Birth,
}

/// What stands in the table of a new store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Birth {
    Empty,
    /// One row, made with the schema.
    Seeded,
}

const fn table(name: &'static str, key: usize, columns: &'static [&'static str]) -> Table {
    Table {
        name,
        key,
        columns,
        octets: &[],
        derived: &[],
        birth: Birth::Empty,
    }
}

/// Large bodies have files, or chunks, beside these rows.
pub(crate) const BODY: Table = Table {
    octets: &["checksum", "content"],
    derived: &["refs"],
    ..table("body", 1, &["id", "size", "checksum", "file", "content"])
};
/// Places in [`BODY`]'s columns.
pub(crate) const BODY_CHECKSUM: usize = 2;
pub(crate) const BODY_FILE: usize = 3;
pub(crate) const BODY_CONTENT: usize = 4;

pub(crate) const RECIPIENT: Table = table(
    "recipient",
    1,
    &[
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
    ],
);

/// In the order of copying: what is referred to comes before what refers to it.
pub(crate) const TABLES: [Table; 19] = [
    BODY,
    table(
        "message",
        1,
        &[
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
        ],
    ),
    RECIPIENT,
    // After the recipients, whose birth fills it.
    table("search_due", 1, &["recipient"]),
    table("search_segment", 1, &["id", "words", "newest"]),
    table("search_word", 3, &["segment", "word", "message"]),
    table(
        "attempt",
        1,
        &[
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
        ],
    ),
    table(
        "event",
        1,
        &[
            "id",
            "at",
            "message",
            "recipient",
            "kind",
            "doer",
            "actor",
            "detail",
        ],
    ),
    table(
        "next_hop",
        1,
        &[
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
        ],
    ),
    table(
        "node",
        1,
        &[
            "id",
            "name",
            "epoch",
            "state",
            "draining",
            "beats",
            "heartbeat_at",
            "away_since",
            "back_at",
        ],
    ),
    table("domain", 1, &["name", "catch_all", "created_at"]),
    table(
        "account",
        1,
        &["id", "address", "password", "quota", "created_at"],
    ),
    table("alias", 2, &["address", "target", "created_at"]),
    Table {
        birth: Birth::Seeded,
        ..table("directory_version", 1, &["id", "n"])
    },
    table(
        "operator",
        1,
        &[
            "name",
            "password",
            "totp",
            "totp_offered",
            "totp_step",
            "rights",
            "created_at",
        ],
    ),
    Table {
        octets: &["token_hash"],
        ..table(
            "api_token",
            1,
            &[
                "name",
                "token_hash",
                "rights",
                "created_by",
                "created_at",
                "expires_at",
                "seen_at",
            ],
        )
    },
    table(
        "folder",
        1,
        &[
            "id",
            "account",
            "name",
            "uid_validity",
            "uid_next",
            "messages",
            "octets",
        ],
    ),
    table(
        "mail",
        1,
        &[
            "id",
            "folder",
            "uid",
            "body",
            "size",
            "prefix",
            "received_at",
            "recipient",
            "message",
        ],
    ),
    // Links that were given away are good in the copy, too.
    Table {
        octets: &["octets"],
        ..table("store_secret", 1, &["name", "octets", "made_at"])
    },
];

/// What does not move as rows, and why.
pub(crate) const LEFT: [(&str, &str); 14] = [
    ("tally", "counted by the target as recipients are born"),
    ("tally_kept", "PostgreSQL's half of it"),
    ("tally_change", "PostgreSQL's other half"),
    (
        "total",
        "counted likewise; what is pruned is added at the end",
    ),
    ("total_kept", "PostgreSQL's half of it"),
    ("total_change", "PostgreSQL's other half"),
    ("body_file", "made with the chunks of a large body"),
    ("body_chunk", "a large body, wherever it stands"),
    (
        "body_file_done",
        "files of bodies nobody needs; they are not copied",
    ),
    (
        "web_session",
        "who is logged in to one store is not logged in to its copy; operators log in anew",
    ),
    ("account_session", "likewise of accounts"),
    ("migration", "the schema's own"),
    ("store", "each store is itself"),
    ("transfer", "what this is about"),
];

/// Rows that one statement brings in: PostgreSQL then works on rows and hardly on statements. Beyond this it gains nothing.
pub(crate) const ROWS_EACH: usize = 32;

/// The statements that bring in one row, and [`ROWS_EACH`], in the order of [`TABLES`]. A unit wants texts that live as long as
/// the program.
static INSERTS: LazyLock<Vec<(Sql, Sql)>> = LazyLock::new(|| {
    let kept = |text: String| Sql::new(Box::leak(text.into_boxed_str()));
    let insert = |table: &Table| (kept(table.insert(1)), kept(table.insert(ROWS_EACH)));
    TABLES.iter().map(insert).collect()
});

impl Table {
    /// Adds the statements that bring in `batch`.
    pub(crate) fn bring_in(&self, unit: &mut Unit, batch: &[Row]) {
        let place = TABLES.iter().position(|table| table.name == self.name);
        let Some((one, many)) = place.and_then(|place| INSERTS.get(place)) else {
            return;
        };
        let values = |rows: &[Row]| -> Vec<Value> {
            let values = rows.iter().flat_map(|row| row.values());
            values.cloned().collect()
        };
        let (full, rest) = batch.as_chunks::<ROWS_EACH>();
        for rows in full {
            unit.write_exactly(ROWS_EACH as u64, *many, values(rows));
        }
        for row in rest {
            unit.write_exactly(1, *one, row.values().to_vec());
        }
    }

    fn insert(&self, rows: usize) -> String {
        let width = self.columns.len();
        let row = |row: usize| {
            let places = (1..=width).map(|place| format!("${}", row * width + place));
            format!("({})", places.collect::<Vec<_>>().join(", "))
        };
        let values = (0..rows).map(row).collect::<Vec<_>>().join(", ");
        let columns = self.columns.join(", ");
        let mut text = format!("INSERT INTO {} ({columns}) VALUES {values}", self.name);
        if self.birth == Birth::Seeded {
            let (key, rest) = self.columns.split_at(self.key);
            let set = rest.iter().map(|one| format!("{one} = excluded.{one}"));
            let set = set.collect::<Vec<_>>().join(", ");
            let conflict = format!(" ON CONFLICT ({}) DO UPDATE SET {set}", key.join(", "));
            text.push_str(&conflict);
        }
        text
    }

    /// The columns of the key.
    pub(crate) fn key_columns(&self) -> String {
        self.columns.split_at(self.key).0.join(", ")
    }

    /// Where `after` ends and, when it is given, `upto` begins: a condition, with the values of both in this order.
    pub(crate) fn between(&self, after: Option<&Key>, upto: Option<&Key>) -> (String, Vec<Value>) {
        let mut values = Vec::new();
        let mut conditions = Vec::new();
        for (sign, end) in [(">", after), ("<=", upto)] {
            let Some(end) = end else { continue };
            let places = (1..=self.key).map(|place| format!("${}", values.len() + place));
            let places = places.collect::<Vec<_>>().join(", ");
            conditions.push(format!("({}) {sign} ({places})", self.key_columns()));
            values.extend(end.0.iter().cloned());
        }
        match conditions.as_slice() {
            [] => (String::new(), values),
            all => (format!(" WHERE {}", all.join(" AND ")), values),
        }
    }

    /// The key of a row that begins with it.
    pub(crate) fn key_of(&self, row: &Row) -> Key {
        Key(row.values().iter().take(self.key).cloned().collect())
    }
}

/// Where a row stands in its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(Vec<Value>);

impl std::fmt::Display for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |value: &Value| match value {
            Value::Null => Cow::Borrowed("NULL"),
            Value::Int(int) => Cow::Owned(int.to_string()),
            Value::Text(text) => Cow::Owned(format!("{text:?}")),
            Value::Blob(octets) => Cow::Owned(format!("{octets:?}")),
        };
        let shown: Vec<_> = self.0.iter().map(show).collect();
        formatter.write_str(&shown.join(", "))
    }
}
