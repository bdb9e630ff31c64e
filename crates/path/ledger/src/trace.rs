//! The whole story of a message: what came in, who it went to, every attempt, every event, the reports it caused.
//!
//! A row that cannot be read never keeps the rest from being told: it stands in its place, as damaged, with what is left of it.

use ground_store::{Query, Row, StoreError, Value};
use serde::{Deserialize, Serialize};
use wire_message::Time;

use crate::columns::Columns;
use crate::envelope::{Message, message_columns, write_sender};
use crate::recipient::{Recipient, recipient_columns};
use crate::search::{Sought, has_text, messages_with};
use crate::{
    AttemptOutcome, Event, HopKey, Ledger, LedgerError, MessageId, Origin, RecipientId, State,
    event,
};

mod damaged;
#[cfg(test)]
mod tests;

/// Stories one question is answered with, newest first.
pub const STORIES_MAX: u32 = 100;

/// A message from its acceptance to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Story {
    /// Its id.
    pub id: MessageId,
    /// What is wrong with its row; the rest is what can be read of it.
    pub damaged: Option<String>,
    /// When it was accepted.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::rfc3339::Moment")]
    pub received_at: Time,
    /// Who sent it; empty for the null sender.
    pub sender: String,
    /// Octets of the body.
    pub size: u64,
    /// The way it came in; `None` when that cannot be read.
    pub origin: Option<Origin>,
    /// The listener's name.
    pub listener: String,
    /// The peer, `ip:port`.
    pub peer: String,
    /// The name the peer gave.
    pub helo: String,
    /// Version and cipher; empty without TLS.
    pub tls: String,
    /// Who logged in.
    pub auth: String,
    /// The sender's own id of the envelope.
    pub envid: Option<String>,
    /// The Message-ID field.
    pub message_id: String,
    /// The Subject.
    pub subject: String,
    /// Of a report: the message it tells of.
    pub cause: Option<MessageId>,
    /// Whether its body is still kept.
    pub body_kept: bool,
    /// Its recipients, oldest first.
    pub recipients: Vec<StoryRecipient>,
    /// What happened besides attempts, in order.
    pub events: Vec<Event>,
    /// The reports that tell of it.
    pub reports: Vec<MessageId>,
}

/// A recipient of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StoryRecipient {
    /// Its id.
    pub id: RecipientId,
    /// What is wrong with its row; the rest is what can be read of it.
    pub damaged: Option<String>,
    /// The expanded recipient it came from.
    pub parent: Option<RecipientId>,
    /// Where it goes.
    pub address: String,
    /// Where it stands.
    pub state: State,
    /// The recipient as the sender wrote it, where that is known to be another (RFC 3461 s4.2).
    pub orcpt: Option<String>,
    /// Which way it goes; empty before it is routed.
    pub next_hop: String,
    /// Attempts so far, with those whose rows are not among [`StoryRecipient::attempts`].
    pub tries: u32,
    /// Of a suspect, of which a claim was lost: attempts in a row since that began and never ended.
    pub suspicion: Option<u32>,
    /// The epoch of the node that has it in flight.
    pub claimed_by: Option<i64>,
    /// Until when, unless renewed.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub claimed_until: Option<Time>,
    /// Not tried before.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::rfc3339::Moment")]
    pub retry_at: Time,
    /// When the sender's next delay notice is owed.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub notify_at: Option<Time>,
    /// When the watch looks at the latest.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub deadline_at: Option<Time>,
    /// The end of its lifetime.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub expires_at: Option<Time>,
    /// Why it is held, and by whom.
    pub hold_reason: Option<String>,
    /// By whom it is held.
    pub held_by: Option<String>,
    /// When somebody should look at the hold.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub hold_alarm_at: Option<Time>,
    /// What was last said about it.
    pub last_reply: String,
    /// Who said so.
    pub last_peer: String,
    /// When it ended.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub finished_at: Option<Time>,
    /// Why.
    pub cause: Option<String>,
    /// By whom or what.
    pub actor: Option<String>,
    /// Its attempts, in order.
    pub attempts: Vec<StoryAttempt>,
}

/// An attempt of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StoryAttempt {
    /// What is wrong with its row; the rest is what can be read of it.
    pub damaged: Option<String>,
    /// The node that made it.
    pub node: String,
    /// When it began.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::rfc3339::Moment")]
    pub started_at: Time,
    /// When it ended.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::rfc3339::Moment")]
    pub ended_at: Time,
    /// The way.
    pub next_hop: String,
    /// The host name that was dialled.
    pub peer: String,
    /// `ip:port`.
    pub address: String,
    /// Version and cipher; empty without TLS.
    pub tls: String,
    /// The last command sent.
    pub last_command: String,
    /// The last reply, verbatim.
    pub reply: String,
    /// Octets sent.
    pub bytes: u64,
    /// How it ended; `None` when that cannot be read.
    pub outcome: Option<AttemptOutcome>,
    /// What was said; empty on success.
    pub transcript: String,
}

const FIND_BY_ID: &str =
    "SELECT id FROM message WHERE id = $1 UNION SELECT message FROM recipient WHERE id = $1";

const MESSAGE: &str = concat!("SELECT ", message_columns!(), " FROM message WHERE id = $1");
const RECIPIENTS: &str = concat!(
    "SELECT ",
    recipient_columns!(),
    " FROM recipient WHERE message = $1 ORDER BY id"
);
const ATTEMPTS: &str = "SELECT recipient, node, started_at, ended_at, next_hop, peer, address, tls, last_command, reply, bytes, \
     outcome, transcript FROM attempt WHERE message = $1 ORDER BY id";
const EVENTS: &str = concat!(
    "SELECT ",
    event::columns!(),
    " FROM event WHERE message = $1 OR (message IS NULL AND recipient IS NOT NULL AND recipient IN \
       (SELECT id FROM recipient WHERE message = $1)) ORDER BY id"
);
const REPORTS: &str = "SELECT id FROM message WHERE cause = $1 ORDER BY id";

impl Ledger {
    /// The stories a question means: a message's or recipient's id, a Message-ID with or without brackets, or the address
    /// of a sender or recipient. Newest first, at most [`STORIES_MAX`].
    ///
    /// # Errors
    /// The store's.
    pub async fn trace(&self, question: &str) -> Result<Vec<Story>, LedgerError> {
        let question = question.trim();
        let mut found = Vec::new();
        if let Ok(id) = question.parse::<MessageId>() {
            found = self.read(FIND_BY_ID, vec![id.into()]).await?;
        }
        if found.is_empty() {
            found = self.find_by_text(question).await?;
        }
        let mut stories = Vec::with_capacity(found.len());
        for row in &found {
            stories.extend(self.story(MessageId::from_key(row.int(0)?)).await?);
        }
        Ok(stories)
    }

    /// The message of this id, or of the recipient of this id; none when nothing is known of it.
    ///
    /// # Errors
    /// The store's.
    pub async fn message_of(&self, id: MessageId) -> Result<Option<MessageId>, LedgerError> {
        let found = self.read(FIND_BY_ID, vec![id.into()]).await?;
        let found = found.first().map(|row| row.int(0)).transpose()?;
        Ok(found.map(MessageId::from_key))
    }

    /// Recipient, sender and Message-ID are found by the index of words.
    async fn find_by_text(&self, question: &str) -> Result<Vec<Row>, LedgerError> {
        let sought = Sought::of(question);
        let (messages, same) = (messages_with("$1", "$2"), has_text("$2"));
        let find = format!(
            "SELECT DISTINCT message.id FROM message JOIN recipient ON recipient.message = message.id \
             WHERE message.id IN ({messages}) AND {same} ORDER BY message.id DESC LIMIT $3"
        );
        let values = vec![sought.word.into(), sought.text.into(), STORIES_MAX.into()];
        Ok(self.read(find, values).await?)
    }

    /// The story of one message.
    ///
    /// # Errors
    /// The store's.
    pub async fn story(&self, id: MessageId) -> Result<Option<Story>, LedgerError> {
        let queries = [MESSAGE, RECIPIENTS, ATTEMPTS, EVENTS, REPORTS];
        let queries = queries
            .map(|text| Query::new(text, vec![Value::from(id)]))
            .to_vec();
        let mut answers = self.store().read_snapshot(queries).await?.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        let (message, recipients, attempts, events, reports) =
            (next(), next(), next(), next(), next());
        let Some(row) = message.first() else {
            return Ok(None);
        };
        let mut story = Message::from_row(row)
            .map_or_else(|error| damaged::message(row, &error), story_of_message);
        story.recipients = recipients.iter().map(recipient_of_row).collect();
        story.events = events.iter().map(Event::of_row).collect();
        story.take_attempts(&attempts);
        story.reports = reports
            .iter()
            .map(|row| row.int(0).map(MessageId::from_key))
            .collect::<Result<_, _>>()?;
        Ok(Some(story))
    }
}

impl Story {
    /// Gives each recipient its attempts.
    fn take_attempts(&mut self, rows: &[Row]) {
        for row in rows {
            let read = story_attempt(row);
            let (of, attempt) = read.unwrap_or_else(|error| damaged::attempt(row, &error));
            match self.recipients.iter_mut().find(|one| one.id == of) {
                Some(recipient) => recipient.attempts.push(attempt),
                None => self.events.push(damaged::astray(of, attempt)),
            }
        }
    }
}

fn recipient_of_row(row: &Row) -> StoryRecipient {
    Recipient::from_row(row).map_or_else(|error| damaged::recipient(row, &error), story_recipient)
}

/// Without what the other rows say.
fn story_of_message(message: Message) -> Story {
    let envelope = std::sync::Arc::unwrap_or_clone(message.envelope);
    Story {
        id: message.id,
        damaged: None,
        received_at: envelope.received_at,
        sender: write_sender(&envelope.sender),
        size: message.size,
        origin: Some(envelope.origin),
        listener: envelope.listener,
        peer: envelope.peer,
        helo: envelope.helo,
        tls: envelope.tls,
        auth: envelope.auth,
        envid: envelope.envid,
        message_id: envelope.message_id,
        subject: envelope.subject,
        cause: envelope.cause,
        body_kept: message.body.is_some(),
        recipients: Vec::new(),
        events: Vec::new(),
        reports: Vec::new(),
    }
}

fn story_recipient(recipient: Recipient) -> StoryRecipient {
    let hold_alarm_at = recipient.hold.as_ref().map(|hold| hold.alarm_at);
    let (hold_reason, held_by) = recipient.hold.map(|hold| (hold.reason, hold.by)).unzip();
    let (finished_at, cause, actor) = match recipient.end {
        Some(end) => (Some(end.at), Some(end.cause), Some(end.actor)),
        None => (None, None, None),
    };
    StoryRecipient {
        id: recipient.id,
        damaged: None,
        parent: recipient.parent,
        address: recipient.address.to_string(),
        state: recipient.state,
        orcpt: recipient.orcpt.as_ref().map(ToString::to_string),
        tries: recipient.attempts,
        suspicion: recipient.suspicion,
        claimed_by: recipient.claim.map(|claim| claim.epoch),
        claimed_until: recipient.claim.map(|claim| claim.until),
        next_hop: recipient
            .next_hop
            .as_ref()
            .map(HopKey::to_string)
            .unwrap_or_default(),
        retry_at: recipient.retry_at,
        notify_at: recipient.notify_at,
        deadline_at: recipient.deadline_at,
        expires_at: recipient.expires_at,
        hold_reason,
        held_by,
        hold_alarm_at,
        last_reply: recipient.last_reply,
        last_peer: recipient.last_peer,
        finished_at,
        cause,
        actor,
        attempts: Vec::new(),
    }
}

fn story_attempt(row: &Row) -> Result<(RecipientId, StoryAttempt), StoreError> {
    let mut columns = Columns::of(row);
    let of = RecipientId::from_key(columns.int()?);
    let attempt = StoryAttempt {
        damaged: None,
        node: columns.string()?,
        started_at: columns.time()?,
        ended_at: columns.time()?,
        next_hop: columns.string()?,
        peer: columns.string()?,
        address: columns.string()?,
        tls: columns.string()?,
        last_command: columns.string()?,
        reply: columns.string()?,
        bytes: columns.count()?,
        outcome: Some(columns.word("an outcome", AttemptOutcome::from_word)?),
        transcript: columns.string()?,
    };
    Ok((of, attempt))
}
