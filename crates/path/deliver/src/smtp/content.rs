//! The content of one message on its way into the machine, piece by piece.

use bytes::Bytes;
use ground_store::StoreError;
use ground_store::bodies::BodyReader;
use path_ledger::{Job, Ledger, LedgerError, OpenBody};
use wire_smtp::client::Chunk;

use super::open::ours;
use crate::Fate;

/// Content being read. Its end is given only after it was read whole and as stored.
pub(super) enum Content {
    Ready(Bytes),
    Stored(Box<BodyReader>),
}

impl Content {
    pub(super) async fn open(job: &Job, ledger: &Ledger) -> Result<Content, Fate> {
        match ledger.body(&job.body).await {
            Ok(OpenBody::Ready(content)) => Ok(Content::Ready(content)),
            Ok(OpenBody::Stored(reader)) => Ok(Content::Stored(reader)),
            Err(error) => Err(unreadable(&error)),
        }
    }

    pub(super) async fn next(&mut self) -> Result<(Bytes, Chunk), Fate> {
        match self {
            Content::Ready(content) => Ok((std::mem::take(content), Chunk::Last)),
            Content::Stored(reader) => match reader.next().await {
                Ok(Some(piece)) => Ok((piece, Chunk::More)),
                Ok(None) => Ok((Bytes::new(), Chunk::Last)),
                Err(error) => Err(unreadable(&error.into())),
            },
        }
    }
}

/// A missing or altered body is for a person to see; a busy disk passes.
pub(crate) fn unreadable(error: &LedgerError) -> Fate {
    match error {
        LedgerError::Store(StoreError::Damaged(why)) => Fate::Damaged { why: why.clone() },
        LedgerError::Store(_)
        | LedgerError::NoRecipients
        | LedgerError::NoSuchParent
        | LedgerError::Mixed(_) => Fate::Ours {
            reply: ours(3, 0, &format!("the message cannot be read: {error}")),
        },
    }
}
