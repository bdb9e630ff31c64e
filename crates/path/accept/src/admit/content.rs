//! Content: collected in memory, and past a bound in a file. It is copied once, behind the trace header.

use bytes::{BufMut, Bytes, BytesMut};
use ground_store::Store;
use ground_store::bodies::{NewBody, Spool};
use wire_message::header::{HEAD_MAX, find_end};
use wire_smtp::reply::Reply;

use super::head::{Facts, Rules};
use super::store_trouble;

/// Room for the trace header and added fields.
const TOP: usize = 512;
/// Room made at first when nobody said how much is coming: most messages fit.
const FIRST: usize = 8 * 1024;

/// The content of a message on its way in.
pub(crate) struct Content {
    rules: Rules,
    /// Octets kept in memory at most, once the head is whole.
    inline: usize,
    memory: BytesMut,
    /// Octets of the trace header at the start of `memory`.
    top: usize,
    /// Octets that came.
    size: u64,
    spilled: Option<Spilled>,
}

/// The content after it outgrew memory.
struct Spilled {
    spool: Spool,
    facts: Facts,
}

impl Content {
    /// Empty. `announced` is what SIZE said, 0 for nothing: room is made for it, up to what memory may hold.
    pub(crate) fn new(rules: Rules, inline: u64, announced: u64) -> Content {
        let inline = usize::try_from(inline).unwrap_or(usize::MAX);
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let room = match announced {
            0 => FIRST.min(inline.max(TOP)),
            _ => announced.min(inline),
        };
        Content {
            rules,
            inline,
            memory: BytesMut::with_capacity(TOP.saturating_add(room)),
            top: 0,
            size: 0,
            spilled: None,
        }
    }

    /// Where the trace header is written, before any content.
    pub(crate) fn top(&mut self) -> &mut BytesMut {
        &mut self.memory
    }

    /// The trace header is written.
    pub(crate) fn topped(&mut self) {
        self.top = self.memory.len();
    }

    /// Octets that came so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds octets.
    pub(crate) async fn append(&mut self, octets: &[u8], store: &Store) -> Result<(), Reply> {
        self.size += octets.len() as u64;
        if let Some(spilled) = &mut self.spilled {
            let written = spilled.spool.append(octets).await;
            return written.map_err(|error| store_trouble(&error));
        }
        self.memory.put_slice(octets);
        if self.memory.len() <= self.inline || !self.has_head() {
            return Ok(());
        }
        self.spill(store).await
    }

    /// Ends it: the body for the store, and what the head said.
    pub(crate) async fn finish(mut self, store: &Store) -> Result<(NewBody, Facts), Reply> {
        if self.memory.len() > self.inline && self.spilled.is_none() {
            self.spill(store).await?;
        }
        if let Some(Spilled { spool, facts }) = self.spilled {
            let body = spool
                .finish()
                .await
                .map_err(|error| store_trouble(&error))?;
            return Ok((NewBody::File(body), facts));
        }
        let facts = self.rules.examine(self.message())?;
        let body = self.completed(&facts);
        Ok((NewBody::Inline(body), facts))
    }

    fn message(&self) -> &[u8] {
        self.memory.get(self.top..).unwrap_or_default()
    }

    /// Whether the whole head is here, or as much as anybody looks at.
    fn has_head(&self) -> bool {
        let message = self.message();
        message.len() > HEAD_MAX || find_end(message).is_some()
    }

    /// Moves what is in memory to a file, with the fields that were missing.
    async fn spill(&mut self, store: &Store) -> Result<(), Reply> {
        let facts = self.rules.examine(self.message())?;
        let written = async {
            let mut spool = store.spool().await?;
            let (top, rest) = self.memory.split_at_checked(self.top).unwrap_or_default();
            spool.append(top).await?;
            spool.append(facts.missing.as_bytes()).await?;
            spool.append(rest).await?;
            Ok(spool)
        };
        let spool = written.await.map_err(|error| store_trouble(&error))?;
        self.memory = BytesMut::new();
        self.spilled = Some(Spilled { spool, facts });
        Ok(())
    }

    /// What is in memory, with the fields that were missing between trace header and head: only then it is copied again.
    fn completed(&mut self, facts: &Facts) -> Bytes {
        let memory = std::mem::take(&mut self.memory);
        if facts.missing.is_empty() {
            return memory.freeze();
        }
        let (top, rest) = memory.split_at_checked(self.top).unwrap_or_default();
        let mut whole = BytesMut::with_capacity(memory.len() + facts.missing.len());
        whole.put_slice(top);
        whole.put_slice(facts.missing.as_bytes());
        whole.put_slice(rest);
        whole.freeze()
    }
}
