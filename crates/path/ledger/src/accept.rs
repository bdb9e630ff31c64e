//! A message enters the book.
//!
//! One unit: its body, its message row, its recipients' rows. Nothing is read. A recipient is born where the caller's
//! decision puts it: routed and even claimed by this node when it has room, so that the happy path has two commits in all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ground_store::Unit;
use ground_store::bodies::{self, NewBody};
use wire_message::{Address, OriginalRecipient, ReversePath, Time};
use wire_smtp::command::Notify;

use crate::body::BodyRef;
use crate::claim::{Job, JobRecipient, Lease};
use crate::envelope::Message;
use crate::event::{Doer, Event, EventKind};
use crate::options::Patience;
use crate::recipient::{Claim, End, Hold, Recipient};
use crate::{Envelope, HopKey, Ledger, LedgerError, MessageId, Origin, RecipientId, State};

#[cfg(test)]
mod tests;

/// A message to be accepted.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// From [`Ledger::new_id`]: it stands in the `Received:` field already.
    pub id: MessageId,
    /// What is known about it.
    pub envelope: Envelope,
    /// Its content.
    pub body: NewBody,
    /// At least one.
    pub recipients: Vec<NewRecipient>,
}

/// A recipient to be accepted.
#[derive(Debug, Clone)]
pub struct NewRecipient {
    /// Where it goes.
    pub address: Address,
    /// The recipient as the sender wrote it (RFC 3461 s4.2).
    pub orcpt: Option<OriginalRecipient>,
    /// When the sender wants to be told (RFC 3461 s4.1).
    pub notify: Option<Notify>,
    /// The expanded recipient it comes from: an earlier place in the same list.
    pub parent: Option<usize>,
    /// Where it starts.
    pub birth: Birth,
}

/// Where a recipient starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Birth {
    /// The directory could not say yet who it is.
    Categorizing {
        /// Why not.
        reason: String,
    },
    /// Routed.
    Queued {
        /// Which way.
        next_hop: HopKey,
    },
    /// Routed, and claimed by this node at once.
    Claimed {
        /// Which way.
        next_hop: HopKey,
    },
    /// Kept back.
    Held {
        /// Why.
        reason: String,
        /// By which rule or person.
        by: String,
    },
    /// Replaced by others of the same list.
    Expanded {
        /// By which alias or group.
        cause: String,
    },
    /// Dropped by a rule.
    Discarded {
        /// Why.
        cause: String,
        /// By which rule or person.
        actor: String,
    },
    /// Cannot be delivered; the report is among the notices.
    Returned {
        /// Why.
        cause: String,
    },
}

/// A message that is in the book, flushed.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// Its id.
    pub id: MessageId,
    /// What was born claimed, ready for the queue; one job for each next hop.
    pub jobs: Vec<Job>,
}

/// Who takes what is born claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claims {
    /// The caller gets the jobs.
    Handed,
    /// Nobody stands ready: it is queued instead.
    Queued,
}

/// A message as it will be written.
struct Composed {
    unit: Unit,
    message: Message,
    recipients: Vec<Recipient>,
    inline: Option<bytes::Bytes>,
}

/// What all recipients of one message are born under.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) message: MessageId,
    pub(crate) envelope: &'a Envelope,
    /// Ages count from here.
    pub(crate) accepted_at: Time,
    pub(crate) now: Time,
}

impl Ledger {
    /// Stores a message. When this answers it is committed and flushed.
    ///
    /// # Errors
    /// [`LedgerError::NoRecipients`], [`LedgerError::NoSuchParent`]: the caller's defect; otherwise the store's. Nothing is
    /// stored then, except after [`ground_store::StoreError::Unavailable`], when that is not known.
    pub async fn accept(&self, new: NewMessage) -> Result<Accepted, LedgerError> {
        self.accept_with_notices(new, Vec::new()).await
    }

    /// Stores a message and the reports that its acceptance owes, together.
    ///
    /// # Errors
    /// As [`Ledger::accept`].
    pub async fn accept_with_notices(
        &self,
        new: NewMessage,
        notices: Vec<NewMessage>,
    ) -> Result<Accepted, LedgerError> {
        let mut composed = self.compose(&new, Claims::Handed)?;
        self.join_notices(&notices, &mut composed.unit)?;
        let unit = std::mem::take(&mut composed.unit);
        self.store().write(unit).await?;
        self.accepted(&composed.recipients, &composed);
        self.discard_unneeded(&new.body, &composed.message).await;
        self.notices_stored(&notices);
        let id = new.id;
        let jobs = self.jobs_of(composed);
        Ok(Accepted { id, jobs })
    }

    /// A body whose every recipient ended at once has no row, so its file goes too.
    async fn discard_unneeded(&self, body: &NewBody, message: &Message) {
        if let (NewBody::File(spooled), None) = (body, message.body) {
            let discarded = self.store().discard_body_file(spooled.name()).await;
            if let Err(error) = discarded {
                tracing::warn!(file = spooled.name(), %error, "left for the reconciler, as an orphan");
            }
        }
    }

    /// The writes that store `new`, to be joined with others. What is born claimed is queued instead.
    ///
    /// # Errors
    /// [`LedgerError::NoRecipients`], [`LedgerError::NoSuchParent`].
    pub fn accept_unit(&self, new: &NewMessage) -> Result<Unit, LedgerError> {
        Ok(self.compose(new, Claims::Queued)?.unit)
    }

    /// Adds reports to a unit, each with an event that ties it to the message it tells of.
    pub(crate) fn join_notices(
        &self,
        notices: &[NewMessage],
        unit: &mut Unit,
    ) -> Result<(), LedgerError> {
        for notice in notices {
            unit.join(self.accept_unit(notice)?);
            let told = notice.envelope.cause;
            let event = Event {
                at: notice.envelope.received_at,
                message: told,
                recipient: None,
                kind: EventKind::NoticeOwed,
                doer: Doer::Program,
                actor: self.node_name(),
                detail: format!("report {} was stored", notice.id),
            };
            event.write(self.new_key(), unit);
        }
        Ok(())
    }

    /// Tells whoever waits that reports were stored, and counts them.
    pub(crate) fn notices_stored(&self, notices: &[NewMessage]) {
        for notice in notices {
            self.book.counts.accepted(notice.envelope.origin);
            self.recipients_stored(&notice.recipients);
        }
    }

    /// Rings for recipients that were stored without anybody standing ready.
    pub(crate) fn recipients_stored(&self, recipients: &[NewRecipient]) {
        for recipient in recipients {
            match &recipient.birth {
                Birth::Queued { next_hop } | Birth::Claimed { next_hop } => {
                    self.wake_for(next_hop);
                }
                Birth::Categorizing { .. } => self.wake_categorizer(),
                Birth::Held { .. }
                | Birth::Expanded { .. }
                | Birth::Discarded { .. }
                | Birth::Returned { .. } => {}
            }
        }
    }

    fn compose(&self, new: &NewMessage, claims: Claims) -> Result<Composed, LedgerError> {
        if new.recipients.is_empty() {
            return Err(LedgerError::NoRecipients);
        }
        let terms = Terms {
            message: new.id,
            envelope: &new.envelope,
            accepted_at: new.envelope.received_at,
            now: self.now(),
        };
        let recipients = self.born(&new.recipients, &terms, claims)?;
        let pending = recipients
            .iter()
            .filter(|one| !one.state.is_final())
            .count();
        let mut unit = Unit::new();
        let body = (pending > 0).then(|| new.id.key());
        if let Some(id) = body {
            bodies::insert(&mut unit, id, &new.body);
        }
        let message = Message {
            id: new.id,
            envelope: Arc::new(new.envelope.clone()),
            size: new.body.size(),
            body,
        };
        message.insert(i64::try_from(pending).unwrap_or(i64::MAX), &mut unit);
        for recipient in &recipients {
            recipient.insert(&mut unit);
        }
        let inline = match &new.body {
            NewBody::Inline(content) => Some(content.clone()),
            NewBody::File(_) => None,
        };
        Ok(Composed {
            unit,
            message,
            recipients,
            inline,
        })
    }

    fn born(
        &self,
        new: &[NewRecipient],
        terms: &Terms<'_>,
        claims: Claims,
    ) -> Result<Vec<Recipient>, LedgerError> {
        let mut born: Vec<Recipient> = Vec::with_capacity(new.len());
        for one in new {
            let parent = match one.parent {
                None => None,
                Some(place) => Some(born.get(place).ok_or(LedgerError::NoSuchParent)?.id),
            };
            let birth = match (&one.birth, claims) {
                (Birth::Claimed { next_hop }, Claims::Queued) => Birth::Queued {
                    next_hop: next_hop.clone(),
                },
                (birth, Claims::Queued | Claims::Handed) => birth.clone(),
            };
            born.push(self.birth(one, parent, birth, terms));
        }
        Ok(born)
    }

    /// Children of a recipient that is expanded after its acceptance: nobody stands ready for them.
    pub(crate) fn children(
        &self,
        new: &[NewRecipient],
        parent: RecipientId,
        terms: &Terms<'_>,
    ) -> Result<Vec<Recipient>, LedgerError> {
        let mut born = self.born(new, terms, Claims::Queued)?;
        for child in &mut born {
            child.parent = child.parent.or(Some(parent));
        }
        Ok(born)
    }

    fn birth(
        &self,
        new: &NewRecipient,
        parent: Option<RecipientId>,
        birth: Birth,
        terms: &Terms<'_>,
    ) -> Recipient {
        let options = self.options();
        let patience = match &birth {
            Birth::Queued { next_hop } | Birth::Claimed { next_hop } => options.patience(next_hop),
            Birth::Categorizing { .. }
            | Birth::Held { .. }
            | Birth::Expanded { .. }
            | Birth::Discarded { .. }
            | Birth::Returned { .. } => &options.patience,
        };
        let mut born = Recipient {
            id: RecipientId::from_key(self.new_key()),
            message: terms.message,
            parent,
            address: new.address.clone(),
            orcpt: new.orcpt.clone(),
            notify: new.notify,
            state: State::Queued,
            next_hop: None,
            attempts: 0,
            suspicion: None,
            accepted_at: terms.accepted_at,
            retry_at: terms.accepted_at,
            notify_at: first_notice(patience, terms, new.notify),
            deadline_at: None,
            expires_at: Some(
                terms.accepted_at
                    + lifetime(terms.envelope.origin, patience, options.report_lifetime),
            ),
            claim: None,
            hold: None,
            last_reply: String::new(),
            last_peer: String::new(),
            end: None,
        };
        self.place(&mut born, birth, terms.now, options.hold_alarm);
        born.deadline_at = born.due();
        born
    }

    /// Puts a new recipient into the state it starts in.
    fn place(&self, born: &mut Recipient, birth: Birth, now: Time, hold_alarm: Duration) {
        match birth {
            Birth::Categorizing { reason } => {
                born.state = State::Categorizing;
                born.last_reply = reason;
            }
            Birth::Queued { next_hop } => born.next_hop = Some(next_hop),
            Birth::Claimed { next_hop } => {
                born.state = State::InFlight;
                born.next_hop = Some(next_hop);
                born.claim = Some(Claim {
                    epoch: self.epoch(),
                    until: self.new_lease_end(),
                });
            }
            Birth::Held { reason, by } => {
                born.state = State::Held;
                let alarm_at = now + hold_alarm;
                born.hold = Some(Hold {
                    reason,
                    by,
                    alarm_at,
                });
            }
            Birth::Expanded { cause } => end(born, State::Expanded, now, cause, "categorizer"),
            Birth::Discarded { cause, actor } => end(born, State::Discarded, now, cause, &actor),
            Birth::Returned { cause } => end(born, State::Returned, now, cause, "categorizer"),
        }
    }

    /// What memory may know after the commit: hints, counts and a cached body, no truth.
    fn accepted(&self, recipients: &[Recipient], composed: &Composed) {
        let message = &composed.message;
        self.book.counts.accepted(message.envelope.origin);
        let mut read_soon = false;
        for recipient in recipients {
            self.count_end(message.id, recipient.state);
            match (recipient.state, &recipient.next_hop) {
                (State::Queued, Some(next_hop)) => {
                    read_soon = true;
                    self.wake_for(next_hop);
                }
                (State::Categorizing, _) => {
                    read_soon = true;
                    self.wake_categorizer();
                }
                (
                    State::Queued
                    | State::InFlight
                    | State::Held
                    | State::Delivered
                    | State::Relayed
                    | State::Expanded
                    | State::Returned
                    | State::Discarded
                    | State::DeadLetter,
                    _,
                ) => {}
            }
        }
        if let (true, Some(content), Some(body)) = (read_soon, &composed.inline, message.body) {
            self.book.fresh_bodies.put(body, content.clone());
        }
    }

    fn jobs_of(&self, composed: Composed) -> Vec<Job> {
        let mut by_hop: BTreeMap<HopKey, (Claim, Vec<JobRecipient>)> = BTreeMap::new();
        for recipient in composed.recipients {
            let (Some(claim), Some(next_hop)) = (recipient.claim, recipient.next_hop.clone())
            else {
                continue;
            };
            let (_, job) = by_hop.entry(next_hop).or_insert((claim, Vec::new()));
            job.extend(JobRecipient::of(recipient));
        }
        let Some(body) = composed.message.body else {
            return Vec::new();
        };
        let job = |(next_hop, (claim, recipients)): (HopKey, (Claim, Vec<JobRecipient>))| Job {
            message: composed.message.id,
            envelope: composed.message.envelope.clone(),
            size: composed.message.size,
            body: BodyRef::new(body, composed.message.size, composed.inline.clone()),
            recipients,
            next_hop,
            lease: Lease::of(claim),
        };
        by_hop.into_iter().map(job).collect()
    }
}

fn end(born: &mut Recipient, state: State, at: Time, cause: String, actor: &str) {
    born.state = state;
    born.notify_at = None;
    let actor = actor.to_owned();
    born.end = Some(End { at, cause, actor });
}

fn lifetime(origin: Origin, patience: &Patience, report_lifetime: Duration) -> Duration {
    match origin {
        Origin::Report => report_lifetime,
        Origin::Smtp | Origin::Submission | Origin::Lmtp | Origin::Sendmail => patience.lifetime,
    }
}

/// When the first delay notice is owed: to a sender who can be told and has not asked for silence (RFC 3461 s4.1).
fn first_notice(patience: &Patience, terms: &Terms<'_>, notify: Option<Notify>) -> Option<Time> {
    let wanted = match notify {
        None => true,
        Some(Notify::Never) => false,
        Some(Notify::On { delay, .. }) => delay,
    };
    let told = match (&terms.envelope.sender, terms.envelope.origin) {
        (ReversePath::Null, _) | (_, Origin::Report) => false,
        (
            ReversePath::Address(_),
            Origin::Smtp | Origin::Submission | Origin::Lmtp | Origin::Sendmail,
        ) => true,
    };
    if !(wanted && told) {
        return None;
    }
    let first = patience.delay_notices.first()?;
    (*first < patience.lifetime).then(|| terms.accepted_at + *first)
}
