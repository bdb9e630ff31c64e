//! What an attempt reports.

use path_ledger::{Attempt, AttemptOutcome};
use wire_message::Time;
use wire_smtp::client::Step;
use wire_smtp::reply::Reply;

/// What became of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One for each of the job's recipients, in their order.
    pub fates: Vec<Fate>,
    /// For the history.
    pub facts: Facts,
    /// Whether the wish for reports went on with the message.
    pub dsn: Dsn,
    /// How the session is now.
    pub afterwards: Afterwards,
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The peer has it, or the mailbox will with the settlement.
    Accepted {
        /// The words.
        reply: Reply,
    },
    /// The peer refused, or we for its sake. The reply's class says whether for good.
    Refused {
        /// At this step.
        step: Step,
        /// The words, as they came.
        reply: Reply,
    },
    /// Nothing was refused and nothing handed over: the session ended first. The peer cannot have the message.
    NotHandedOver {
        /// Why, in words.
        why: String,
    },
    /// The whole message left us and no answer came: the peer may have it or not.
    Unknown {
        /// Why, in words.
        why: String,
    },
    /// Ours: something here did not work. It never returns mail before its lifetime ends.
    Ours {
        /// Our words.
        reply: Reply,
    },
    /// The message cannot be read as it was stored. A person must look.
    Damaged {
        /// What is wrong.
        why: String,
    },
}

/// Whether the wish for reports (NOTIFY, ORCPT, RET, ENVID) went on with the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dsn {
    /// The peer takes care of success reports.
    Passed,
    /// The peer knows nothing of them: a *relayed* report is ours to send (RFC 3461 s5.2.2).
    NotPassed,
}

/// How the session is after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Afterwards {
    /// It may carry another message.
    Open,
    /// It is over, in good order or not; a new one may do better.
    Ended,
    /// It broke in the first transaction it ever carried: trouble with the hop, or with this message.
    BrokeAtOnce,
}

/// What history keeps of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// When it began.
    pub started_at: Time,
    /// When it was over.
    pub ended_at: Time,
    /// The server's name.
    pub peer: String,
    /// The server's address.
    pub address: String,
    /// Version, cipher and what became of the certificate; empty without TLS.
    pub tls: String,
    /// The last command that was answered, or waited for its answer.
    pub last_command: String,
    /// The words that decided, as they came.
    pub reply: String,
    /// Octets sent.
    pub bytes: u64,
    /// What was said; empty on success.
    pub transcript: String,
}

impl Facts {
    /// The row of history.
    #[must_use]
    pub fn into_attempt(self, outcome: AttemptOutcome) -> Attempt {
        Attempt {
            started_at: self.started_at,
            ended_at: self.ended_at,
            peer: self.peer,
            address: self.address,
            tls: self.tls,
            last_command: self.last_command,
            reply: self.reply,
            bytes: self.bytes,
            outcome,
            transcript: self.transcript,
        }
    }
}

impl Fate {
    /// The words for it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Fate::Accepted { reply } | Fate::Refused { reply, .. } | Fate::Ours { reply } => {
                reply.to_string()
            }
            Fate::NotHandedOver { why } | Fate::Unknown { why } | Fate::Damaged { why } => {
                why.clone()
            }
        }
    }

    /// Whether the peer spoke its mind about the message: the way to it works.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        match self {
            Fate::Accepted { .. } => true,
            // 421 is about the peer, not about the message (RFC 5321 s3.8).
            Fate::Refused { reply, .. } => reply.code() != 421,
            Fate::NotHandedOver { .. }
            | Fate::Unknown { .. }
            | Fate::Ours { .. }
            | Fate::Damaged { .. } => false,
        }
    }
}
