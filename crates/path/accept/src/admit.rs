//! Admission: the steps between "somebody wants to send" and "it is in the book". One file a step.
//!
//! ```text
//!   open (MAIL)         pressure -> standing -> size -> sender
//!   add (RCPT)          recipient: who is it? may the client send there?
//!   begin (DATA, BDAT)  pressure -> id, trace header
//!   take (content)      content: in memory, past a bound in a file
//!   accept (its end)    head: loops, what is missing -> birth: route, room -> store: one unit with the reports it owes, then the queue
//! ```
//!
//! Each step refuses with the reply the client hears. A [`Draft`] that is dropped at any point leaves nothing.

mod birth;
mod content;
mod head;
mod pressure;
mod recipient;
mod sender;
mod size;
mod standing;
mod store;
mod trace;

pub(crate) use birth::{Leaf, Placed, place};
pub(crate) use pressure::Pressure;
pub(crate) use recipient::Wanted;
pub(crate) use sender::Senders;
pub(crate) use store::store_trouble;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use ground_settings::{Limits, Settings};
use path_categorize::{Asker, reports_on_lists};
use path_ledger::{Handoff, MessageId, NewMessage, Origin};
use wire_message::Time;
use wire_message::received::Greeting;
use wire_smtp::command::{MailParams, RcptParams};
use wire_smtp::reply::Reply;

use crate::Intake;
use content::Content;
use recipient::Recipients;

/// How a message comes in.
pub(crate) struct Arrival {
    pub(crate) origin: Origin,
    /// The listener's name; empty when none is involved.
    pub(crate) listener: String,
    pub(crate) peer: Option<SocketAddr>,
    /// What the peer called itself; of a program here, its user.
    pub(crate) helo: String,
    /// `None` for a message that comes without a dialogue.
    pub(crate) greeting: Option<Greeting>,
    /// Version and cipher.
    pub(crate) tls: Option<String>,
    /// Who logged in.
    pub(crate) login: Option<String>,
    pub(crate) asker: Asker,
    /// Whom it may name as the sender.
    pub(crate) senders: Senders,
}

/// A message on its way in.
pub(crate) struct Draft {
    arrival: Arrival,
    /// As they were at MAIL: a reload never changes the rules in the middle of a message.
    settings: Arc<Settings>,
    limits: Limits,
    mail: MailParams,
    recipients: Recipients,
    begun: Option<Begun>,
}

/// From DATA on.
struct Begun {
    id: MessageId,
    at: Time,
    content: Content,
}

impl Draft {
    /// Recipients accepted so far.
    pub(crate) fn recipients(&self) -> usize {
        self.recipients.asked()
    }

    /// Octets of content so far.
    pub(crate) fn received(&self) -> u64 {
        self.begun.as_ref().map_or(0, |begun| begun.content.size())
    }
}

impl Intake {
    /// The queue of this node, while it may work: what is accepted meanwhile is for any node.
    fn queue(&self) -> Option<&Handoff> {
        let handoff = &self.parts.handoff;
        self.ledger().takes_work().then_some(handoff)
    }

    /// MAIL.
    pub(crate) async fn open(
        &self,
        arrival: Arrival,
        mail: MailParams,
        settings: Arc<Settings>,
        limits: Limits,
    ) -> Result<Draft, Reply> {
        let announced = mail.size.unwrap_or(0);
        self.pressure
            .check(self.ledger(), &limits, announced)
            .await?;
        standing::check(self.ledger())?;
        size::check(announced, &limits)?;
        sender::check(&mail)?;
        let directory = &self.parts.directory;
        sender::may_name(&arrival.senders, &mail.from, directory, &settings).await?;
        Ok(Draft {
            arrival,
            settings,
            limits,
            mail,
            recipients: Recipients::default(),
            begun: None,
        })
    }

    /// RCPT.
    pub(crate) async fn add(&self, draft: &mut Draft, rcpt: RcptParams) -> Result<(), Reply> {
        let rules = recipient::Rules {
            directory: &self.parts.directory,
            settings: &draft.settings,
            limits: &draft.limits,
            asker: &draft.arrival.asker,
            sender: &draft.mail.from,
        };
        draft.recipients.add(&rules, rcpt).await
    }

    /// DATA, or the first BDAT.
    pub(crate) async fn begin(&self, draft: &mut Draft) -> Result<(), Reply> {
        let announced = draft.mail.size.unwrap_or(0);
        self.pressure
            .check(self.ledger(), &draft.limits, announced)
            .await?;
        let id = self.ledger().new_id();
        let at = self.ledger().now();
        let hostname = draft.settings.server.hostname.as_str();
        let head = head::Rules {
            id,
            at,
            hostname: hostname.to_owned(),
            max_received: draft.limits.max_received_headers,
            gaps: head::Gaps::of(draft.arrival.origin),
        };
        let inline = draft.settings.storage.inline_body.bytes();
        let mut content = Content::new(head, inline, announced);
        trace::write(draft, id, at, content.top());
        content.topped();
        draft.begun = Some(Begun { id, at, content });
        Ok(())
    }

    /// Content.
    pub(crate) async fn take(&self, draft: &mut Draft, octets: Bytes) -> Result<(), Reply> {
        let Some(begun) = &mut draft.begun else {
            return Err(not_begun());
        };
        size::check(begun.content.size() + octets.len() as u64, &draft.limits)?;
        begun.content.append(&octets, self.ledger().store()).await
    }

    /// The end of the content. When this answers `Ok`, the message is kept.
    pub(crate) async fn accept(&self, draft: Draft) -> Result<MessageId, Reply> {
        let Draft {
            arrival,
            settings,
            mail,
            recipients,
            begun,
            ..
        } = draft;
        let Some(begun) = begun else {
            return Err(not_begun());
        };
        let (body, facts) = begun.content.finish(self.ledger().store()).await?;
        let envelope = store::envelope(arrival, mail, facts, begun.at);
        let birth::Births {
            recipients,
            lists,
            slots,
        } = birth::Births::of(&settings, self.queue(), recipients);
        let new = NewMessage {
            id: begun.id,
            envelope,
            body,
            recipients,
        };
        let notices = reports_on_lists(self.ledger(), &settings, &new, &lists).await;
        self.store(new, notices, slots).await
    }
}

/// Ours: the driver gave content that nobody asked for.
fn not_begun() -> Reply {
    Reply::plain(451, "4.3.0 Content came before it was asked for")
}
