//! What is measured: read from the ledger at that moment, or counted where it happens. Shown as OpenMetrics text, and pushed to
//! a collector.

mod catalogue;
mod export;
mod family;
mod otlp;
mod page;
#[cfg(test)]
mod tests;

pub use catalogue::manual;
pub use export::{EXPORT_PULSE, ExportParts, LAST_PUSH, export};

use path_ledger::{Counted, HopState, Ledger, LedgerError, QueueLine, State, Totals};
use path_watch::{Alarm, AlarmKind, Audited};
use wire_message::Time;

use catalogue::Measure;
use family::Family;

/// Next hops that are shown one by one: more would be too many for whoever collects them.
const HOPS_SHOWN: usize = 1000;

/// Everything the measures are read from.
struct Read<'a> {
    ledger: &'a Ledger,
    now: Time,
    totals: Totals,
    oldest: Vec<(State, Time)>,
    oldest_due: Option<Time>,
    lines: Vec<QueueLine>,
    counted: Counted,
    alarms: &'a [Alarm],
    audited: Option<Audited>,
}

/// The whole page. Without a server there are no alarms but those of the rows, and no audit.
///
/// # Errors
/// The store's.
pub async fn text(
    ledger: &Ledger,
    alarms: &[Alarm],
    audited: Option<Audited>,
) -> Result<String, LedgerError> {
    let families = read(ledger, alarms, audited).await?;
    Ok(page::text(&families))
}

/// Every measure with its points, in the order of the catalogue.
async fn read(
    ledger: &Ledger,
    alarms: &[Alarm],
    audited: Option<Audited>,
) -> Result<Vec<Family>, LedgerError> {
    let now = ledger.now();
    let ready = ledger.ready_hops(now).await?;
    let read = Read {
        ledger,
        now,
        totals: ledger.totals().await?,
        oldest: ledger.oldest().await?,
        oldest_due: ready.iter().map(|hop| hop.due_at()).min(),
        lines: ledger.queue_lines().await?,
        counted: ledger.counted(),
        alarms,
        audited,
    };
    let measures = Measure::ALL.iter();
    Ok(measures.map(|measure| read.family(*measure)).collect())
}

impl Read<'_> {
    fn family(&self, measure: Measure) -> Family {
        let mut to = Family::of(measure);
        match measure {
            Measure::Recipients => self.recipients(&mut to),
            Measure::Waiting => {
                for state in in_transit() {
                    to.value(&[state.word()], self.totals.of(state));
                }
            }
            Measure::WaitingOldest => self.waiting_oldest(&mut to),
            Measure::OldestDue => to.value(&[], self.age(self.oldest_due)),
            Measure::HopUp => self.hops(&mut to),
            Measure::Messages => {
                for (origin, n) in &self.counted.accepted {
                    to.value(&[origin.word()], *n);
                }
            }
            Measure::Attempts => {
                for (way, outcome, n) in &self.counted.attempts {
                    to.value(&[way.word(), outcome.word()], *n);
                }
            }
            Measure::TimeToFinal => {
                for (state, times) in &self.counted.ended {
                    to.histogram(&[state.word()], times);
                }
            }
            Measure::CommitTime => to.histogram(&[], &self.ledger.store().commits().time.read()),
            Measure::Units => to.value(&[], self.ledger.store().commits().units()),
            Measure::Alarms => self.alarms(&mut to),
            Measure::AuditDifference => {
                if let Some(audited) = self.audited {
                    to.value(&[], audited.difference);
                }
            }
            Measure::AuditTime => {
                if let Some(audited) = self.audited {
                    to.value(&[], audited.at.since(Time::EPOCH).as_secs_f64());
                }
            }
            Measure::Alive => to.value(&[], i64::from(self.ledger.is_alive())),
            Measure::SignOfLife => {
                if let Some(age) = self.ledger.sign_of_life_age() {
                    to.value(&[], age.as_secs_f64());
                }
            }
            Measure::Build => to.value(&[env!("CARGO_PKG_VERSION")], 1_i64),
        }
        to
    }

    fn age(&self, since: Option<Time>) -> f64 {
        since.map_or(0.0, |since| self.now.since(since).as_secs_f64())
    }

    fn recipients(&self, to: &mut Family) {
        to.value(&["accepted"], self.totals.accepted);
        for state in State::ALL.iter().filter(|state| state.is_final()) {
            to.value(&[state.word()], self.totals.of(*state));
        }
    }

    fn waiting_oldest(&self, to: &mut Family) {
        for state in in_transit() {
            let oldest = self.oldest.iter().find(|(of, _)| *of == state);
            to.value(&[state.word()], self.age(oldest.map(|(_, at)| *at)));
        }
    }

    fn hops(&self, to: &mut Family) {
        for line in self.lines.iter().take(HOPS_SHOWN) {
            let state: i64 = match line.state {
                HopState::Up => 1,
                HopState::Down => 0,
                HopState::Paused => -1,
            };
            to.value(&[&line.next_hop], state);
        }
    }

    fn alarms(&self, to: &mut Family) {
        for kind in AlarmKind::ALL {
            let standing = self.alarms.iter().filter(|alarm| alarm.kind == *kind);
            to.value(&[kind.word()], standing.count() as u64);
        }
    }
}

fn in_transit() -> impl Iterator<Item = State> {
    let states = State::ALL.iter().copied();
    states.filter(|state| !state.is_final())
}
