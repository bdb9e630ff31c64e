//! After a downtime of our own: what waited because we were away is a decision of the operator, never a surprise (P7).
//!
//! It runs before the queue starts, so that nothing leaves undecided. What is past its lifetime is not its business: the
//! sweep returns it, and no claim takes it.

use std::time::Duration;

use ground_settings::{LatePolicy, Settings};
use path_ledger::{DueRow, EventKind, Ledger, LedgerError, LedgerOptions, Sweep, Swept};
use path_notify::{Action, Said};
use wire_message::{Class, EnhancedStatus, Time};

use crate::decide::{can_be_told, next_notice};
use crate::report::{compose, in_words};
use crate::sweep::group;

/// Not accepting messages at the time (RFC 3463 s3.4).
const WAS_AWAY: (u16, u16) = (3, 2);

/// Who holds late mail.
const LATE: &str = "late policy";

/// What the late policy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Late {
    /// Delivered from now on, with a notice to the sender.
    pub noticed: u64,
    /// Delivered from now on; the sender cannot be told, or did not want to be.
    pub silent: u64,
    /// Held.
    pub held: u64,
    /// Returned, or dead letters when there is no sender.
    pub returned: u64,
}

/// What becomes of one late recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// The sender is told; it goes on.
    Notice { next_notify_at: Option<Time> },
    /// It goes on; nobody is to be told.
    GoOn,
    /// It is held.
    Hold,
    /// It goes back.
    Return,
    /// Its lifetime has ended: the sweep returns it.
    Expired,
}

/// Applies the late policy if this node was away for `queue.late_after` or longer. To be called once, after the ledger was
/// opened and before anything is accepted or claimed.
///
/// # Errors
/// The store's: some recipients were not treated yet, and nothing may leave. Calling again treats them.
pub async fn catch_up(ledger: &Ledger, settings: &Settings) -> Result<Late, LedgerError> {
    let away = ledger.downtime();
    let mut late = Late::default();
    if away < settings.queue.late_after {
        return Ok(late);
    }
    let (before, mut after) = (ledger.now(), None);
    loop {
        let batch = settings.watch.sweep_batch;
        let rows = ledger.waiting_since(before, after, batch).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.recipient.id);
        let (now, options) = (ledger.now(), ledger.options());
        let policy = settings.queue.late_policy;
        for (verdict, rows) in group(rows, |row| judge(row, policy, now, &options)) {
            treat(ledger, settings, &verdict, &rows, away, &mut late).await?;
        }
    }
    let detail = format!(
        "away for {}: {} go on with a notice, {} without, {} held, {} returned",
        in_words(away),
        late.noticed,
        late.silent,
        late.held,
        late.returned
    );
    tracing::warn!(detail, "the late policy was applied");
    ledger.record(EventKind::LatePolicy, LATE, &detail).await?;
    Ok(late)
}

fn judge(row: &DueRow, policy: LatePolicy, now: Time, options: &LedgerOptions) -> Verdict {
    if row.recipient.expires_at.is_some_and(|end| end <= now) {
        return Verdict::Expired;
    }
    match policy {
        LatePolicy::DeliverWithNotice if can_be_told(row) => Verdict::Notice {
            next_notify_at: next_notice(row, now, options),
        },
        LatePolicy::DeliverWithNotice => Verdict::GoOn,
        LatePolicy::Hold => Verdict::Hold,
        LatePolicy::Return => Verdict::Return,
    }
}

async fn treat(
    ledger: &Ledger,
    settings: &Settings,
    verdict: &Verdict,
    rows: &[DueRow],
    away: Duration,
    late: &mut Late,
) -> Result<(), LedgerError> {
    let reason = format!(
        "it waited because this server was away for {}",
        in_words(away)
    );
    let said = |class| Said::ours(EnhancedStatus::new(class, WAS_AWAY.0, WAS_AWAY.1), &reason);
    let (sweep, count) = match verdict {
        Verdict::Notice { next_notify_at } => {
            let words = |_: &DueRow| said(Class::Temporary);
            let notices = compose(ledger, settings, Action::Delayed, rows, words).await;
            let next_notify_at = *next_notify_at;
            let sweep = Sweep::DelayNotice {
                notices,
                next_notify_at,
            };
            (sweep, &mut late.noticed)
        }
        Verdict::GoOn => {
            late.silent += rows.len() as u64;
            return Ok(());
        }
        Verdict::Hold => {
            let by = LATE.to_owned();
            (Sweep::Hold { reason, by }, &mut late.held)
        }
        Verdict::Return => {
            let words = |_: &DueRow| said(Class::Permanent);
            let notices = compose(ledger, settings, Action::Failed, rows, words).await;
            let cause = reason.clone();
            (Sweep::ReturnLate { cause, notices }, &mut late.returned)
        }
        Verdict::Expired => return Ok(()),
    };
    if ledger.sweep(rows, sweep).await? == Swept::Done {
        *count += rows.len() as u64;
    }
    Ok(())
}
