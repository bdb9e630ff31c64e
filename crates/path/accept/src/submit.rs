//! Admission without a socket: for programs on this machine, and for tests.

use bytes::Bytes;
use path_categorize::Asker;
use path_ledger::{MessageId, Origin};
use thiserror::Error;
use wire_smtp::body::{TextCheck, TextLimits};
use wire_smtp::command::{BodyType, MailParams, RcptParams};
use wire_smtp::reply::Reply;

use crate::Intake;
use crate::admit::{Arrival, Senders};

/// A message from a program on this machine.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who runs the program: a login name or number, for the trace header.
    pub user: String,
    /// The sender and what MAIL would say.
    pub mail: MailParams,
    /// The recipients and what RCPT would say; one at least.
    pub recipients: Vec<RcptParams>,
    /// The message. Lines may end in LF alone; they are stored with CRLF.
    pub content: Bytes,
}

/// A submission that was not accepted; nothing of it is kept.
#[derive(Debug, Clone, Error)]
pub enum Refused {
    /// The message is not welcome now or at all.
    #[error("{reply}")]
    Message {
        /// Why.
        reply: Reply,
    },
    /// These recipients are not; none of the others got it.
    #[error("{}", told(recipients))]
    Recipients {
        /// Each with its reason, in the order they were given.
        recipients: Vec<(String, Reply)>,
    },
}

fn told(recipients: &[(String, Reply)]) -> String {
    let lines = recipients.iter().map(|(_, reply)| reply.to_string());
    lines.collect::<Vec<_>>().join("\n")
}

impl Intake {
    /// Accepts a message from a program on this machine. When this answers `Ok` it is kept, flushed.
    ///
    /// A recipient the directory cannot be asked about now is accepted: nobody waits who could try again.
    ///
    /// # Errors
    /// [`Refused`]; nothing is kept then, except after a store that did not answer, when that is not known.
    pub async fn submit(&self, submission: Submission) -> Result<MessageId, Refused> {
        let settings = self.settings();
        let limits = settings.limits.clone();
        let message = |reply| Refused::Message { reply };
        let Submission {
            user,
            mut mail,
            recipients,
            content,
        } = submission;
        let content = with_crlf(content);
        check(&content, mail.body, limits.max_line_length).map_err(message)?;
        mail.body = body(mail.body, &content);
        mail.size = Some(content.len() as u64);
        let arrival = Arrival {
            origin: Origin::Sendmail,
            listener: String::new(),
            peer: None,
            helo: user,
            greeting: None,
            tls: None,
            login: None,
            asker: Asker::Ourselves,
            senders: Senders::Any,
        };
        let mut draft = self
            .open(arrival, mail, settings, limits)
            .await
            .map_err(message)?;
        let mut refused = Vec::new();
        for rcpt in recipients {
            let name = rcpt.to.to_string();
            if let Err(reply) = self.add(&mut draft, rcpt).await {
                refused.push((name, reply));
            }
        }
        if !refused.is_empty() {
            return Err(Refused::Recipients {
                recipients: refused,
            });
        }
        if draft.recipients() == 0 {
            return Err(message(Reply::plain(554, "5.5.1 No recipients")));
        }
        self.begin(&mut draft).await.map_err(message)?;
        self.take(&mut draft, content).await.map_err(message)?;
        self.accept(draft).await.map_err(message)
    }
}

/// A program does not know what its text needs on the way, so the text itself says it: plain ASCII goes to every peer.
fn body(said: BodyType, content: &[u8]) -> BodyType {
    match said {
        BodyType::BinaryMime => BodyType::BinaryMime,
        BodyType::SevenBit | BodyType::EightBitMime if content.is_ascii() => BodyType::SevenBit,
        BodyType::SevenBit | BodyType::EightBitMime => BodyType::EightBitMime,
    }
}

/// The strict rules of text hold for programs too: what is stored must be fit to be sent on.
fn check(content: &[u8], body: BodyType, longest: u32) -> Result<(), Reply> {
    if body == BodyType::BinaryMime {
        return Ok(());
    }
    let mut check = TextCheck::new(TextLimits {
        line: usize::try_from(longest).unwrap_or(usize::MAX),
        ..TextLimits::default()
    });
    let checked = check.check(content).and_then(|()| check.finish());
    checked.map_err(|fault| Reply::plain(550, format!("5.6.0 There is {fault}")))
}

/// Every line end as CRLF; a CR alone counts as one.
fn with_crlf(content: Bytes) -> Bytes {
    let mut fixed = Vec::new();
    let mut rest: &[u8] = &content;
    let mut changed = false;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let (line, end) = rest.split_at_checked(at).unwrap_or((rest, b""));
        let length = if end.starts_with(b"\r\n") { 2 } else { 1 };
        changed |= length == 1;
        fixed.extend_from_slice(line);
        fixed.extend_from_slice(b"\r\n");
        rest = end.get(length..).unwrap_or_default();
    }
    if !changed {
        return content;
    }
    fixed.extend_from_slice(rest);
    fixed.into()
}
