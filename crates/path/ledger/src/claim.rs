//! Claims: queued recipients become the work of one node, for the time of a lease.
//!
//! A claim has an end and no unlock. Whoever settles proves by the write itself that it still holds the claim.

use std::sync::Arc;

use ground_store::{Row, Sql, StoreError, Unit, Value};
use wire_message::{Address, OriginalRecipient, Time};
use wire_smtp::command::Notify;

use crate::body::BodyRef;
use crate::damage::DAMAGED;
use crate::deadline::{deadline_of_queued, deadline_with};
use crate::envelope::{Message, message_columns};
use crate::event::{Doer, EventKind};
use crate::recipient::{Claim, Recipient, line, recipient_columns};
use crate::{Envelope, HopKey, Ledger, LedgerError, MessageId, RecipientId};

#[cfg(test)]
mod tests;

/// How long after the end of its lifetime a claim may still be renewed: an attempt under way may end, a hanging one not stay.
pub const RENEWED_AFTER_EXPIRY: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// Until when a job is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The epoch that holds it.
    pub epoch: i64,
    /// The end, on the ledger's lease clock ([`Ledger::lease_now`]), unless renewed.
    pub until: Time,
}

impl Lease {
    pub(crate) fn of(claim: Claim) -> Self {
        Self {
            epoch: claim.epoch,
            until: claim.until,
        }
    }
}

/// Claimed recipients of one message for one next hop.
#[derive(Debug, Clone)]
pub struct Job {
    /// The message.
    pub message: MessageId,
    /// Its envelope.
    pub envelope: Arc<Envelope>,
    /// Octets of its body.
    pub size: u64,
    /// Its body.
    pub body: BodyRef,
    /// Who it goes to by this way.
    pub recipients: Vec<JobRecipient>,
    /// Which way.
    pub next_hop: HopKey,
    /// Until when it is ours.
    pub lease: Lease,
}

/// A claimed recipient: what an attempt and a report on it need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecipient {
    /// Its id.
    pub id: RecipientId,
    /// Where it goes.
    pub address: Address,
    /// The recipient as the sender wrote it.
    pub orcpt: Option<OriginalRecipient>,
    /// When the sender wants to be told.
    pub notify: Option<Notify>,
    /// Attempts before this one.
    pub attempts: u32,
    /// Of a suspect, whose attempt must not begin before [`Ledger::begin`] says so: attempts in a row before this one that
    /// began and never ended.
    pub suspicion: Option<u32>,
    /// Its age counts from here.
    pub accepted_at: Time,
    /// The end of its lifetime.
    pub expires_at: Time,
}

impl JobRecipient {
    /// `None` for a row without an end of life, which is final.
    pub(crate) fn of(recipient: Recipient) -> Option<Self> {
        Some(Self {
            id: recipient.id,
            address: recipient.address,
            orcpt: recipient.orcpt,
            notify: recipient.notify,
            attempts: recipient.attempts,
            suspicion: recipient.suspicion,
            accepted_at: recipient.accepted_at,
            expires_at: recipient.expires_at?,
        })
    }
}

/// Takes from two lines in turn, first attempts and retries, each oldest first; when one is short the other fills up.
macro_rules! claim_text {
    ($lock:literal) => {
        concat!(
            "UPDATE recipient SET state = 'in_flight', claimed_by = $1, claimed_until = $2, deadline_at = ",
            deadline_with!("$2"),
            " WHERE id IN (SELECT id FROM (\
               SELECT id, row_number() OVER (ORDER BY retry_at, id) AS place FROM (\
                 SELECT id, retry_at FROM recipient \
                 WHERE state = 'queued' AND next_hop = $3 AND ",
            line!(),
            " = 0 AND retry_at <= $4 AND expires_at > $4 ORDER BY retry_at, id LIMIT $5",
            $lock,
            ") AS fresh UNION ALL \
               SELECT id, row_number() OVER (ORDER BY retry_at, id) AS place FROM (\
                 SELECT id, retry_at FROM recipient \
                 WHERE state = 'queued' AND next_hop = $3 AND ",
            line!(),
            " = 1 AND retry_at <= $4 AND expires_at > $4 ORDER BY retry_at, id LIMIT $5",
            $lock,
            ") AS retried) AS either ORDER BY place, id LIMIT $5) AND state = 'queued' \
             AND EXISTS (SELECT 1 FROM node WHERE epoch = $1 AND node.state = 'up') RETURNING ",
            recipient_columns!()
        )
    };
}

const CLAIM: Sql = Sql::each(claim_text!(""), claim_text!(" FOR UPDATE SKIP LOCKED"));

/// The count comes before the risk. Written twice it counts once, for the first answer may have been lost.
const BEGIN: Sql = Sql::new(
    "UPDATE recipient SET begun_at = coalesce(begun_at, $3), \
     suspicion = CASE WHEN begun_at IS NULL THEN coalesce(suspicion, 0) + 1 ELSE suspicion END \
     WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2 AND claimed_until > $4",
);

/// A beginning that was written and not made use of counts for nothing.
const RELEASE: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'queued', suspicion = CASE WHEN begun_at IS NULL THEN suspicion ELSE suspicion - 1 END, \
     begun_at = NULL, claimed_by = NULL, claimed_until = NULL, deadline_at = ",
    deadline_of_queued!(),
    " WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2"
));

const RENEW: Sql = Sql::new(concat!(
    "UPDATE recipient SET claimed_until = $3, deadline_at = ",
    deadline_with!("$3"),
    " WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2 AND claimed_until > $4 AND expires_at > $5"
));

const HOLD_DAMAGED: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'held', hold_reason = $3, held_by = 'ledger', hold_alarm_at = $4, \
     begun_at = NULL, claimed_by = NULL, claimed_until = NULL, deadline_at = ",
    deadline_with!("$4"),
    " WHERE id = $1 AND state = 'in_flight' AND claimed_by = $2"
));

const MESSAGE: &str = concat!("SELECT ", message_columns!(), " FROM message WHERE id IN (");

/// Messages read by one query.
const MESSAGES_A_QUERY: usize = 64;

/// Which of the named recipients a write reached, and which were not ours any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// Changed.
    pub done: Vec<RecipientId>,
    /// Not ours any more: the claim was lost, or somebody settled it.
    pub escaped: Vec<RecipientId>,
}

/// Rows that were claimed and cannot be read: key, and what is wrong.
type Damage = Vec<(i64, String)>;

impl Ledger {
    /// Claims up to `limit` recipients queued for `hop` whose time has come at `now`; oldest first, first attempts and
    /// retries each with a share. What cannot be read is held, with the reason, and does not stand in the way.
    ///
    /// # Errors
    /// The store's. What was claimed then and could not be handed out goes back when its lease ends, if not before.
    pub async fn claim(
        &self,
        hop: &HopKey,
        limit: u32,
        now: Time,
    ) -> Result<Vec<Job>, LedgerError> {
        let lease = Lease {
            epoch: self.epoch(),
            until: self.new_lease_end(),
        };
        let mut unit = Unit::new();
        unit.write(
            CLAIM,
            vec![
                lease.epoch.into(),
                lease.until.as_millis().into(),
                hop.value(),
                now.as_millis().into(),
                limit.into(),
            ],
        );
        let done = self.store().write(unit).await?;
        let rows: Vec<Row> = done.returned.into_iter().flatten().collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let (claimed, mut damage) = readable(&rows);
        let jobs = self.jobs(claimed, hop, lease, &mut damage).await?;
        self.hold_damaged(&damage).await?;
        Ok(jobs)
    }

    async fn jobs(
        &self,
        mut claimed: Vec<Recipient>,
        hop: &HopKey,
        lease: Lease,
        damage: &mut Damage,
    ) -> Result<Vec<Job>, LedgerError> {
        claimed.sort_by_key(|one| (one.retry_at, one.id));
        let mut order: Vec<MessageId> = Vec::new();
        let mut by_message: std::collections::HashMap<MessageId, Vec<Recipient>> =
            Default::default();
        for one in claimed {
            let same = by_message.entry(one.message).or_default();
            if same.is_empty() {
                order.push(one.message);
            }
            same.push(one);
        }
        let mut messages = match self.messages(&order).await {
            Ok(messages) => messages,
            Err(error) => {
                let ids: Vec<_> = by_message.values().flatten().map(|one| one.id).collect();
                self.release(&ids).await?;
                return Err(error);
            }
        };
        let mut jobs = Vec::with_capacity(order.len());
        for id in order {
            let recipients = by_message.remove(&id).unwrap_or_default();
            let found = messages
                .remove(&id)
                .unwrap_or_else(|| Err("its message row is gone".into()));
            let whole = found.and_then(|message| match message.body {
                Some(body) => Ok((message, body)),
                None => Err("its message has no body any more".to_owned()),
            });
            match whole {
                Ok((message, body)) => jobs.push(Job {
                    message: id,
                    size: message.size,
                    body: BodyRef::new(body, message.size, self.book.fresh_bodies.get(body)),
                    envelope: message.envelope,
                    recipients: recipients
                        .into_iter()
                        .filter_map(JobRecipient::of)
                        .collect(),
                    next_hop: hop.clone(),
                    lease,
                }),
                Err(why) => {
                    damage.extend(recipients.iter().map(|one| (one.id.key(), why.clone())));
                }
            }
        }
        Ok(jobs)
    }

    /// Message rows by id; those that cannot be read with what is wrong.
    pub(crate) async fn messages(
        &self,
        ids: &[MessageId],
    ) -> Result<std::collections::HashMap<MessageId, Result<Message, String>>, LedgerError> {
        let mut found = std::collections::HashMap::with_capacity(ids.len());
        for some in ids.chunks(MESSAGES_A_QUERY) {
            // Few different texts, so that the store keeps them prepared: the last id fills the places left over.
            let places = some.len().next_power_of_two();
            let text = format!("{MESSAGE}{})", crate::places(1, places));
            let fill = some.last().copied().into_iter().cycle();
            let ids = some.iter().copied().chain(fill).take(places);
            let values = ids.map(Value::from).collect();
            for row in self
                .store()
                .read(ground_store::Query::new(text, values))
                .await?
            {
                let id = MessageId::from_key(row.int(0)?);
                found.insert(
                    id,
                    Message::from_row(&row).map_err(|error| error.to_string()),
                );
            }
        }
        Ok(found)
    }

    async fn hold_damaged(&self, damage: &Damage) -> Result<(), LedgerError> {
        if damage.is_empty() {
            return Ok(());
        }
        let mut unit = Unit::new();
        let alarm_at = self.now() + self.options().hold_alarm;
        for (key, why) in damage {
            tracing::error!(recipient = %RecipientId::from_key(*key), why, "held: it cannot be read");
            let reason = format!("{DAMAGED}{why}");
            let mut event = self.event(EventKind::Damaged, Doer::Program, "ledger", reason.clone());
            event.recipient = Some(RecipientId::from_key(*key));
            event.write(self.new_key(), &mut unit);
            let (alarm_at, epoch) = (alarm_at.as_millis(), self.epoch());
            let values = vec![(*key).into(), epoch.into(), reason.into(), alarm_at.into()];
            unit.write(HOLD_DAMAGED, values);
        }
        self.store().write(unit).await?;
        Ok(())
    }

    /// Gives claims back: queued again, and nothing else changes. For a hop that could not be reached, and for a node that
    /// stops in good order.
    ///
    /// # Errors
    /// The store's.
    pub async fn release(&self, recipients: &[RecipientId]) -> Result<Reached, LedgerError> {
        let mut unit = Unit::new();
        for id in recipients {
            unit.write(RELEASE, vec![(*id).into(), self.epoch().into()]);
        }
        self.reach(unit, recipients).await
    }

    /// Writes that an attempt at these suspects begins: until it ends in a settlement it counts against them. Nobody whose
    /// claim is not live is reached, and an attempt at them must not be made.
    ///
    /// # Errors
    /// The store's: no attempt may begin. Asking again counts no second time.
    pub async fn begin(&self, suspects: &[RecipientId]) -> Result<Reached, LedgerError> {
        let (at, live) = (self.now().as_millis(), self.lease_now().as_millis());
        let mut unit = Unit::new();
        for id in suspects {
            let values = vec![(*id).into(), self.epoch().into(), at.into(), live.into()];
            unit.write(BEGIN, values);
        }
        self.reach(unit, suspects).await
    }

    /// Makes live claims of this node last for another lease from now. A claim that has ended, or whose recipient's lifetime
    /// ended more than [`RENEWED_AFTER_EXPIRY`] ago, is not renewed.
    ///
    /// # Errors
    /// The store's.
    pub async fn renew(&self, recipients: &[RecipientId]) -> Result<Reached, LedgerError> {
        let until = self.new_lease_end().as_millis();
        let oldest = (self.now() - RENEWED_AFTER_EXPIRY).as_millis();
        let live = self.lease_now().as_millis();
        let mut unit = Unit::new();
        for id in recipients {
            let epoch = self.epoch();
            let values = vec![
                (*id).into(),
                epoch.into(),
                until.into(),
                live.into(),
                oldest.into(),
            ];
            unit.write(RENEW, values);
        }
        self.reach(unit, recipients).await
    }

    /// Runs a unit of one statement for each recipient, and says which of them changed.
    async fn reach(&self, unit: Unit, recipients: &[RecipientId]) -> Result<Reached, LedgerError> {
        let done = self.store().write(unit).await?;
        let mut reached = Reached::default();
        for (id, changed) in recipients.iter().zip(done.changed) {
            match changed {
                0 => reached.escaped.push(*id),
                1.. => reached.done.push(*id),
            }
        }
        Ok(reached)
    }
}

/// Sorts out the rows that cannot be read.
fn readable(rows: &[Row]) -> (Vec<Recipient>, Damage) {
    let (mut whole, mut damage) = (Vec::with_capacity(rows.len()), Damage::new());
    for row in rows {
        match (Recipient::from_row(row), row.int(0)) {
            (Ok(recipient), _) => whole.push(recipient),
            (Err(StoreError::Damaged(why)), Ok(key)) => damage.push((key, why)),
            (Err(error), Ok(key)) => damage.push((key, error.to_string())),
            // A key is an integer by the schema.
            (Err(_), Err(_)) => {}
        }
    }
    (whole, damage)
}
