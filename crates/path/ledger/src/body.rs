//! The content of a message on its way out: from memory when it has just come in, else from the store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ground_store::StoreError;
use ground_store::bodies::BodyReader;

use crate::{Ledger, LedgerError};

/// Where a message's content is.
#[derive(Debug, Clone)]
pub struct BodyRef {
    id: i64,
    size: u64,
    cached: Option<Bytes>,
}

/// A message's content, open for reading.
pub enum OpenBody {
    /// All of it.
    Ready(Bytes),
    /// In chunks, from the store.
    Stored(Box<BodyReader>),
}

impl BodyRef {
    pub(crate) fn new(id: i64, size: u64, cached: Option<Bytes>) -> Self {
        Self { id, size, cached }
    }

    /// The key of its row: a mailbox refers to it.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Octets.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives up what memory has of it: whoever needs it reads it.
    pub(crate) fn forget(&mut self) {
        self.cached = None;
    }

    /// The content, when memory still has it.
    #[must_use]
    pub fn cached(&self) -> Option<&Bytes> {
        self.cached.as_ref()
    }
}

impl Ledger {
    /// Opens a body.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is gone or not readable: a reason to hold its message, never to forget it.
    pub async fn body(&self, body: &BodyRef) -> Result<OpenBody, LedgerError> {
        if let Some(content) = &body.cached {
            return Ok(OpenBody::Ready(content.clone()));
        }
        let id = body.id;
        let reader = self.store().read_body(id).await?;
        let reader = reader.ok_or_else(|| StoreError::Damaged(format!("body {id} is gone")))?;
        Ok(OpenBody::Stored(Box::new(reader)))
    }

    /// A body of at most `limit` octets at once.
    ///
    /// # Errors
    /// As [`Ledger::body`]; [`StoreError::Refused`] when it is larger.
    pub async fn whole_body(&self, body: &BodyRef, limit: usize) -> Result<Bytes, LedgerError> {
        match self.body(body).await? {
            OpenBody::Ready(content) => Ok(content),
            OpenBody::Stored(reader) => Ok(reader.whole(limit).await?),
        }
    }
}

/// Bodies that were accepted a moment ago, oldest dropped first. Only spares a read; the store has them all.
#[derive(Debug)]
pub(crate) struct FreshBodies {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_id: HashMap<i64, Bytes>,
    /// In order of arrival; may name ids that were taken already.
    order: VecDeque<(i64, usize)>,
    bytes: usize,
}

impl FreshBodies {
    pub(crate) fn bounded(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            kept: Mutex::default(),
        }
    }

    pub(crate) fn put(&self, id: i64, content: Bytes) {
        let mut kept = self.hold();
        kept.bytes += content.len();
        kept.order.push_back((id, content.len()));
        kept.by_id.insert(id, content);
        while kept.bytes > self.bytes_max {
            let Some((oldest, length)) = kept.order.pop_front() else {
                return;
            };
            kept.by_id.remove(&oldest);
            kept.bytes -= length;
        }
    }

    /// The content, if it is still here.
    pub(crate) fn get(&self, id: i64) -> Option<Bytes> {
        self.hold().by_id.get(&id).cloned()
    }

    fn hold(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_bodies_never_take_more_than_their_bound_and_the_oldest_goes_first() {
        let fresh = FreshBodies::bounded(10);
        for id in 1..=3 {
            fresh.put(id, Bytes::from_static(b"12345"));
        }
        assert_eq!(fresh.get(1), None);
        assert!(fresh.get(2).is_some() && fresh.get(3).is_some());
        fresh.put(4, Bytes::from_static(b"more than all of it"));
        assert!((1..=4).all(|id| fresh.get(id).is_none()));
    }
}
