//! What every way in shares: the book, the directory, the queue's door, the settings of the moment.

use std::path::PathBuf;
use std::sync::Arc;

use ground_directory::Directory;
use ground_settings::Settings;
use ground_world::World;
use path_ledger::{Handoff, Ledger};
use tokio::sync::watch;

use crate::admit::Pressure;

/// What an intake is made of.
pub struct IntakeParts {
    /// Where accepted mail is written.
    pub ledger: Ledger,
    /// Who exists here.
    pub directory: Directory,
    /// The way to this node's queue.
    pub handoff: Handoff,
    /// The settings; a new value holds from each session's next transaction on.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// A folder on the file system whose free space counts. It must exist.
    pub data_directory: PathBuf,
}

/// The way into the book, for sessions, programs and reports alike. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    pub(crate) parts: Arc<IntakeParts>,
    pub(crate) pressure: Arc<Pressure>,
}

impl Intake {
    /// An intake. Nothing is read or written yet.
    #[must_use]
    pub fn new(parts: IntakeParts) -> Intake {
        let pressure = Arc::new(Pressure::new(parts.data_directory.clone()));
        Intake {
            parts: Arc::new(parts),
            pressure,
        }
    }

    /// The settings of this moment.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.parts.settings.borrow().clone()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.parts.ledger
    }

    pub(crate) fn world(&self) -> &World {
        self.parts.ledger.world()
    }
}
