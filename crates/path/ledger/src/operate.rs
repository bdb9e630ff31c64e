//! What people do to mail: a preview shows exactly which rows, the act treats exactly those, and both are recorded.
//!
//! Each row is guarded by the state its preview showed. One that has moved on meanwhile escapes, and is named.

use ground_store::{Query, Row, Sql, StoreError, Unit, Value};
use serde::{Deserialize, Serialize};

use crate::accept::NewMessage;
use crate::columns::Remains;
use crate::deadline::{deadline_of_queued, deadline_with};
use crate::event::{Doer, EventKind};
use crate::filter::PAGE_MAX;
use crate::{Filter, HopKey, Ledger, LedgerError, MessageId, RecipientId, State};

#[cfg(test)]
mod tests;

/// Rows of one unit: small enough that mail flows between two.
const A_UNIT: usize = 250;

/// What an act would touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The rows.
    pub rows: Vec<PreviewRow>,
    /// How many they are.
    pub count: u64,
    /// Whether the filter means more than fit one preview: act, and preview again.
    pub more: bool,
    /// The filter as written.
    pub filter: String,
}

/// A row an act would touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PreviewRow {
    /// Its message.
    pub id: MessageId,
    /// Its own id.
    pub recipient_id: RecipientId,
    /// Where it goes.
    pub recipient: String,
    /// Its sender; empty for the null sender.
    pub sender: String,
    /// Where it stood when the preview was made.
    pub state: State,
    /// Which way it went then; empty before it is routed.
    pub next_hop: String,
}

crate::words! {
    /// What an operator can do to recipients.
    pub enum Verb {
        /// It is tried now, whatever its time and its hop's are.
        Retry = "retry",
        /// It is kept back until it is released.
        Hold = "hold",
        /// A hold is ended.
        Release = "release",
        /// It goes back to its sender.
        Return = "return",
        /// It is dropped, by name and with a reason.
        Discard = "discard",
        /// It goes another way, or is categorized and routed anew.
        Reroute = "reroute",
        /// Its message is handed out, and stays.
        Export = "export",
    }
}

impl Verb {
    const fn kind(self) -> EventKind {
        match self {
            Verb::Retry => EventKind::Retried,
            Verb::Hold => EventKind::Held,
            Verb::Release => EventKind::Released,
            Verb::Return => EventKind::Returned,
            Verb::Discard => EventKind::Discarded,
            Verb::Reroute => EventKind::Rerouted,
            Verb::Export => EventKind::Exported,
        }
    }
}

/// What is done.
#[derive(Debug)]
pub enum Act {
    /// Tried now, whatever its time and its hop's are.
    Retry,
    /// Kept back.
    Hold,
    /// A hold is ended.
    Release,
    /// Sent back. Those without a sender become dead letters.
    Return {
        /// The reports, each for the recipients it names.
        notices: Vec<Return>,
    },
    /// Dropped.
    Discard,
    /// Sent another way.
    Reroute {
        /// This way; or categorized and routed anew.
        next_hop: Option<HopKey>,
    },
    /// Written out somewhere. Changes nothing.
    Export,
}

/// A report and the recipients whose return it tells of: stored together or not at all.
#[derive(Debug)]
pub struct Return {
    /// Of one message.
    pub recipients: Vec<RecipientId>,
    /// `None` when the sender asked for none.
    pub notice: Option<NewMessage>,
}

/// What became of an act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActResult {
    /// Done, how many.
    pub done: u64,
    /// Not as the preview showed them any more, or not in a state that allows it; untouched.
    pub escaped: Vec<RecipientId>,
}

impl Act {
    /// What it is.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Act::Retry => Verb::Retry,
            Act::Hold => Verb::Hold,
            Act::Release => Verb::Release,
            Act::Return { .. } => Verb::Return,
            Act::Discard => Verb::Discard,
            Act::Reroute { .. } => Verb::Reroute,
            Act::Export => Verb::Export,
        }
    }

    /// Whether it can be done to a recipient in this state. What is in flight may be with the peer already: it is left to
    /// its attempt, which ends within a lease. Final is final.
    #[must_use]
    pub const fn allowed(&self, state: State) -> bool {
        match (self, state) {
            (Act::Export, _) => true,
            (Act::Retry | Act::Hold, State::Categorizing | State::Queued) => true,
            (Act::Release, State::Held) => true,
            (
                Act::Return { .. } | Act::Discard | Act::Reroute { .. },
                State::Categorizing | State::Queued | State::Held,
            ) => true,
            (Act::Retry | Act::Hold, State::Held) => false,
            (Act::Release, State::Categorizing | State::Queued) => false,
            (
                Act::Retry
                | Act::Hold
                | Act::Release
                | Act::Return { .. }
                | Act::Discard
                | Act::Reroute { .. },
                State::InFlight
                | State::Delivered
                | State::Relayed
                | State::Expanded
                | State::Returned
                | State::Discarded
                | State::DeadLetter,
            ) => false,
        }
    }
}

/// Who acts, and why.
#[derive(Clone, Copy)]
struct Actor<'a> {
    by: &'a str,
    reason: &'a str,
}

const ROWS: &str = "SELECT recipient.message, recipient.id, recipient.address, message.sender, recipient.state, \
     recipient.next_hop FROM recipient JOIN message ON message.id = recipient.message";

/// `$1` the row, `$2` the state of its preview. Before the move: afterwards the guard would not hold.
const EVENT: Sql = Sql::new(
    "INSERT INTO event (id, at, message, recipient, kind, doer, actor, detail) \
     SELECT $3, $4, message, id, $5, 'person', $6, $7 FROM recipient WHERE id = $1 AND state = $2",
);

const RETRY: Sql = Sql::new(concat!(
    "UPDATE recipient SET retry_at = $3, deadline_at = CASE WHEN state = 'queued' THEN ",
    deadline_of_queued!(),
    " ELSE ",
    deadline_with!("$3"),
    " END WHERE id = $1 AND state = $2"
));

const HOP_NOW: Sql = Sql::new(
    "UPDATE next_hop SET retry_at = $2 WHERE key = $1 AND state = 'down' AND retry_at > $2",
);

const HOLD: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'held', hold_reason = $3, held_by = $4, hold_alarm_at = $5, deadline_at = ",
    deadline_with!("$5"),
    " WHERE id = $1 AND state = $2"
));

/// Back to where it was: in its queue, or before routing when it had no way yet. What a suspect is blamed for is
/// forgiven, for somebody has looked; its next attempt is still written before it begins.
const RELEASE: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = CASE WHEN next_hop = '' THEN 'categorizing' ELSE 'queued' END, retry_at = $3, \
     suspicion = CASE WHEN suspicion > 0 THEN 0 ELSE suspicion END, hold_reason = NULL, held_by = NULL, hold_alarm_at = NULL, deadline_at = CASE WHEN next_hop = '' THEN ",
    deadline_with!("$3"),
    " ELSE ",
    deadline_of_queued!(),
    " END WHERE id = $1 AND state = $2"
));

const END: Sql = Sql::new(
    "UPDATE recipient SET state = $3, finished_at = $4, cause = $5, actor = $6, deadline_at = NULL, notify_at = NULL, \
     hold_reason = NULL, held_by = NULL, hold_alarm_at = NULL WHERE id = $1 AND state = $2",
);

const REROUTE: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'queued', next_hop = $4, retry_at = $3, \
     suspicion = CASE WHEN suspicion > 0 THEN 0 ELSE suspicion END, hold_reason = NULL, held_by = NULL, \
     hold_alarm_at = NULL, deadline_at = ",
    deadline_of_queued!(),
    " WHERE id = $1 AND state = $2"
));

const RECATEGORIZE: Sql = Sql::new(concat!(
    "UPDATE recipient SET state = 'categorizing', next_hop = '', retry_at = $3, \
     suspicion = CASE WHEN suspicion > 0 THEN 0 ELSE suspicion END, hold_reason = NULL, held_by = NULL, \
     hold_alarm_at = NULL, deadline_at = ",
    deadline_with!("$3"),
    " WHERE id = $1 AND state = $2"
));

impl Ledger {
    /// Exactly which rows an act with this filter would touch. Its page is [`PAGE_MAX`] unless the filter has a limit.
    ///
    /// # Errors
    /// The store's.
    pub async fn preview(&self, filter: &Filter) -> Result<Preview, LedgerError> {
        let limit = filter.limit.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        // One more, to know whether there are more.
        let (rest, values) = filter.condition(self.now()).page(limit + 1);
        let found = self
            .store()
            .read(Query::new(format!("{ROWS}{rest}"), values))
            .await?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut rows = Vec::with_capacity(found.len());
        for row in found.iter().take(wanted) {
            rows.push(preview_row(row)?);
        }
        Ok(Preview {
            count: rows.len() as u64,
            more: found.len() > wanted,
            rows,
            filter: filter.to_string(),
        })
    }

    /// Does it, to exactly the rows of the preview, and records who did what to whom, and why.
    ///
    /// # Errors
    /// The store's; what was done before it stays done, and is recorded row by row.
    pub async fn act(
        &self,
        preview: &Preview,
        act: Act,
        by: &str,
        reason: &str,
    ) -> Result<ActResult, LedgerError> {
        let result = self.act_on_part(preview, &act, by, reason).await?;
        let escaped = result.escaped.len() as u64;
        self.record_act(
            act.verb(),
            &preview.filter,
            by,
            reason,
            result.done,
            escaped,
        )
        .await?;
        Ok(result)
    }

    /// Writes down what an act on many came to: who, which filter, why, how many.
    ///
    /// # Errors
    /// The store's.
    pub async fn record_act(
        &self,
        verb: Verb,
        filter: &str,
        by: &str,
        reason: &str,
        done: u64,
        escaped: u64,
    ) -> Result<(), LedgerError> {
        let detail = format!("{verb} {filter}: {done} done, {escaped} escaped: {reason}");
        self.record(verb.kind(), Doer::Person, by, &detail).await
    }

    /// A part of an act: recorded row by row, and as a whole by [`Ledger::record_act`] when all parts are done.
    ///
    /// # Errors
    /// The store's; what was done before it stays done.
    pub async fn act_on_part(
        &self,
        preview: &Preview,
        act: &Act,
        by: &str,
        reason: &str,
    ) -> Result<ActResult, LedgerError> {
        let actor = Actor { by, reason };
        let (allowed, barred): (Vec<&PreviewRow>, Vec<&PreviewRow>) =
            preview.rows.iter().partition(|row| act.allowed(row.state));
        let mut result = ActResult {
            done: 0,
            escaped: barred.iter().map(|row| row.recipient_id).collect(),
        };
        match act {
            Act::Return { notices } => {
                self.give_back(&allowed, notices, actor, &mut result)
                    .await?
            }
            Act::Retry
            | Act::Hold
            | Act::Release
            | Act::Discard
            | Act::Reroute { .. }
            | Act::Export => {
                for some in allowed.chunks(A_UNIT) {
                    self.act_on(some, act, actor, &mut result).await?;
                }
            }
        }
        self.wake_acted_on(&allowed, act);
        Ok(result)
    }

    async fn act_on(
        &self,
        rows: &[&PreviewRow],
        act: &Act,
        actor: Actor<'_>,
        result: &mut ActResult,
    ) -> Result<(), LedgerError> {
        let mut unit = Unit::new();
        for row in rows {
            self.act_event(row, act.verb().kind(), actor, &mut unit);
            self.move_row(row, act, actor, &mut unit);
        }
        // The hops of what shall be tried now, after the rows: each row has two statements, so the counts keep their places.
        if let Act::Retry = act {
            let hops: std::collections::BTreeSet<&str> =
                rows.iter().map(|row| row.next_hop.as_str()).collect();
            for hop in hops {
                unit.write(HOP_NOW, vec![hop.into(), self.now().as_millis().into()]);
            }
        }
        let done = self.store().write(unit).await?;
        for (row, changed) in rows.iter().zip(done.changed.chunks(2)) {
            match changed.first() {
                Some(1..) => {
                    result.done += 1;
                    if let Act::Discard = act {
                        self.count_end(row.id, State::Discarded);
                    }
                }
                Some(0) | None => result.escaped.push(row.recipient_id),
            }
        }
        Ok(())
    }

    fn act_event(&self, row: &PreviewRow, kind: EventKind, actor: Actor<'_>, unit: &mut Unit) {
        unit.write(
            EVENT,
            vec![
                row.recipient_id.into(),
                row.state.into(),
                self.new_key().into(),
                self.now().as_millis().into(),
                kind.word().into(),
                actor.by.into(),
                actor.reason.into(),
            ],
        );
    }

    /// The second statement of a row; an export has one that changes nothing.
    fn move_row(&self, row: &PreviewRow, act: &Act, actor: Actor<'_>, unit: &mut Unit) {
        let now = self.now();
        let guard: [Value; 2] = [row.recipient_id.into(), row.state.into()];
        let mut write =
            |sql, rest: Vec<Value>| unit.write(sql, guard.iter().cloned().chain(rest).collect());
        let at: Value = now.as_millis().into();
        match act {
            Act::Retry => write(RETRY, vec![at]),
            Act::Hold => {
                let alarm_at = (now + self.options().hold_alarm).as_millis();
                write(
                    HOLD,
                    vec![actor.reason.into(), actor.by.into(), alarm_at.into()],
                );
            }
            Act::Release => write(RELEASE, vec![at]),
            Act::Discard => {
                let cause = actor.reason.into();
                write(
                    END,
                    vec![State::Discarded.into(), at, cause, actor.by.into()],
                );
            }
            Act::Reroute {
                next_hop: Some(hop),
            } => write(REROUTE, vec![at, hop.value()]),
            Act::Reroute { next_hop: None } => write(RECATEGORIZE, vec![at]),
            Act::Export => write(NOTHING, Vec::new()),
            // Each return is a unit of its own: see `give_back`.
            Act::Return { .. } => write(NOTHING, Vec::new()),
        }
    }

    /// Returns group by group: the report and its recipients together, or the whole group escapes.
    async fn give_back(
        &self,
        rows: &[&PreviewRow],
        notices: &[Return],
        actor: Actor<'_>,
        result: &mut ActResult,
    ) -> Result<(), LedgerError> {
        let mut by_id: std::collections::BTreeMap<RecipientId, &PreviewRow> =
            rows.iter().map(|row| (row.recipient_id, *row)).collect();
        for one in notices {
            let group: Vec<&PreviewRow> = one
                .recipients
                .iter()
                .filter_map(|id| by_id.remove(id))
                .collect();
            // A report that tells of rows this act does not touch would not be true.
            if group.len() != one.recipients.len() {
                result
                    .escaped
                    .extend(group.iter().map(|row| row.recipient_id));
                continue;
            }
            self.end_group(&group, one.notice.as_slice(), actor, result)
                .await?;
        }
        let (untold, unreported): (Vec<&PreviewRow>, Vec<&PreviewRow>) =
            by_id.into_values().partition(|row| row.sender.is_empty());
        // Somebody could be told of these, but no report was prepared.
        result
            .escaped
            .extend(unreported.iter().map(|row| row.recipient_id));
        for row in untold {
            self.end_group(&[row], &[], actor, result).await?;
        }
        Ok(())
    }

    async fn end_group(
        &self,
        group: &[&PreviewRow],
        notices: &[NewMessage],
        actor: Actor<'_>,
        result: &mut ActResult,
    ) -> Result<(), LedgerError> {
        let mut unit = Unit::new();
        for row in group {
            let (state, kind) = end_of(row);
            self.act_event(row, kind, actor, &mut unit);
            let at = self.now().as_millis();
            let who: [Value; 2] = [row.recipient_id.into(), row.state.into()];
            let end: [Value; 4] = [
                state.into(),
                at.into(),
                actor.reason.into(),
                actor.by.into(),
            ];
            unit.write_exactly(1, END, who.into_iter().chain(end).collect());
        }
        self.join_notices(notices, &mut unit)?;
        match self.write_guarded(unit).await? {
            crate::Guarded::Done => {
                result.done += group.len() as u64;
                self.notices_stored(notices);
                for row in group {
                    self.count_end(row.id, end_of(row).0);
                }
            }
            crate::Guarded::Escaped => {
                result
                    .escaped
                    .extend(group.iter().map(|row| row.recipient_id));
            }
        }
        Ok(())
    }

    fn wake_acted_on(&self, rows: &[&PreviewRow], act: &Act) {
        match act {
            Act::Retry | Act::Release => {
                self.wake_categorizer();
                for row in rows {
                    if let Ok(Some(hop)) = HopKey::from_column(&row.next_hop) {
                        self.wake_for(&hop);
                    }
                }
            }
            Act::Reroute {
                next_hop: Some(hop),
            } => self.wake_for(hop),
            Act::Reroute { next_hop: None } => self.wake_categorizer(),
            Act::Hold | Act::Return { .. } | Act::Discard | Act::Export => {}
        }
    }
}

/// Where a return leads, and what the history calls it: somebody can be told, or nobody.
fn end_of(row: &PreviewRow) -> (State, EventKind) {
    if row.sender.is_empty() {
        (State::DeadLetter, EventKind::DeadLetter)
    } else {
        (State::Returned, EventKind::Returned)
    }
}

/// What cannot be read is shown by what is left of it, as in a listing: one damaged row bars no act on the others.
fn preview_row(row: &Row) -> Result<PreviewRow, StoreError> {
    let left = Remains(row);
    Ok(PreviewRow {
        id: MessageId::from_key(row.int(0)?),
        recipient_id: RecipientId::from_key(row.int(1)?),
        recipient: left.text(2),
        sender: left.text(3),
        state: State::from_word(&left.text(4)).unwrap_or(State::Held),
        next_hop: left.text(5),
    })
}

/// Keeps two statements a row.
const NOTHING: Sql =
    Sql::new("UPDATE recipient SET state = state WHERE id = $1 AND state = $2 AND 1 = 0");
