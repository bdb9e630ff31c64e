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
//!   reconcile  what is overdue, what waits for a way that is no longer there       -> alarms
//!   audit      the whole book is added up                                           -> alarms
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
mod decide;
mod late;
mod prune;
mod reconcile;
mod report;
mod search;
mod supervise;
mod sweep;
#[cfg(test)]
mod tests;

pub use alarm::Alarm;
pub use decide::RECHECK;
pub use late::{Late, catch_up};
pub use path_notify::ReporterError;
pub use prune::FILES_INTERVAL;
pub use search::SEARCH_INTERVAL;
pub use sweep::GROUPS_AT_ONCE;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ground_settings::Settings;
use path_ledger::{Heartbeat, Ledger, Neighbours};
use path_notify::Reporter;
use tokio::sync::watch;
use tokio::task::JoinSet;

use alarm::Alarms;

/// How often the node shows that it lives: three signs may be lost before its lease ends ([`path_ledger::NODE_LEASE`]).
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(4);

/// The pause after a sign of life that was not taken.
const HEARTBEAT_AGAIN: Duration = Duration::from_secs(1);

/// How often other nodes are looked at.
const NEIGHBOURS_INTERVAL: Duration = Duration::from_secs(2);

/// The running sweeps. Dropping it ends them at once; whatever they do is whole units, so nothing is left half done.
#[derive(Debug)]
pub struct Watch {
    tasks: JoinSet<()>,
    settings: watch::Sender<Arc<Settings>>,
    alarms: watch::Receiver<BTreeSet<Alarm>>,
    heartbeat: watch::Receiver<Heartbeat>,
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
}

impl Room {
    fn settings(&self) -> Arc<Settings> {
        self.settings.borrow().clone()
    }

    async fn sleep(&self, duration: Duration) {
        self.ledger.world().clock.sleep(duration).await;
    }
}

impl Watch {
    /// Starts the sweeps.
    ///
    /// # Errors
    /// The operator's: the hostname cannot stand in the address of reports.
    pub fn start(ledger: Ledger, settings: Arc<Settings>) -> Result<Self, ReporterError> {
        let Fit(settings) = Fit::check(settings)?;
        let (settings, received) = watch::channel(settings);
        let room = Room {
            ledger,
            settings: received,
        };
        let (alarms, raised) = Alarms::new();
        let (beats, heartbeat) = watch::channel(Heartbeat::Alive);
        let mut watch = Self {
            tasks: JoinSet::new(),
            settings,
            alarms: raised,
            heartbeat,
        };
        watch.keep("sweep", &room, |room| sweep::run(room.clone()));
        watch.keep("heartbeat", &room, move |room| {
            beat(room.clone(), beats.clone())
        });
        watch.keep("neighbours", &room, |room| neighbours(room.clone()));
        let ledger = room.ledger.clone();
        watch.keep("words", &room, move |_| {
            let ledger = ledger.clone();
            async move { ledger.hear_neighbours().await }
        });
        let (reconciled, audited) = (alarms.clone(), alarms);
        watch.keep("reconcile", &room, move |room| {
            reconcile::run(room.clone(), reconciled.clone())
        });
        watch.keep("audit", &room, move |room| {
            audit::run(room.clone(), audited.clone())
        });
        watch.keep("history", &room, |room| prune::history(room.clone()));
        watch.keep("search", &room, |room| search::run(room.clone()));
        let started = room.ledger.now();
        watch.keep("files", &room, move |room| {
            prune::files(room.clone(), started)
        });
        Ok(watch)
    }

    /// New settings, for every pass from now on.
    pub fn set_settings(&self, settings: Fit) {
        self.settings.send_replace(settings.0);
    }

    /// What should not be, as of the last passes.
    #[must_use]
    pub fn alarms(&self) -> BTreeSet<Alarm> {
        self.alarms.borrow().clone()
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
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    fn keep<W, F>(&mut self, name: &'static str, room: &Room, work: W)
    where
        W: Fn(&Room) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let room = room.clone();
        let clock = room.ledger.world().clock.clone();
        self.tasks
            .spawn(supervise::keep(name, clock, move || work(&room)));
    }
}

async fn beat(room: Room, beats: watch::Sender<Heartbeat>) {
    loop {
        let pause = match room.ledger.heartbeat().await {
            Ok(beat) => {
                match beat {
                    Heartbeat::Alive => {}
                    Heartbeat::Replaced => {
                        tracing::error!("another node has started under this node's name");
                    }
                    Heartbeat::Fenced => {
                        tracing::error!(
                            "this node was silent for too long; others took over its work"
                        );
                    }
                }
                beats.send_replace(beat);
                HEARTBEAT_INTERVAL
            }
            Err(error) => {
                tracing::warn!(%error, "no sign of life was written");
                HEARTBEAT_AGAIN
            }
        };
        room.sleep(pause).await;
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
