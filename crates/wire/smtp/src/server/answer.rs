//! The driver's decisions, and what each makes of the dialogue.
//!
//! A decision that nobody asked for is a mistake of the driver: it is ignored, and caught in debug builds.

use super::content::Chunk;
use super::{BodyRefusal, Channel, Envelope, Kept, Phase, Question, Server};
use crate::command::Hello;
use crate::reply::Reply;

impl Server {
    /// Greets in the usual words. First of all; nothing is read before.
    pub fn greet(&mut self) {
        let greeting = self.greeting();
        self.greet_with(&greeting);
    }

    /// Greets in other words (220). To turn the client away, use [`close`](Self::close).
    pub fn greet_with(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
        self.phase = Phase::Commands;
    }

    /// Yes, in the usual words.
    pub fn accept(&mut self) {
        self.decide(Verdict::Accept(None));
    }

    /// Yes, in these words (2yz) instead of the usual ones. STARTTLS and DATA are answered as usual whatever the
    /// words, and the first BDAT when its octets were read.
    pub fn accept_with(&mut self, reply: Reply) {
        self.decide(Verdict::Accept(Some(reply)));
    }

    /// No: 4yz or 5yz. 421 also ends the dialogue (RFC 5321 s3.8).
    pub fn refuse(&mut self, reply: Reply) {
        self.decide(Verdict::Refuse(reply));
    }

    /// LMTP, after [`Event::BodyEnd`](super::Event::BodyEnd): the answer for the next accepted recipient, in the order
    /// of their RCPTs (RFC 2033 s4.2). The last one ends the transaction. In SMTP the first one is the last.
    pub fn answer_recipient(&mut self, reply: &Reply) {
        let Phase::Asked(Question::End(left)) = &mut self.phase else {
            debug_assert!(false, "no answer to content is owed");
            return;
        };
        *left = left.saturating_sub(1);
        let finished = *left == 0;
        reply.write(&mut self.output);
        if let Some(envelope) = &mut self.envelope
            && reply.is_success()
        {
            envelope.kept = Kept::Yes;
        }
        if finished {
            self.end_transaction();
        }
    }

    /// Refuses the content that is being read: the rest is read to its end, given out no more, and answered with this.
    /// Between two chunks of BDAT the next one is answered with it; after `BodyEnd` it is `refuse`.
    pub fn refuse_body(&mut self, reply: Reply) {
        match &mut self.phase {
            Phase::Data(reader, refused) => {
                reader.swallow();
                refused.get_or_insert(reply);
            }
            Phase::Chunk(chunk) => chunk.refuse(BodyRefusal::Driver, reply),
            Phase::Asked(Question::End(_)) => self.refuse(reply),
            Phase::Commands => self.refuse_next_chunk(reply),
            Phase::Greeting | Phase::Exchange(_) | Phase::Asked(_) => {}
            Phase::Handshake | Phase::Closed => {}
        }
    }

    /// Says this and ends the dialogue: a refused connection (554), a shutdown, a limit (421, RFC 5321 s3.8).
    pub fn close(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
        self.envelope = None;
        self.phase = Phase::Closed;
    }

    /// The handshake after STARTTLS is done: all that was known is forgotten (RFC 3207 s4.2), and so is what stood in
    /// the input, for it came in the clear.
    pub fn tls_established(&mut self) {
        self.forget_clear_input();
        self.channel = Channel::Tls;
        self.hello = None;
        self.authenticated = false;
        self.envelope = None;
        self.phase = Phase::Commands;
    }

    fn decide(&mut self, verdict: Verdict) {
        let Phase::Asked(question) = std::mem::replace(&mut self.phase, Phase::Commands) else {
            debug_assert!(false, "no decision is owed");
            return;
        };
        match verdict {
            Verdict::Accept(words) => self.accepted(question, words),
            Verdict::Refuse(reply) if reply.code() == 421 => self.close(&reply),
            Verdict::Refuse(reply) => self.refused(question, reply),
        }
    }

    fn accepted(&mut self, question: Question, words: Option<Reply>) {
        match question {
            Question::Hello(hello) => self.accept_hello(hello, words),
            Question::StartTls => {
                self.say("220 2.0.0 Ready to start TLS\r\n");
                self.forget_clear_input();
                self.phase = Phase::Handshake;
            }
            Question::Auth => {
                self.authenticated = true;
                self.answer(words, "235 2.7.0 Authentication successful\r\n");
            }
            Question::Mail(body, utf8) => {
                self.counters.transactions = self.counters.transactions.saturating_add(1);
                self.envelope = Some(Envelope {
                    body,
                    utf8,
                    accepted: 0,
                    refused: 0,
                    chunks: None,
                    kept: Kept::No,
                });
                self.answer(words, "250 2.1.0 Sender ok\r\n");
            }
            Question::Rcpt => {
                if let Some(envelope) = &mut self.envelope {
                    envelope.accepted = envelope.accepted.saturating_add(1);
                }
                self.answer(words, "250 2.1.5 Recipient ok\r\n");
            }
            Question::Data => self.begin_data(),
            Question::Chunk(chunk) => self.begin_chunks(chunk),
            Question::End(owed) => self.accept_content(owed, words),
            Question::Lookup => self.answer(words, CANNOT_VERIFY),
            Question::Help => self.answer(words, COMMANDS),
        }
    }

    fn refused(&mut self, question: Question, reply: Reply) {
        if reply.code() >= 500 {
            self.counters.errors = self.counters.errors.saturating_add(1);
        }
        match question {
            Question::Chunk(chunk) => return self.refuse_chunks(chunk, reply),
            Question::End(owed) => {
                for _ in 0..owed {
                    reply.write(&mut self.output);
                }
                return self.end_transaction();
            }
            Question::Rcpt => {
                let count = &mut self.counters.refused_recipients;
                *count = count.saturating_add(1);
                if let Some(envelope) = &mut self.envelope {
                    envelope.refused = envelope.refused.saturating_add(1);
                }
            }
            Question::Hello(_) | Question::StartTls | Question::Auth | Question::Mail(..) => {}
            Question::Data | Question::Lookup | Question::Help => {}
        }
        reply.write(&mut self.output);
    }

    fn accept_hello(&mut self, hello: Hello, words: Option<Reply>) {
        let reply = words.unwrap_or_else(|| self.hello_answer(&hello));
        reply.write(&mut self.output);
        self.hello = Some(hello);
    }

    fn accept_content(&mut self, owed: u32, words: Option<Reply>) {
        let words = words.unwrap_or_else(|| Reply::plain(250, "2.0.0 Ok"));
        for _ in 0..owed {
            words.write(&mut self.output);
        }
        if let Some(envelope) = &mut self.envelope {
            envelope.kept = Kept::Yes;
        }
        self.end_transaction();
    }

    fn refuse_next_chunk(&mut self, reply: Reply) {
        if let Some(chunks) = self.envelope.as_mut().and_then(|e| e.chunks.as_mut()) {
            chunks.refused.get_or_insert(reply);
        }
    }

    /// The octets of the first chunk are read before the answer (RFC 3030 s2).
    fn refuse_chunks(&mut self, mut chunk: Chunk, reply: Reply) {
        chunk.refuse(BodyRefusal::Driver, reply);
        self.begin_chunks(chunk);
    }

    fn end_transaction(&mut self) {
        if self.envelope.take().is_some_and(|e| e.kept == Kept::Yes) {
            self.counters.messages = self.counters.messages.saturating_add(1);
        }
        self.phase = Phase::Commands;
    }

    /// RFC 3207 s4.2; octets behind STARTTLS are a client's mistake or somebody's injection.
    fn forget_clear_input(&mut self) {
        self.input.clear();
        self.lines.restart();
    }

    fn answer(&mut self, words: Option<Reply>, usual: &'static str) {
        match words {
            Some(reply) => reply.write(&mut self.output),
            None => self.say(usual),
        }
    }
}

enum Verdict {
    Accept(Option<Reply>),
    Refuse(Reply),
}

/// RFC 5321 s3.5.3: neither yes nor no.
const CANNOT_VERIFY: &str =
    "252 2.5.2 Cannot verify, but will take mail for it and try to deliver\r\n";
const COMMANDS: &str = "214-2.0.0 Commands:\r\n\
    214-2.0.0 EHLO HELO LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT\r\n\
    214 2.0.0 VRFY EXPN HELP STARTTLS AUTH\r\n";
