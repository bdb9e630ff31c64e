//! Reading content: DATA up to its final dot, BDAT by count (RFC 5321 s4.1.1.4, RFC 3030).

use super::{BodyRefusal, Chunks, Event, Phase, Question, Server, Turn};
use crate::body::{DataReader, Fault, Step, TextCheck, TextLimits};
use crate::command::{Bdat, BodyType, Dialect};
use crate::reply::Reply;
use bytes::Bytes;

/// A chunk of BDAT being read.
#[derive(Debug)]
pub(super) struct Chunk {
    left: u64,
    size: u64,
    last: bool,
    refusal: Option<Refusal>,
}

/// Why the octets of a chunk are thrown away.
#[derive(Debug)]
enum Refusal {
    /// The transaction fails with it.
    Content(BodyRefusal, Reply),
    /// It should not have come at all.
    OutOfOrder(Reply),
}

impl Chunk {
    pub(super) fn out_of_order(bdat: Bdat, reply: Reply) -> Chunk {
        Chunk {
            left: bdat.size,
            size: bdat.size,
            last: bdat.last,
            refusal: Some(Refusal::OutOfOrder(reply)),
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// The first reason is the one that is told.
    pub(super) fn refuse(&mut self, why: BodyRefusal, reply: Reply) {
        self.refusal.get_or_insert(Refusal::Content(why, reply));
    }

    fn fault(&mut self, fault: Fault) {
        self.refuse(BodyRefusal::Fault(fault), fault_reply(fault));
    }
}

impl Server {
    fn text_limits(&self) -> TextLimits {
        let size = match self.features.max_size {
            0 => u64::MAX,
            size => size,
        };
        TextLimits {
            line: self.features.max_text_line,
            size,
        }
    }

    /// DATA was accepted.
    pub(super) fn begin_data(&mut self) {
        self.say("354 End data with <CR><LF>.<CR><LF>\r\n");
        self.phase = Phase::Data(DataReader::new(self.text_limits()), None);
    }

    pub(super) fn next_data(&mut self) -> Turn {
        let Phase::Data(reader, refused) = &mut self.phase else {
            return Turn::Wait;
        };
        match reader.step(&mut self.input) {
            Step::NeedMore => Turn::Wait,
            Step::Chunk(chunk) => Turn::Event(Event::Body(chunk)),
            Step::End(fault) => {
                let refusal = match (refused.take(), fault) {
                    (Some(reply), _) => Some((BodyRefusal::Driver, reply)),
                    (None, Some(fault)) => Some((BodyRefusal::Fault(fault), fault_reply(fault))),
                    (None, None) => None,
                };
                match refusal {
                    Some((why, reply)) => self.content_refused(why, &reply, self.answers_owed()),
                    None => self.content_complete(),
                }
            }
        }
    }

    /// A chunk that is in order; too many octets are refused before they come.
    pub(super) fn announced(&self, bdat: Bdat) -> Chunk {
        let mut chunk = Chunk {
            left: bdat.size,
            size: bdat.size,
            last: bdat.last,
            refusal: None,
        };
        let chunks = self.envelope.as_ref().and_then(|e| e.chunks.as_ref());
        let before = chunks.map_or(0, |chunks| chunks.size);
        if before.saturating_add(bdat.size) > self.text_limits().size {
            chunk.fault(Fault::TooBig);
        }
        if let Some(reply) = chunks.and_then(|chunks| chunks.refused.clone()) {
            chunk.refuse(BodyRefusal::Driver, reply);
        }
        chunk
    }

    /// The first chunk was accepted, or its octets are to be thrown away.
    pub(super) fn begin_chunks(&mut self, chunk: Chunk) {
        let limits = self.text_limits();
        if let Some(envelope) = &mut self.envelope {
            envelope.chunks = Some(Chunks {
                check: TextCheck::new(limits),
                size: 0,
                refused: None,
            });
        }
        self.phase = Phase::Chunk(chunk);
    }

    pub(super) fn next_chunk(&mut self) -> Turn {
        let Phase::Chunk(chunk) = &mut self.phase else {
            return Turn::Wait;
        };
        if chunk.left == 0 {
            return self.chunk_complete();
        }
        if self.input.is_empty() {
            return Turn::Wait;
        }
        let here = usize::try_from(chunk.left).unwrap_or(usize::MAX);
        let octets = self.input.split_to(here.min(self.input.len())).freeze();
        chunk.left = chunk.left.saturating_sub(octets.len() as u64);
        self.check_octets(octets)
    }

    fn check_octets(&mut self, octets: Bytes) -> Turn {
        let Phase::Chunk(chunk) = &mut self.phase else {
            return Turn::Wait;
        };
        if chunk.is_refused() {
            return Turn::Again;
        }
        if let Some(envelope) = &mut self.envelope
            && envelope.body != BodyType::BinaryMime
            && let Some(chunks) = &mut envelope.chunks
            && let Err(fault) = chunks.check.check(&octets)
        {
            chunk.fault(fault);
            return Turn::Again;
        }
        Turn::Event(Event::Body(octets))
    }

    /// All octets of a chunk were read.
    fn chunk_complete(&mut self) -> Turn {
        let Phase::Chunk(mut chunk) = std::mem::replace(&mut self.phase, Phase::Commands) else {
            return Turn::Wait;
        };
        if chunk.last && !chunk.is_refused() && self.ends_on_bare_cr() {
            chunk.fault(Fault::BareCr);
        }
        match chunk.refusal {
            Some(Refusal::OutOfOrder(reply)) => self.protocol_error(reply),
            Some(Refusal::Content(why, reply)) => {
                let answers = if chunk.last { self.answers_owed() } else { 1 };
                self.content_refused(why, &reply, answers)
            }
            None if chunk.last => self.content_complete(),
            None => {
                if let Some(chunks) = self.envelope.as_mut().and_then(|e| e.chunks.as_mut()) {
                    chunks.size = chunks.size.saturating_add(chunk.size);
                }
                self.say("250 2.0.0 Ok\r\n");
                Turn::Again
            }
        }
    }

    fn ends_on_bare_cr(&self) -> bool {
        self.envelope.as_ref().is_some_and(|envelope| {
            let text = envelope.body != BodyType::BinaryMime;
            let chunks = envelope.chunks.as_ref();
            text && chunks.is_some_and(|chunks| chunks.check.finish().is_err())
        })
    }

    /// Answers to the end of content: LMTP has one for each accepted recipient (RFC 2033 s4.2).
    fn answers_owed(&self) -> u32 {
        match (self.features.dialect, &self.envelope) {
            (Dialect::Lmtp, Some(envelope)) => envelope.accepted,
            (Dialect::Lmtp | Dialect::Smtp | Dialect::Submission, _) => 1,
        }
    }

    fn content_complete(&mut self) -> Turn {
        self.ask(Question::End(self.answers_owed()), Event::BodyEnd)
    }

    /// The transaction fails; the octets of later chunks find none and are thrown away too.
    fn content_refused(&mut self, why: BodyRefusal, reply: &Reply, answers: u32) -> Turn {
        for _ in 0..answers {
            reply.write(&mut self.output);
        }
        self.counters.errors = self.counters.errors.saturating_add(1);
        self.envelope = None;
        self.phase = Phase::Commands;
        Turn::Event(Event::BodyRefused(why))
    }
}

fn fault_reply(fault: Fault) -> Reply {
    match fault {
        Fault::BareCr => Reply::plain(550, "5.5.2 Bare CR in the message; lines end with CRLF"),
        Fault::BareLf => Reply::plain(550, "5.5.2 Bare LF in the message; lines end with CRLF"),
        Fault::Nul => Reply::plain(550, "5.6.0 NUL octet in the message"),
        Fault::LongLine => Reply::plain(550, "5.6.0 A line of the message is too long"),
        Fault::TooBig => Reply::plain(552, "5.3.4 The message is too big"),
    }
}
