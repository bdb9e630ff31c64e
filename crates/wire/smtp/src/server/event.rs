//! What the server machine tells its driver.

use crate::body::Fault;
use crate::command::{Credentials, Hello, Lookup, MailParams, Mechanism, RcptParams};
use crate::reply::Reply;
use bytes::Bytes;

/// How the content comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// DATA.
    Data,
    /// BDAT; `Some` octets announced by the first chunk.
    Bdat(u64),
}

/// One thing that happened. Where a *decision* is asked for, [`Server::poll`](super::Server::poll) gives nothing
/// until the driver has called `accept`, `accept_with` or `refuse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// EHLO, HELO or LHLO. *Decision.* A transaction that was open is over (RFC 5321 s4.1.4).
    Hello(Hello),
    /// STARTTLS. *Decision.* After `accept`: send the output, shake hands, call `tls_established`.
    StartTls,
    /// AUTH, its exchange complete. *Decision.*
    Auth {
        /// How they came.
        mechanism: Mechanism,
        /// Who, and the proof.
        credentials: Credentials,
    },
    /// MAIL. *Decision.*
    Mail(MailParams),
    /// RCPT. *Decision.*
    Rcpt(RcptParams),
    /// DATA, or the first BDAT. *Decision*: `accept` says 354 to DATA and nothing to BDAT.
    DataBegin(Via),
    /// Content, without stuffed dots.
    Body(Bytes),
    /// The content is complete. *Decision*, which ends the transaction; LMTP: `answer_recipient` once for each
    /// accepted recipient in their order, or one decision for all.
    BodyEnd,
    /// The content was refused by the machine, or with `refuse_body`; all was answered and the transaction is
    /// over. What was kept of the content, if any, must be thrown away; so it must on `Hello`, `StartTls`, `Reset`
    /// and `Quit`, which may come between two chunks of BDAT. It may come without a `DataBegin` before it, when
    /// BDAT announces too much.
    BodyRefused(BodyRefusal),
    /// RSET. Answered; the transaction is over.
    Reset,
    /// VRFY. *Decision*; `accept` says 252.
    Vrfy(Lookup),
    /// EXPN. *Decision*; `accept` says 252.
    Expn(Lookup),
    /// HELP. *Decision*; `accept` lists the commands.
    Help(Option<Lookup>),
    /// NOOP. Answered.
    Noop,
    /// QUIT. Answered; send the output and close.
    Quit,
    /// A command that was refused by the rules of the protocol. Answered with this.
    ProtocolError(Reply),
}

/// Why content was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyRefusal {
    /// It breaks a rule.
    Fault(Fault),
    /// The driver's `refuse_body`.
    Driver,
}

/// Counts for the driver's limits on commands and errors a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Command lines read.
    pub commands: u32,
    /// Commands refused: by the machine or by the driver's `refuse` with a 5yz.
    pub errors: u32,
    /// Commands that move nothing: NOOP, RSET, VRFY, EXPN, HELP, EHLO after the first.
    pub idle: u32,
    /// MAIL commands accepted.
    pub transactions: u32,
    /// Recipients refused by the driver.
    pub refused_recipients: u32,
    /// Messages accepted.
    pub messages: u32,
}
