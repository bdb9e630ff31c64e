//! The server's side of a dialogue: SMTP, submission and LMTP (RFC 5321 s4, RFC 2033).
//!
//! The driver appends what it reads to `input`, and calls `poll` until it gives nothing, answering each
//! decision on the way; then it sends `output` in one go (RFC 2920 s3.2: replies are batched) and reads again.
//!
//! ```text
//!             greet              EHLO            MAIL              RCPT            DATA, BDAT LAST
//!   Greeting -------> Commands -------> greeted -------> envelope -------> ... --------------------> BodyEnd
//!                        ^                 ^  STARTTLS, AUTH                                            |
//!                        '- tls_established'<-------------- accept, refuse: the transaction is over ----'
//! ```
//!
//! Never: time limits, limits on commands and errors (see [`Counters`]), who may send what to whom.

mod answer;
mod content;
mod event;
mod exchange;
mod features;
mod offer;
mod sequence;

pub use event::{BodyRefusal, Counters, Event, Via};
pub use features::{Channel, Features};

use crate::body::{DataReader, TextCheck};
use crate::command::{BodyType, Command, CommandError, Hello, LineReader};
use crate::reply::Reply;
use bytes::BytesMut;
use std::sync::Arc;

/// One dialogue with one client.
#[derive(Debug)]
pub struct Server {
    features: Arc<Features>,
    input: BytesMut,
    output: BytesMut,
    lines: LineReader,
    phase: Phase,
    channel: Channel,
    hello: Option<Hello>,
    authenticated: bool,
    envelope: Option<Envelope>,
    counters: Counters,
}

/// What the next octets of the input are.
#[derive(Debug)]
enum Phase {
    /// Nothing yet: we speak first.
    Greeting,
    /// Commands.
    Commands,
    /// Lines of an AUTH exchange.
    Exchange(exchange::Exchange),
    /// Not looked at: the driver owes a decision.
    Asked(Question),
    /// Content up to the final dot; the reply when the driver refused it on the way.
    Data(DataReader, Option<Reply>),
    /// Content by count.
    Chunk(content::Chunk),
    /// A TLS handshake that is not ours to read.
    Handshake,
    /// Nothing any more.
    Closed,
}

/// What the driver is asked.
#[derive(Debug)]
enum Question {
    Hello(Hello),
    StartTls,
    Auth,
    Mail(BodyType, Utf8),
    Rcpt,
    Data,
    Chunk(content::Chunk),
    /// Recipients that have no answer yet (LMTP).
    End(u32),
    Lookup,
    Help,
}

/// Whether the transaction is internationalized (RFC 6531).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Utf8 {
    Yes,
    No,
}

/// The transaction: it exists from an accepted MAIL to its end.
#[derive(Debug)]
struct Envelope {
    body: BodyType,
    utf8: Utf8,
    accepted: u32,
    refused: u32,
    /// Content that came by BDAT so far. From the first chunk on, no RCPT and no DATA (RFC 3030 s2).
    chunks: Option<Chunks>,
    kept: Kept,
}

/// Whether anybody's copy of the content was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

#[derive(Debug)]
struct Chunks {
    check: TextCheck,
    size: u64,
    /// The driver's refusal between two chunks.
    refused: Option<Reply>,
}

/// What one step of `poll` came to.
enum Turn {
    Event(Event),
    Again,
    Wait,
}

impl Server {
    /// A dialogue at its start. `channel` is [`Channel::Tls`] under implicit TLS.
    pub fn new(features: Arc<Features>, channel: Channel) -> Server {
        Server {
            features,
            input: BytesMut::new(),
            output: BytesMut::new(),
            lines: LineReader::default(),
            phase: Phase::Greeting,
            channel,
            hello: None,
            authenticated: false,
            envelope: None,
            counters: Counters::default(),
        }
    }

    /// Where the driver appends what it reads. Bound what is read at once: the machine takes all that is here.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// What the driver sends: all of it, in this order, and takes away as it was sent.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// The next event. `None`: a decision is owed, or more input is needed, or the dialogue is over.
    pub fn poll(&mut self) -> Option<Event> {
        loop {
            let turn = match &mut self.phase {
                Phase::Commands => self.next_command(),
                Phase::Exchange(_) => self.next_auth_line(),
                Phase::Data(..) => self.next_data(),
                Phase::Chunk(_) => self.next_chunk(),
                Phase::Greeting | Phase::Asked(_) | Phase::Handshake | Phase::Closed => Turn::Wait,
            };
            match turn {
                Turn::Event(event) => return Some(event),
                Turn::Again => {}
                Turn::Wait => return None,
            }
        }
    }

    /// Whether the driver owes a decision.
    pub fn awaits_decision(&self) -> bool {
        matches!(self.phase, Phase::Asked(_))
    }

    /// Whether content is being read: the driver's time limit for a block applies (RFC 5321 s4.5.3.2.5).
    pub fn in_content(&self) -> bool {
        matches!(self.phase, Phase::Data(..) | Phase::Chunk(_))
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.envelope.is_some()
    }

    /// Whether the dialogue is over: send the output, then close.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether the octets are protected.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// How the client greeted, once that was accepted.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Whether AUTH succeeded.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Offers and demands something else from now on: after a change of settings, between two transactions.
    /// What the last EHLO told is not told again.
    pub fn change_features(&mut self, features: Arc<Features>) {
        self.features = features;
    }

    /// Counts so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn next_command(&mut self) -> Turn {
        let Some(line) = self
            .lines
            .next(&mut self.input, self.features.max_command_line)
        else {
            return Turn::Wait;
        };
        self.counters.commands = self.counters.commands.saturating_add(1);
        let command = match &line {
            Ok(line) => {
                let Features {
                    dialect,
                    max_command_line,
                    ..
                } = *self.features;
                Command::parse_within(line, dialect, max_command_line)
            }
            Err(fault) => Err(CommandError::from(*fault)),
        };
        match command {
            Ok(command) => self.obey(command),
            Err(error) => {
                // The octets of a chunk follow and nobody knows how many: they must not be read as commands.
                if line.is_ok_and(|line| announces_chunk(&line)) {
                    self.phase = Phase::Closed;
                }
                self.protocol_error(error.reply())
            }
        }
    }

    /// Says why not, counts it, tells the driver.
    fn protocol_error(&mut self, reply: Reply) -> Turn {
        self.counters.errors = self.counters.errors.saturating_add(1);
        reply.write(&mut self.output);
        Turn::Event(Event::ProtocolError(reply))
    }

    fn ask(&mut self, question: Question, event: Event) -> Turn {
        self.phase = Phase::Asked(question);
        Turn::Event(event)
    }

    fn say(&mut self, reply: &'static str) {
        self.output.extend_from_slice(reply.as_bytes());
    }

    fn count_idle(&mut self) {
        self.counters.idle = self.counters.idle.saturating_add(1);
    }
}

fn announces_chunk(line: &[u8]) -> bool {
    line.get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"BDAT"))
}

#[cfg(test)]
mod tests;
