//! What follows from an attempt: a pure decision for each recipient, with its reason.

use std::time::Duration;

use ground_settings::Schedule;
use path_deliver::{Dsn, Fate, Report};
use path_ledger::{AttemptOutcome, Envelope, JobRecipient, RecipientId, Step};
use path_notify::{Action, Said, Wish, wish};
use wire_message::{ReversePath, Time};
use wire_smtp::client::Step as At;
use wire_smtp::reply::{Class, Reply};

use crate::retry::{Failed, Trouble, advice, next_try, wait};

#[cfg(test)]
mod tests;

/// The way an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    /// Into a mailbox here.
    Mailbox,
    /// To another server.
    Smtp,
    /// To a mail store that answers for each recipient.
    Lmtp,
}

/// What a decision looks at besides the report.
pub(crate) struct Policy<'a> {
    pub(crate) hand: Hand,
    pub(crate) envelope: &'a Envelope,
    /// Asked only when something waits.
    pub(crate) schedule: &'a (dyn Fn() -> Schedule + Sync),
    pub(crate) now: Time,
    /// Varies a wait by chance.
    pub(crate) jitter: &'a (dyn Fn(Duration) -> Duration + Sync),
}

/// What becomes of one recipient.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    /// Its place in the job.
    pub(crate) place: usize,
    pub(crate) id: RecipientId,
    pub(crate) step: Step,
    /// What the sender may want to hear, and in whose words.
    pub(crate) owed: Option<(Action, Said)>,
    /// For the history: only [`AttemptOutcome::Unknown`] says more than the step.
    pub(crate) outcome: AttemptOutcome,
    /// Whether an operator must hear of it.
    pub(crate) alarm: Option<String>,
}

/// Decides about each recipient of a job.
pub(crate) fn decide(
    report: &Report,
    recipients: &[JobRecipient],
    policy: &Policy<'_>,
) -> Vec<Decision> {
    let each = recipients.iter().zip(&report.fates).enumerate();
    each.map(|(place, (recipient, fate))| {
        let deciding = Deciding {
            report,
            recipient,
            policy,
        };
        Decision {
            place,
            ..deciding.decide(fate)
        }
    })
    .collect()
}

struct Deciding<'a> {
    report: &'a Report,
    recipient: &'a JobRecipient,
    policy: &'a Policy<'a>,
}

impl Deciding<'_> {
    fn decide(&self, fate: &Fate) -> Decision {
        match fate {
            Fate::Accepted { reply } => self.accepted(reply),
            Fate::Refused { reply, .. } if reply.class() == Class::Permanent => self.failed(reply),
            // The peer is closing: about itself, not about the message (RFC 5321 s3.8).
            Fate::Refused { step, reply } if reply.code() == 421 && *step != At::End => {
                self.broke_off(&reply.to_string())
            }
            Fate::Refused { reply, .. } => {
                let advice = advice(reply.text());
                let retry_at = self.retry_at(Trouble::of(reply), advice);
                self.deferred(retry_at, reply.to_string(), AttemptOutcome::Deferred)
            }
            Fate::NotHandedOver { why } => self.broke_off(why),
            Fate::Unknown { why } => {
                let retry_at = self.retry_at(Trouble::Plain, None);
                let why = format!("outcome unknown: {why}");
                self.deferred(retry_at, why, AttemptOutcome::Unknown)
            }
            Fate::Ours { reply } => {
                let retry_at = self.retry_at(Trouble::Plain, None);
                let words = reply.to_string();
                let alarm = Some(words.clone());
                Decision {
                    alarm,
                    ..self.deferred(retry_at, words, AttemptOutcome::Deferred)
                }
            }
            Fate::Damaged { why } => {
                let reason = format!("damaged: {why}");
                let alarm = Some(reason.clone());
                let by = "deliver".to_owned();
                Decision {
                    alarm,
                    ..self.take(Step::Held { reason, by }, AttemptOutcome::Failed)
                }
            }
        }
    }

    fn accepted(&self, reply: &Reply) -> Decision {
        let words = reply.to_string();
        let said = || Said::reply(self.report.facts.peer.as_str(), words.as_str());
        let owed = match (self.policy.hand, self.report.dsn) {
            (Hand::Mailbox, _) | (Hand::Lmtp, Dsn::NotPassed) => Some(Action::Delivered),
            (Hand::Smtp, Dsn::NotPassed) => Some(Action::Relayed),
            (Hand::Smtp | Hand::Lmtp, Dsn::Passed) => None,
        };
        let wanted = owed.filter(|action| self.wants(*action));
        let owed = wanted.map(|action| (action, said()));
        let (step, outcome) = match self.policy.hand {
            Hand::Mailbox => (Step::Delivered { reply: words }, AttemptOutcome::Delivered),
            Hand::Smtp | Hand::Lmtp => (Step::Relayed { reply: words }, AttemptOutcome::Relayed),
        };
        Decision {
            owed,
            ..self.take(step, outcome)
        }
    }

    /// For good. Nobody can be told of a message without a sender; a sender who asked for no report gets none (RFC 3461
    /// s4.1), and the cause says so.
    fn failed(&self, reply: &Reply) -> Decision {
        let words = reply.to_string();
        let outcome = AttemptOutcome::Failed;
        if self.policy.envelope.sender == ReversePath::Null {
            return self.take(Step::DeadLetter { cause: words }, outcome);
        }
        if !self.wants(Action::Failed) {
            let cause = format!("{words} (the sender asked for no report)");
            return self.take(Step::Returned { cause }, outcome);
        }
        let said = Said::reply(self.report.facts.peer.as_str(), words.as_str());
        Decision {
            owed: Some((Action::Failed, said)),
            ..self.take(Step::Returned { cause: words }, outcome)
        }
    }

    /// The session ended before the message was handed over. Once that says nothing about the message: it goes on as soon
    /// as another session stands. Again, it waits for its own time, or a message that breaks every session would be the
    /// first of each.
    fn broke_off(&self, why: &str) -> Decision {
        if self.recipient.attempts == 0 {
            return self.take(Step::BackToQueue, AttemptOutcome::Deferred);
        }
        let retry_at = self.retry_at(Trouble::Plain, None);
        self.deferred(retry_at, why.to_owned(), AttemptOutcome::Deferred)
    }

    fn deferred(&self, retry_at: Time, reply: String, outcome: AttemptOutcome) -> Decision {
        self.take(Step::Deferred { retry_at, reply }, outcome)
    }

    fn take(&self, step: Step, outcome: AttemptOutcome) -> Decision {
        Decision {
            place: 0,
            id: self.recipient.id,
            step,
            owed: None,
            outcome,
            alarm: None,
        }
    }

    fn retry_at(&self, trouble: Trouble, advice: Option<Duration>) -> Time {
        let schedule = (self.policy.schedule)();
        let failed = Failed {
            trouble,
            tries: self.recipient.attempts.saturating_add(1),
            advice,
            schedule: &schedule,
        };
        let wait = wait(failed, self.policy.jitter);
        next_try(self.policy.now, wait, self.recipient.expires_at)
    }

    fn wants(&self, action: Action) -> bool {
        wish(action, self.recipient.notify) == Wish::Told
    }
}
