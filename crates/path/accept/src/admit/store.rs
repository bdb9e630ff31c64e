//! The one place where admission writes the book: one unit, flushed; then the queue is given its jobs.

use ground_store::StoreError;
use path_ledger::{Accepted, Envelope, LedgerError, MessageId, NewMessage, Slot};
use wire_message::Time;
use wire_smtp::command::MailParams;
use wire_smtp::reply::Reply;

use super::Arrival;
use super::head::Facts;
use crate::Intake;

/// What the book keeps about the message itself.
pub(crate) fn envelope(arrival: Arrival, mail: MailParams, facts: Facts, at: Time) -> Envelope {
    Envelope {
        received_at: at,
        sender: mail.from,
        origin: arrival.origin,
        listener: arrival.listener,
        peer: arrival
            .peer
            .map(|peer| peer.to_string())
            .unwrap_or_default(),
        helo: arrival.helo,
        tls: arrival.tls.unwrap_or_default(),
        auth: arrival.login.unwrap_or_default(),
        body_type: mail.body,
        smtputf8: mail.smtputf8,
        ret: mail.ret,
        envid: mail.envid,
        message_id: facts.message_id,
        subject: facts.subject,
        cause: None,
    }
}

impl Intake {
    /// Writes the message with the reports that its acceptance owes, and hands over what was born claimed.
    pub(crate) async fn store(
        &self,
        new: NewMessage,
        notices: Vec<NewMessage>,
        mut slots: Vec<Slot>,
    ) -> Result<MessageId, Reply> {
        let (id, count, size) = (new.id, new.recipients.len(), new.body.size());
        let told = tracing::enabled!(tracing::Level::INFO)
            .then(|| (new.envelope.sender.to_string(), new.envelope.peer.clone()));
        let accepted = self.ledger().accept_with_notices(new, notices).await;
        let Accepted { id, jobs } = accepted.map_err(|error| {
            tracing::warn!(%id, %error, "a message could not be stored");
            ledger_trouble(&error)
        })?;
        for job in jobs {
            if let Some(at) = slots.iter().position(|slot| *slot.hop() == job.next_hop) {
                slots.swap_remove(at).hand_over(job);
            }
        }
        if let Some((sender, peer)) = told {
            tracing::info!(%id, sender, peer, recipients = count, size, "accepted");
        }
        Ok(id)
    }
}

fn ledger_trouble(error: &LedgerError) -> Reply {
    match error {
        LedgerError::Store(error) => store_trouble(error),
        LedgerError::NoRecipients | LedgerError::NoSuchParent | LedgerError::Mixed(_) => {
            Reply::plain(451, "4.3.0 A defect here; try again later")
        }
    }
}

/// What the client hears when the store cannot take a message: time's move, never the sender's.
pub(crate) fn store_trouble(error: &StoreError) -> Reply {
    match error {
        StoreError::Full(_) => Reply::plain(452, "4.3.1 The disk is full; try again later"),
        StoreError::Unavailable(_)
        | StoreError::Conflict(_)
        | StoreError::Refused(_)
        | StoreError::Damaged(_)
        | StoreError::Elsewhere(_)
        | StoreError::Unfit(_) => Reply::plain(
            451,
            "4.3.0 The message could not be stored; try again later",
        ),
    }
}
