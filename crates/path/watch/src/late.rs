//! After a downtime of our own: what waited because we were away is a decision of the operator, never a surprise (P7).
//!
//! It runs before the queue starts, so that nothing leaves undecided. What is past its lifetime is not its business: the
//! sweep returns it, and no claim takes it. That the node was away stands in the book until all is treated, so a crash in
//! between lets nothing leave silently, and tells nobody twice.

use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use ground_settings::{LatePolicy, Settings};
use path_ledger::{Doer, DueRow, EventKind, Ledger, LedgerError, LedgerOptions, Sweep, Swept};
use path_notify::{Action, Said};
use tokio::task::{JoinError, JoinSet};
use wire_message::{Class, EnhancedStatus, Time};

use crate::decide::{can_be_told, next_notice};
use crate::report::{compose, in_words};
use crate::sweep::{GROUPS_AT_ONCE, group};

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

impl AddAssign for Late {
    fn add_assign(&mut self, more: Late) {
        self.noticed += more.noticed;
        self.silent += more.silent;
        self.held += more.held;
        self.returned += more.returned;
    }
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
        ledger.caught_up().await?;
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
        let groups = group(rows, |row| judge(row, policy, now, &options));
        late += treat_all(ledger, settings, groups, away).await?;
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
    ledger
        .record(EventKind::LatePolicy, Doer::Program, LATE, &detail)
        .await?;
    ledger.caught_up().await?;
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

/// Treats groups beside each other, so that their units share a flush: the queue waits for this.
async fn treat_all(
    ledger: &Ledger,
    settings: &Settings,
    groups: Vec<(Verdict, Vec<DueRow>)>,
    away: Duration,
) -> Result<Late, LedgerError> {
    let settings = Arc::new(settings.clone());
    let (mut late, mut tasks) = (Late::default(), JoinSet::new());
    for (verdict, rows) in groups {
        if tasks.len() >= GROUPS_AT_ONCE
            && let Some(joined) = tasks.join_next().await
        {
            late += ended(joined)?;
        }
        let (ledger, settings) = (ledger.clone(), settings.clone());
        tasks.spawn(async move { treat(&ledger, &settings, &verdict, &rows, away).await });
    }
    while let Some(joined) = tasks.join_next().await {
        late += ended(joined)?;
    }
    Ok(late)
}

/// A panic here goes on: nothing may leave before late mail was treated.
fn ended(joined: Result<Result<Late, LedgerError>, JoinError>) -> Result<Late, LedgerError> {
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

async fn treat(
    ledger: &Ledger,
    settings: &Settings,
    verdict: &Verdict,
    rows: &[DueRow],
    away: Duration,
) -> Result<Late, LedgerError> {
    let reason = format!(
        "it waited because this server was away for {}",
        in_words(away)
    );
    let said = |class| {
        let status = EnhancedStatus::new(class, WAS_AWAY.0, WAS_AWAY.1);
        Said::ours(status, &reason)
    };
    let (none, count) = (Late::default(), rows.len() as u64);
    let (sweep, late) = match verdict {
        Verdict::Notice { next_notify_at } => {
            let words = |_: &DueRow| said(Class::Temporary);
            let notices = compose(ledger, settings, Action::Delayed, rows, words).await;
            let next_notify_at = *next_notify_at;
            let sweep = Sweep::DelayNotice {
                notices,
                next_notify_at,
            };
            let noticed = count;
            (sweep, Late { noticed, ..none })
        }
        Verdict::GoOn => {
            let silent = count;
            return Ok(Late { silent, ..none });
        }
        Verdict::Hold => {
            let by = LATE.to_owned();
            let held = count;
            (Sweep::Hold { reason, by }, Late { held, ..none })
        }
        Verdict::Return => {
            let words = |_: &DueRow| said(Class::Permanent);
            let notices = compose(ledger, settings, Action::Failed, rows, words).await;
            let sweep = Sweep::ReturnLate {
                cause: reason.clone(),
                notices,
            };
            let returned = count;
            (sweep, Late { returned, ..none })
        }
        Verdict::Expired => return Ok(none),
    };
    match ledger.sweep(rows, sweep).await? {
        Swept::Done => Ok(late),
        Swept::Escaped => Ok(none),
    }
}
