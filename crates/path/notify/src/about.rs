//! The message a report tells of, and how much of it is returned (RFC 3461 s4.3).

use bytes::{Bytes, BytesMut};
use ground_store::StoreError;
use ground_store::bodies::{BodyReader, NewBody};
use path_ledger::{BodyRef, Envelope, Ledger, LedgerError, MessageId, OpenBody};
use wire_message::header::{HEAD_MAX, HeadWriter, encode_words, find_end};
use wire_message::report::{Action, Extent, Original, RETURN_MAX};
use wire_smtp::command::Ret;

/// The largest original that is returned whole when the sender did not say (RET), in octets: a note or a letter, not its
/// attachments, which the sender has anyway.
pub const UNASKED_MAX: usize = 64 * 1024;

/// The message a report tells of.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Its id.
    pub id: MessageId,
    /// Its envelope.
    pub envelope: &'a Envelope,
    /// Octets of its content.
    pub size: u64,
    /// Its content, as far as the report needs it.
    pub content: &'a Content,
}

/// As much of a message's content as a report needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// All of it.
    Whole(Bytes),
    /// At least its head.
    Head(Bytes),
    /// Not to be had: the report says what the ledger knows.
    Gone,
}

/// How much of a message a report of this kind returns. Only failures return more than the head (RFC 3461 s4.3).
#[must_use]
pub fn extent_for(action: Action, envelope: &Envelope, size: u64) -> Extent {
    let whole_up_to = match (action, envelope.ret) {
        (Action::Failed, Some(Ret::Full)) => RETURN_MAX,
        (Action::Failed, None) => UNASKED_MAX,
        (Action::Failed, Some(Ret::Headers))
        | (Action::Delayed | Action::Delivered | Action::Relayed | Action::Expanded, _) => {
            return Extent::Headers;
        }
    };
    if size <= whole_up_to as u64 {
        Extent::Full
    } else {
        Extent::Headers
    }
}

impl About<'_> {
    pub(crate) fn original(&self, extent: Extent) -> Original {
        match (self.content, extent) {
            (Content::Whole(content), Extent::Full) => Original::full(content.clone()),
            (Content::Whole(content) | Content::Head(content), _) => Original::headers(content),
            (Content::Gone, _) => Original::headers(&self.known_head()),
        }
    }

    /// What the ledger knows of the head.
    fn known_head(&self) -> Vec<u8> {
        let mut head = HeadWriter::new();
        for (name, value) in [
            ("Message-ID", &self.envelope.message_id),
            ("Subject", &self.envelope.subject),
        ] {
            if !value.is_empty() {
                head.field(name, &encode_words(value));
            }
        }
        head.into_string().into_bytes()
    }
}

impl Content {
    /// Reads as much of a body as `extent` says. What cannot be read is logged and [`Content::Gone`]: the sender is told
    /// all the same.
    pub async fn read(ledger: &Ledger, body: Option<&BodyRef>, extent: Extent) -> Content {
        let Some(body) = body else {
            return Content::Gone;
        };
        let read = match extent {
            Extent::Full => ledger
                .whole_body(body, RETURN_MAX)
                .await
                .map(Content::Whole),
            Extent::Headers => head(ledger, body).await.map(Content::Head),
        };
        read.unwrap_or_else(|error| {
            tracing::error!(body = body.id(), %error, "a body cannot be read for the report on it");
            Content::Gone
        })
    }

    /// Reads the head of a body that is about to be stored. What cannot be read is logged and [`Content::Gone`].
    pub async fn of_new(ledger: &Ledger, body: &NewBody) -> Content {
        let spooled = match body {
            NewBody::Inline(content) => return Content::Whole(content.clone()),
            NewBody::File(spooled) => spooled,
        };
        let read = match ledger.store().read_spooled(spooled).await {
            Ok(reader) => head_of(reader).await,
            Err(error) => Err(error),
        };
        read.map_or_else(
            |error| {
                tracing::error!(file = spooled.name(), %error, "a body cannot be read for the report on it");
                Content::Gone
            },
            Content::Head,
        )
    }
}

/// The beginning of a body: its head, and what came with it.
async fn head(ledger: &Ledger, body: &BodyRef) -> Result<Bytes, LedgerError> {
    match ledger.body(body).await? {
        OpenBody::Ready(content) => Ok(content),
        OpenBody::Stored(reader) => Ok(head_of(*reader).await?),
    }
}

async fn head_of(mut reader: BodyReader) -> Result<Bytes, StoreError> {
    let mut read = BytesMut::new();
    while read.len() < HEAD_MAX && find_end(&read).is_none() {
        let Some(chunk) = reader.next().await? else {
            break;
        };
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}
