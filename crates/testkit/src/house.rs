//! One node of a story: the floors put together as the server does, on the simulated world.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ground_directory::Directory;
use ground_settings::{Endpoint, Settings};
use ground_store::Store;
use ground_world::World;
use ground_world::tls::Identity;
use path_accept::{Intake, IntakeParts, Server, ServerParts, resume};
use path_ledger::{Ledger, LedgerOptions};
use path_queue::{Queue, QueueParts};
use path_watch::{Fit, Watch, catch_up};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The folder of the configuration file: paths of Unix sockets start there.
const CONFIG_DIRECTORY: &str = "/etc";

/// How long attempts under way may take to end when a node stops, as in the server.
const ATTEMPTS_GRACE: Duration = Duration::from_secs(20);

/// The folder whose free space counts.
pub(crate) const DATA_DIRECTORY: &str = "/data";

/// A running node. Dropped, it has crashed.
pub(crate) struct House {
    pub(crate) intake: Intake,
    ledger: Ledger,
    settings: watch::Sender<Arc<Settings>>,
    server: Server,
    queue: Queue,
    watch: Watch,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Where a listener is reached.
pub(crate) enum Door {
    Tcp(std::net::SocketAddr),
    Unix(PathBuf),
}

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) settings: Arc<Settings>,
    pub(crate) world: World,
    pub(crate) store: Store,
    pub(crate) directory: Directory,
    pub(crate) identity: Identity,
}

impl House {
    /// A node in a new epoch.
    pub(crate) async fn start(parts: Parts) -> Result<(House, Ledger)> {
        let Parts {
            name,
            settings,
            world,
            store,
            directory,
            identity,
        } = parts;
        let options = LedgerOptions::from_settings(name, &settings);
        let ledger = Ledger::open(store, world.clone(), options).await?;
        catch_up(&ledger, &settings).await?;
        let (sender, receiver) = watch::channel(settings.clone());
        let queue = Queue::start(QueueParts {
            ledger: ledger.clone(),
            directory: directory.clone(),
            settings: receiver.clone(),
            config_folder: CONFIG_DIRECTORY.into(),
        });
        let intake = Intake::new(IntakeParts {
            ledger: ledger.clone(),
            directory,
            handoff: queue.handoff(),
            settings: receiver,
            data_directory: DATA_DIRECTORY.into(),
        });
        let server = Server::start(ServerParts {
            intake: intake.clone(),
            tls: Some(world.tls.server(identity)?),
            config_directory: CONFIG_DIRECTORY.into(),
        });
        let server = server.await?;
        let watch = Watch::start(ledger.clone(), settings)?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(resume(intake.clone(), stop.clone()));
        let house = House {
            intake,
            ledger: ledger.clone(),
            settings: sender,
            server,
            queue,
            watch,
            stop,
            tasks,
        };
        Ok((house, ledger))
    }

    /// A node takes a new epoch, and is gone before it does anything with it.
    pub(crate) async fn stumble(parts: Parts) -> Result<Ledger> {
        let options = LedgerOptions::from_settings(parts.name, &parts.settings);
        Ok(Ledger::open(parts.store, parts.world, options).await?)
    }

    /// New settings, without losing a session.
    pub(crate) async fn reload(&mut self, settings: &Arc<Settings>) -> Result<()> {
        let fit = Fit::check(settings.clone())?;
        let (watch, ledger, sender) = (&self.watch, &self.ledger, &self.settings);
        let publish = || {
            watch.set_settings(fit);
            ledger.set_options(LedgerOptions::from_settings(ledger.node_name(), settings));
            sender.send_replace(settings.clone());
        };
        self.server.reload(settings, publish).await?;
        Ok(())
    }

    /// Lets sessions end, then ends.
    pub(crate) async fn stop(mut self) {
        self.server.stop().await;
        self.queue.stop(ATTEMPTS_GRACE).await;
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.watch.stop().await;
    }

    /// Where the listener of this name is reached.
    pub(crate) fn door(&self, name: &str) -> Result<Door> {
        let addresses = self.server.addresses();
        let known = || {
            let names: Vec<_> = addresses.iter().map(|(name, _)| name.as_str()).collect();
            format!("expected a listener ({}), got {name:?}", names.join(", "))
        };
        let found = addresses.iter().find(|(own, _)| own == name);
        let (_, address) = found.with_context(known)?;
        Ok(match address {
            Endpoint::Tcp(address) => Door::Tcp(*address),
            Endpoint::Unix(path) => Door::Unix(Path::new(CONFIG_DIRECTORY).join(path)),
        })
    }
}
