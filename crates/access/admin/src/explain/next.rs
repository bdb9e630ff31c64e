//! What happens next, when, and by which rule.

use std::borrow::Cow;

use path_ledger::{Origin, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire_message::Time;

use super::Facts;
use super::words::{Next, Reason, Rule};

/// Something that happens next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Due {
    /// What.
    pub what: Next,
    /// What that means.
    pub meaning: Cow<'static, str>,
    /// When, at the latest. A time that has passed is now.
    pub at: String,
    /// The rule it comes from.
    pub rule: Rule,
    /// The setting of that rule, if it is one.
    pub setting: Option<String>,
    #[serde(skip, default = "Due::unknown")]
    moment: Time,
}

impl Due {
    /// Of one that was read.
    const fn unknown() -> Time {
        Time::EPOCH
    }
}

/// All that is known to come, the soonest first.
pub(super) fn next(facts: &Facts<'_>, reason: Reason) -> Vec<Due> {
    let connector = facts.connector();
    let mut coming: Vec<Due> = moments(facts, reason)
        .into_iter()
        .flatten()
        .map(|(what, at, rule)| Due {
            what,
            meaning: what.meaning().into(),
            at: at.to_string(),
            rule,
            setting: rule.setting(facts.settings, connector.as_deref()),
            moment: at,
        })
        .collect();
    coming.sort_by_key(|due| due.moment);
    coming
}

type Moment = Option<(Next, Time, Rule)>;

fn moments(facts: &Facts<'_>, reason: Reason) -> [Moment; 4] {
    let recipient = facts.recipient;
    if let Some(ended) = recipient.finished_at {
        let history = facts.settings.queue.history;
        let end = (Next::HistoryEnd, ended + history, Rule::History);
        return [Some(end), None, None, None];
    }
    let notice = recipient
        .notify_at
        // Of what cannot be read no notice can be written.
        .filter(|_| !matches!(reason, Reason::LifetimeEnded | Reason::Damaged));
    [
        own(facts, reason),
        notice.map(|at| (Next::DelayNotice, at, Rule::DelayNotice)),
        recipient
            .hold_alarm_at
            .map(|at| (Next::HoldAlarm, at, Rule::HoldAlarm)),
        recipient.expires_at.map(|at| expiry(facts, at)),
    ]
}

/// What its reason waits for.
fn own(facts: &Facts<'_>, reason: Reason) -> Moment {
    let recipient = facts.recipient;
    let now = facts.now;
    let hop_opens = facts.hop.as_ref().map(|hop| hop.opens_at().max(now));
    let looked_at = || {
        Some((
            Next::Look,
            now + facts.settings.watch.sweep_interval,
            Rule::Sweep,
        ))
    };
    match reason {
        Reason::Directory => {
            let at = recipient.retry_at.max(now);
            Some((Next::AskDirectory, at, Rule::DirectoryRetry))
        }
        Reason::HopDown => hop_opens.map(|at| (Next::HopTry, at, Rule::HopRetry)),
        Reason::HopPaused => hop_opens.map(|at| (Next::PauseEnd, at, Rule::Pause)),
        Reason::OwnTime | Reason::Suspect => Some((Next::Try, recipient.retry_at, Rule::Retry)),
        Reason::Due => Some((Next::Try, now, Rule::Poll)),
        Reason::Claimed => recipient
            .claimed_until
            .map(|at| (Next::ClaimEnd, at, Rule::Lease)),
        Reason::ClaimEnded | Reason::LifetimeEnded => looked_at(),
        Reason::Damaged if recipient.state == State::InFlight => recipient
            .claimed_until
            .map(|at| (Next::ClaimEnd, at, Rule::Lease)),
        Reason::Damaged => recipient
            .deadline_at
            .map(|at| (Next::Look, at.max(now), Rule::Sweep)),
        Reason::NoSuchConnector
        | Reason::NoNode
        | Reason::NodesDrained
        | Reason::HeldDamaged
        | Reason::HeldPoison
        | Reason::Held
        | Reason::Finished => None,
    }
}

/// Its end, if nothing helps. What cannot be read can be told to nobody but the sender of a row that is whole.
fn expiry(facts: &Facts<'_>, at: Time) -> (Next, Time, Rule) {
    let nobody = facts.story.sender.is_empty() || facts.story.damaged.is_some();
    let what = match nobody {
        true => Next::DeadLetter,
        false => Next::Return,
    };
    let rule = match facts.story.origin {
        Some(Origin::Report) => Rule::ReportLifetime,
        Some(Origin::Smtp | Origin::Submission | Origin::Lmtp | Origin::Sendmail) | None => {
            Rule::Lifetime
        }
    };
    (what, at, rule)
}
