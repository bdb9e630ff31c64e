//! The client's side of a dialogue, SMTP and LMTP (RFC 5321 s3, RFC 2033).
//!
//! The driver appends what it reads to `input`, calls `poll` until it gives nothing, feeds content while
//! `wants_content`, sends `output`, and reads again. It must go on reading while it sends (RFC 2920 s3.1: a
//! peer that cannot send its replies stops reading). When the connection ends it calls `connection_lost`.
//!
//! ```text
//!   greeting -> EHLO (-> HELO) -> Ready -> starttls -> handshake -> EHLO -> Ready
//!                                   |----> authenticate -> Ready
//!                                   |----> send: MAIL, RCPT..., DATA or BDAT -> content -> Done -> ready again
//!                                   '----> quit -> Closed
//! ```
//!
//! Never: time limits (see [`Client::awaiting`] and [`Step::time_limit`]), which peer, whether TLS is good enough.

mod answers;
mod carry;
mod event;
mod opening;
mod transaction;
mod transcript;

pub use event::{Chunk, Closed, Event, ProtocolFault};
pub use transaction::{Fate, HandOver, Report, Step, Transaction, Unmet};
pub use transcript::{TRANSCRIPT_LINE, TRANSCRIPT_LINES};

use crate::command::Dialect;
use crate::reply::{EhloResponse, Reply, ReplyReader};
use bytes::BytesMut;
use carry::Carriage;
use opening::{AuthStep, Responses};
use std::collections::VecDeque;
use std::fmt;
use transcript::Transcript;

/// Whether commands go out before the answers to earlier ones came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pipelining {
    /// When the peer offers it (RFC 2920).
    WhenOffered,
    /// Never: for peers that offer it and get it wrong.
    Never,
}

/// How a client presents itself.
#[derive(Debug, Clone)]
pub struct Config {
    /// [`Dialect::Lmtp`] greets with LHLO; the others with EHLO, then HELO.
    pub dialect: Dialect,
    /// Our name or address literal.
    pub name: String,
    /// Whether to pipeline.
    pub pipelining: Pipelining,
}

impl Config {
    /// Pipelines when offered.
    pub fn new(dialect: Dialect, name: impl Into<String>) -> Config {
        Config {
            dialect,
            name: name.into(),
            pipelining: Pipelining::WhenOffered,
        }
    }
}

/// The session cannot do this now: something is under way, or it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session is not ready")]
pub struct NotReady;

/// One dialogue with one server.
#[derive(Debug)]
pub struct Client {
    config: Config,
    input: BytesMut,
    output: BytesMut,
    /// Octets ever appended to the output. What is not in the output any more has left us.
    written: u64,
    replies: ReplyReader,
    pending: VecDeque<Pending>,
    phase: Phase,
    offer: EhloResponse,
    carriage: Option<Carriage>,
    events: VecDeque<Event>,
    responses: Responses,
    transcript: Transcript,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Greeted or not: no transaction yet.
    Opening,
    /// Idle, or whatever `pending` says.
    Open,
    /// TLS octets go past us.
    Handshake,
    /// Nothing any more.
    Closed,
}

/// A command whose answer has not come.
#[derive(Debug, Clone, Copy)]
struct Pending {
    what: What,
    /// The value of `written` behind it: an answer that comes before these octets left is none.
    end: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Auth(AuthStep),
    Mail,
    Rcpt(usize),
    Data,
    Chunk,
    End,
    /// RSET that the driver asked for.
    Rset,
    /// RSET that clears away a transaction that failed.
    Clear,
    Quit,
}

impl What {
    fn step(self) -> Step {
        match self {
            What::Greeting => Step::Greeting,
            What::Ehlo | What::Helo => Step::Hello,
            What::StartTls => Step::StartTls,
            What::Auth(_) => Step::Auth,
            What::Mail => Step::Mail,
            What::Rcpt(_) => Step::Rcpt,
            What::Data => Step::Data,
            What::Chunk => Step::Content,
            What::End => Step::End,
            What::Rset | What::Clear => Step::Rset,
            What::Quit => Step::Quit,
        }
    }
}

impl Client {
    /// A dialogue at its start: the greeting is awaited.
    pub fn new(config: Config) -> Client {
        let greeting = Pending {
            what: What::Greeting,
            end: 0,
        };
        Client {
            config,
            input: BytesMut::new(),
            output: BytesMut::new(),
            written: 0,
            replies: ReplyReader::default(),
            pending: VecDeque::from([greeting]),
            phase: Phase::Opening,
            offer: EhloResponse::default(),
            carriage: None,
            events: VecDeque::new(),
            responses: Responses::default(),
            transcript: Transcript::default(),
        }
    }

    /// Where the driver appends what it reads.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// What the driver sends, in this order. What it takes away counts as given to the transport.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// The next event. `None`: more input is needed, or the driver's next wish, or the dialogue is over.
    pub fn poll(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.take_reply() {
                return self.events.pop_front();
            }
        }
    }

    /// What the peer offers. Empty before [`Event::Ready`] and after HELO.
    pub fn capabilities(&self) -> &EhloResponse {
        &self.offer
    }

    /// Whether `starttls`, `authenticate`, `send`, `reset` and `quit` may be called.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Open && self.pending.is_empty() && self.carriage.is_none()
    }

    /// Whether the dialogue is over.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// What the peer owes an answer to, or content that we owe; for the driver's time limit. `None`: nothing.
    pub fn awaiting(&self) -> Option<Step> {
        match self.pending.front() {
            Some(pending) => Some(pending.what.step()),
            None => self.wants_content().then_some(Step::Content),
        }
    }

    /// The last lines of the dialogue, `C: ` and `S: `, secrets and content left out.
    pub fn transcript(&self) -> impl Iterator<Item = &str> {
        self.transcript.lines()
    }

    /// Forgets the transcript so far: a new transaction begins.
    pub fn clear_transcript(&mut self) {
        self.transcript.clear();
    }

    /// RSET.
    pub fn reset(&mut self) -> Result<(), NotReady> {
        self.need_ready()?;
        self.command(What::Rset, "RSET");
        Ok(())
    }

    /// QUIT. [`Closed::Quit`] follows.
    pub fn quit(&mut self) -> Result<(), NotReady> {
        self.need_ready()?;
        self.command(What::Quit, "QUIT");
        Ok(())
    }

    /// The connection ended, or the driver gave it up. What stands in the input is read first.
    pub fn connection_lost(&mut self) {
        while self.take_reply() {}
        let step = match self.phase {
            Phase::Handshake => Step::StartTls,
            Phase::Opening | Phase::Open | Phase::Closed => self.awaiting().unwrap_or(Step::Idle),
        };
        let quitting = matches!(self.pending.front(), Some(p) if p.what == What::Quit);
        self.end(match quitting {
            true => Closed::Quit,
            false => Closed::Lost(step),
        });
    }

    fn need_ready(&self) -> Result<(), NotReady> {
        match self.is_ready() {
            true => Ok(()),
            false => Err(NotReady),
        }
    }

    /// Reads one reply and acts on it. False when there is none.
    fn take_reply(&mut self) -> bool {
        if matches!(self.phase, Phase::Closed | Phase::Handshake) {
            return false;
        }
        match self.replies.next(&mut self.input) {
            Ok(None) => false,
            Ok(Some(reply)) => {
                self.transcript.received(&reply);
                self.on_reply(reply);
                true
            }
            Err(fault) => {
                self.end(Closed::Protocol(ProtocolFault::Reply(fault)));
                false
            }
        }
    }

    /// Writes a command whose answer is then awaited.
    fn command(&mut self, what: What, line: impl fmt::Display) {
        let line = line.to_string();
        self.secret_command(what, &line, &line);
    }

    /// The same, with another text for the transcript.
    fn secret_command(&mut self, what: What, line: &str, shown: &str) {
        self.transcript.sent(shown);
        // A line end within a command would be a second command. None of our types can hold one.
        let octets = line
            .bytes()
            .map(|b| if b == b'\r' || b == b'\n' { b'?' } else { b });
        let before = self.output.len();
        self.output.extend(octets);
        self.output.extend_from_slice(b"\r\n");
        self.wrote(before);
        self.await_answer(what);
    }

    /// Counts what was appended since the output had this length.
    fn wrote(&mut self, before: usize) {
        self.written += (self.output.len() - before) as u64;
    }

    fn await_answer(&mut self, what: What) {
        let end = self.written;
        self.pending.push_back(Pending { what, end });
    }

    /// Octets that were given to the transport.
    fn handed(&self) -> u64 {
        self.written.saturating_sub(self.output.len() as u64)
    }

    fn pipelines(&self) -> bool {
        self.offer.pipelining && self.config.pipelining == Pipelining::WhenOffered
    }

    /// The session is over: an open transaction is settled first.
    fn end(&mut self, why: Closed) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.pending.clear();
        let handed = self.handed();
        if let Some(carriage) = self.carriage.take() {
            self.events.push_back(Event::Done(carriage.cut_off(handed)));
        }
        self.events.push_back(Event::Closed(why));
    }

    fn wrong_class(&mut self, what: What, reply: Reply) {
        let step = what.step();
        self.end(Closed::Protocol(ProtocolFault::WrongClass { step, reply }));
    }
}

#[cfg(test)]
mod tests;
