//! What senders may know of their own mail.
//!
//! **For what.** Whoever holds the status link of a message, or is logged in as the account that sent it, sees what became of
//! it: what a report would tell them (RFC 3464), and at any time. [`status`] is one pure function from a story to that; pages
//! get nothing else.
//!
//! **Never.** A [`Status`] has no next hop, address, name of ours, reason, person or event in it, nor anybody whom the sender did
//! not name: who stands behind an alias or a list is told as one, and what was answered about them is not told at all. What the
//! other side said is quoted when a public server of the recipient's domain (MX) is on record with it; of every other answer only
//! its code is told, with what that means.
//!
//! **The way through.** `scope` is that function · [`link`], [`follow`] and [`own_mail`] answer the questions.

mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ground_settings::Settings;
use path_ledger::{
    HopKey, HopStatus, Ledger, LedgerError, MessageId, Owner, Story, rfc3339, words,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire_message::Time;

pub use scope::status;

use crate::{Answer, Mover};

/// Messages on a page of an account's own mail.
pub const OWN_PAGE: u32 = 20;

words! {
    /// What a sender is told of a recipient, by a status link or on the page of an account's own mail.
    pub enum Told {
        /// Where it goes is being looked up here.
        LookedUp = "looked_up",
        /// It waits here, and is tried again.
        Waiting = "waiting",
        /// It is being handed over at this moment.
        UnderWay = "under_way",
        /// It is held here for review.
        Held = "held",
        /// It is in the mailbox.
        Delivered = "delivered",
        /// It was handed over to the next server, which answers for it from there.
        HandedOver = "handed_over",
        /// This address stands for others, and it has not reached all of them yet.
        PassingOn = "passing_on",
        /// This address stands for others, and it was passed on to them.
        PassedOn = "passed_on",
        /// This address stands for others, and it could not be passed on to all of them.
        InPart = "in_part",
        /// It could not be delivered, and nothing more is tried.
        GivenUp = "given_up",
        /// It was ended here, and nothing more is tried.
        Ended = "ended",
    }
}

/// How recipients' next hops are, by key.
pub type Hops = BTreeMap<String, HopStatus>;

/// What a sender may know of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its id, as every report names it.
    pub id: MessageId,
    /// When it was accepted.
    #[serde(with = "rfc3339")]
    pub received_at: Time,
    /// Those whom the sender named, in their order.
    pub recipients: Vec<StatusRecipient>,
}

/// What a sender may know of a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRecipient {
    /// As the sender named it.
    pub address: String,
    /// Where it stands.
    pub told: Told,
    /// When it was tried last.
    #[serde(with = "rfc3339::maybe")]
    pub tried_at: Option<Time>,
    /// What was answered then.
    pub said: Option<Said>,
    /// When it is tried next.
    #[serde(with = "rfc3339::maybe")]
    pub next_try_at: Option<Time>,
    /// When the sender is told that it still waits.
    #[serde(with = "rfc3339::maybe")]
    pub notice_at: Option<Time>,
    /// When it is given up, and the sender told.
    #[serde(with = "rfc3339::maybe")]
    pub expires_at: Option<Time>,
    /// When it reached its end.
    #[serde(with = "rfc3339::maybe")]
    pub ended_at: Option<Time>,
}

/// An answer about a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Whose words these are; none when only their code is told.
    pub by: Option<String>,
    /// The words, on one line; or the code, and what it means.
    pub text: String,
}

/// A message on the page of an account's own mail. Whoever is logged in wrote it, so its subject is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnMessage {
    /// What became of it.
    pub status: Status,
    /// Its subject.
    pub subject: String,
    /// The Message-ID field.
    pub message_id: String,
}

/// The status link of a message, by its id or a recipient's.
///
/// # Errors
/// The store's.
pub async fn link(
    ledger: &Ledger,
    settings: &Settings,
    id: MessageId,
) -> Result<Answer, LedgerError> {
    let Some(message) = ledger.message_of(id).await? else {
        return Ok(Answer::asker(format!(
            "nothing is known of {id}: it was never accepted, or its history is pruned"
        )));
    };
    let links = ledger.status_links().await?;
    let web = settings.server.web_address.as_ref();
    let address = web.map(|web| links.address(web, message));
    let fact = json!({ "id": message, "path": links.path(message), "address": address });
    Ok(Answer::One { fact })
}

/// What became of the message of a link: one row, or none when its history is gone.
///
/// # Errors
/// The store's.
pub async fn follow(ledger: &Ledger, token: &str) -> Result<Answer, LedgerError> {
    let links = ledger.status_links().await?;
    let Some(id) = links.read(token) else {
        return Ok(Answer::asker("this is no link of ours"));
    };
    let stories: Vec<Story> = ledger.story(id).await?.into_iter().collect();
    let hops = hops(ledger, &stories).await?;
    let now = ledger.now();
    Ok(rows(stories.iter().map(|story| status(story, &hops, now))))
}

/// What an account sent: a page of it, or what has this id or Message-ID. Newest first.
///
/// # Errors
/// The store's.
pub async fn own_mail(
    ledger: &Ledger,
    owner: &Owner,
    before: Option<MessageId>,
    query: Option<&str>,
) -> Result<Answer, LedgerError> {
    let stories = match query {
        Some(query) => ledger.sent_named(owner, query).await?,
        None => ledger.sent(owner, before, OWN_PAGE).await?,
    };
    let hops = hops(ledger, &stories).await?;
    let now = ledger.now();
    Ok(rows(stories.iter().map(|story| OwnMessage {
        status: status(story, &hops, now),
        subject: story.subject.clone(),
        message_id: story.message_id.clone(),
    })))
}

/// How the next hops are that something of these stories waits for.
async fn hops(ledger: &Ledger, stories: &[Story]) -> Result<Hops, LedgerError> {
    let mut hops = Hops::new();
    let recipients = stories.iter().flat_map(|story| &story.recipients);
    for one in recipients.filter(|one| !one.state.is_final()) {
        if hops.contains_key(&one.next_hop) {
            continue;
        }
        // It has no way yet, or the way cannot be read.
        if let Ok(key) = one.next_hop.parse::<HopKey>() {
            hops.insert(one.next_hop.clone(), ledger.hop(&key).await?);
        }
    }
    Ok(hops)
}

fn rows<T: Serialize>(all: impl Iterator<Item = T>) -> Answer {
    let rows: Result<_, _> = all.map(|one| serde_json::to_value(one)).collect();
    match rows {
        Ok(rows) => Answer::Rows { rows },
        Err(error) => Answer::Refused {
            whose: Mover::Operator,
            why: format!("this cannot be written as JSON: {error}"),
        },
    }
}
