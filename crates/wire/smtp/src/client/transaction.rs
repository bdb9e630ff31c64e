//! What the client is asked to carry, and what became of it.

use crate::command::{BodyType, MailParams, RcptParams};
use crate::reply::{EhloResponse, Reply};

/// How the content goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOver {
    /// DATA: stuffed, and line ends repaired.
    Data,
    /// BDAT (RFC 3030), octets as they are. With PIPELINING the content is asked for at once and flies with MAIL and RCPT.
    Bdat,
}

/// One transaction: a sender, its recipients, and how the content goes.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// MAIL. What the peer does not offer is left out (SIZE, RET, ENVID, AUTH) or refused as [`Unmet`].
    pub mail: MailParams,
    /// RCPT, in the order of [`Report::recipients`]. NOTIFY and ORCPT are left out when DSN is not offered.
    pub recipients: Vec<RcptParams>,
    /// DATA or BDAT.
    pub hand_over: HandOver,
}

/// What this message needs and this peer lacks. Nothing was sent: the driver decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// Octets above 127, and no 8BITMIME (RFC 6152).
    #[error("the peer does not offer 8BITMIME")]
    EightBitMime,
    /// Binary content, and no BINARYMIME with CHUNKING, or not by BDAT (RFC 3030).
    #[error("the peer does not offer BINARYMIME")]
    BinaryMime,
    /// BDAT asked for, and no CHUNKING (RFC 3030).
    #[error("the peer does not offer CHUNKING")]
    Chunking,
    /// Internationalized, and no SMTPUTF8 (RFC 6531).
    #[error("the peer does not offer SMTPUTF8")]
    SmtpUtf8,
    /// Bigger than the peer takes (RFC 1870).
    #[error("the peer takes at most {0} octets")]
    Size(u64),
    /// No recipients.
    #[error("no recipients")]
    NoRecipients,
    /// The session is not ready for a transaction: not greeted yet, one is under way, or it is over.
    #[error("the session is not ready for a transaction")]
    NotReady,
}

impl Transaction {
    /// Whether `offer` meets the needs of this message.
    pub fn check(&self, offer: &EhloResponse) -> Result<(), Unmet> {
        let bdat = self.hand_over == HandOver::Bdat;
        if self.recipients.is_empty() {
            return Err(Unmet::NoRecipients);
        }
        if bdat && !offer.chunking {
            return Err(Unmet::Chunking);
        }
        match self.mail.body {
            BodyType::SevenBit => {}
            BodyType::EightBitMime if offer.eight_bit_mime => {}
            BodyType::EightBitMime => return Err(Unmet::EightBitMime),
            BodyType::BinaryMime if offer.binary_mime && bdat => {}
            BodyType::BinaryMime => return Err(Unmet::BinaryMime),
        }
        let beyond_ascii =
            !self.mail.from.is_ascii() || self.recipients.iter().any(|rcpt| !rcpt.is_ascii());
        if (self.mail.smtputf8 || beyond_ascii) && !offer.smtputf8 {
            return Err(Unmet::SmtpUtf8);
        }
        match (self.mail.size, offer.size_limit()) {
            (Some(size), Some(limit)) if size > limit => Err(Unmet::Size(limit)),
            _ => Ok(()),
        }
    }
}

/// Which command an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The connection's first reply.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH and its exchange.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA itself, before content.
    Data,
    /// Content: its blocks, and a chunk of BDAT that is not the last.
    Content,
    /// The final dot, or the last BDAT.
    End,
    /// RSET.
    Rset,
    /// QUIT.
    Quit,
    /// No command: the session waited for the driver's next wish.
    Idle,
}

impl Step {
    /// The word for it in histories and transcripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Greeting => "greeting",
            Step::Hello => "EHLO",
            Step::StartTls => "STARTTLS",
            Step::Auth => "AUTH",
            Step::Mail => "MAIL",
            Step::Rcpt => "RCPT",
            Step::Data => "DATA",
            Step::Content => "content",
            Step::End => "end of content",
            Step::Rset => "RSET",
            Step::Quit => "QUIT",
            Step::Idle => "idle",
        }
    }
}

/// What became of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The peer has it: 2yz to the end of the content.
    Accepted(Reply),
    /// Refused before content was sent: at this step, with this reply.
    RefusedBefore(Step, Reply),
    /// Refused after content was sent, wholly or in part.
    RefusedAfter(Reply),
    /// Not refused and not handed over: the connection was lost, or the peer broke the protocol, before the end of the
    /// content left us. It may be tried again at once.
    NotHandedOver,
    /// The end of the content was given to the transport and no answer came: the peer may have it or not.
    Unknown,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One for each recipient, in the order of [`Transaction::recipients`].
    pub recipients: Vec<Fate>,
    /// Whether DSN requests were passed on. If not, a *relayed* report is ours to send (RFC 3461 s5.2.2).
    pub dsn_passed: bool,
}
