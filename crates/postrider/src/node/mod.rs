//! One running Postrider: every floor started in order, and stopped in the other.
//!
//! ```text
//!   ledger (a new epoch) -> late policy -> queue -> watch -> late admission -> listeners -> control socket
//! ```
//!
//! Every task belongs to the node: dropping it, or [`Node::abort`], ends them all at once as a crash would. What they had
//! in flight is then claimed by an epoch that nobody renews, and is found by the next one.

pub(crate) mod identity;
mod reload;
mod settings;
mod web;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use access_admin::metrics::{EXPORT_PULSE, ExportParts, LAST_PUSH, export};
use access_admin::{PACE_PULSE, Web};
use ground_settings::{Endpoint, Settings};
use ground_store::Store;
use ground_world::clock::ClockControl;
use ground_world::pool::Pool;
use ground_world::supervise::{Kept, Supervisor};
use ground_world::tls::{TlsError, TlsServer};
use ground_world::{Time, World};
use path_accept::{RESUME_PULSE, Server, ServerParts, StartError, resume};
use path_ledger::{Doer, EventKind, Heartbeat, Ledger, LedgerError, LedgerOptions, MessageId};
use path_queue::{Queue, QueueParts};
use path_watch::{ReporterError, Watch, WatchParts, catch_up, until_it_ends};
use thiserror::Error;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::control::{self, Answer, Question, Request};
use crate::rooms::{self, Rooms};
use identity::Certificates;

/// How long attempts under way may take to end when the node stops; what is not done then, its lease brings back.
const ATTEMPTS_GRACE: Duration = Duration::from_secs(20);

/// How long a stop may take in all: less than the 90 s after which a service manager kills.
const STOP_MAX: Duration = Duration::from_secs(80);

/// What a node is made of.
pub struct NodeParts {
    /// Its settings.
    pub settings: Settings,
    /// The folder of the configuration file: relative paths start there.
    pub folder: PathBuf,
    /// The configuration file, read again when a reload is asked for; none: they stay as they are.
    pub file: Option<PathBuf>,
    /// The outside.
    pub world: World,
    /// The rows.
    pub store: Store,
    /// Where it can be asked; none: by [`Node::execute`] only.
    pub socket: Option<PathBuf>,
    /// Moves the clock, when a test may.
    pub clock: Option<ClockControl>,
}

/// A running node.
pub struct Node {
    desk: Desk,
    queue: Queue,
    tasks: Vec<Kept>,
    exporter: Kept,
    stop: CancellationToken,
    socket: Option<PathBuf>,
    #[expect(dead_code, reason = "held for its drop: the watch ends with it")]
    pool: Pool,
}

/// What answers requests: shared by the node and its control socket.
#[derive(Clone)]
struct Desk {
    rooms: Rooms,
    settings: Arc<watch::Sender<Arc<Settings>>>,
    watch: Arc<Watch>,
    /// Held while it changes: one reload at a time.
    server: Arc<Mutex<Server>>,
    tls: TlsServer,
    /// Held while it tests itself.
    probing: Arc<Mutex<()>>,
    /// Held while the configuration file is replaced.
    editing: Arc<Mutex<()>>,
    /// What it was started with: some of it stays until the next start.
    started: Arc<Settings>,
    certificates: Certificates,
    file: Option<PathBuf>,
}

/// Why a node did not start, or did not take new settings. The operator's move unless it says otherwise.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The book.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The listeners.
    #[error(transparent)]
    Listen(#[from] StartError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The hostname.
    #[error(transparent)]
    Reporter(#[from] ReporterError),
    /// Another server has the data directory.
    #[error("another server runs on this data directory and answers at {}; stop it first, or give this one a data_directory of its own", path.display())]
    Taken {
        /// Its control socket.
        path: PathBuf,
    },
    /// Another server started under this node's name, or took over from it, while it started.
    #[error("another node took over while this one started; start it again")]
    Ended,
    /// The system has no thread for the watch.
    #[error("the watch has no threads: {0}")]
    Pool(std::io::Error),
    /// The control socket.
    #[error("the control socket {}: {error}", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Opens the book in a new epoch and treats what waited while we were away, before anything can leave.
async fn open_book(store: Store, world: &World, settings: &Settings) -> Result<Ledger, NodeError> {
    let options = LedgerOptions::from_settings(settings.node_name(), settings);
    let ledger = Ledger::open(store, world.clone(), options).await?;
    let late = tokio::select! {
        biased;
        late = catch_up(&ledger, settings) => late?,
        // It may take longer than the others wait for a sign.
        _end = until_it_ends(&ledger, || {}) => return Err(NodeError::Ended),
    };
    tracing::info!(?late, away = ?ledger.downtime(), "the book is open");
    ledger
        .record(
            EventKind::SettingsLoaded,
            Doer::Program,
            &ledger.node_name(),
            "at start",
        )
        .await?;
    Ok(ledger)
}

/// What it still has claimed is for others at once.
async fn goodbye(ledger: &Ledger) {
    if let Err(error) = ledger.stopped().await {
        tracing::warn!(%error, "that this node has stopped could not be written; the others find out");
    }
}

/// What runs apart from delivery, and keeps it at work.
struct Apart<'a> {
    supervisor: &'a Supervisor,
    pool: &'a Pool,
}

/// The floors in their order, and what answers requests about them.
async fn furnish(
    parts: NodeParts,
    stop: &CancellationToken,
    apart: &Apart<'_>,
    tasks: &mut Vec<Kept>,
) -> Result<(Desk, Queue, Web), NodeError> {
    let (world, folder, settings) = (parts.world, parts.folder, Arc::new(parts.settings));
    let data = settings.data_directory(&folder);
    let certificates = Certificates {
        world: world.clone(),
        folder: folder.clone(),
        data: data.clone(),
    };
    let tls = world.tls.server(certificates.of(&settings).await?)?;
    let ledger = open_book(parts.store, &world, &settings).await?;
    let (sender, receiver) = watch::channel(settings.clone());
    let directory = rooms::directory(&ledger);
    let queue = Queue::start(QueueParts {
        ledger: ledger.clone(),
        directory: directory.clone(),
        settings: receiver.clone(),
        config_folder: folder.clone(),
        supervisor: apart.supervisor.clone(),
    });
    let handoff = queue.handoff();
    let mut rooms = Rooms::furnish(ledger.clone(), directory, receiver.clone(), data, handoff);
    rooms.clock = parts.clock;
    let watch = Arc::new(Watch::start(WatchParts {
        ledger: ledger.apart(),
        settings: settings.clone(),
        supervisor: apart.supervisor.clone(),
        runtime: apart.pool.handle().clone(),
    })?);
    rooms.watch = Some(watch.clone());
    let (intake, ends) = (rooms.intake.clone(), stop.clone());
    tasks.push(apart.supervisor.keep("resume", RESUME_PULSE, move |pulse| {
        resume(intake.clone(), ends.clone(), pulse)
    }));
    let (keeper, shown) = (certificates.clone(), tls.clone());
    tasks.push(
        apart
            .supervisor
            .keep("certificate", identity::PULSE, move |pulse| {
                keeper.clone().keep(shown.clone(), receiver.clone(), pulse)
            }),
    );
    let (ask, questions) = web::channel(&world);
    let door = web::door(ask, &rooms);
    let server = Server::start(ServerParts {
        intake: rooms.intake.clone(),
        tls: Some(tls.clone()),
        config_directory: folder,
        host: Some(door.host()),
        supervisor: apart.supervisor.clone(),
    });
    let server = match server.await {
        Ok(server) => server,
        Err(error) => {
            goodbye(&rooms.ledger).await;
            return Err(error.into());
        }
    };
    let desk = Desk {
        server: Arc::new(Mutex::new(server)),
        settings: Arc::new(sender),
        started: settings,
        watch,
        tls,
        probing: Arc::default(),
        editing: Arc::default(),
        certificates,
        rooms,
        file: parts.file,
    };
    let answers = desk.clone();
    tasks.push(apart.supervisor.keep("web desk", web::PULSE, move |pulse| {
        web::answer(answers.clone(), questions.clone(), pulse)
    }));
    let pace = door.clone();
    tasks.push(apart.supervisor.keep("pace", PACE_PULSE, move |pulse| {
        pace.clone().keep_pace(pulse)
    }));
    Ok((desk, queue, door))
}

impl Node {
    /// Starts everything. When this answers, mail is taken.
    ///
    /// # Errors
    /// [`NodeError`]; everything is stopped again then.
    pub async fn start(parts: NodeParts) -> Result<Self, NodeError> {
        let (socket, world) = (parts.socket.clone(), parts.world.clone());
        // First of all: whoever runs here already keeps what is here.
        let control = match &socket {
            Some(path) => Some(listen(&world, path).await?),
            None => None,
        };
        let (stop, mut tasks) = (CancellationToken::new(), Vec::new());
        let pool = world.pool_apart("watch").map_err(NodeError::Pool)?;
        let supervisor = Supervisor::on(world.clock.clone(), pool.handle().clone());
        let apart = Apart {
            supervisor: &supervisor,
            pool: &pool,
        };
        let since = world.clock.now();
        let (desk, queue, door) = furnish(parts, &stop, &apart, &mut tasks).await?;
        let exporter = desk.push_metrics(&apart, since, &stop);
        if let Some(listener) = control {
            let listener = Arc::new(listener);
            let serve =
                move |pulse| control::serve(listener.clone(), world.clone(), door.clone(), pulse);
            tasks.push(supervisor.keep("control socket", control::PULSE, serve));
        }
        Ok(Self {
            desk,
            queue,
            tasks,
            exporter,
            stop,
            socket,
            pool,
        })
    }

    /// Where each listener listens, by its name, with the ports the system chose.
    #[must_use]
    pub async fn addresses(&self) -> Vec<(String, Endpoint)> {
        self.desk.server.lock().await.addresses()
    }

    /// The book.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.desk.rooms.ledger
    }

    /// Answers as the control socket does.
    pub async fn execute(&self, request: Request) -> Answer {
        self.desk.execute(request).await
    }

    /// New settings, as a reload of the configuration file takes them.
    ///
    /// # Errors
    /// [`NodeError`]; nothing was changed then.
    pub async fn reload(&self, settings: Settings) -> Result<(), NodeError> {
        self.desk.reload(settings).await.map(drop)
    }

    /// Waits until this node must end, and says why: another has started under its name, or it was fenced and must start
    /// anew.
    pub async fn ended(&self) -> Heartbeat {
        self.desk.watch.ended().await
    }

    /// Takes no more mail, lets sessions end within their grace time, then stops the rest.
    ///
    /// What has not ended within [`STOP_MAX`] is cut off as by a crash, and comes back by its lease.
    pub async fn stop(self) {
        let clock = self.desk.rooms.ledger.world().clock.clone();
        if clock.timeout(STOP_MAX, self.stop_in_order()).await.is_err() {
            tracing::error!(
                "it did not end in time, and is cut off; leases bring back what it had"
            );
        }
    }

    async fn stop_in_order(mut self) {
        self.desk.server.lock().await.stop().await;
        self.queue.stop(ATTEMPTS_GRACE).await;
        for task in self.tasks.iter().chain([&self.exporter]) {
            task.may_end();
        }
        self.stop.cancel();
        let clock = self.desk.rooms.ledger.world().clock.clone();
        let pushed = clock.timeout(LAST_PUSH, self.exporter.ended()).await;
        if let Err(error) = pushed {
            tracing::debug!(%error, "the collector does not hear the last of the metrics");
        }
        for task in self.tasks {
            task.stop().await;
        }
        goodbye(&self.desk.rooms.ledger).await;
        if let Some(Err(error)) = self.socket.as_ref().map(std::fs::remove_file) {
            tracing::debug!(%error, "the control socket could not be removed");
        }
    }

    /// Its memory loses the jobs of a message that wait for a connection, as by a defect of ours. How many. For tests.
    #[doc(hidden)]
    pub fn forget(&self, message: MessageId) -> usize {
        self.queue.forget(message)
    }

    /// Ends everything at once, as a crash would.
    pub fn abort(self) {
        drop(self);
    }
}

impl Desk {
    async fn execute(&self, request: Request) -> Answer {
        match request.question {
            Question::Reload => self.reload_file(&request.by).await,
            Question::Settings => refusable(self.show_settings()),
            Question::SettingsTry { text } => refusable(self.try_settings(text).await),
            Question::SettingsSave {
                text,
                version,
                reason,
            } => {
                let saved = self.save_settings(&request.by, text, &version, &reason);
                refusable(Box::pin(saved).await)
            }
            // The largest of all, and the rarest: it makes no other answer larger.
            Question::Selftest => Box::pin(self.selftest(&request.by)).await,
            Question::Queue
            | Question::List { .. }
            | Question::Trace { .. }
            | Question::Explain { .. }
            | Question::Totals
            | Question::Preview { .. }
            | Question::Begin { .. }
            | Question::Progress { .. }
            | Question::Ages
            | Question::Flows
            | Question::Times
            | Question::Events { .. }
            | Question::Audit
            | Question::Alarms
            | Question::Health
            | Question::Metrics
            | Question::Act { .. }
            | Question::Connectors
            | Question::Route { .. }
            | Question::Body { .. }
            | Question::Change { .. }
            | Question::Look { .. }
            | Question::OperatorChange { .. }
            | Question::OperatorLook { .. }
            | Question::MailList { .. }
            | Question::MailShow { .. }
            | Question::Send { .. }
            | Question::PauseHop { .. }
            | Question::ResumeHop { .. }
            | Question::Nodes
            | Question::Drain { .. }
            | Question::ClockAdvance { .. }
            | Question::Link { .. }
            | Question::Follow { .. }
            | Question::OwnMail { .. }
            | Question::ClockStep { .. } => control::execute(&self.rooms, request).await,
        }
    }
}

/// An answer, or a refusal, which is one, too.
fn refusable(answered: Result<Answer, Answer>) -> Answer {
    answered.unwrap_or_else(|refused| refused)
}

impl Desk {
    /// What is measured goes to a collector, apart from delivery; while the settings name none, nothing happens.
    fn push_metrics(&self, apart: &Apart<'_>, since: Time, stop: &CancellationToken) -> Kept {
        let parts = ExportParts {
            ledger: self.rooms.ledger.apart(),
            settings: self.settings.subscribe(),
            watch: self.watch.clone(),
            since,
            stop: stop.clone(),
        };
        let push = move |pulse| export(parts.clone(), pulse);
        let runtime = apart.pool.handle();
        apart
            .supervisor
            .keep_on(runtime, "telemetry", EXPORT_PULSE, push)
    }

    /// One at a time: the probe has one account.
    async fn selftest(&self, by: &str) -> Answer {
        let Ok(_alone) = self.probing.try_lock() else {
            return Answer::asker("a selftest is under way; ask again when it has ended");
        };
        let doors = self.server.lock().await.addresses();
        control::selftest(&self.rooms, by, &doors, &self.certificates.folder).await
    }
}

async fn listen(
    world: &World,
    path: &std::path::Path,
) -> Result<ground_world::net::UnixListener, NodeError> {
    /// Only the owner may ask.
    const OWNER_ONLY: u32 = 0o600;
    let listener = world.net.listen_unix(path, OWNER_ONLY).await;
    let path = path.to_owned();
    listener.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            NodeError::Taken { path }
        } else {
            NodeError::Socket { path, error }
        }
    })
}
