//! Telling senders what became of their mail: failure, delay and success reports (RFC 3461, RFC 3464, RFC 6522).
//!
//! **For what.** Who decides that a sender is to be told (the queue after an attempt, the watch by time, the categorizer)
//! has the report composed here and stores it in the transaction that records why it is owed.
//!
//! **The way through.** A [`Reporter`] speaks for this server. [`About`] is the message, with as much of its content as
//! [`extent_for`] asks for (read by [`Content::read`]); a [`Fate`] for each recipient says what became of it and what was
//! [`Said`]. The answer is a [`Notice`]: a report to store, or why there is none.
//!
//! ```text
//!   About + Fates --> who wanted to be told? (NOTIFY) --> one report for all of them --> NewMessage, born categorizing
//!                          |                \--> NotAsked
//!                          \--> NobodyToTell (null sender): the caller makes dead letters
//! ```
//!
//! A report that something waits or failed leads those who handed the message in here to its status page, when the settings say
//! where that is reached.
//!
//! **Never.** Nothing is stored or sent here, and nothing is decided but who wanted to be told. No report is made on a
//! message without a sender, so reports cannot circle (RFC 5321 s4.5.5).
//!
//! **Limits.** One report for each message and kind in a call. An original is returned whole up to
//! [`RETURN_MAX`] octets when the sender asked for it (RET=FULL), up to [`UNASKED_MAX`] when it did not say, and
//! else as its head.

mod about;
mod fate;
mod wish;

pub use about::{About, Content, UNASKED_MAX, extent_for};
pub use fate::{Fate, Said};
pub use wire_message::report::{Action, Extent, RETURN_MAX};
pub use wish::{Wish, wish};

use std::time::Duration;

use bytes::Bytes;
use ground_settings::{Settings, WebAddress};
use ground_store::bodies::NewBody;
use path_ledger::{
    Birth, Envelope, Ledger, MessageId, NewMessage, NewRecipient, Origin, StatusLinks,
};
use thiserror::Error;
use wire_message::header::Head;
use wire_message::report::{Composed, Report};
use wire_message::{Address, Domain, ReversePath, Time};
use wire_smtp::command::{BodyType, Notify};

#[cfg(test)]
mod tests;

/// The local part that reports come from (RFC 3464 s2.1 leaves it open; this one is known everywhere).
const REPORTER: &str = "MAILER-DAEMON";

/// How long a report waits for the secret of its link, which is read once: without the link it tells all that it must.
const LINKS_DEADLINE: Duration = Duration::from_secs(2);

/// Why a report waits for a moment before its way is known.
const UNROUTED: &str = "a report, to be routed";

/// The operator's: this server's name cannot stand in an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the hostname {hostname:?} cannot stand in the address of reports: {why}")]
pub struct ReporterError {
    hostname: String,
    why: String,
}

/// Speaks for this server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter {
    from: Address,
    hostname: String,
    pages: Option<Pages>,
}

/// Where status pages are, and how their links are made.
#[derive(Debug, Clone)]
struct Pages {
    web: WebAddress,
    links: StatusLinks,
}

/// What a report is stamped with: its id, from [`path_ledger::Ledger::new_id`], and the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The report's own id.
    pub id: MessageId,
    /// When it is made.
    pub at: Time,
}

/// Whether there is a report to store.
#[derive(Debug, Clone)]
#[must_use]
pub enum Notice {
    /// This one is owed.
    Owed(Box<NewMessage>),
    /// There is a sender, who did not want to be told of this (RFC 3461 s4.1).
    NotAsked,
    /// The message has no sender: what failed is a dead letter.
    NobodyToTell,
}

impl Notice {
    /// The reports to store: one or none.
    #[must_use]
    pub fn into_messages(self) -> Vec<NewMessage> {
        match self {
            Notice::Owed(message) => vec![*message],
            Notice::NotAsked | Notice::NobodyToTell => Vec::new(),
        }
    }
}

impl Reporter {
    /// The reporter of the server with these settings.
    ///
    /// # Errors
    /// When its hostname is too long to stand in an address, or no domain name.
    pub fn new(settings: &Settings) -> Result<Self, ReporterError> {
        let hostname = settings.server.hostname.as_str();
        let from = Domain::parse(hostname).and_then(|domain| Address::new(REPORTER, domain));
        let from = from.map_err(|error| ReporterError {
            hostname: hostname.to_owned(),
            why: error.to_string(),
        })?;
        Ok(Self {
            from,
            hostname: hostname.to_owned(),
            pages: None,
        })
    }

    /// The same, whose reports lead to status pages when the settings say where those are. A report is made in any case: when
    /// the links cannot be, it goes without.
    ///
    /// # Errors
    /// As [`Reporter::new`].
    pub async fn with_links(ledger: &Ledger, settings: &Settings) -> Result<Self, ReporterError> {
        let reporter = Self::new(settings)?;
        let Some(web) = settings.server.web_address.clone() else {
            return Ok(reporter);
        };
        let clock = &ledger.world().clock;
        let links = clock.timeout(LINKS_DEADLINE, ledger.status_links()).await;
        let why = match links {
            Ok(Ok(links)) => {
                let pages = Some(Pages { web, links });
                return Ok(Self { pages, ..reporter });
            }
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        tracing::warn!(why, "a report goes without a link to the status");
        Ok(reporter)
    }

    /// It is given up for these recipients.
    pub fn failure(&self, about: &About<'_>, fates: &[Fate], stamp: Stamp) -> Notice {
        self.report(Action::Failed, about, fates, stamp)
    }

    /// It still waits for these recipients, and is tried again.
    pub fn delay(&self, about: &About<'_>, fates: &[Fate], stamp: Stamp) -> Notice {
        self.report(Action::Delayed, about, fates, stamp)
    }

    /// It is in the mailboxes of these recipients.
    pub fn delivered(&self, about: &About<'_>, fates: &[Fate], stamp: Stamp) -> Notice {
        self.report(Action::Delivered, about, fates, stamp)
    }

    /// It was handed to servers that send no success reports (RFC 3461 s6.2.3).
    pub fn relayed(&self, about: &About<'_>, fates: &[Fate], stamp: Stamp) -> Notice {
        self.report(Action::Relayed, about, fates, stamp)
    }

    /// These recipients were replaced by several others.
    pub fn expanded(&self, about: &About<'_>, fates: &[Fate], stamp: Stamp) -> Notice {
        self.report(Action::Expanded, about, fates, stamp)
    }

    /// One report on all `fates` that their sender wants to hear of.
    pub fn report(
        &self,
        action: Action,
        about: &About<'_>,
        fates: &[Fate],
        stamp: Stamp,
    ) -> Notice {
        let ReversePath::Address(sender) = &about.envelope.sender else {
            return Notice::NobodyToTell;
        };
        let wanted = fates
            .iter()
            .filter(|fate| wish(action, fate.notify) == Wish::Told);
        let recipients: Vec<_> = wanted.map(|fate| fate.outcome(action, about.id)).collect();
        if recipients.is_empty() {
            return Notice::NotAsked;
        }
        let envelope = about.envelope;
        let report = Report {
            from: self.from.clone(),
            to: sender.clone(),
            message_id: format!("{}@{}", stamp.id, self.hostname),
            date: stamp.at,
            text: None,
            status_link: self.status_link(action, about),
            envelope_id: envelope.envid.clone(),
            reporting_mta: self.hostname.clone(),
            received_from_mta: Some(envelope.helo.clone()).filter(|name| !name.is_empty()),
            arrival: Some(envelope.received_at),
            recipients,
            original: about.original(extent_for(action, envelope, about.size)),
        };
        Notice::Owed(Box::new(message(
            report.compose(),
            sender.clone(),
            about.id,
            stamp,
        )))
    }

    /// The link to the message's status, when its sender may ask where it is and is one of ours. What others have sent here
    /// carries their word alone for who they are: their reports say what RFC 3464 has them say, and give nothing to follow.
    fn status_link(&self, action: Action, about: &About<'_>) -> Option<String> {
        let asks = match action {
            Action::Delayed | Action::Failed => true,
            Action::Delivered | Action::Relayed | Action::Expanded => false,
        };
        let pages = self.pages.as_ref()?;
        let led = asks && is_ours(about.envelope);
        led.then(|| pages.links.address(&pages.web, about.id))
    }
}

/// Whether it was handed in with a login, or by a program on this machine.
fn is_ours(envelope: &Envelope) -> bool {
    match envelope.origin {
        Origin::Sendmail => true,
        Origin::Smtp | Origin::Submission | Origin::Lmtp => !envelope.auth.is_empty(),
        Origin::Report => false,
    }
}

/// A composed report as mail: from nobody, so that nobody answers it, and not to be reported on itself (RFC 3461 s6.1).
fn message(composed: Composed, sender: Address, cause: MessageId, stamp: Stamp) -> NewMessage {
    let head = Head::of(&composed.bytes);
    let envelope = Envelope {
        received_at: stamp.at,
        sender: ReversePath::Null,
        origin: Origin::Report,
        listener: String::new(),
        peer: String::new(),
        helo: String::new(),
        tls: String::new(),
        auth: String::new(),
        body_type: if composed.eight_bit {
            BodyType::EightBitMime
        } else {
            BodyType::SevenBit
        },
        smtputf8: composed.smtputf8,
        ret: None,
        envid: None,
        message_id: head.message_id().unwrap_or_default(),
        subject: head.subject().unwrap_or_default(),
        cause: Some(cause),
    };
    NewMessage {
        id: stamp.id,
        envelope,
        body: NewBody::Inline(Bytes::from(composed.bytes)),
        recipients: vec![NewRecipient {
            address: sender,
            orcpt: None,
            notify: Some(Notify::Never),
            parent: None,
            birth: Birth::Categorizing {
                reason: UNROUTED.to_owned(),
            },
        }],
    }
}
