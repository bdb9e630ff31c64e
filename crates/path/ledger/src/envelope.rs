//! What is known about a message besides its content and its recipients.

use std::sync::Arc;

use ground_store::{Row, Sql, StoreError, Unit, Value};
use wire_message::{Address, ReversePath, Time};
use wire_smtp::command::{BodyType, Ret};

use crate::MessageId;
use crate::columns::Columns;

crate::words! {
    /// The way a message came in.
    pub enum Origin {
        /// From another server.
        Smtp = "smtp",
        /// From a user's program, by submission.
        Submission = "submission",
        /// By LMTP.
        Lmtp = "lmtp",
        /// From a program on this machine.
        Sendmail = "sendmail",
        /// Written here: a report to a sender.
        Report = "report",
    }
}

/// The envelope of a message, and how it came in. Never changed after acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// When it was accepted: ages count from here.
    pub received_at: Time,
    /// Who is told what becomes of it.
    pub sender: ReversePath,
    /// The way it came in.
    pub origin: Origin,
    /// The listener's name; empty when none was involved.
    pub listener: String,
    /// The peer, `ip:port`; empty when none was involved.
    pub peer: String,
    /// The name the peer gave; empty when none was.
    pub helo: String,
    /// Version and cipher; empty without TLS.
    pub tls: String,
    /// Who logged in; empty without authentication.
    pub auth: String,
    /// What the content is made of.
    pub body_type: BodyType,
    /// Whether SMTPUTF8 was asked for (RFC 6531).
    pub smtputf8: bool,
    /// How much a failure report returns (RFC 3461 s4.3).
    pub ret: Option<Ret>,
    /// The sender's own id of the envelope (RFC 3461 s4.4).
    pub envid: Option<String>,
    /// The Message-ID field; empty when absent.
    pub message_id: String,
    /// The Subject, unfolded and cut to a bound.
    pub subject: String,
    /// Of a report: the message it tells of.
    pub cause: Option<MessageId>,
}

/// A message row.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) size: u64,
    /// `None` once nobody needs it.
    pub(crate) body: Option<i64>,
}

/// The columns [`Message::from_row`] reads.
macro_rules! message_columns {
    () => {
        "message.id, message.received_at, message.sender, message.size, message.body, message.origin, \
         message.listener, message.peer, message.helo, message.tls, message.auth, message.body_type, message.smtputf8, \
         message.ret, message.envid, message.message_id, message.subject, message.cause"
    };
}
pub(crate) use message_columns;

const INSERT: Sql = Sql::new(
    "INSERT INTO message (id, received_at, sender, size, body, origin, listener, peer, helo, tls, auth, body_type, \
     smtputf8, ret, envid, message_id, subject, cause, pending) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
);

impl Message {
    pub(crate) fn from_columns(columns: &mut Columns<'_>) -> Result<Message, StoreError> {
        let id = MessageId::from_key(columns.int()?);
        let received_at = columns.time()?;
        let sender = columns.text().and_then(read_sender)?;
        let size = columns.count()?;
        let body = columns.maybe_int()?;
        let envelope = Envelope {
            received_at,
            sender,
            origin: columns.word("an origin", Origin::from_word)?,
            listener: columns.string()?,
            peer: columns.string()?,
            helo: columns.string()?,
            tls: columns.string()?,
            auth: columns.string()?,
            body_type: columns.word("a body type", body_type_of)?,
            smtputf8: columns.flag()?,
            ret: columns.word("a RET", ret_of)?,
            envid: Some(columns.string()?).filter(|envid| !envid.is_empty()),
            message_id: columns.string()?,
            subject: columns.string()?,
            cause: columns.maybe_int()?.map(MessageId::from_key),
        };
        Ok(Message {
            id,
            envelope: Arc::new(envelope),
            size,
            body,
        })
    }

    pub(crate) fn from_row(row: &Row) -> Result<Message, StoreError> {
        Message::from_columns(&mut Columns::of(row))
    }

    /// Adds the row to what is written; `pending` recipients need the body.
    pub(crate) fn insert(&self, pending: i64, unit: &mut Unit) {
        let envelope = &*self.envelope;
        unit.write_exactly(
            1,
            INSERT,
            vec![
                self.id.into(),
                envelope.received_at.as_millis().into(),
                write_sender(&envelope.sender).into(),
                i64::try_from(self.size).unwrap_or(i64::MAX).into(),
                self.body.into(),
                envelope.origin.word().into(),
                (&envelope.listener).into(),
                (&envelope.peer).into(),
                (&envelope.helo).into(),
                (&envelope.tls).into(),
                (&envelope.auth).into(),
                body_type_word(envelope.body_type).into(),
                envelope.smtputf8.into(),
                ret_word(envelope.ret).into(),
                envelope.envid.as_deref().unwrap_or_default().into(),
                (&envelope.message_id).into(),
                (&envelope.subject).into(),
                envelope.cause.into(),
                Value::Int(pending),
            ],
        );
    }
}

/// The sender as the store has it: without brackets, empty for nobody.
pub(crate) fn write_sender(sender: &ReversePath) -> String {
    sender.address().map(Address::to_string).unwrap_or_default()
}

fn read_sender(text: &str) -> Result<ReversePath, StoreError> {
    if text.is_empty() {
        return Ok(ReversePath::Null);
    }
    let address = Address::parse(text);
    let address =
        address.map_err(|error| StoreError::Damaged(format!("sender {text:?}: {error}")))?;
    Ok(ReversePath::Address(address))
}

fn body_type_word(body_type: BodyType) -> &'static str {
    match body_type {
        BodyType::SevenBit => "7bit",
        BodyType::EightBitMime => "8bitmime",
        BodyType::BinaryMime => "binarymime",
    }
}

fn body_type_of(word: &str) -> Option<BodyType> {
    [
        BodyType::SevenBit,
        BodyType::EightBitMime,
        BodyType::BinaryMime,
    ]
    .into_iter()
    .find(|body_type| body_type_word(*body_type) == word)
}

fn ret_word(ret: Option<Ret>) -> &'static str {
    match ret {
        None => "",
        Some(Ret::Full) => "full",
        Some(Ret::Headers) => "hdrs",
    }
}

fn ret_of(word: &str) -> Option<Option<Ret>> {
    [None, Some(Ret::Full), Some(Ret::Headers)]
        .into_iter()
        .find(|ret| ret_word(*ret) == word)
}
