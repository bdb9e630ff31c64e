//! One recipient's row: the only thing in the book that has a state.

use ground_store::{Row, Sql, StoreError, Unit, Value};
use wire_message::{Address, OriginalRecipient, Time};
use wire_smtp::command::Notify;

use crate::columns::Columns;
use crate::deadline::{Waiting, deadline};
use crate::{HopKey, MessageId, RecipientId, State};

/// A claim by a node's epoch, with an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Who has it in flight.
    pub epoch: i64,
    /// Until when, unless renewed.
    pub until: Time,
}

/// Why and by whom a recipient is held, and when that raises an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// The person, rule or check.
    pub by: String,
    /// When somebody should look.
    pub alarm_at: Time,
}

/// How a recipient ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Time,
    /// Why.
    pub cause: String,
    /// Who or what brought it there.
    pub actor: String,
}

/// One recipient of one message, as the book has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Its id.
    pub id: RecipientId,
    /// Its message.
    pub message: MessageId,
    /// The expanded recipient it came from.
    pub parent: Option<RecipientId>,
    /// Where it goes.
    pub address: Address,
    /// The recipient as the sender wrote it (RFC 3461 s4.2).
    pub orcpt: Option<OriginalRecipient>,
    /// When the sender wants to be told (RFC 3461 s4.1).
    pub notify: Option<Notify>,
    /// Where it stands.
    pub state: State,
    /// Which way it goes; `None` before it is routed.
    pub next_hop: Option<HopKey>,
    /// Attempts so far: one row of history each.
    pub attempts: u32,
    /// Of a suspect, of which a claim was lost: attempts in a row since that were seen to begin and never to end.
    pub suspicion: Option<u32>,
    /// Its age counts from here.
    pub accepted_at: Time,
    /// Not tried before, for a reason of its own.
    pub retry_at: Time,
    /// When the sender's next delay notice is owed.
    pub notify_at: Option<Time>,
    /// When the watch looks at the latest; of every recipient that is not final.
    pub deadline_at: Option<Time>,
    /// The end of its lifetime.
    pub expires_at: Option<Time>,
    /// Of a recipient in flight.
    pub claim: Option<Claim>,
    /// Of a held recipient.
    pub hold: Option<Hold>,
    /// What was last said about it; empty when nothing was.
    pub last_reply: String,
    /// Who said so.
    pub last_peer: String,
    /// Of a final recipient.
    pub end: Option<End>,
}

/// The columns [`Recipient::from_row`] reads.
macro_rules! recipient_columns {
    () => {
        "recipient.id, recipient.message, recipient.parent, recipient.address, recipient.orcpt, recipient.notify, \
         recipient.state, recipient.next_hop, recipient.attempts, recipient.suspicion, recipient.accepted_at, \
         recipient.retry_at, recipient.notify_at, recipient.deadline_at, recipient.expires_at, recipient.claimed_by, \
         recipient.claimed_until, recipient.hold_reason, recipient.held_by, recipient.hold_alarm_at, \
         recipient.last_reply, recipient.last_peer, recipient.finished_at, recipient.cause, recipient.actor"
    };
}
pub(crate) use recipient_columns;

/// In which of the two lines a queued recipient stands: 0 before its first attempt, 1 after it. As the index of the schema says.
macro_rules! line {
    () => {
        "(CASE WHEN attempts > 0 THEN 1 ELSE 0 END)"
    };
}
pub(crate) use line;

const INSERT: Sql = Sql::new(
    "INSERT INTO recipient (id, message, parent, address, orcpt, notify, state, next_hop, attempts, suspicion, accepted_at, \
     retry_at, notify_at, deadline_at, expires_at, claimed_by, claimed_until, hold_reason, held_by, hold_alarm_at, \
     last_reply, last_peer, finished_at, cause, actor) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
     $24, $25)",
);

impl Recipient {
    pub(crate) fn from_columns(columns: &mut Columns<'_>) -> Result<Recipient, StoreError> {
        Ok(Recipient {
            id: RecipientId::from_key(columns.int()?),
            message: MessageId::from_key(columns.int()?),
            parent: columns.maybe_int()?.map(RecipientId::from_key),
            address: columns.parsed()?,
            orcpt: columns.text().and_then(read_orcpt)?,
            notify: columns.int().and_then(read_notify)?,
            state: columns.word("a state", State::from_word)?,
            next_hop: columns.text().and_then(HopKey::from_column)?,
            attempts: small(columns.int()?)?,
            suspicion: columns.maybe_int()?.map(small).transpose()?,
            accepted_at: columns.time()?,
            retry_at: columns.time()?,
            notify_at: columns.maybe_time()?,
            deadline_at: columns.maybe_time()?,
            expires_at: columns.maybe_time()?,
            claim: read_claim(columns)?,
            hold: read_hold(columns)?,
            last_reply: columns.string()?,
            last_peer: columns.string()?,
            end: read_end(columns)?,
        })
    }

    pub(crate) fn from_row(row: &Row) -> Result<Recipient, StoreError> {
        Recipient::from_columns(&mut Columns::of(row))
    }

    /// Adds the row to what is written.
    pub(crate) fn insert(&self, unit: &mut Unit) {
        let millis = |time: Option<Time>| Value::from(time.map(Time::as_millis));
        let (claim, hold, end) = (self.claim, self.hold.as_ref(), self.end.as_ref());
        unit.write_exactly(
            1,
            INSERT,
            vec![
                self.id.into(),
                self.message.into(),
                self.parent.into(),
                self.address.to_string().into(),
                write_orcpt(self.orcpt.as_ref()).into(),
                write_notify(self.notify).into(),
                self.state.into(),
                HopKey::column(self.next_hop.as_ref()),
                self.attempts.into(),
                self.suspicion.map(i64::from).into(),
                self.accepted_at.as_millis().into(),
                self.retry_at.as_millis().into(),
                millis(self.notify_at),
                millis(self.deadline_at),
                millis(self.expires_at),
                claim.map(|claim| claim.epoch).into(),
                millis(claim.map(|claim| claim.until)),
                hold.map(|hold| &hold.reason).into(),
                hold.map(|hold| &hold.by).into(),
                millis(hold.map(|hold| hold.alarm_at)),
                (&self.last_reply).into(),
                (&self.last_peer).into(),
                millis(end.map(|end| end.at)),
                end.map(|end| &end.cause).into(),
                end.map(|end| &end.actor).into(),
            ],
        );
    }

    /// What it waits for; `None` when it is final.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        match self.state {
            State::Categorizing => Some(Waiting::Categorizing {
                retry_at: self.retry_at,
            }),
            State::Queued => Some(Waiting::Queued),
            State::InFlight => self.claim.map(|claim| Waiting::InFlight {
                claimed_until: claim.until,
            }),
            State::Held => self.hold.as_ref().map(|hold| Waiting::Held {
                alarm_at: hold.alarm_at,
            }),
            State::Delivered
            | State::Relayed
            | State::Expanded
            | State::Returned
            | State::Discarded
            | State::DeadLetter => None,
        }
    }

    /// The deadline this row should have by the rule.
    pub(crate) fn due(&self) -> Option<Time> {
        Some(deadline(self.waiting()?, self.notify_at, self.expires_at?))
    }
}

fn small(count: i64) -> Result<u32, StoreError> {
    u32::try_from(count).map_err(|_| StoreError::Damaged(format!("a count of {count}")))
}

fn read_orcpt(text: &str) -> Result<Option<OriginalRecipient>, StoreError> {
    if text.is_empty() {
        return Ok(None);
    }
    let orcpt = OriginalRecipient::parse(text);
    orcpt
        .map(Some)
        .map_err(|error| StoreError::Damaged(format!("ORCPT {text:?}: {error}")))
}

fn write_orcpt(orcpt: Option<&OriginalRecipient>) -> String {
    orcpt.map(ToString::to_string).unwrap_or_default()
}

const NEVER: i64 = 1;
const SUCCESS: i64 = 2;
const FAILURE: i64 = 4;
const DELAY: i64 = 8;

fn read_notify(bits: i64) -> Result<Option<Notify>, StoreError> {
    match bits {
        0 => Ok(None),
        NEVER => Ok(Some(Notify::Never)),
        SUCCESS..=14 if bits & NEVER == 0 => Ok(Some(Notify::On {
            success: bits & SUCCESS != 0,
            failure: bits & FAILURE != 0,
            delay: bits & DELAY != 0,
        })),
        _ => Err(StoreError::Damaged(format!("NOTIFY bits {bits}"))),
    }
}

fn write_notify(notify: Option<Notify>) -> i64 {
    match notify {
        None => 0,
        Some(Notify::Never) => NEVER,
        Some(Notify::On {
            success,
            failure,
            delay,
        }) => {
            i64::from(success) * SUCCESS + i64::from(failure) * FAILURE + i64::from(delay) * DELAY
        }
    }
}

fn read_claim(columns: &mut Columns<'_>) -> Result<Option<Claim>, StoreError> {
    let (epoch, until) = (columns.maybe_int()?, columns.maybe_time()?);
    Ok(epoch
        .zip(until)
        .map(|(epoch, until)| Claim { epoch, until }))
}

fn read_hold(columns: &mut Columns<'_>) -> Result<Option<Hold>, StoreError> {
    let (reason, by) = (columns.maybe_string()?, columns.maybe_string()?);
    let alarm_at = columns.maybe_time()?;
    let hold = reason.zip(by).zip(alarm_at);
    Ok(hold.map(|((reason, by), alarm_at)| Hold {
        reason,
        by,
        alarm_at,
    }))
}

fn read_end(columns: &mut Columns<'_>) -> Result<Option<End>, StoreError> {
    let at = columns.maybe_time()?;
    let (cause, actor) = (columns.maybe_string()?, columns.maybe_string()?);
    let end = at.zip(cause).zip(actor);
    Ok(end.map(|((at, cause), actor)| End { at, cause, actor }))
}
