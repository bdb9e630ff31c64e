//! The rooms every request is answered from: the ledger, the directory, the mailboxes, the way in.

use std::path::PathBuf;
use std::sync::Arc;

use access_mailbox::Mailboxes;
use ground_directory::Directory;
use ground_directory::holder::Holders;
use ground_directory::operator::{self, Operators};
use ground_settings::{Settings, Test};
use ground_store::{Options as StoreOptions, Store, StoreError};
use ground_world::clock::ClockControl;
use ground_world::dns::DnsOptions;
use ground_world::net::Detours;
use ground_world::tls::TlsOptions;
use ground_world::{World, WorldError, WorldOptions};
use path_accept::{Intake, IntakeParts};
use path_ledger::{Duty, Handoff, Ledger, LedgerError, LedgerOptions};
use path_watch::Watch;
use thiserror::Error;
use tokio::sync::watch;

use crate::config::Config;
use crate::control::Acts;

/// Added to the node's name by commands that open the store themselves: they take an epoch of their own, so that the
/// server's heartbeat, and with it the knowledge how long it was away, is left alone.
const OPERATOR: &str = "/operator";

/// What requests are answered from. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    /// The book.
    pub ledger: Ledger,
    /// Who exists.
    pub directory: Directory,
    /// Who may use the administration.
    pub operators: Operators,
    /// Who may see what he sent himself.
    pub holders: Holders,
    /// Delivered mail.
    pub mailboxes: Mailboxes,
    /// The way in.
    pub intake: Intake,
    /// The settings of this moment.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Moves the clock, when a test may.
    pub clock: Option<ClockControl>,
    /// Acts on many, and the previews they are for.
    pub acts: Arc<Acts>,
    /// What the server's watch has seen; none where no server runs.
    pub watch: Option<Arc<Watch>>,
}

/// A room cannot be entered.
#[derive(Debug, Error)]
pub enum RoomsError {
    /// The outside cannot be set up. The operator's move.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The data directory cannot be made. The operator's move.
    #[error("{}: {error}", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The data directory is somebody else's. The operator's move.
    #[error("the data directory {} may not be written by this user; run this as its owner, or name another data_directory", path.display())]
    NotOurs {
        /// Which one.
        path: PathBuf,
    },
    /// The store cannot be opened; its own words say whose move it is.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The book cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The outside as the settings want it.
///
/// # Errors
/// [`WorldError`].
pub fn world(settings: &Settings) -> Result<(World, Option<ClockControl>), WorldError> {
    let tries = settings.dns.attempts;
    let options = WorldOptions {
        dns: DnsOptions {
            servers: settings.dns.servers.clone(),
            deadline: settings.dns.timeout.saturating_mul(tries),
            ..DnsOptions::default()
        },
        tls: TlsOptions {
            handshake_timeout: settings.timeouts.tls_handshake,
            ..TlsOptions::default()
        },
        detours: detours(&settings.test),
    };
    if settings.test.clock_control {
        let (world, control) = World::real_with_clock_control(&options, settings.test.clock_ahead)?;
        return Ok((world, Some(control)));
    }
    Ok((World::real(&options)?, None))
}

fn detours(test: &Test) -> Detours {
    let pairs = test.detours.iter().map(|detour| (detour.from, detour.to));
    pairs.collect()
}

/// Opens the store the configuration names.
///
/// # Errors
/// [`RoomsError`].
pub async fn store(config: &Config, world: &World) -> Result<Store, RoomsError> {
    let path = config.data_directory();
    if let Err(error) = world.disk.create_folder(&path).await {
        return Err(RoomsError::Folder { path, error });
    }
    if !world.disk.may_write(&path) {
        return Err(RoomsError::NotOurs { path });
    }
    let storage = &config.settings.storage;
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let options = StoreOptions {
        group_commit_bytes: size(storage.group_commit_bytes.bytes()),
        group_commit_count: size(storage.group_commit_count.into()),
        readers: size(storage.readers.into()),
        ..StoreOptions::default()
    };
    Ok(Store::open(&config.store_url(), options, world).await?)
}

/// The directory in the same store as the book.
#[must_use]
pub fn directory(ledger: &Ledger) -> Directory {
    let (store, world) = (ledger.store().clone(), ledger.world().clone());
    Directory::open(store, world, &ground_directory::Options::default())
}

impl Rooms {
    /// The rooms for a command that opens the store itself, because no server runs.
    ///
    /// # Errors
    /// [`RoomsError`].
    pub async fn for_a_command(config: &Config) -> Result<Self, RoomsError> {
        let (world, _) = world(&config.settings)?;
        let store = store(config, &world).await?;
        let name = format!("{}{OPERATOR}", config.settings.node_name());
        let options = LedgerOptions {
            duty: Duty::Command,
            ..LedgerOptions::from_settings(name, &config.settings)
        };
        let ledger = Ledger::open(store.clone(), world.clone(), options).await?;
        let directory = directory(&ledger);
        let (_, settings) = watch::channel(Arc::new(config.settings.clone()));
        Ok(Self::furnish(
            ledger,
            directory,
            settings,
            config.data_directory(),
            Handoff::to_nobody(),
        ))
    }

    /// The same, for what is kept in its [`Acts`] and must not keep those alive.
    pub(crate) fn without_acts(&self) -> Self {
        Self {
            acts: Arc::default(),
            ..self.clone()
        }
    }

    /// The rooms around an open ledger.
    #[must_use]
    pub fn furnish(
        ledger: Ledger,
        directory: Directory,
        settings: watch::Receiver<Arc<Settings>>,
        data_directory: PathBuf,
        handoff: Handoff,
    ) -> Self {
        let store = ledger.store().clone();
        let intake = Intake::new(IntakeParts {
            ledger: ledger.clone(),
            directory: directory.clone(),
            handoff,
            settings: settings.clone(),
            data_directory,
        });
        Self {
            mailboxes: Mailboxes::open(store),
            operators: directory.operators(operator::Options::default()),
            holders: directory.holders(operator::Options::default()),
            clock: None,
            acts: Arc::default(),
            watch: None,
            ledger,
            directory,
            intake,
            settings,
        }
    }
}
