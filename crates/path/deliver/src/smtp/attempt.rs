//! One job over an open session: transactions, content, and what became of each recipient.

use std::time::Duration;

use ground_settings::Timeouts;
use path_ledger::{Job, Ledger};
use wire_message::{Address, Class, EnhancedStatus, OriginalRecipient, ReversePath, Time};
use wire_smtp::client::{
    Chunk, Client, Closed, Event, Fate as Told, HandOver, Report as Outcome, Step, Transaction,
    Unmet,
};
use wire_smtp::command::{BodyType, MailParams, RcptParams};
use wire_smtp::reply::Reply;

use super::Session;
use super::content::Content;
use super::open::ours;
use crate::{Afterwards, Dsn, Facts, Fate, Report};

/// Recipients of one transaction: what every server must take (RFC 5321 s4.5.3.1.8).
pub const RECIPIENTS_MAX: usize = 100;

/// The slowest transfer that is still worth waiting for, in octets a second.
const SLOWEST: u64 = 8 * 1024;

/// How long one attempt at a message of this size may take in all, whatever its phases would allow together.
#[must_use]
pub fn attempt_limit(timeouts: &Timeouts, size: u64) -> Duration {
    timeouts.attempt + timeouts.data_end + Duration::from_secs(size / SLOWEST)
}

/// A job under way.
struct Attempt<'a> {
    job: &'a Job,
    ledger: &'a Ledger,
    fates: Vec<Option<Fate>>,
    dsn: Dsn,
    /// Why the session ended, when it did.
    closed: Option<Closed>,
}

impl Session {
    /// Tries to hand one job over. A job for many recipients goes in several transactions; recipients of whom the peer
    /// says that they are too many for one (452, RFC 5321 s4.5.3.1.10) go in the next.
    pub async fn attempt(&mut self, job: &Job, ledger: &Ledger) -> Report {
        let clock = &ledger.world().clock;
        let (started_at, sent_before, begun_before) = (ledger.now(), self.line.sent, self.begun);
        if begun_before > 0 {
            self.line.client.clear_transcript();
        }
        let mut attempt = Attempt {
            job,
            ledger,
            fates: vec![None; job.recipients.len()],
            dsn: Dsn::Passed,
            closed: None,
        };
        let limit = attempt_limit(self.line.timeouts(), job.size);
        let late = clock
            .timeout(limit, self.rounds(&mut attempt))
            .await
            .is_err();
        if late {
            self.line
                .cut(format!("the attempt took more than {} s", limit.as_secs()));
            self.last_words(&mut attempt, &[]);
        }
        let bytes = self.line.sent - sent_before;
        self.report(attempt, started_at, ledger.now(), bytes, begun_before)
    }

    async fn rounds(&mut self, attempt: &mut Attempt<'_>) {
        loop {
            let limit = self.line.client.capabilities().limits.rcpt_max;
            let limit = limit.and_then(|limit| usize::try_from(limit).ok());
            let limit = limit.map_or(RECIPIENTS_MAX, |limit| limit.clamp(1, RECIPIENTS_MAX));
            let round: Vec<usize> = attempt.undecided().take(limit).collect();
            if round.is_empty() || !self.is_usable() {
                return;
            }
            self.transaction(attempt, &round).await;
        }
    }

    /// One transaction for the recipients at these places.
    async fn transaction(&mut self, attempt: &mut Attempt<'_>, round: &[usize]) {
        let transaction = attempt.transaction(round, &self.line.client);
        let (transaction, round) = match transaction {
            Ok(fit) => fit,
            Err(unmet) => return attempt.decide(round, &refusal_of(unmet)),
        };
        let mut content = match Content::open(attempt.job, attempt.ledger).await {
            Ok(content) => content,
            Err(fate) => return attempt.decide(&round, &fate),
        };
        if let Err(unmet) = self.line.client.send(transaction) {
            return attempt.decide(&round, &refusal_of(unmet));
        }
        self.begun += 1;
        let outcome = match self.carry(&mut content, attempt.ledger).await {
            Ok(outcome) => outcome,
            Err(fate) => {
                // Half of it left us: only the end of the connection keeps it from being taken for whole.
                self.line
                    .cut(format!("cut off in the content: {}", fate.words()));
                attempt.decide(&round, &fate);
                return self.last_words(attempt, &round);
            }
        };
        attempt.take(&round, outcome, self.line.fault.as_deref());
        self.last_words(attempt, &round);
    }

    /// Until the machine knows what became of the transaction. The end of the content is the peer's to take: a node that
    /// others may have taken for dead meanwhile does not give it.
    async fn carry(&mut self, content: &mut Content, ledger: &Ledger) -> Result<Outcome, Fate> {
        loop {
            let told = if self.line.client.wants_content() {
                let (piece, chunk) = content.next().await?;
                if chunk == Chunk::Last && !ledger.is_alive() {
                    return Err(lifeless());
                }
                self.line.client.content(&piece, chunk);
                match chunk {
                    Chunk::More => self.line.push().await,
                    Chunk::Last => None,
                }
            } else {
                Some(self.line.next().await)
            };
            match told {
                Some(Event::Done(outcome)) => return Ok(outcome),
                Some(Event::Closed(_)) => return Ok(nothing_told()),
                Some(
                    Event::WantContent
                    | Event::Ready
                    | Event::StartTls
                    | Event::StartTlsRefused(_)
                    | Event::Authenticated(_)
                    | Event::AuthRefused(_)
                    | Event::Reset,
                )
                | None => {}
            }
        }
    }

    /// What the machine still has to tell, without waiting.
    fn last_words(&mut self, attempt: &mut Attempt<'_>, round: &[usize]) {
        while let Some(event) = self.line.client.poll() {
            match event {
                Event::Closed(why) => attempt.closed = Some(why),
                Event::Done(outcome) => {
                    let round = match round.is_empty() {
                        true => attempt.undecided().take(outcome.recipients.len()).collect(),
                        false => round.to_vec(),
                    };
                    attempt.take(&round, outcome, self.line.fault.as_deref());
                }
                Event::WantContent
                | Event::Ready
                | Event::StartTls
                | Event::StartTlsRefused(_)
                | Event::Authenticated(_)
                | Event::AuthRefused(_)
                | Event::Reset => {}
            }
        }
    }

    fn report(
        &mut self,
        attempt: Attempt<'_>,
        started_at: Time,
        ended_at: Time,
        bytes: u64,
        begun_before: u32,
    ) -> Report {
        let why = self.why(attempt.closed.as_ref());
        let left = || Fate::NotHandedOver { why: why.clone() };
        let fates = attempt.fates.into_iter();
        let fates: Vec<Fate> = fates.map(|fate| fate.unwrap_or_else(left)).collect();
        let answered = fates.iter().any(Fate::is_answer);
        let afterwards = match self.is_usable() {
            true => Afterwards::Open,
            false if self.line.client.is_closed() && begun_before == 0 && !answered => {
                Afterwards::BrokeAtOnce
            }
            false => Afterwards::Ended,
        };
        let refused = fates
            .iter()
            .find(|fate| !matches!(fate, Fate::Accepted { .. }));
        let said = refused.or(fates.first()).map(Fate::words);
        let step = match refused {
            None => Step::End.as_str(),
            Some(Fate::Refused { step, .. }) => step.as_str(),
            Some(
                Fate::Accepted { .. }
                | Fate::NotHandedOver { .. }
                | Fate::Unknown { .. }
                | Fate::Ours { .. }
                | Fate::Damaged { .. },
            ) => last_step(attempt.closed.as_ref()),
        };
        let transcript = refused
            .map(|_| self.transcript(begun_before))
            .unwrap_or_default();
        Report {
            facts: Facts {
                started_at,
                ended_at,
                peer: self.peer.clone(),
                address: self.address.clone(),
                tls: self.tls.clone(),
                last_command: step.to_owned(),
                reply: said.unwrap_or_default(),
                bytes,
                transcript,
            },
            fates,
            dsn: attempt.dsn,
            afterwards,
        }
    }

    fn transcript(&self, begun_before: u32) -> String {
        // The machine's own record begins with the greeting in the first attempt alone.
        let mut story = match begun_before {
            0 => self.opening.clone(),
            1.. => crate::story::Story::default(),
        };
        story.add_all(self.line.client.transcript());
        if let Some(fault) = &self.line.fault {
            story.add(format!("-- {fault}"));
        }
        story.text()
    }

    fn why(&self, closed: Option<&Closed>) -> String {
        match (closed, &self.line.fault) {
            (Some(Closed::ClosedByPeer(_, reply) | Closed::Refused(_, reply)), _) => {
                reply.to_string()
            }
            (Some(Closed::Protocol(fault)), _) => fault.to_string(),
            (_, Some(fault)) => fault.clone(),
            (Some(Closed::Lost(step)), None) => {
                format!("the connection was lost at {}", step.as_str())
            }
            (Some(Closed::Quit) | None, None) => "the session had ended".to_owned(),
        }
    }
}

/// A session that closed without a word about the transaction, which the machine never does.
fn nothing_told() -> Outcome {
    Outcome {
        recipients: Vec::new(),
        dsn_passed: true,
    }
}

fn lifeless() -> Fate {
    let why = "this node gave no sign of life for too long; another may have the message";
    Fate::Ours {
        reply: ours(3, 2, why),
    }
}

fn last_step(closed: Option<&Closed>) -> &'static str {
    match closed {
        Some(Closed::Refused(step, _) | Closed::ClosedByPeer(step, _) | Closed::Lost(step)) => {
            step.as_str()
        }
        Some(Closed::Quit | Closed::Protocol(_)) | None => "",
    }
}

impl Attempt<'_> {
    fn undecided(&self) -> impl Iterator<Item = usize> + '_ {
        let fates = self.fates.iter().enumerate();
        fates.filter(|(_, fate)| fate.is_none()).map(|(at, _)| at)
    }

    fn decide(&mut self, places: &[usize], fate: &Fate) {
        for place in places {
            if let Some(slot @ None) = self.fates.get_mut(*place) {
                *slot = Some(fate.clone());
            }
        }
    }

    /// The transaction, and whom it is for: those whose address this peer cannot be told are refused here.
    fn transaction(
        &mut self,
        round: &[usize],
        client: &Client,
    ) -> Result<(Transaction, Vec<usize>), Unmet> {
        let envelope = self.job.envelope.clone();
        let utf8 = client.capabilities().smtputf8;
        if envelope.smtputf8 && !utf8 {
            return Err(Unmet::SmtpUtf8);
        }
        let spoken = |address: &Address| match utf8 {
            true => Some(address.clone()),
            false => address.to_ascii(),
        };
        let from = match &envelope.sender {
            ReversePath::Null => ReversePath::Null,
            ReversePath::Address(sender) => {
                ReversePath::Address(spoken(sender).ok_or(Unmet::SmtpUtf8)?)
            }
        };
        let (mut recipients, mut places) = (Vec::new(), Vec::new());
        for place in round {
            let Some(recipient) = self.job.recipients.get(*place) else {
                continue;
            };
            let Some(address) = spoken(&recipient.address) else {
                self.decide(&[*place], &refusal_of(Unmet::SmtpUtf8));
                continue;
            };
            let mut rcpt = RcptParams::new(address);
            rcpt.notify = recipient.notify;
            let orcpt = recipient.orcpt.clone();
            rcpt.orcpt = orcpt.filter(OriginalRecipient::fits_a_parameter);
            recipients.push(rcpt);
            places.push(*place);
        }
        if recipients.is_empty() {
            return Err(Unmet::SmtpUtf8);
        }
        let mut mail = MailParams::new(from);
        mail.size = Some(self.job.size);
        mail.body = envelope.body_type;
        mail.smtputf8 = envelope.smtputf8;
        mail.ret = envelope.ret;
        mail.envid.clone_from(&envelope.envid);
        let hand_over = match envelope.body_type {
            BodyType::SevenBit | BodyType::EightBitMime => HandOver::Data,
            BodyType::BinaryMime => HandOver::Bdat,
        };
        let transaction = Transaction {
            mail,
            recipients,
            hand_over,
        };
        Ok((transaction, places))
    }

    /// Takes over what the machine reports about the recipients at these places.
    fn take(&mut self, round: &[usize], outcome: Outcome, fault: Option<&str>) {
        if !outcome.dsn_passed {
            self.dsn = Dsn::NotPassed;
        }
        let why = fault.unwrap_or("the session ended").to_owned();
        let some_taken = outcome.recipients.iter().any(|told| !too_many(told));
        for (place, told) in round.iter().zip(outcome.recipients) {
            if too_many(&told) && some_taken {
                continue;
            }
            self.decide(&[*place], &fate_of(told, &why));
        }
    }
}

/// "Too many recipients" for this transaction, not for the next one.
fn too_many(told: &Told) -> bool {
    match told {
        Told::RefusedBefore(Step::Rcpt, reply) => {
            let status = reply
                .enhanced()
                .map(|status| (status.subject(), status.detail()));
            reply.code() == 452 && matches!(status, None | Some((5, 3)))
        }
        Told::RefusedBefore(..)
        | Told::Accepted(_)
        | Told::RefusedAfter(_)
        | Told::NotHandedOver
        | Told::Unknown => false,
    }
}

fn fate_of(told: Told, why: &str) -> Fate {
    match told {
        Told::Accepted(reply) => Fate::Accepted { reply },
        Told::RefusedBefore(step, reply) => Fate::Refused { step, reply },
        Told::RefusedAfter(reply) => Fate::Refused {
            step: Step::End,
            reply,
        },
        Told::NotHandedOver => Fate::NotHandedOver {
            why: why.to_owned(),
        },
        Told::Unknown => Fate::Unknown {
            why: format!("{why}, after the whole message had been sent"),
        },
    }
}

/// What the peer lacks, as the refusal it would have been.
fn refusal_of(unmet: Unmet) -> Fate {
    let (code, subject, detail) = match unmet {
        Unmet::EightBitMime | Unmet::BinaryMime | Unmet::Chunking => (554, 6, 3),
        Unmet::SmtpUtf8 => (550, 6, 7),
        Unmet::Size(_) => (552, 3, 4),
        Unmet::NoRecipients | Unmet::NotReady => {
            return Fate::Ours {
                reply: ours(3, 0, &unmet.to_string()),
            };
        }
    };
    let status = EnhancedStatus::new(Class::Permanent, subject, detail);
    Fate::Refused {
        step: Step::Mail,
        reply: Reply::new(code, status, &unmet.to_string()),
    }
}
