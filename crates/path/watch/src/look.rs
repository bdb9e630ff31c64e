//! What should not be, as the rows say it, and as this node knows it of itself.
//!
//! The rows alone are enough for a command that runs while no server does; what a node adds is what has no row: tasks that
//! failed, faults of ours, its own sign of life, its clock.

use std::collections::BTreeMap;
use std::time::Duration;

use ground_settings::Settings;
use ground_world::supervise::{Failure, RECENT, Replaced, Supervisor};
use path_ledger::{DEAD_LETTER_NEWS, HeldKind, HopKey, HopKind, Ledger, LedgerError, ReadyHop};
use tokio::time::Instant;
use wire_message::Time;

use crate::Room;
use crate::alarm::{Alarm, Alarms, Found, MESSAGES_NAMED};
use crate::catalogue::AlarmKind;

/// Rows of one kind that are looked at; more are no more alarming.
const ROWS_LOOKED_AT: u32 = 500;

/// A step of the wall clock that is worth telling: a time server that keeps a clock moves it by less.
pub const CLOCK_STEP: Duration = Duration::from_secs(10);

/// Kinds this look finds.
const KINDS: &[AlarmKind] = &[
    AlarmKind::Overdue,
    AlarmKind::Stalled,
    AlarmKind::Stuck,
    AlarmKind::TaskFailed,
    AlarmKind::NoSuchConnector,
    AlarmKind::OurFault,
    AlarmKind::HeldForgotten,
    AlarmKind::Damaged,
    AlarmKind::Poison,
    AlarmKind::DeadLetters,
    AlarmKind::StoreFailing,
    AlarmKind::NoSignOfLife,
    AlarmKind::ClockStepped,
];

/// Kinds a node knows of itself, whatever the store says.
const OWN_KINDS: &[AlarmKind] = &[
    AlarmKind::Stuck,
    AlarmKind::TaskFailed,
    AlarmKind::StoreFailing,
    AlarmKind::ClockStepped,
];

pub(crate) async fn run(room: Room, alarms: Alarms, supervisor: Supervisor) {
    let mut memory = Memory::new(&room.ledger);
    loop {
        let settings = room.settings();
        let own = memory.own(&room.ledger, &supervisor);
        match rows(&room.ledger, &settings).await {
            Ok(rows) => {
                let rows = memory.stalls_that_last(rows, settings.watch.slack);
                alarms.replace(KINDS, own.into_iter().chain(rows).collect());
            }
            Err(error) => {
                let detail = format!("the book could not be looked through: {error}");
                let blind = Found::new(AlarmKind::StoreFailing, "watch", detail);
                alarms.replace(OWN_KINDS, own.into_iter().chain([blind]).collect());
            }
        }
        room.sleep(settings.watch.reconcile_interval).await;
    }
}

/// What the rows show, for a command while no server runs.
///
/// # Errors
/// The store's.
pub async fn alarms_of_rows(
    ledger: &Ledger,
    settings: &Settings,
) -> Result<Vec<Alarm>, LedgerError> {
    let now = ledger.now();
    let found = rows(ledger, settings).await?;
    Ok(found.into_iter().map(|one| one.into_alarm(now)).collect())
}

/// What a node remembers between two looks.
struct Memory {
    /// Since when nobody is seen to work for a hop.
    stalls: BTreeMap<String, Instant>,
    offset_millis: i64,
    /// The last step of the clock.
    stepped: Option<(Instant, Time, i64)>,
}

impl Memory {
    fn new(ledger: &Ledger) -> Self {
        Self {
            stalls: BTreeMap::new(),
            offset_millis: ledger.clock_offset_millis(),
            stepped: None,
        }
    }

    fn own(&mut self, ledger: &Ledger, supervisor: &Supervisor) -> Vec<Found> {
        let mut found: Vec<Found> = supervisor.replaced().iter().map(replaced).collect();
        if let Some(trouble) = ledger.trouble() {
            found.push(Found::new(
                AlarmKind::StoreFailing,
                "store",
                trouble.to_string(),
            ));
        }
        if !ledger.is_alive() {
            let detail =
                "its sign of life was not taken; it begins no attempt and takes no mail".to_owned();
            found.push(Found::new(
                AlarmKind::NoSignOfLife,
                ledger.node_name(),
                detail,
            ));
        }
        found.extend(self.clock(ledger));
        found
    }

    fn clock(&mut self, ledger: &Ledger) -> Option<Found> {
        let offset = ledger.clock_offset_millis();
        let step = offset - self.offset_millis;
        self.offset_millis = offset;
        let now = ledger.world().clock.instant();
        if Duration::from_millis(step.unsigned_abs()) >= CLOCK_STEP {
            self.stepped = Some((now, ledger.now(), step));
        }
        let (at, since, step) = self.stepped?;
        if now.saturating_duration_since(at) >= RECENT {
            self.stepped = None;
            return None;
        }
        let (seconds, way) = (
            step.unsigned_abs() / 1000,
            if step > 0 { "forward" } else { "back" },
        );
        let detail = format!("the wall clock was moved {way} by {seconds} s");
        let mut found = Found::new(AlarmKind::ClockStepped, ledger.node_name(), detail);
        found.began(since);
        Some(found)
    }

    /// A hop that has just opened is nobody's stall: nobody must have been seen at work for the whole slack.
    fn stalls_that_last(&mut self, mut found: Vec<Found>, slack: Duration) -> Vec<Found> {
        let now = Instant::now();
        let seen = std::mem::take(&mut self.stalls);
        for one in found.iter().filter(|one| one.kind == AlarmKind::Stalled) {
            let since = seen.get(&one.subject).copied().unwrap_or(now);
            self.stalls.insert(one.subject.clone(), since);
        }
        found.retain(|one| {
            let since = self.stalls.get(&one.subject);
            let lasts = since.is_some_and(|since| now.duration_since(*since) >= slack);
            one.kind != AlarmKind::Stalled || lasts
        });
        found
    }
}

fn replaced(one: &Replaced) -> Found {
    let (kind, subject) = match one.failure {
        Failure::Ended => (AlarmKind::TaskFailed, one.task.clone()),
        Failure::Hung(stage) => (AlarmKind::Stuck, format!("{} ({stage})", one.task)),
    };
    let detail = match one.times {
        1 => one.words.clone(),
        times => format!("{}; {times} times", one.words),
    };
    let mut found = Found::new(kind, subject, detail);
    found.messages.clone_from(&one.about);
    found.all = u64::try_from(one.about_all).unwrap_or(u64::MAX);
    found.began(one.since);
    found
}

async fn rows(ledger: &Ledger, settings: &Settings) -> Result<Vec<Found>, LedgerError> {
    let now = ledger.now();
    let late = now - settings.watch.slack;
    let mut found = overdue(ledger, settings, late).await?;
    let ready = ledger.ready_hops(now).await?;
    found.extend(stalled(ledger, &ready, settings.watch.slack, late).await?);
    found.extend(no_such_connector(ledger, settings).await?);
    found.extend(our_faults(ledger).await?);
    found.extend(held(ledger).await?);
    found.extend(dead_letters(ledger, now).await?);
    found.extend(fenced(ledger).await?);
    Ok(found)
}

async fn overdue(
    ledger: &Ledger,
    settings: &Settings,
    late: Time,
) -> Result<Vec<Found>, LedgerError> {
    let mut by_hop: BTreeMap<String, Found> = BTreeMap::new();
    for row in ledger.due(late, ROWS_LOOKED_AT).await? {
        let recipient = &row.recipient;
        let subject = match &recipient.next_hop {
            Some(hop) => hop.to_string(),
            None => recipient.state.word().to_owned(),
        };
        let one = by_hop.entry(subject.clone()).or_insert_with(|| {
            let detail = "something was due for them, and nothing happened".to_owned();
            Found::new(AlarmKind::Overdue, subject, detail)
        });
        one.add(recipient.message);
        let due = recipient.deadline_at.unwrap_or(late);
        one.began(due + settings.watch.slack);
    }
    Ok(by_hop.into_values().collect())
}

async fn stalled(
    ledger: &Ledger,
    ready: &[ReadyHop],
    slack: Duration,
    late: Time,
) -> Result<Vec<Found>, LedgerError> {
    let old = ready.iter().filter(|hop| hop.due_at() <= late);
    let old: Vec<&ReadyHop> = old.collect();
    if old.is_empty() {
        return Ok(Vec::new());
    }
    let at_work = ledger.hops_in_flight().await?;
    let mut found = Vec::new();
    for hop in old {
        if at_work.contains(&hop.key) || found.len() >= crate::alarm::ALARMS_A_KIND {
            continue;
        }
        let detail = format!("mail is due since {}, and nobody claims it", hop.due_at());
        let mut one = waiting(ledger, AlarmKind::Stalled, &hop.key, hop.queued, detail).await?;
        one.began(hop.due_at() + slack);
        found.push(one);
    }
    Ok(found)
}

/// Whether the hop is up does not matter: each try finds that there is no such connector, and shows it down.
async fn no_such_connector(
    ledger: &Ledger,
    settings: &Settings,
) -> Result<Vec<Found>, LedgerError> {
    let mut found = Vec::new();
    for (hop, all) in ledger.waiting_for_connectors().await? {
        let gone = match hop.kind() {
            HopKind::Via(name) => !settings.connectors.iter().any(|one| one.name == name),
            HopKind::Mailbox | HopKind::Mx(_) => false,
        };
        if gone && found.len() < crate::alarm::ALARMS_A_KIND {
            let detail = "the settings no longer name this connector".to_owned();
            found.push(waiting(ledger, AlarmKind::NoSuchConnector, &hop, all, detail).await?);
        }
    }
    Ok(found)
}

/// A fault is over when the hop answers, and forgotten when nothing waits for it any more: nobody will try it then.
async fn our_faults(ledger: &Ledger) -> Result<Vec<Found>, LedgerError> {
    let mut found = Vec::new();
    for (hop, fault) in ledger.faults_of_ours() {
        let all = ledger.how_many_wait_for(&hop).await?;
        if all == 0 {
            ledger.no_fault_of_ours(&hop);
            continue;
        }
        let mut one = waiting(ledger, AlarmKind::OurFault, &hop, all, fault.words).await?;
        one.began(fault.since);
        found.push(one);
    }
    Ok(found)
}

/// An alarm about what waits for a next hop.
async fn waiting(
    ledger: &Ledger,
    kind: AlarmKind,
    hop: &HopKey,
    all: u64,
    detail: String,
) -> Result<Found, LedgerError> {
    let mut found = Found::new(kind, hop.to_string(), detail);
    let named = u32::try_from(MESSAGES_NAMED).unwrap_or(u32::MAX);
    for message in ledger.waiting_for(hop, named).await? {
        found.add(message);
    }
    found.all = all;
    Ok(found)
}

/// One alarm for each owner and reason.
async fn held(ledger: &Ledger) -> Result<Vec<Found>, LedgerError> {
    let mut all: BTreeMap<(AlarmKind, String), Found> = BTreeMap::new();
    for row in ledger.held_too_long(ROWS_LOOKED_AT).await? {
        let (kind, subject) = match row.kind {
            HeldKind::Damaged => (AlarmKind::Damaged, row.reason.clone()),
            HeldKind::Poison => (AlarmKind::Poison, row.message.to_string()),
            HeldKind::Forgotten => {
                let subject = format!("{}: {}", row.by, row.reason);
                (AlarmKind::HeldForgotten, subject)
            }
        };
        let one = all.entry((kind, subject.clone())).or_insert_with(|| {
            Found::new(kind, subject, format!("held by {}: {}", row.by, row.reason))
        });
        one.add(row.message);
        one.began(row.since);
    }
    Ok(all.into_values().collect())
}

async fn dead_letters(ledger: &Ledger, now: Time) -> Result<Option<Found>, LedgerError> {
    let news = ledger.dead_letters_since(now - DEAD_LETTER_NEWS, ROWS_LOOKED_AT);
    let mut found: Option<Found> = None;
    for (message, at) in news.await? {
        let one = found.get_or_insert_with(|| {
            let detail = "mail has failed, and nobody could be told".to_owned();
            Found::new(AlarmKind::DeadLetters, "dead_letter", detail)
        });
        one.add(message);
        one.began(at);
    }
    Ok(found)
}

async fn fenced(ledger: &Ledger) -> Result<Vec<Found>, LedgerError> {
    let nodes = ledger.nodes().await?.into_iter();
    let silent = nodes.filter(|node| node.state == path_ledger::NodeState::Fenced);
    let found = silent.map(|node| {
        let detail = "it was silent for too long; others took over what it had".to_owned();
        let mut one = Found::new(AlarmKind::NoSignOfLife, node.name, detail);
        one.began(node.heartbeat_at);
        one
    });
    Ok(found.collect())
}
