//! What the client machine tells its driver.

use super::transaction::{Report, Step};
use crate::reply::{Reply, ReplyFault};
use std::time::Duration;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Greeted and greeted back: `capabilities` are known. Next: `starttls`, `authenticate`, `send` or `quit`.
    /// Comes again after `tls_established`.
    Ready,
    /// The peer said 220 to STARTTLS: shake hands, then call `tls_established`.
    StartTls,
    /// The peer refused STARTTLS; the session goes on in the clear if the driver wants.
    StartTlsRefused(Reply),
    /// AUTH succeeded.
    Authenticated(Reply),
    /// AUTH was refused; the session goes on unauthenticated if the driver wants.
    AuthRefused(Reply),
    /// Content is wanted: call `content` while `wants_content`, with [`Chunk::Last`] at the end.
    WantContent,
    /// The transaction is over; the next may begin if `is_ready`.
    Done(Report),
    /// The driver's `reset` was answered with success.
    Reset,
    /// The session is over, orderly or not. The last event; a `Done` for an open transaction came before it.
    Closed(Closed),
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// QUIT was answered, or the connection ended behind it.
    Quit,
    /// The peer refused at this step and nothing can go on: a greeting other than 220, EHLO and HELO refused, RSET refused.
    Refused(Step, Reply),
    /// The peer is closing: 421, at this step (RFC 5321 s3.8).
    ClosedByPeer(Step, Reply),
    /// The connection ended while this was awaited.
    Lost(Step),
    /// The peer does not speak the protocol.
    Protocol(ProtocolFault),
}

/// How a peer broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolFault {
    /// What came is no reply.
    #[error(transparent)]
    Reply(#[from] ReplyFault),
    /// A reply to nothing, or to a command that has not left us yet.
    #[error("a reply that answers nothing: {0}")]
    Unexpected(Reply),
    /// A reply whose class does not fit the command.
    #[error("{reply} does not answer {}", step.as_str())]
    WrongClass {
        /// What it came to.
        step: Step,
        /// The reply.
        reply: Reply,
    },
    /// Octets in the clear behind the 220 to STARTTLS: somebody in between injected them (RFC 3207 s6).
    #[error("octets in the clear behind the answer to STARTTLS")]
    PlaintextBehindStartTls,
}

/// Whether more content follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// More follow.
    More,
    /// It ends the message.
    Last,
}

/// The least time to wait for a reply to each step (RFC 5321 s4.5.3.2).
impl Step {
    /// Greeting: s4.5.3.2.1.
    pub const GREETING_TIME: Duration = Duration::from_secs(5 * 60);
    /// EHLO, STARTTLS, AUTH, RSET and QUIT have no time of their own: as MAIL.
    pub const COMMAND_TIME: Duration = Duration::from_secs(5 * 60);
    /// MAIL: s4.5.3.2.2.
    pub const MAIL_TIME: Duration = Duration::from_secs(5 * 60);
    /// RCPT: s4.5.3.2.3.
    pub const RCPT_TIME: Duration = Duration::from_secs(5 * 60);
    /// DATA: s4.5.3.2.4.
    pub const DATA_TIME: Duration = Duration::from_secs(2 * 60);
    /// One block of content: s4.5.3.2.5.
    pub const CONTENT_TIME: Duration = Duration::from_secs(3 * 60);
    /// The end of content: s4.5.3.2.6. Giving up early makes duplicates.
    pub const END_TIME: Duration = Duration::from_secs(10 * 60);

    /// How long to wait for the answer to this step.
    pub fn time_limit(self) -> Duration {
        match self {
            Step::Greeting => Step::GREETING_TIME,
            Step::Hello | Step::StartTls | Step::Auth | Step::Rset | Step::Quit | Step::Idle => {
                Step::COMMAND_TIME
            }
            Step::Mail => Step::MAIL_TIME,
            Step::Rcpt => Step::RCPT_TIME,
            Step::Data => Step::DATA_TIME,
            Step::Content => Step::CONTENT_TIME,
            Step::End => Step::END_TIME,
        }
    }
}
