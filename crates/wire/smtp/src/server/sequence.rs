//! Which command is in order now (RFC 5321 s4.1.4), and what each does to the dialogue.

use super::content::Chunk;
use super::{Channel, Envelope, Event, Phase, Question, Server, Turn, Utf8, Via};
use crate::command::{Bdat, BodyType, Command, Dialect, Hello, MailParams, RcptParams};
use crate::reply::Reply;

impl Server {
    pub(super) fn obey(&mut self, command: Command) -> Turn {
        if let Some(reply) = self.out_of_order(&command) {
            return match command {
                Command::Bdat(bdat) => self.refuse_chunk(bdat, reply),
                Command::Hello(_)
                | Command::Mail(_)
                | Command::Rcpt(_)
                | Command::Data
                | Command::Rset
                | Command::Noop
                | Command::Quit
                | Command::Vrfy(_)
                | Command::Expn(_)
                | Command::Help(_)
                | Command::StartTls
                | Command::Auth(_) => self.protocol_error(reply),
            };
        }
        match command {
            Command::Hello(hello) => self.on_hello(hello),
            Command::Mail(mail) => {
                let utf8 = if mail.smtputf8 { Utf8::Yes } else { Utf8::No };
                self.ask(Question::Mail(mail.body, utf8), Event::Mail(mail))
            }
            Command::Rcpt(rcpt) => self.ask(Question::Rcpt, Event::Rcpt(rcpt)),
            Command::Data => self.ask(Question::Data, Event::DataBegin(Via::Data)),
            Command::Bdat(bdat) => self.on_chunk(bdat),
            Command::Rset => {
                self.envelope = None;
                self.count_idle();
                self.say("250 2.0.0 Ok\r\n");
                Turn::Event(Event::Reset)
            }
            Command::Noop => {
                self.count_idle();
                self.say("250 2.0.0 Ok\r\n");
                Turn::Event(Event::Noop)
            }
            Command::Quit => {
                self.say("221 2.0.0 Bye\r\n");
                self.envelope = None;
                self.phase = Phase::Closed;
                Turn::Event(Event::Quit)
            }
            Command::Vrfy(what) => self.on_idle_question(Question::Lookup, Event::Vrfy(what)),
            Command::Expn(what) => self.on_idle_question(Question::Lookup, Event::Expn(what)),
            Command::Help(topic) => self.on_idle_question(Question::Help, Event::Help(topic)),
            Command::StartTls => self.ask(Question::StartTls, Event::StartTls),
            Command::Auth(start) => self.on_auth(start),
        }
    }

    /// The refusal of a command that may not come now.
    fn out_of_order(&self, command: &Command) -> Option<Reply> {
        if let Some(reply) = self.needs_tls(command) {
            return Some(reply);
        }
        match command {
            Command::Mail(mail) => self.needs_hello().or_else(|| self.mail_in_order(mail)),
            Command::Rcpt(rcpt) => self.needs_hello().or_else(|| self.rcpt_in_order(rcpt)),
            Command::Data => self.needs_hello().or_else(|| self.data_in_order()),
            Command::Bdat(_) => self.needs_hello().or_else(|| self.chunk_in_order()),
            Command::StartTls => self.needs_hello().or_else(|| self.starttls_in_order()),
            Command::Auth(start) => self
                .needs_hello()
                .or_else(|| self.auth_in_order(start.mechanism)),
            Command::Hello(_) | Command::Rset | Command::Noop | Command::Quit => None,
            Command::Vrfy(_) | Command::Expn(_) | Command::Help(_) => None,
        }
    }

    /// RFC 3207 s4: with TLS demanded, only these go without it.
    fn needs_tls(&self, command: &Command) -> Option<Reply> {
        if !self.features.require_tls || self.channel == Channel::Tls {
            return None;
        }
        match command {
            Command::Hello(_) | Command::Noop | Command::Quit | Command::StartTls => None,
            Command::Mail(_)
            | Command::Rcpt(_)
            | Command::Data
            | Command::Bdat(_)
            | Command::Rset
            | Command::Vrfy(_)
            | Command::Expn(_)
            | Command::Help(_)
            | Command::Auth(_) => Some(Reply::plain(
                530,
                "5.7.0 Must issue a STARTTLS command first",
            )),
        }
    }

    fn needs_hello(&self) -> Option<Reply> {
        if self.hello.is_some() {
            return None;
        }
        Some(bad_sequence(match self.features.dialect {
            Dialect::Lmtp => "5.5.1 Send LHLO first",
            Dialect::Smtp | Dialect::Submission => "5.5.1 Send EHLO or HELO first",
        }))
    }

    fn mail_in_order(&self, mail: &MailParams) -> Option<Reply> {
        let features = &self.features;
        if self.envelope.is_some() {
            return Some(bad_sequence("5.5.1 Nested MAIL command"));
        }
        if features.require_auth && !self.authenticated {
            return Some(Reply::plain(530, "5.7.0 Authentication required"));
        }
        if features.max_size > 0 && mail.size.is_some_and(|size| size > features.max_size) {
            return Some(Reply::plain(552, "5.3.4 The message is too big"));
        }
        let binary = features.chunking && features.binary_mime;
        if mail.body == BodyType::BinaryMime && !binary {
            return Some(Reply::plain(504, "5.5.4 BODY=BINARYMIME is not offered"));
        }
        if mail.smtputf8 && !features.smtputf8 {
            return Some(Reply::plain(555, "5.5.4 Unsupported parameter SMTPUTF8"));
        }
        let dsn = mail.ret.is_some() || mail.envid.is_some();
        (dsn && !features.dsn)
            .then(|| Reply::plain(555, "5.5.4 Unsupported parameter RET or ENVID"))
    }

    fn rcpt_in_order(&self, rcpt: &RcptParams) -> Option<Reply> {
        let Some(envelope) = &self.envelope else {
            return Some(bad_sequence("5.5.1 Send MAIL first"));
        };
        if envelope.chunks.is_some() {
            return Some(bad_sequence("5.5.1 RCPT after BDAT"));
        }
        if envelope.utf8 == Utf8::No && !rcpt.is_ascii() {
            return Some(Reply::plain(
                553,
                "5.6.7 An internationalized address needs SMTPUTF8",
            ));
        }
        let most = self.features.max_recipients;
        if most > 0 && envelope.accepted >= most {
            return Some(Reply::plain(452, "4.5.3 Too many recipients"));
        }
        let dsn = rcpt.notify.is_some() || rcpt.orcpt.is_some();
        (dsn && !self.features.dsn)
            .then(|| Reply::plain(555, "5.5.4 Unsupported parameter NOTIFY or ORCPT"))
    }

    fn data_in_order(&self) -> Option<Reply> {
        let Some(envelope) = &self.envelope else {
            return Some(bad_sequence("5.5.1 Send MAIL first"));
        };
        if envelope.chunks.is_some() {
            return Some(bad_sequence("5.5.1 DATA after BDAT"));
        }
        if envelope.body == BodyType::BinaryMime {
            return Some(bad_sequence("5.5.1 BODY=BINARYMIME needs BDAT"));
        }
        self.no_recipients(envelope)
    }

    fn chunk_in_order(&self) -> Option<Reply> {
        if !self.features.chunking {
            return Some(Reply::plain(502, "5.5.1 BDAT is not offered"));
        }
        match &self.envelope {
            None => Some(bad_sequence("5.5.1 Send MAIL first")),
            Some(envelope) => self.no_recipients(envelope),
        }
    }

    /// RFC 5321 s3.3: 503 or 554; RFC 2033 s4.2: 503.
    fn no_recipients(&self, envelope: &Envelope) -> Option<Reply> {
        if envelope.accepted > 0 {
            return None;
        }
        if envelope.refused > 0 && self.features.dialect != Dialect::Lmtp {
            return Some(Reply::plain(554, "5.5.1 No valid recipients"));
        }
        Some(bad_sequence("5.5.1 No valid recipients"))
    }

    fn starttls_in_order(&self) -> Option<Reply> {
        if self.channel == Channel::Tls {
            return Some(bad_sequence("5.5.1 TLS is already active"));
        }
        (!self.features.starttls).then(|| Reply::plain(502, "5.5.1 STARTTLS is not offered"))
    }

    fn on_hello(&mut self, hello: Hello) -> Turn {
        if self.hello.is_some() {
            self.count_idle();
        }
        // RFC 5321 s4.1.4: a second EHLO does what RSET does.
        self.envelope = None;
        self.ask(Question::Hello(hello.clone()), Event::Hello(hello))
    }

    fn on_idle_question(&mut self, question: Question, event: Event) -> Turn {
        self.count_idle();
        self.ask(question, event)
    }

    fn on_chunk(&mut self, bdat: Bdat) -> Turn {
        let chunk = self.announced(bdat);
        let first = self.envelope.as_ref().is_some_and(|e| e.chunks.is_none());
        if first && !chunk.is_refused() {
            let begin = Event::DataBegin(Via::Bdat(bdat.size));
            return self.ask(Question::Chunk(chunk), begin);
        }
        self.phase = Phase::Chunk(chunk);
        Turn::Again
    }

    /// The octets of a chunk that is out of order are read all the same (RFC 3030 s2).
    fn refuse_chunk(&mut self, bdat: Bdat, reply: Reply) -> Turn {
        self.phase = Phase::Chunk(Chunk::out_of_order(bdat, reply));
        Turn::Again
    }
}

pub(super) fn bad_sequence(text: &'static str) -> Reply {
    Reply::plain(503, text)
}
