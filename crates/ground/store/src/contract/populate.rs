//! A store as it looks after days of work: mail in every state, with history, mailboxes, large bodies and an index.

use bytes::Bytes;

use crate::bodies::{self, NewBody};
use crate::{Sql, Store, StoreError, Unit, Value};

/// What is made is the same for the same wishes.
#[derive(Debug, Clone, Copy)]
pub struct Populate {
    /// Messages.
    pub messages: i64,
    /// The present in UTC milliseconds: everything was accepted in the hours before.
    pub now: i64,
    /// One message in so many has a large body.
    pub large_each: i64,
}

const STATES: [&str; 10] = [
    "categorizing",
    "queued",
    "in_flight",
    "held",
    "delivered",
    "relayed",
    "expanded",
    "returned",
    "discarded",
    "dead_letter",
];
const FIRST_FINAL: usize = 4;
const DEAD_LETTER: usize = 9;
const DELIVERED: usize = 4;
const EXPANDED: usize = 6;

/// Ids of one message: its own, its recipients', its mail's, its attempts' and events'.
const IDS_EACH: i64 = 32;
const FOLDERS: i64 = 40;
const HOPS: i64 = 25;
const HOUR: i64 = 3_600_000;
/// Messages written in one unit.
const AT_ONCE: i64 = 100;
/// Of an inline body.
const SMALL: i64 = 6000;
/// Of a large body, at least.
const LARGE: i64 = 300_000;
/// How many segments of the index.
const SEGMENTS: i64 = 3;

const MESSAGE: Sql = Sql::new(
    "INSERT INTO message (id, received_at, sender, size, body, origin, listener, peer, helo, tls, auth, body_type, smtputf8,
        ret, envid, message_id, subject, cause, pending)
     VALUES ($1, $2, $3, $4, $5, 'smtp', 'mx', '192.0.2.1:25', 'helo.test', 'TLSv1.3', '', '8bitmime', 1,
        'hdrs', 'QQ314159', $6, $7, $8, $9)",
);
const RECIPIENT: Sql = Sql::new(
    "INSERT INTO recipient (id, message, parent, address, orcpt, notify, state, next_hop, attempts, suspicion, accepted_at,
        retry_at, notify_at, deadline_at, expires_at, claimed_by, claimed_until, begun_at, hold_reason, held_by, hold_alarm_at,
        last_reply, last_peer, finished_at, cause, actor)
     VALUES ($1, $2, $3, $4, '', 4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        '451 4.7.1 greylisted', 'mx.there.test', $19, $20, $21)",
);
const ATTEMPT: Sql = Sql::new(
    "INSERT INTO attempt (id, message, recipient, node, started_at, ended_at, next_hop, peer, address, tls, last_command, reply,
        bytes, outcome, transcript)
     VALUES ($1, $2, $3, 'mx.test', $4, $4, 'mx:there.test', 'mx.there.test', '192.0.2.25:25', '', 'RCPT',
        '451 4.7.1 greylisted', 0, 'deferred', 'RCPT TO:<x@there.test>')",
);
const EVENT: Sql = Sql::new(
    "INSERT INTO event (id, at, message, recipient, kind, doer, actor, detail)
     VALUES ($1, $2, $3, $4, 'held', 'person', 'jo', 'looks odd')",
);
const MAIL: Sql = Sql::new(
    "INSERT INTO mail (id, folder, uid, body, size, prefix, received_at, recipient, message)
     VALUES ($1, $2, $3, $4, $5, 'Return-Path: <>', $6, $7, $8)",
);
const FILED: Sql = Sql::new(
    "UPDATE folder SET uid_next = uid_next + 1, messages = messages + 1, octets = octets + $2 WHERE id = $1",
);
const ACCOUNT: Sql = Sql::new(
    "INSERT INTO account (id, address, password, quota, created_at) VALUES ($1, $2, '$argon2id$v=19$x', $3, 1)",
);
const FOLDER: Sql = Sql::new(
    "INSERT INTO folder (id, account, name, uid_validity, uid_next) VALUES ($1, $1, 'INBOX', 1, 1)",
);
const HOP: Sql = Sql::new(
    "INSERT INTO next_hop (key, state, retry_at, failures, changed_at, last_reply, last_peer, paused_by, paused_until, reason)
     VALUES ($1, $2, $3, 2, $3, '421 busy', 'mx.there.test', $4, $5, $6)",
);
const SEGMENT: Sql = Sql::new("INSERT INTO search_segment (id, words, newest) VALUES ($1, $2, $3)");
const WORD: Sql = Sql::new("INSERT INTO search_word (segment, word, message) VALUES ($1, $2, $3)");
const INDEXED: Sql = Sql::new("DELETE FROM search_due WHERE recipient >= $1 AND recipient < $2");

/// Fills an empty store.
///
/// # Errors
/// The store's.
pub async fn populate(store: &Store, wishes: Populate) -> Result<(), StoreError> {
    store.write(surroundings(wishes.now)).await?;
    let mut first = 0;
    while first < wishes.messages {
        let mut unit = Unit::new();
        for number in first..wishes.messages.min(first + AT_ONCE) {
            message(store, &mut unit, wishes, number).await?;
        }
        store.write(unit).await?;
        first += AT_ONCE;
    }
    store.write(pruned(wishes)).await.map(drop)
}

/// Nodes, next hops, the directory, folders.
fn surroundings(now: i64) -> Unit {
    let mut unit = Unit::new();
    let plain = [
        "INSERT INTO domain (name, catch_all, created_at) VALUES ('here.test', NULL, 1), ('two.test', 'all@two.test', 2)",
        "INSERT INTO alias (address, target, created_at) VALUES ('a@here.test', 'u1@here.test', 1), \
           ('a@here.test', 'u2@here.test', 1), ('b@here.test', 'x@there.test', 2)",
        "INSERT INTO operator (name, password, totp, totp_offered, totp_step, rights, created_at) \
           VALUES ('jo', '$argon2id$v=19$x', 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ', '', 58907520, 'view,administer', 1)",
        // Greater than every number of an account: those come from it.
        "UPDATE directory_version SET n = 1007",
    ];
    for text in plain {
        unit.write(Sql::new(text), Vec::new());
    }
    const TOKEN: Sql = Sql::new(
        "INSERT INTO api_token (name, token_hash, rights, created_by, created_at) VALUES ('watch', $1, 'view', 'jo', 1)",
    );
    const SESSION: Sql = Sql::new(
        "INSERT INTO web_session (token_hash, operator, created_at, seen_at, expires_at, peer, agent) \
         VALUES ($1, 'jo', 1, 1, 2, '192.0.2.1', 'curl')",
    );
    const SECRET: Sql =
        Sql::new("INSERT INTO store_secret (name, octets, made_at) VALUES ('status link', $1, 1)");
    for sql in [TOKEN, SESSION, SECRET] {
        unit.write(sql, vec![vec![0xC3_u8; 32].into()]);
    }
    const NODE: Sql = Sql::new(
        "INSERT INTO node (id, name, epoch, heartbeat_at, away_since, back_at) VALUES ($1, $2, $3, $4, $5, $5)",
    );
    let long_ago = now - HOUR;
    unit.write(
        NODE,
        vec![
            0.into(),
            "mx.test".into(),
            3.into(),
            long_ago.into(),
            Value::Null,
        ],
    );
    let away = vec![
        1.into(),
        "two.test".into(),
        5.into(),
        long_ago.into(),
        long_ago.into(),
    ];
    unit.write(NODE, away);
    for hop in 0..HOPS {
        let paused = hop % 5 == 4;
        let state = match hop % 5 {
            4 => "paused",
            3 => "down",
            _ => "up",
        };
        let when = |value: Value| if paused { value } else { Value::Null };
        let values = vec![
            hop_key(hop).into(),
            state.into(),
            now.into(),
            when("jo".into()),
            when((now + HOUR).into()),
            when("maintenance".into()),
        ];
        unit.write(HOP, values);
    }
    for account in 1..=FOLDERS {
        let quota = if account % 2 == 0 {
            Value::Null
        } else {
            9_000_000_000_i64.into()
        };
        unit.write(
            ACCOUNT,
            vec![
                account.into(),
                format!("u{account}@here.test").into(),
                quota,
            ],
        );
        unit.write(FOLDER, vec![account.into()]);
    }
    const LOGGED_IN: Sql = Sql::new(
        "INSERT INTO account_session (token_hash, account, created_at, seen_at, expires_at, peer, agent) \
         VALUES ($1, 1, 1, 1, 2, '192.0.2.1', 'curl')",
    );
    unit.write(LOGGED_IN, vec![vec![0xC4_u8; 32].into()]);
    for segment in 1..=SEGMENTS {
        unit.write(SEGMENT, vec![segment.into(), 0.into(), i64::MAX.into()]);
    }
    unit
}

fn hop_key(number: i64) -> String {
    format!("mx:there{number}.test")
}

/// The states of a message's recipients; every tenth message has one in each.
fn states(number: i64) -> Vec<usize> {
    let place = usize::try_from(number).unwrap_or(0);
    match place % 10 {
        9 => (0..STATES.len()).collect(),
        7 => vec![place % STATES.len(), (place / 10) % STATES.len(), 5],
        _ => vec![(place / 3) % STATES.len()],
    }
}

async fn message(
    store: &Store,
    unit: &mut Unit,
    wishes: Populate,
    number: i64,
) -> Result<(), StoreError> {
    let id = (number + 1) * IDS_EACH;
    let states = states(number);
    let needing = |state: &&usize| **state < FIRST_FINAL || **state == DEAD_LETTER;
    let pending = states.iter().filter(needing).count();
    let mailed = states.contains(&DELIVERED);
    let body = if pending > 0 || mailed {
        Some(new_body(store, wishes, number).await?)
    } else {
        None
    };
    let size = body.as_ref().map_or(17, NewBody::size);
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    if let Some(body) = &body {
        bodies::insert(unit, id, body);
    }
    let accepted = wishes.now - HOUR * (number % 70);
    let held_here = if pending > 0 { id.into() } else { Value::Null };
    let cause = if number % 11 == 0 && number > 0 {
        (id - IDS_EACH).into()
    } else {
        Value::Null
    };
    let subject = format!("message {number} \u{201c}grüße\u{201d}");
    let values = vec![
        id.into(),
        accepted.into(),
        format!("sender{}@from.test", number % 997).into(),
        size.into(),
        held_here,
        format!("<{number}@from.test>").into(),
        subject.into(),
        cause,
        Value::Int(i64::try_from(pending).unwrap_or(0)),
    ];
    unit.write(MESSAGE, values);
    for (place, state) in (1..).zip(&states) {
        recipient(unit, number, accepted, id + place, *state);
        if *state == DELIVERED {
            mail(unit, number, accepted, id + place, size);
        }
    }
    history(unit, number, accepted);
    Ok(())
}

fn recipient(unit: &mut Unit, number: i64, accepted: i64, id: i64, state: usize) {
    let message = (number + 1) * IDS_EACH;
    let is_final = state >= FIRST_FINAL;
    let when = |yes: bool, value: Value| if yes { value } else { Value::Null };
    let word = STATES.get(state).copied().unwrap_or_default();
    let (held, flying) = (word == "held", word == "in_flight");
    let suspect = flying && number % 4 == 1;
    let parent = when(state < EXPANDED && id > message + 7, (message + 7).into());
    let hop = if word == "categorizing" {
        String::new()
    } else {
        hop_key(number % HOPS)
    };
    let expires = accepted + 96 * HOUR;
    let values = vec![
        id.into(),
        message.into(),
        parent,
        format!("r{}@there{}.test", number % 1999, number % HOPS).into(),
        word.into(),
        hop.into(),
        (number % 5).into(),
        when(suspect, 1.into()),
        accepted.into(),
        when(!is_final, (accepted + 80 * HOUR).into()),
        when(!is_final, (accepted + 80 * HOUR).into()),
        expires.into(),
        when(flying, 3.into()),
        when(flying, (accepted + HOUR).into()),
        when(suspect, accepted.into()),
        when(held, "looks odd".into()),
        when(held, "rule odd".into()),
        when(held, (accepted + 24 * HOUR).into()),
        when(is_final, (accepted + 1000).into()),
        when(is_final, "250 2.0.0 fine".into()),
        when(is_final, "mx.test".into()),
    ];
    unit.write(RECIPIENT, values);
}

fn mail(unit: &mut Unit, number: i64, accepted: i64, recipient: i64, size: i64) {
    let message = (number + 1) * IDS_EACH;
    let (folder, uid) = (number % FOLDERS + 1, number + 1);
    let values = vec![
        (message + 20).into(),
        folder.into(),
        uid.into(),
        message.into(),
        size.into(),
        accepted.into(),
        recipient.into(),
        message.into(),
    ];
    unit.write(MAIL, values);
    unit.write(FILED, vec![folder.into(), size.into()]);
}

/// Attempts, events, and words in the index for two of three.
fn history(unit: &mut Unit, number: i64, accepted: i64) {
    let message = (number + 1) * IDS_EACH;
    for attempt in 0..number % 3 {
        let values = vec![
            (message + 21 + attempt).into(),
            message.into(),
            (message + 1).into(),
            accepted.into(),
        ];
        unit.write(ATTEMPT, values);
    }
    let of = if number % 6 == 0 {
        Value::Null
    } else {
        message.into()
    };
    unit.write(
        EVENT,
        vec![(message + 30).into(), accepted.into(), of.clone(), of],
    );
    if number % 3 == 2 {
        return;
    }
    for word in 0..3_i64 {
        // Hashes come in no order.
        let word = (number * 3 + word).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
        unit.write(
            WORD,
            vec![(number % SEGMENTS + 1).into(), word.into(), message.into()],
        );
    }
    unit.write(INDEXED, vec![message.into(), (message + IDS_EACH).into()]);
}

async fn new_body(store: &Store, wishes: Populate, number: i64) -> Result<NewBody, StoreError> {
    // Lines that differ, for as many octets as this one shall have.
    let large = number % wishes.large_each == 0;
    let length = if large {
        LARGE + number * 31 % 400_000
    } else {
        number * 37 % SMALL
    };
    let line = format!("{number} \u{1F4EE} {}\r\n", number.wrapping_mul(7919));
    let content = line.as_bytes().iter().copied().cycle();
    let mut content: Vec<u8> = content.take(usize::try_from(length).unwrap_or(0)).collect();
    if let Some(octet) = content.get_mut(13) {
        // No text: mail may hold any octet.
        *octet = if number % 2 == 0 { 0 } else { 0xFF };
    }
    if !large {
        return Ok(NewBody::Inline(Bytes::from(content)));
    }
    let mut spool = store.spool().await?;
    spool.append(&content).await?;
    spool.finish().await.map(NewBody::File)
}

/// History that is gone: the totals know more than the rows.
fn pruned(wishes: Populate) -> Unit {
    let mut unit = Unit::new();
    for number in wishes.messages..wishes.messages + 30 {
        let id = (number + 1) * IDS_EACH;
        let accepted = wishes.now - 100 * HOUR;
        let values = vec![
            id.into(),
            accepted.into(),
            "old@from.test".into(),
            1.into(),
            Value::Null,
            "<old@from.test>".into(),
            "old".into(),
            Value::Null,
            0.into(),
        ];
        unit.write(MESSAGE, values);
        let state = FIRST_FINAL + usize::try_from(number % 5).unwrap_or(0);
        recipient(&mut unit, number, accepted, id + 1, state);
        unit.write(
            Sql::new("DELETE FROM recipient WHERE message = $1"),
            vec![id.into()],
        );
        unit.write(
            Sql::new("DELETE FROM message WHERE id = $1"),
            vec![id.into()],
        );
        unit.write(INDEXED, vec![id.into(), (id + IDS_EACH).into()]);
    }
    unit
}
