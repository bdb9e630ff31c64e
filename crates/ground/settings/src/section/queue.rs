//! How long mail waits, how often it is tried, when its sender hears of it.

use std::time::Duration;

use crate::define::{any, default, each, range, rising, section, some, words};
use crate::form::{Value, days, hours, minutes, seconds};
use crate::read::Agreement;

words! {
    /// What becomes of mail that waited because this server was away.
    pub enum LatePolicy {
        /// It is delivered, and its sender is told that it was late.
        DeliverWithNotice = "deliver_with_notice",
        /// It is held until a person decides, or its lifetime ends.
        Hold = "hold",
        /// It goes back to its sender.
        Return = "return",
    }
}

section! {
    /// How long mail waits, how often it is tried, when its sender hears of it.
    pub struct Queue = "queue", agree;

    /// How long a message may stay, from its acceptance. Then it is returned to its sender.
    lifetime: Duration = default(days(4)), range(seconds(1), days(60));

    /// The lifetime of reports to senders.
    report_lifetime: Duration = default(days(2)), range(seconds(1), days(60));

    /// Ages at which the sender is told that mail still waits. Empty: never. Those at or past the lifetime never come.
    delay_notice: Vec<Duration> = default(vec![hours(1), hours(24)]), rising(each(range(seconds(1), days(60))));

    /// Waits between attempts; the last repeats.
    retry: Vec<Duration> = default([1, 3, 5, 10, 15, 30, 60].map(minutes).to_vec()), some(range(seconds(1), hours(24)));

    /// By which fraction a wait is varied by chance, so that retries do not come in step.
    retry_jitter: f64 = default(0.1), range(0.0, 0.5);

    /// How long a claim on a message lasts unless it is renewed. A crash costs its message this much time.
    lease: Duration = default(seconds(60)), range(seconds(1), hours(1));

    /// Age of a hold at which it raises an alarm.
    hold_alarm: Duration = default(hours(24)), range(seconds(1), days(60));

    /// Attempts at one time to all next hops together.
    max_concurrent_attempts: u32 = default(1000), range(1, 100_000).of("attempts");

    /// Connections at one time to a next hop that is new, `hop_max_concurrency` at most. It grows on success and shrinks on trouble.
    hop_initial_concurrency: u32 = default(5), range(1, 10_000).of("connections");

    /// Connections at one time to one next hop, at most.
    hop_max_concurrency: u32 = default(20), range(1, 10_000).of("connections");

    /// Claimed recipients held in memory; the rest stays in the ledger.
    ready_limit: u32 = default(10_000), range(1, 1_000_000).of("recipients");

    /// How often the ledger is asked what is due, when nothing tells us sooner.
    poll_interval: Duration = default(seconds(1)), range(Duration::from_millis(10), minutes(1));

    /// Attempts at one message in a row that began and never ended, after which it is held. What was lost with a crash is a
    /// suspect first; from then on each attempt at it is written down before it begins, and only those count. Each is a lease
    /// after the last.
    poison_attempts: u32 = default(5), range(1, 100).of("attempts");

    /// What becomes of mail that waited because this server was away.
    late_policy: LatePolicy = default(LatePolicy::DeliverWithNotice), any();

    /// How long this server must have been away for its mail to count as late.
    late_after: Duration = default(hours(4)), range(seconds(1), days(60));

    /// How long the history of finished mail is kept.
    history: Duration = default(days(30)), range(seconds(1), days(3650));
}

/// When mail of one connector is tried, reported and returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Longest stay, from acceptance.
    pub lifetime: Duration,
    /// Waits between attempts; the last repeats. Never empty.
    pub retry: Vec<Duration>,
    /// Ages at which the sender is told of the delay, rising, each below the lifetime.
    pub delay_notice: Vec<Duration>,
}

impl Schedule {
    /// A schedule without the notices that would come when the mail is gone.
    pub(crate) fn new(lifetime: Duration, retry: &[Duration], delay_notice: &[Duration]) -> Self {
        Self {
            lifetime,
            retry: retry.to_vec(),
            delay_notice: delay_notice
                .iter()
                .copied()
                .filter(|age| *age < lifetime)
                .collect(),
        }
    }
}

impl Queue {
    /// Connections at one time to a next hop that is new, when `max` are allowed: the default gives way to the operator's bound.
    pub fn initial_concurrency(&self, max: u32) -> u32 {
        self.hop_initial_concurrency.min(max)
    }

    /// The schedule of mail whose connector has none of its own.
    pub fn schedule(&self) -> Schedule {
        Schedule::new(self.lifetime, &self.retry, &self.delay_notice)
    }
}

fn agree(queue: &Queue, agreement: &mut Agreement<'_>) {
    agree_on_notices(queue.lifetime, &queue.delay_notice, agreement);
    let too_many = queue.hop_initial_concurrency > queue.hop_max_concurrency;
    if too_many && agreement.written("hop_initial_concurrency") {
        agreement.complain(
            &["hop_initial_concurrency", "hop_max_concurrency"],
            format!(
                "a new next hop starts with {} connections, and {} are allowed",
                queue.hop_initial_concurrency, queue.hop_max_concurrency
            ),
            "lower hop_initial_concurrency, or raise hop_max_concurrency",
        );
    }
}

/// A notice that is asked for and can never come is a mistake.
pub(crate) fn agree_on_notices(
    lifetime: Duration,
    delay_notice: &[Duration],
    agreement: &mut Agreement<'_>,
) {
    let never = delay_notice.iter().find(|age| **age >= lifetime);
    if let Some(age) = never.filter(|_| agreement.written("delay_notice")) {
        agreement.complain(
            &["delay_notice", "lifetime"],
            format!(
                "a notice at {} never comes: mail is returned at {}",
                age.show(),
                lifetime.show()
            ),
            "remove the notice, or raise lifetime",
        );
    }
}
