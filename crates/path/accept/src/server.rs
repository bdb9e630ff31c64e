//! The server: the doors of the settings, and all sessions behind them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ground_settings::{Endpoint, Settings};
use ground_world::supervise::Supervisor;
use ground_world::tls::TlsServer;
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::doors::{Change, Doors, StartError};
use crate::gate::Gate;
use crate::guard::Guard;
use crate::visit::Host;

/// How long open transactions have to end when the server stops: enough for a message that is being flushed.
pub const GRACE: Duration = Duration::from_secs(10);

/// What the server is made of.
pub struct ServerParts {
    /// Where accepted mail goes.
    pub intake: Intake,
    /// Shown by listeners with TLS. `None`: STARTTLS is not offered.
    pub tls: Option<TlsServer>,
    /// The folder of the configuration file: paths of Unix sockets start there.
    pub config_directory: PathBuf,
    /// Talks with those who come by a listener for HTTP; none: they hear 503.
    pub host: Option<Host>,
    /// Who replaces what fails.
    pub supervisor: Supervisor,
}

/// Listens and receives. Dropped, it ends all sessions at once, as a crash would; [`Server::stop`] lets them finish.
pub struct Server {
    hall: Arc<Hall>,
    doors: Doors,
}

/// What all sessions share.
pub(crate) struct Hall {
    pub(crate) intake: Intake,
    pub(crate) tls: Option<TlsServer>,
    pub(crate) stop: CancellationToken,
    pub(crate) gate: Gate,
    pub(crate) guard: Guard,
    pub(crate) host: Option<Host>,
    pub(crate) supervisor: Supervisor,
}

impl Server {
    /// Listens wherever the settings of this moment have mail come in, and receives from then on.
    ///
    /// # Errors
    /// [`StartError`]: nothing listens then.
    pub async fn start(parts: ServerParts) -> Result<Server, StartError> {
        let settings = parts.intake.settings();
        let hall = Arc::new(Hall {
            intake: parts.intake,
            tls: parts.tls,
            stop: CancellationToken::new(),
            gate: Gate::default(),
            guard: Guard::default(),
            host: parts.host,
            supervisor: parts.supervisor,
        });
        let mut doors = Doors::new(hall.clone(), parts.config_directory);
        doors.follow(&settings, || {}).await?;
        Ok(Server { hall, doors })
    }

    /// Listens as `settings` say from now on, and lets `publish` give them to everybody else: it is called when every new
    /// listener is open, before any of them receives.
    ///
    /// A listener that is gone takes no more sessions, and those it has are told 421 between two transactions. One that
    /// moved keeps its sessions. All sessions take new settings up with their next transaction, but keep the protocol and
    /// the way of encryption they began with.
    ///
    /// # Errors
    /// [`StartError`]: nothing was published, and every listener is as it was.
    pub async fn reload(
        &mut self,
        settings: &Settings,
        publish: impl FnOnce(),
    ) -> Result<Change, StartError> {
        self.doors.follow(settings, publish).await
    }

    /// Where each listener listens, by its name, with the ports the system chose.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, Endpoint)> {
        self.doors.addresses()
    }

    /// Where the listener of this name listens, when it has an IP address.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        let addresses = self.addresses();
        let (_, address) = addresses.into_iter().find(|(own, _)| own == name)?;
        match address {
            Endpoint::Tcp(address) => Some(address),
            Endpoint::Unix(_) => None,
        }
    }

    /// Takes no more sessions, answers 421 to those between two transactions, and gives the others [`GRACE`] to end.
    pub async fn stop(&mut self) {
        self.hall.stop.cancel();
        self.doors.end().await;
    }

    /// Sessions at present.
    #[cfg(test)]
    pub(crate) fn sessions(&self) -> u32 {
        self.hall.gate.sessions()
    }
}
