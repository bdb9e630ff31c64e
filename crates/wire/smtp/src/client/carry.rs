//! One transaction: MAIL, RCPT, DATA or BDAT, content, and what became of each recipient (RFC 5321 s3.3, RFC 3030).

use super::{Chunk, Client, Event, Fate, HandOver, Report, Step, Transaction, Unmet, What};
use crate::body::DotStuffer;
use crate::command::{Bdat, Dialect, MailParams, RcptParams};
use crate::reply::{Class, EhloResponse, Reply};

/// A transaction under way.
#[derive(Debug)]
pub(super) struct Carriage {
    recipients: Vec<RcptParams>,
    fates: Vec<Option<Fate>>,
    hand_over: HandOver,
    content: Content,
    octets: u64,
    /// The value of `written` behind the end of the content.
    end: Option<u64>,
    there: There,
    dsn_passed: bool,
}

/// Where the content stands.
#[derive(Debug)]
enum Content {
    /// It may not go yet.
    NotYet,
    /// The driver feeds it, for DATA.
    Stuffing(DotStuffer),
    /// The driver feeds it, for BDAT.
    Chunks,
    /// A chunk's answer has to come before the next (no PIPELINING).
    ChunkAwaited,
    /// All was written, or no more will be.
    Over,
}

/// Whether the peer still holds a transaction that RSET must clear away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    Transaction,
}

/// Whom one answer to the end of the content is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// SMTP.
    All,
    /// LMTP: recipients in the order of their RCPTs (RFC 2033 s4.2).
    Next,
}

impl Carriage {
    fn undecided(&self) -> bool {
        self.fates.iter().any(Option::is_none)
    }

    /// Somebody is left to send it to, and it is its turn.
    fn wants_content(&self) -> bool {
        self.undecided() && matches!(self.content, Content::Stuffing(_) | Content::Chunks)
    }

    /// Decides all who are not decided.
    fn decide_rest(&mut self, fate: &Fate) {
        for slot in self.fates.iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(fate.clone());
        }
    }

    fn decide_next(&mut self, fate: Fate) {
        if let Some(slot) = self.fates.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(fate);
        }
    }

    fn decide_end(&mut self, fate: Fate, whose: Whose) {
        match whose {
            Whose::All => self.decide_rest(&fate),
            Whose::Next => self.decide_next(fate),
        }
    }

    fn refuse(&mut self, at: usize, reply: Reply) {
        if let Some(slot @ None) = self.fates.get_mut(at) {
            *slot = Some(Fate::RefusedBefore(Step::Rcpt, reply));
        }
    }

    /// 421 in answer to `what`: what was not answered before it, was not done.
    pub(super) fn closing(&mut self, what: What, reply: &Reply, whose: Whose) {
        let reply = reply.clone();
        match what {
            What::Mail | What::Data => {
                self.decide_rest(&Fate::RefusedBefore(what.step(), reply));
            }
            What::Rcpt(at) => {
                self.refuse(at, reply);
                self.decide_rest(&Fate::NotHandedOver);
            }
            What::Chunk => self.decide_rest(&Fate::RefusedAfter(reply)),
            What::End => self.decide_end(Fate::RefusedAfter(reply), whose),
            What::Greeting | What::Ehlo | What::Helo | What::StartTls | What::Auth(_) => {}
            What::Rset | What::Clear | What::Quit => {}
        }
    }

    /// The session is over. `handed`: octets that were given to the transport.
    pub(super) fn cut_off(mut self, handed: u64) -> Report {
        let gone = self.end.is_some_and(|end| end <= handed);
        self.decide_rest(match gone {
            true => &Fate::Unknown,
            false => &Fate::NotHandedOver,
        });
        self.report()
    }

    fn report(self) -> Report {
        let fates = self.fates.into_iter();
        Report {
            recipients: fates.map(|f| f.unwrap_or(Fate::NotHandedOver)).collect(),
            dsn_passed: self.dsn_passed,
        }
    }
}

impl Client {
    /// Begins a transaction. [`Event::Done`] follows, mostly after [`Event::WantContent`].
    ///
    /// # Errors
    /// When the message needs what the peer lacks, or the session is not ready. Nothing was sent then.
    pub fn send(&mut self, transaction: Transaction) -> Result<(), Unmet> {
        self.need_ready().map_err(|_| Unmet::NotReady)?;
        transaction.check(&self.offer)?;
        let Transaction {
            mail,
            mut recipients,
            hand_over,
        } = transaction;
        let mail = trimmed(mail, &recipients, &self.offer);
        if !self.offer.dsn {
            for rcpt in &mut recipients {
                rcpt.notify = None;
                rcpt.orcpt = None;
            }
        }
        self.command(What::Mail, mail);
        self.carriage = Some(Carriage {
            fates: vec![None; recipients.len()],
            recipients,
            hand_over,
            content: Content::NotYet,
            octets: 0,
            end: None,
            there: There::Nothing,
            dsn_passed: self.offer.dsn,
        });
        if self.pipelines() {
            let mut at = 0;
            while self.send_rcpt(at) {
                at += 1;
            }
            self.send_data();
        }
        Ok(())
    }

    /// Whether the driver should call [`content`](Self::content) now.
    pub fn wants_content(&self) -> bool {
        self.carriage.as_ref().is_some_and(Carriage::wants_content)
    }

    /// Feeds content. Ignored unless [`wants_content`](Self::wants_content): the peer refused it meanwhile.
    ///
    /// For BDAT each call makes one chunk; an empty one that is not the last makes none.
    pub fn content(&mut self, octets: &[u8], chunk: Chunk) {
        let pipelines = self.pipelines();
        let Some(carriage) = self.carriage.as_mut().filter(|c| c.wants_content()) else {
            return;
        };
        let before = self.output.len();
        match &mut carriage.content {
            Content::Stuffing(stuffer) => {
                stuffer.write(octets, &mut self.output);
                if chunk == Chunk::Last {
                    std::mem::take(stuffer).finish(&mut self.output);
                }
            }
            Content::Chunks if octets.is_empty() && chunk == Chunk::More => return,
            Content::Chunks => {
                let announced = Bdat {
                    size: octets.len() as u64,
                    last: chunk == Chunk::Last,
                };
                self.output
                    .extend_from_slice(format!("{announced}\r\n").as_bytes());
                self.output.extend_from_slice(octets);
            }
            Content::NotYet | Content::ChunkAwaited | Content::Over => return,
        }
        carriage.octets = carriage.octets.saturating_add(octets.len() as u64);
        let total = carriage.octets;
        let hand_over = carriage.hand_over;
        self.wrote(before);
        match (chunk, hand_over) {
            (Chunk::Last, _) => self.content_written(total),
            (Chunk::More, HandOver::Data) => {}
            (Chunk::More, HandOver::Bdat) => {
                self.await_answer(What::Chunk);
                if !pipelines {
                    self.set_content(Content::ChunkAwaited);
                }
            }
        }
    }

    /// Whom an answer to the end of the content is for.
    pub(super) fn end_answers(&self) -> Whose {
        match self.config.dialect {
            Dialect::Lmtp => Whose::Next,
            Dialect::Smtp | Dialect::Submission => Whose::All,
        }
    }

    fn content_written(&mut self, total: u64) {
        self.transcript.sent(&format!("(content, {total} octets)"));
        self.await_answer(What::End);
        let end = self.written;
        if let Some(carriage) = &mut self.carriage {
            carriage.end = Some(end);
            carriage.content = Content::Over;
        }
    }

    fn set_content(&mut self, content: Content) {
        if let Some(carriage) = &mut self.carriage {
            carriage.content = content;
        }
    }

    fn want_content(&mut self, content: Content) {
        self.set_content(content);
        self.events.push_back(Event::WantContent);
    }

    fn send_rcpt(&mut self, at: usize) -> bool {
        let rcpt = self.carriage.as_ref().and_then(|c| c.recipients.get(at));
        let Some(line) = rcpt.map(RcptParams::to_string) else {
            return false;
        };
        self.command(What::Rcpt(at), line);
        true
    }

    fn send_data(&mut self) {
        match self.carriage.as_ref().map(|c| c.hand_over) {
            Some(HandOver::Data) => self.command(What::Data, "DATA"),
            Some(HandOver::Bdat) => self.want_content(Content::Chunks),
            None => {}
        }
    }

    pub(super) fn on_mail(&mut self, reply: Reply) {
        let pipelines = self.pipelines();
        let Some(carriage) = &mut self.carriage else {
            return;
        };
        match reply.class() {
            Class::Success => {
                carriage.there = There::Transaction;
                if !pipelines {
                    self.send_rcpt(0);
                }
            }
            Class::Continue => self.wrong_class(What::Mail, reply),
            Class::Transient | Class::Permanent => {
                carriage.decide_rest(&Fate::RefusedBefore(Step::Mail, reply));
            }
        }
    }

    pub(super) fn on_rcpt(&mut self, at: usize, reply: Reply) {
        let Some(carriage) = &mut self.carriage else {
            return;
        };
        match reply.class() {
            Class::Success => {}
            Class::Continue => return self.wrong_class(What::Rcpt(at), reply),
            Class::Transient | Class::Permanent => carriage.refuse(at, reply),
        }
        let undecided = carriage.undecided();
        if !self.pipelines() && !self.send_rcpt(at + 1) && undecided {
            self.send_data();
        }
    }

    pub(super) fn on_data(&mut self, reply: Reply) {
        let whose = self.end_answers();
        let Some(carriage) = &mut self.carriage else {
            return;
        };
        match reply.class() {
            Class::Continue if carriage.undecided() => {
                self.want_content(Content::Stuffing(DotStuffer::new()));
            }
            // RFC 2920 s3.1: all recipients were refused and DATA was not; nothing goes but the dot. LMTP forbids
            // this answer (RFC 2033 s4.2), and how many answers the dot would get.
            Class::Continue if whose == Whose::All => self.send_lone_dot(),
            Class::Continue | Class::Success => self.wrong_class(What::Data, reply),
            Class::Transient | Class::Permanent => {
                carriage.decide_rest(&Fate::RefusedBefore(Step::Data, reply));
            }
        }
    }

    fn send_lone_dot(&mut self) {
        self.set_content(Content::Over);
        self.command(What::End, ".");
    }

    pub(super) fn on_chunk(&mut self, reply: Reply) {
        let Some(carriage) = &mut self.carriage else {
            return;
        };
        match reply.class() {
            Class::Success if matches!(carriage.content, Content::ChunkAwaited) => {
                self.want_content(Content::Chunks);
            }
            Class::Success => {}
            Class::Continue => self.wrong_class(What::Chunk, reply),
            Class::Transient | Class::Permanent => self.refuse_content(&reply),
        }
    }

    /// The peer refused the content on its way.
    pub(super) fn refuse_content(&mut self, reply: &Reply) {
        if let Some(carriage) = &mut self.carriage {
            carriage.decide_rest(&Fate::RefusedAfter(reply.clone()));
            carriage.content = Content::Over;
        }
    }

    pub(super) fn on_end(&mut self, reply: Reply) {
        let whose = self.end_answers();
        let Some(carriage) = &mut self.carriage else {
            return;
        };
        let accepted = match reply.class() {
            Class::Continue => return self.wrong_class(What::End, reply),
            Class::Success => true,
            Class::Transient | Class::Permanent => false,
        };
        // After the final dot the transaction is over, whatever is said. BDAT that failed wants RSET (RFC 3030 s2).
        if accepted || carriage.hand_over == HandOver::Data {
            carriage.there = There::Nothing;
        }
        let fate = match accepted {
            true => Fate::Accepted(reply),
            false => Fate::RefusedAfter(reply),
        };
        carriage.decide_end(fate, whose);
        if carriage.undecided() {
            self.await_next_end();
        }
    }

    /// LMTP: more recipients have their answers coming.
    fn await_next_end(&mut self) {
        let end = self.carriage.as_ref().and_then(|c| c.end);
        self.pending.push_front(super::Pending {
            what: What::End,
            end: end.unwrap_or(self.written),
        });
    }

    /// After each answer: is the transaction over?
    pub(super) fn settle(&mut self) {
        let Some(carriage) = &self.carriage else {
            return;
        };
        if carriage.undecided() || !self.pending.is_empty() {
            return;
        }
        // Nobody is left to send content to.
        let there = carriage.there;
        self.set_content(Content::Over);
        match there {
            There::Transaction => self.command(What::Clear, "RSET"),
            There::Nothing => self.report(),
        }
    }

    /// Tells the driver what became of the transaction.
    pub(super) fn report(&mut self) {
        if let Some(carriage) = self.carriage.take() {
            self.events.push_back(Event::Done(carriage.report()));
        }
    }
}

/// Leaves out what the peer does not offer; needs were checked before.
fn trimmed(mut mail: MailParams, recipients: &[RcptParams], offer: &EhloResponse) -> MailParams {
    let ascii = mail.from.is_ascii() && recipients.iter().all(RcptParams::is_ascii);
    mail.smtputf8 |= !ascii;
    mail.size = mail.size.filter(|_| offer.size.is_some());
    mail.ret = mail.ret.filter(|_| offer.dsn);
    mail.envid = mail.envid.filter(|_| offer.dsn);
    mail.auth = mail.auth.filter(|_| offer.auth_offered);
    mail
}
