//! The sweeps that keep the promises, apart from delivery.
//!
//! **For what.** What is owed by time happens by time, whatever the queue does or does not do: delay notices, expiry in
//! every state, alarms of forgotten holds, the return of lost claims, the heartbeat, and a regular look for what should not
//! be. After a downtime of our own the late policy is applied before anything leaves.
//!
//! **The way through.** [`catch_up`] runs once, before the queue starts. [`Watch::start`] then runs the sweeps, each at its
//! own pace and supervised: one that panics is logged and started anew.
//!
//! ```text
//!   sweep      lost claims -> queued | held      due rows -> decide (pure) -> report composed -> one unit a message
//!   heartbeat  the node lives, or has been replaced, or must start anew
//!   neighbours other nodes that give no sign of life are fenced; what they had claimed comes back
//!   words      hints of other nodes that something was queued
//!   alarms     what is overdue, stalled, stuck, forgotten, damaged, failing        -> alarms
//!   tell       a webhook, and an address by mail, hear of alarms
//!   reconcile  next hops that are shown as what they are not; bodies, by slices    -> put right, held
//!   audit      the whole book is added up; counts that are off are counted again   -> alarms
//!   search     new words come into the index by batches
//!   history    what ended long ago is removed
//!   files      bodies' files that nobody needs any more, or that a crash left without a row, are removed
//! ```
//!
//! **Never.** Nothing here waits for a peer or shares a pool with delivery. Nothing is decided from memory: each pass asks
//! the ledger anew and nothing wakes it earlier. Every write is guarded by the row as it was read.
//!
//! **Limits.** A pass takes `watch.sweep_batch` rows at a time; [`GROUPS_AT_ONCE`] messages are treated at one time, so that
//! their units share a flush. A message whose treatment fails is looked at again after [`RECHECK`]; it delays no other.

mod alarm;
mod audit;
mod catalogue;
mod decide;
mod heart;
mod late;
mod look;
mod prune;
mod reconcile;
mod report;
mod search;
mod sweep;
mod tell;
#[cfg(test)]
mod tests;

pub use alarm::{ALARMS_A_KIND, Alarm, MESSAGES_NAMED};
pub use audit::Audited;
pub use catalogue::{AlarmKind, manual};
pub use decide::RECHECK;
pub use heart::{HEARTBEAT_INTERVAL, until_it_ends};
pub use late::{Late, catch_up};
pub use look::{CLOCK_STEP, alarms_of_rows};
pub use path_notify::ReporterError;
pub use prune::FILES_INTERVAL;
pub use search::SEARCH_INTERVAL;
pub use sweep::GROUPS_AT_ONCE;

use std::sync::Arc;
use std::time::Duration;

use ground_settings::Settings;
use ground_world::supervise::{Kept, Pulse, Supervisor};
use path_ledger::{Heartbeat, Ledger, Neighbours};
use path_notify::Reporter;
use tokio::runtime::Handle;
use tokio::sync::watch;

use alarm::{Alarms, Standing};

/// How often other nodes are looked at.
const NEIGHBOURS_INTERVAL: Duration = Duration::from_secs(2);

/// The sign of life is one write: without it the node takes no mail and begins no attempt.
const HEART_PULSE: Duration = Duration::from_secs(45);

/// What is owed by time is a few questions and a write, each within the store's own deadline. A sweep that hangs makes them late
/// by this, on top of the slack.
const SWEEP_PULSE: Duration = Duration::from_secs(90);

/// Every other sweep shows that it lives within this time.
const PULSE: Duration = Duration::from_secs(300);

/// The same for what goes through everything there is in one step: the audit, the files.
const LONG_PULSE: Duration = Duration::from_secs(3600);

/// What a watch works with.
pub struct WatchParts {
    /// The book, by readers that delivery does not use.
    pub ledger: Ledger,
    /// The settings at the start.
    pub settings: Arc<Settings>,
    /// Who replaces what fails.
    pub supervisor: Supervisor,
    /// Where the sweeps run: apart from delivery.
    pub runtime: Handle,
}

/// The running sweeps. Dropping it ends them at once; whatever they do is whole units, so nothing is left half done.
#[derive(Debug)]
pub struct Watch {
    tasks: Vec<Kept>,
    settings: watch::Sender<Arc<Settings>>,
    alarms: watch::Receiver<Standing>,
    heartbeat: watch::Receiver<Heartbeat>,
    audited: watch::Receiver<Option<Audited>>,
}

/// Settings the watch can work with: checked before anything is changed, so that taking them cannot fail.
#[derive(Debug, Clone)]
pub struct Fit(Arc<Settings>);

impl Fit {
    /// Checks `settings`.
    ///
    /// # Errors
    /// The operator's: the hostname cannot stand in the address of reports.
    pub fn check(settings: Arc<Settings>) -> Result<Self, ReporterError> {
        Reporter::new(&settings)?;
        Ok(Self(settings))
    }
}

/// What every sweep works with.
#[derive(Clone)]
struct Room {
    ledger: Ledger,
    settings: watch::Receiver<Arc<Settings>>,
    pulse: Pulse,
}

impl Room {
    fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }

    async fn sleep(&self, duration: Duration) {
        self.pulse.sleep(duration).await;
    }

    /// It goes on.
    fn beat(&self) {
        self.pulse.beat("work");
    }
}

impl Watch {
    /// Starts the sweeps.
    ///
    /// # Errors
    /// The operator's: the hostname cannot stand in the address of reports.
    pub fn start(parts: WatchParts) -> Result<Self, ReporterError> {
        let Fit(settings) = Fit::check(parts.settings)?;
        let (settings, received) = watch::channel(settings);
        let clock = parts.ledger.world().clock.clone();
        let (alarms, raised) = Alarms::new(clock);
        let (beats, heartbeat) = watch::channel(Heartbeat::Alive);
        let (audits, audited) = watch::channel(None);
        let started = parts.ledger.now();
        let supervisor = parts.supervisor.clone();
        let mut keeper = Keeper {
            ledger: parts.ledger,
            settings: received,
            supervisor: parts.supervisor,
            runtime: parts.runtime,
            tasks: Vec::new(),
        };
        keeper.keep("sweep", SWEEP_PULSE, sweep::run);
        keeper.keep("heartbeat", HEART_PULSE, move |room| {
            heart::run(room, beats.clone())
        });
        keeper.keep("neighbours", SWEEP_PULSE, neighbours);
        keeper.keep("words", Duration::MAX, |room| async move {
            room.ledger.hear_neighbours().await;
        });
        let looked = alarms.clone();
        keeper.keep("alarms", PULSE, move |room| {
            look::run(room, looked.clone(), supervisor.clone())
        });
        let standing = raised.clone();
        keeper.keep("tell", PULSE, move |room| tell::run(room, standing.clone()));
        keeper.keep("reconcile", PULSE, reconcile::run);
        keeper.keep("audit", LONG_PULSE, move |room| {
            audit::run(room, alarms.clone(), audits.clone())
        });
        keeper.keep("history", PULSE, prune::history);
        keeper.keep("search", PULSE, search::run);
        keeper.keep("files", LONG_PULSE, move |room| prune::files(room, started));
        Ok(Self {
            tasks: keeper.tasks,
            settings,
            alarms: raised,
            heartbeat,
            audited,
        })
    }

    /// New settings, for every pass from now on.
    pub fn set_settings(&self, settings: Fit) {
        self.settings.send_replace(settings.0);
    }

    /// What should not be, as of the last passes.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        self.alarms.borrow().values().cloned().collect()
    }

    /// The last audit of this server, when there was one.
    #[must_use]
    pub fn last_audit(&self) -> Option<Audited> {
        *self.audited.borrow()
    }

    /// Waits until this node must end, and says why: another has started under its name, or it was fenced. Nothing it settles
    /// is taken any more.
    pub async fn ended(&self) -> Heartbeat {
        let mut heartbeat = self.heartbeat.clone();
        let ended = heartbeat.wait_for(|beat| *beat != Heartbeat::Alive).await;
        match ended.map(|beat| *beat) {
            Ok(beat) => beat,
            // The task that beats is gone with the runtime; nothing has ended.
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends the sweeps and waits until they have ended.
    pub async fn stop(self) {
        for task in self.tasks {
            task.stop().await;
        }
    }
}

/// Starts the sweeps.
struct Keeper {
    ledger: Ledger,
    settings: watch::Receiver<Arc<Settings>>,
    supervisor: Supervisor,
    runtime: Handle,
    tasks: Vec<Kept>,
}

impl Keeper {
    fn keep<W, F>(&mut self, name: &'static str, limit: Duration, work: W)
    where
        W: Fn(Room) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (ledger, settings) = (self.ledger.clone(), self.settings.clone());
        let work = move |pulse| {
            work(Room {
                ledger: ledger.clone(),
                settings: settings.clone(),
                pulse,
            })
        };
        let kept = self.supervisor.keep_on(&self.runtime, name, limit, work);
        self.tasks.push(kept);
    }
}

async fn neighbours(room: Room) {
    let mut seen = Neighbours::default();
    loop {
        if let Err(error) = room.ledger.look_at_neighbours(&mut seen).await {
            tracing::warn!(%error, "the other nodes could not be looked at");
        }
        room.sleep(NEIGHBOURS_INTERVAL).await;
    }
}
