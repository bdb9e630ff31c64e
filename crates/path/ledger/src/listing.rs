//! What is where: pages of recipients, a line for each next hop, and totals.
//!
//! Every listing is a query over the rows the scheduler works from. Counts come from the tally that the same transactions
//! keep; the audit compares them with a scan.

use std::collections::BTreeMap;

use ground_store::{Query, Row, StoreError};
use serde::{Deserialize, Serialize};
use wire_message::Time;

use crate::columns::{Columns, Remains};
use crate::filter::{PAGE, PAGE_MAX, node_of_recipient};
use crate::hop::hop_columns;
use crate::recipient::{Recipient, line, recipient_columns};
use crate::{
    Filter, HopKey, HopState, HopStatus, Ledger, LedgerError, MessageId, RecipientId, State,
};

#[cfg(test)]
mod tests;

crate::words! {
    /// Whose move it is with a recipient.
    pub enum Stage {
        /// The categorizer's: it asks the directory.
        Categorize = "categorize",
        /// The queue's: it waits for its turn.
        Queue = "queue",
        /// The deliverer's: an attempt is under way, or about to begin.
        Deliver = "deliver",
        /// A person's: it is held.
        Hold = "hold",
        /// Nobody's: it is final.
        Done = "done",
    }
}

/// One recipient as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Listed {
    /// Its message.
    pub id: MessageId,
    /// Its own id.
    pub recipient_id: RecipientId,
    /// Where it goes.
    pub recipient: String,
    /// Who sent it; empty for the null sender.
    pub sender: String,
    /// Where it stands.
    pub state: State,
    /// Whose move it is.
    pub stage: Stage,
    /// Which way it goes; empty before it is routed.
    pub next_hop: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was accepted.
    #[serde(with = "crate::rfc3339")]
    #[schemars(with = "crate::rfc3339::Moment")]
    pub received_at: Time,
    /// When the watch looks at the latest; `null` when final.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub deadline_at: Option<Time>,
    /// The end of its lifetime.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub expires_at: Option<Time>,
    /// When the sender's next delay notice is owed.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub notify_at: Option<Time>,
    /// When it is tried next: its own time or its hop's, whichever is later.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub next_try: Option<Time>,
    /// What was last said about it, or by its hop.
    pub last_reply: String,
    /// Why it stands where it stands.
    pub reason: String,
    /// Octets of the body.
    pub size: u64,
    /// The node that has it in flight, or else accepted it.
    pub node: String,
}

/// One next hop as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QueueLine {
    /// Which; empty for what is not routed yet.
    pub next_hop: String,
    /// How it is.
    pub state: HopState,
    /// Queued for it.
    pub queued: u64,
    /// In flight to it.
    pub in_flight: u64,
    /// Held on the way to it.
    pub held: u64,
    /// Not routed yet.
    pub categorizing: u64,
    /// When the oldest of them was accepted.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub oldest: Option<Time>,
    /// When it is tried next; `null` when nothing is queued.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub next_try: Option<Time>,
    /// What was last said by it.
    pub last_reply: String,
    /// Tries in a row that did not reach it.
    pub failures: u32,
    /// Who paused it, if it is paused.
    pub paused_by: Option<String>,
    /// When the pause ends by itself.
    #[serde(with = "crate::rfc3339::maybe")]
    #[schemars(with = "Option<crate::rfc3339::Moment>")]
    pub paused_until: Option<Time>,
    /// Why it is paused.
    pub pause_reason: Option<String>,
}

/// How many recipients there are, ever accepted and in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Totals {
    /// Ever accepted.
    pub accepted: u64,
    /// Waiting for the directory.
    pub categorizing: u64,
    /// Queued.
    pub queued: u64,
    /// In flight.
    pub in_flight: u64,
    /// Held.
    pub held: u64,
    /// All that is not final.
    pub in_transit: u64,
    /// Ever delivered here.
    pub delivered: u64,
    /// Ever relayed.
    pub relayed: u64,
    /// Ever expanded.
    pub expanded: u64,
    /// Ever returned.
    pub returned: u64,
    /// Ever discarded.
    pub discarded: u64,
    /// Ever failed with nobody to tell.
    pub dead_letter: u64,
}

impl Totals {
    pub(crate) fn set(&mut self, word: &str, n: u64) -> Result<(), StoreError> {
        if word == "accepted" {
            self.accepted = n;
            return Ok(());
        }
        let state = State::from_word(word)
            .ok_or_else(|| StoreError::Damaged(format!("a total of {word:?}")))?;
        let place = match state {
            State::Categorizing => &mut self.categorizing,
            State::Queued => &mut self.queued,
            State::InFlight => &mut self.in_flight,
            State::Held => &mut self.held,
            State::Delivered => &mut self.delivered,
            State::Relayed => &mut self.relayed,
            State::Expanded => &mut self.expanded,
            State::Returned => &mut self.returned,
            State::Discarded => &mut self.discarded,
            State::DeadLetter => &mut self.dead_letter,
        };
        *place = n;
        if !state.is_final() {
            self.in_transit += n;
        }
        Ok(())
    }

    /// Ever accepted and final by now.
    #[must_use]
    pub fn ended(&self) -> u64 {
        let final_states = State::ALL.iter().filter(|state| state.is_final());
        final_states.map(|state| self.of(*state)).sum()
    }

    /// Accepted, less everything else. Not 0: mail has vanished, or appeared (P3).
    #[must_use]
    pub fn difference(&self) -> i64 {
        let accounted = self.ended() + self.in_transit;
        self.accepted
            .cast_signed()
            .wrapping_sub(accounted.cast_signed())
    }

    /// The number in one state.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        match state {
            State::Categorizing => self.categorizing,
            State::Queued => self.queued,
            State::InFlight => self.in_flight,
            State::Held => self.held,
            State::Delivered => self.delivered,
            State::Relayed => self.relayed,
            State::Expanded => self.expanded,
            State::Returned => self.returned,
            State::Discarded => self.discarded,
            State::DeadLetter => self.dead_letter,
        }
    }
}

const LIST: &str = concat!(
    "SELECT ",
    recipient_columns!(),
    ", message.sender, message.size, ",
    node_of_recipient!(),
    ", ",
    hop_columns!(),
    " FROM recipient JOIN message ON message.id = recipient.message \
     LEFT JOIN next_hop ON next_hop.key = recipient.next_hop"
);

const COUNT: &str = "SELECT count(*) FROM recipient JOIN message ON message.id = recipient.message";

const COUNT_TALLY: &str = "SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM tally";

const TALLY: &str =
    "SELECT next_hop, state, CAST(sum(n) AS BIGINT) FROM tally GROUP BY next_hop, state";

/// Hop by hop: the oldest by id (ids are ordered by time), and the first retry of each line.
const LINES: &str = concat!(
    "SELECT waiting.key, \
       (SELECT recipient.accepted_at FROM recipient WHERE recipient.finished_at IS NULL \
          AND recipient.next_hop = waiting.key ORDER BY recipient.id LIMIT 1), \
       (SELECT min(retry_at) FROM recipient WHERE state = 'queued' AND next_hop = waiting.key \
          AND ",
    line!(),
    " = 0), \
       (SELECT min(retry_at) FROM recipient WHERE state = 'queued' AND next_hop = waiting.key \
          AND ",
    line!(),
    " = 1), ",
    hop_columns!(),
    " FROM (SELECT next_hop AS key FROM tally UNION SELECT key FROM next_hop WHERE state = 'down' OR (state = 'paused' AND paused_until > $1)) AS waiting \
     LEFT JOIN next_hop ON next_hop.key = waiting.key ORDER BY waiting.key"
);

pub(crate) const TOTALS: &str = "SELECT what, n FROM total UNION ALL SELECT state, CAST(sum(n) AS BIGINT) FROM tally GROUP BY state";

impl Ledger {
    /// A page of recipients: in transit hop by hop, oldest first; history by age.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, filter: &Filter) -> Result<Vec<Listed>, LedgerError> {
        let limit = filter.limit.unwrap_or(PAGE).min(PAGE_MAX);
        let now = self.now();
        let (rest, values) = filter.condition(now).page(limit);
        let rows = self
            .store()
            .read(Query::new(format!("{LIST}{rest}"), values))
            .await?;
        let shown = |row: &Row| listed(row, now).unwrap_or_else(|error| damaged(row, &error));
        Ok(rows.iter().map(shown).collect())
    }

    /// How many recipients a filter means, whatever its page: from the tally when it asks for states and hops only.
    ///
    /// # Errors
    /// The store's.
    pub async fn count(&self, filter: &Filter) -> Result<u64, LedgerError> {
        let (text, values) = if filter.is_counted() {
            let (condition, values) = filter.tally_condition();
            (format!("{COUNT_TALLY}{condition}"), values)
        } else {
            let all = Filter {
                after: None,
                ..filter.clone()
            };
            let condition = all.condition(self.now());
            (format!("{COUNT}{}", condition.text), condition.values)
        };
        let rows = self.store().read(Query::new(text, values)).await?;
        let count = rows.first().map(|row| Columns::of(row).count());
        Ok(count.transpose()?.unwrap_or(0))
    }

    /// A line for each next hop with something in transit, and for each that is down or paused.
    ///
    /// # Errors
    /// The store's.
    pub async fn queue_lines(&self) -> Result<Vec<QueueLine>, LedgerError> {
        let now = self.now();
        let lines = Query::new(LINES, vec![now.as_millis().into()]);
        let queries = vec![Query::new(TALLY, Vec::new()), lines];
        let mut answers = self.store().read_snapshot(queries).await?.into_iter();
        let (tally, lines) = (
            answers.next().unwrap_or_default(),
            answers.next().unwrap_or_default(),
        );
        let mut counts: BTreeMap<String, Totals> = BTreeMap::new();
        for row in &tally {
            let mut columns = Columns::of(row);
            let hop = columns.string()?;
            let state = columns.text()?;
            counts
                .entry(hop)
                .or_default()
                .set(state, columns.count()?)?;
        }
        let line = |row| queue_line(row, &counts, now);
        Ok(lines.iter().map(line).collect::<Result<_, _>>()?)
    }

    /// The totals, exactly.
    ///
    /// # Errors
    /// The store's.
    pub async fn totals(&self) -> Result<Totals, LedgerError> {
        let rows = self.read(TOTALS, Vec::new()).await?;
        Ok(totals_of(&rows)?)
    }
}

pub(crate) fn totals_of(rows: &[Row]) -> Result<Totals, StoreError> {
    let mut totals = Totals::default();
    for row in rows {
        let mut columns = Columns::of(row);
        let what = columns.text()?;
        totals.set(what, columns.count()?)?;
    }
    Ok(totals)
}

fn listed(row: &Row, now: Time) -> Result<Listed, StoreError> {
    let mut columns = Columns::of(row);
    let recipient = Recipient::from_columns(&mut columns)?;
    let (sender, size, node) = (columns.string()?, columns.count()?, columns.string()?);
    let hop = HopStatus::from_columns(&mut columns)?.filter(|_| recipient.state == State::Queued);
    let hop = hop.map(|hop| hop.shown_at(now));
    Ok(Listed {
        id: recipient.message,
        recipient_id: recipient.id,
        recipient: recipient.address.to_string(),
        sender,
        state: recipient.state,
        stage: stage(recipient.state),
        next_hop: hop_text(recipient.next_hop.as_ref()),
        attempts: recipient.attempts,
        received_at: recipient.accepted_at,
        deadline_at: recipient.deadline_at,
        expires_at: recipient.expires_at,
        notify_at: recipient.notify_at,
        next_try: next_try(&recipient, hop.as_ref()),
        reason: reason(&recipient, hop.as_ref()),
        last_reply: last_reply(&recipient, hop.as_ref()),
        size,
        node,
    })
}

/// A row that cannot be understood is listed all the same, by what of it can be read.
fn damaged(row: &Row, error: &StoreError) -> Listed {
    // The places of `recipient_columns` and of what `LIST` adds to them.
    let seen = Remains(row);
    let state = State::from_word(&seen.text(6)).unwrap_or(State::Held);
    Listed {
        id: MessageId::from_key(seen.int(1).unwrap_or(0)),
        recipient_id: RecipientId::from_key(seen.int(0).unwrap_or(0)),
        recipient: seen.text(3),
        sender: seen.text(25),
        state,
        stage: stage(state),
        next_hop: seen.text(7),
        attempts: u32::try_from(seen.count(8)).unwrap_or(0),
        received_at: seen.time_or_epoch(10),
        deadline_at: seen.time(13),
        expires_at: seen.time(14),
        notify_at: seen.time(12),
        next_try: None,
        last_reply: seen.text(20),
        reason: error.to_string(),
        size: seen.count(26),
        node: seen.text(27),
    }
}

fn hop_text(hop: Option<&HopKey>) -> String {
    hop.map(HopKey::to_string).unwrap_or_default()
}

fn stage(state: State) -> Stage {
    match state {
        State::Categorizing => Stage::Categorize,
        State::Queued => Stage::Queue,
        State::InFlight => Stage::Deliver,
        State::Held => Stage::Hold,
        State::Delivered
        | State::Relayed
        | State::Expanded
        | State::Returned
        | State::Discarded
        | State::DeadLetter => Stage::Done,
    }
}

fn next_try(recipient: &Recipient, hop: Option<&HopStatus>) -> Option<Time> {
    match recipient.state {
        State::Categorizing => Some(recipient.retry_at),
        State::Queued => {
            let opens_at = hop.map_or(Time::EPOCH, HopStatus::opens_at);
            Some(recipient.retry_at.max(opens_at))
        }
        State::InFlight
        | State::Held
        | State::Delivered
        | State::Relayed
        | State::Expanded
        | State::Returned
        | State::Discarded
        | State::DeadLetter => None,
    }
}

/// What a hop that does not answer said is newer than what was said about the recipient.
fn last_reply(recipient: &Recipient, hop: Option<&HopStatus>) -> String {
    match hop {
        Some(hop) if hop.state == HopState::Down && !hop.last_reply.is_empty() => {
            hop.last_reply.clone()
        }
        Some(_) | None => recipient.last_reply.clone(),
    }
}

fn reason(recipient: &Recipient, hop: Option<&HopStatus>) -> String {
    if let Some(hold) = &recipient.hold {
        return format!("{} (by {})", hold.reason, hold.by);
    }
    if let Some(end) = &recipient.end {
        return end.cause.clone();
    }
    let Some(hop) = hop else {
        return recipient.last_reply.clone();
    };
    match hop.state {
        HopState::Up => recipient.last_reply.clone(),
        HopState::Down => format!("the next hop does not answer: {}", hop.last_reply),
        HopState::Paused => {
            let by = hop.paused_by.as_deref().unwrap_or_default();
            let why = hop.reason.as_deref().unwrap_or_default();
            format!("the next hop is paused by {by}: {why}")
        }
    }
}

fn queue_line(
    row: &Row,
    counts: &BTreeMap<String, Totals>,
    now: Time,
) -> Result<QueueLine, StoreError> {
    let mut columns = Columns::of(row);
    let key = columns.string()?;
    let oldest = columns.maybe_time()?;
    let lanes = [columns.maybe_time()?, columns.maybe_time()?];
    let hop = HopStatus::from_columns(&mut columns)?.map(|hop| hop.shown_at(now));
    let opens_at = hop.as_ref().map_or(Time::EPOCH, HopStatus::opens_at);
    let first = lanes.into_iter().flatten().min();
    let count = counts.get(&key).cloned().unwrap_or_default();
    Ok(QueueLine {
        next_hop: key,
        state: hop.as_ref().map_or(HopState::Up, |hop| hop.state),
        queued: count.queued,
        in_flight: count.in_flight,
        held: count.held,
        categorizing: count.categorizing,
        oldest,
        next_try: first.map(|first| first.max(opens_at)),
        failures: hop.as_ref().map_or(0, |hop| hop.failures),
        paused_by: hop.as_ref().and_then(|hop| hop.paused_by.clone()),
        paused_until: hop.as_ref().and_then(|hop| hop.paused_until),
        pause_reason: hop.as_ref().and_then(|hop| hop.reason.clone()),
        last_reply: hop.map(|hop| hop.last_reply).unwrap_or_default(),
    })
}
