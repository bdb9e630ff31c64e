//! Rows that the cases begin with.

use bytes::Bytes;

use crate::bodies::{self, NewBody};
use crate::{Sql, Store, StoreError, Unit, Value};

/// When everything in a sample was accepted; hour 500,000 since 1970.
pub(super) const ACCEPTED: i64 = 1_800_000_000_000;

const MESSAGE: Sql = Sql::new(
    "INSERT INTO message (id, received_at, sender, size, body, origin, listener, peer, helo, tls, auth, body_type, smtputf8,
        ret, envid, message_id, subject, pending)
     VALUES ($1, $2, 'sender@example.test', 4, $3, 'smtp', 'mx', '192.0.2.1:25', 'helo.test', '', '', '8bitmime', 0,
        '', '', '', '', $4)",
);

const RECIPIENT: Sql = Sql::new(
    "INSERT INTO recipient (id, message, address, orcpt, notify, state, next_hop, attempts, accepted_at, retry_at,
        deadline_at, expires_at, claimed_by, claimed_until, hold_reason, held_by, hold_alarm_at, last_reply, last_peer,
        finished_at, cause, actor)
     VALUES ($1, $2, 'to@example.test', '', 0, $3, $4, 0, $5, $5, $6, $7, $8, $9, $10, $11, $12, '', '', $13, $14, $15)",
);

/// Moves a recipient to another state, with everything the state asks for; `$2` must come with [`Facts::values`].
pub(super) const MOVE: Sql = Sql::new(
    "UPDATE recipient SET state = $2, next_hop = $3, deadline_at = $4, expires_at = $5, claimed_by = $6, claimed_until = $7,
        hold_reason = $8, held_by = $9, hold_alarm_at = $10, finished_at = $11, cause = $12, actor = $13
     WHERE id = $1",
);

/// Writes that an attempt at a suspect has begun.
pub(super) const BEGIN: Sql =
    Sql::new("UPDATE recipient SET begun_at = $2, suspicion = $3 WHERE id = $1");

/// The columns of a recipient that rules speak of.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) state: &'static str,
    pub(super) next_hop: &'static str,
    pub(super) deadline_at: Value,
    pub(super) expires_at: Value,
    pub(super) claimed_by: Value,
    pub(super) claimed_until: Value,
    pub(super) hold_reason: Value,
    pub(super) held_by: Value,
    pub(super) hold_alarm_at: Value,
    pub(super) finished_at: Value,
    pub(super) cause: Value,
    pub(super) actor: Value,
}

pub(super) const OPEN: [&str; 4] = ["categorizing", "queued", "in_flight", "held"];
pub(super) const FINAL: [&str; 6] = [
    "delivered",
    "relayed",
    "expanded",
    "returned",
    "discarded",
    "dead_letter",
];

impl Facts {
    /// What a recipient in `state` rightly looks like.
    pub(super) fn of(state: &'static str) -> Self {
        let is_final = FINAL.contains(&state);
        let when = |yes: bool, value: Value| if yes { value } else { Value::Null };
        Self {
            state,
            next_hop: "example.test",
            deadline_at: when(!is_final, (ACCEPTED + 1000).into()),
            expires_at: when(!is_final, (ACCEPTED + 9000).into()),
            claimed_by: when(state == "in_flight", 1.into()),
            claimed_until: when(state == "in_flight", (ACCEPTED + 500).into()),
            hold_reason: when(state == "held", "a test".into()),
            held_by: when(state == "held", "tester".into()),
            hold_alarm_at: when(state == "held", (ACCEPTED + 700).into()),
            finished_at: when(is_final, (ACCEPTED + 2000).into()),
            cause: when(is_final, "a test".into()),
            actor: when(is_final, "tester".into()),
        }
    }

    fn values(&self) -> [Value; 10] {
        [
            self.deadline_at.clone(),
            self.expires_at.clone(),
            self.claimed_by.clone(),
            self.claimed_until.clone(),
            self.hold_reason.clone(),
            self.held_by.clone(),
            self.hold_alarm_at.clone(),
            self.finished_at.clone(),
            self.cause.clone(),
            self.actor.clone(),
        ]
    }
}

/// Adds a message with a small body of the same id, which `pending` recipients will need.
pub(super) fn message(unit: &mut Unit, id: i64, pending: i64) {
    let body = NewBody::Inline(Bytes::from_static(b"body"));
    message_with(unit, id, pending, &body);
}

/// Adds a message with `body` under the same id.
pub(super) fn message_with(unit: &mut Unit, id: i64, pending: i64, body: &NewBody) {
    bodies::insert(unit, id, body);
    unit.write(
        MESSAGE,
        vec![id.into(), ACCEPTED.into(), id.into(), pending.into()],
    );
}

/// Adds a recipient.
pub(super) fn recipient(unit: &mut Unit, id: i64, message: i64, facts: &Facts) {
    let mut values = vec![id.into(), message.into(), facts.state.into()];
    values.extend([facts.next_hop.into(), ACCEPTED.into()]);
    values.extend(facts.values());
    unit.write(RECIPIENT, values);
}

/// Moves a recipient.
pub(super) fn moved(unit: &mut Unit, id: i64, facts: &Facts) {
    let mut values = vec![id.into(), facts.state.into(), facts.next_hop.into()];
    values.extend(facts.values());
    unit.write_exactly(1, MOVE, values);
}

/// Commits a message 1 with recipients 1, 2, ... in the states given.
pub(super) async fn store_message(
    store: &Store,
    states: &[&'static str],
) -> Result<(), StoreError> {
    let mut unit = Unit::new();
    let open = states.iter().filter(|state| OPEN.contains(state)).count();
    message(&mut unit, 1, i64::try_from(open).unwrap_or(i64::MAX));
    for (id, state) in (1..).zip(states) {
        recipient(&mut unit, id, 1, &Facts::of(state));
    }
    store.write(unit).await.map(drop)
}

/// A unit of one statement.
pub(super) fn unit_of(sql: Sql, values: Vec<Value>) -> Unit {
    let mut unit = Unit::new();
    unit.write(sql, values);
    unit
}

/// Asserts that the database refuses `unit` as against its rules.
pub(super) async fn assert_refused(store: &Store, unit: Unit, what: &str) {
    let answer = store.write(unit).await;
    assert!(
        matches!(answer, Err(StoreError::Refused(_))),
        "{what}: {answer:?}"
    );
}
