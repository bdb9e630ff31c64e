//! Alarms that stand: told once when one begins and once when it ends.

use std::collections::BTreeMap;

use ground_world::clock::Clock;
use path_ledger::MessageId;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wire_message::Time;

use crate::catalogue::AlarmKind;

/// Messages that are named in an alarm; more are no more alarming.
pub const MESSAGES_NAMED: usize = 20;

/// Alarms of one kind at a time, at most; of more, the first by subject.
pub const ALARMS_A_KIND: usize = 100;

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Alarm {
    /// What kind.
    pub kind: AlarmKind,
    /// Since when.
    #[serde(with = "path_ledger::rfc3339")]
    #[schemars(with = "path_ledger::rfc3339::Moment")]
    pub since: Time,
    /// Of what: a next hop, a node, a task.
    pub subject: String,
    /// Some of the messages, [`MESSAGES_NAMED`] at most.
    pub messages: Vec<String>,
    /// How many there are.
    pub all: u64,
    /// In words.
    pub detail: String,
    /// What its kind means ([`AlarmKind::meaning`]).
    pub meaning: String,
    /// What to do ([`AlarmKind::remedy`]).
    pub remedy: String,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: AlarmKind,
    pub(crate) subject: String,
    pub(crate) messages: Vec<String>,
    pub(crate) all: u64,
    pub(crate) detail: String,
    /// When it began, if the look knows; else when it was found first.
    pub(crate) since: Option<Time>,
}

impl Found {
    pub(crate) fn new(kind: AlarmKind, subject: impl Into<String>, detail: String) -> Self {
        Self {
            kind,
            subject: subject.into(),
            messages: Vec::new(),
            all: 0,
            detail,
            since: None,
        }
    }

    /// Counts `message` in, and names it while there is room.
    pub(crate) fn add(&mut self, message: MessageId) {
        self.all += 1;
        let message = message.to_string();
        if self.messages.len() < MESSAGES_NAMED && !self.messages.contains(&message) {
            self.messages.push(message);
        }
    }

    /// It began at `at` or before.
    pub(crate) fn began(&mut self, at: Time) {
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
    }

    pub(crate) fn into_alarm(self, now: Time) -> Alarm {
        Alarm {
            kind: self.kind,
            since: self.since.unwrap_or(now),
            subject: self.subject,
            messages: self.messages,
            all: self.all,
            detail: self.detail,
            meaning: self.kind.meaning().to_owned(),
            remedy: self.kind.remedy().to_owned(),
        }
    }
}

/// What stands, by kind and subject.
pub(crate) type Standing = BTreeMap<(AlarmKind, String), Alarm>;

/// Where looks put what they found.
#[derive(Debug, Clone)]
pub(crate) struct Alarms {
    clock: Clock,
    raised: watch::Sender<Standing>,
}

impl Alarms {
    pub(crate) fn new(clock: Clock) -> (Self, watch::Receiver<Standing>) {
        let (raised, seen) = watch::channel(Standing::new());
        (Self { clock, raised }, seen)
    }

    /// Replaces those of `kinds` by what was found now, and logs the difference. What stands keeps its beginning.
    pub(crate) fn replace(&self, kinds: &[AlarmKind], found: Vec<Found>) {
        let now = self.clock.now();
        self.raised.send_if_modified(|raised| {
            let before = raised.clone();
            raised.retain(|(kind, _), _| !kinds.contains(kind));
            for one in found {
                let key = (one.kind, one.subject.clone());
                let same = raised.keys().filter(|(kind, _)| *kind == one.kind);
                if same.count() >= ALARMS_A_KIND {
                    continue;
                }
                let mut alarm = one.into_alarm(now);
                if let Some(known) = before.get(&key) {
                    alarm.since = known.since;
                }
                raised.insert(key, alarm);
            }
            for alarm in raised.iter().filter(|(key, _)| !before.contains_key(*key)) {
                begun(alarm.1);
            }
            for (_, alarm) in before.iter().filter(|(key, _)| !raised.contains_key(*key)) {
                ended(alarm);
            }
            before != *raised
        });
    }
}

fn begun(alarm: &Alarm) {
    let Alarm {
        subject,
        messages,
        all,
        detail,
        meaning,
        remedy,
        ..
    } = alarm;
    let kind = alarm.kind.word();
    tracing::error!(
        alarm = kind,
        subject,
        ?messages,
        all,
        meaning,
        remedy,
        "{detail}"
    );
}

fn ended(alarm: &Alarm) {
    let (kind, subject, since) = (alarm.kind.word(), &alarm.subject, alarm.since);
    tracing::info!(alarm = kind, subject, %since, "an alarm has ended");
}
