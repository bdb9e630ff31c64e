//! The doors: one accept loop a listener, one supervised task a session.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ground_settings::{Endpoint, Listener, ListenerTls, Protocol, Settings};
use ground_world::net::{self, ListenOptions, Stream};
use ground_world::tls::TlsServer;
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::gate::{Gate, Seat};
use crate::session::{Session, crowded};

/// How long open transactions have to end when the server stops: enough for a message that is being flushed.
pub const GRACE: Duration = Duration::from_secs(10);

/// Who may use the socket of a Unix listener: its owner and group.
const UNIX_MODE: u32 = 0o660;

/// How long somebody who is turned away has to hear why.
const TURN_AWAY: Duration = Duration::from_secs(5);

/// Those who are told why they are turned away, at one time; more are only disconnected.
const TURNED_AWAY_MAX: usize = 256;

/// A rest after a listener's own failure, so that a broken one does not spin.
const LISTENER_PAUSE: Duration = Duration::from_secs(1);

/// What the server is made of.
pub struct ServerParts {
    /// Where accepted mail goes.
    pub intake: Intake,
    /// Shown by listeners with TLS. `None`: STARTTLS is not offered.
    pub tls: Option<TlsServer>,
    /// The folder of the configuration file: paths of Unix sockets start there.
    pub config_directory: PathBuf,
}

/// Why the server did not start. The operator's move.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is taken, is not ours, or is not allowed.
    #[error("the listener {name} cannot listen on {address}: {error}")]
    Listen {
        /// The listener.
        name: String,
        /// Where.
        address: Endpoint,
        /// What the system said.
        error: io::Error,
    },
    /// Implicit TLS without a certificate.
    #[error("the listener {name} wants TLS from the first byte, and there is no certificate")]
    NoCertificate {
        /// The listener.
        name: String,
    },
}

/// Listens and receives. Dropped, it ends all sessions at once, as a crash would; [`Server::stop`] lets them finish.
pub struct Server {
    hall: Arc<Hall>,
    addresses: Vec<(String, Endpoint)>,
    loops: JoinSet<()>,
}

/// What all sessions share.
pub(crate) struct Hall {
    pub(crate) intake: Intake,
    pub(crate) tls: Option<TlsServer>,
    pub(crate) stop: CancellationToken,
    pub(crate) gate: Gate,
}

enum Door {
    Tcp(net::Listener),
    Unix(net::UnixListener),
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
        });
        let mut doors = Vec::new();
        for listener in settings.listeners.iter().filter(|one| takes_mail(one)) {
            if listener.tls() == ListenerTls::Implicit && hall.tls.is_none() {
                let name = listener.name.clone();
                return Err(StartError::NoCertificate { name });
            }
            doors.push((
                listener.clone(),
                open(&hall, listener, &parts.config_directory).await?,
            ));
        }
        let mut addresses = Vec::new();
        let mut loops = JoinSet::new();
        for (listener, (door, address)) in doors {
            tracing::info!(listener = %listener.name, %address, "listening");
            addresses.push((listener.name.clone(), address));
            loops.spawn(receive(hall.clone(), Arc::new(listener), door));
        }
        Ok(Server {
            hall,
            addresses,
            loops,
        })
    }

    /// Where each listener listens, by its name, with the ports the system chose.
    #[must_use]
    pub fn addresses(&self) -> &[(String, Endpoint)] {
        &self.addresses
    }

    /// Where the listener of this name listens, when it has an IP address.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        let (_, address) = self.addresses.iter().find(|(own, _)| own == name)?;
        match address {
            Endpoint::Tcp(address) => Some(*address),
            Endpoint::Unix(_) => None,
        }
    }

    /// Takes no more sessions, answers 421 to those between two transactions, and gives the others [`GRACE`] to end.
    pub async fn stop(mut self) {
        self.hall.stop.cancel();
        while let Some(ended) = self.loops.join_next().await {
            note(ended);
        }
    }

    /// Sessions at present.
    #[cfg(test)]
    pub(crate) fn sessions(&self) -> u32 {
        self.hall.gate.sessions()
    }
}

fn takes_mail(listener: &Listener) -> bool {
    match listener.protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => true,
        Protocol::Imap | Protocol::Pop3 | Protocol::Http => false,
    }
}

async fn open(
    hall: &Hall,
    listener: &Listener,
    folder: &std::path::Path,
) -> Result<(Door, Endpoint), StartError> {
    let net = &hall.intake.world().net;
    let opened = match &listener.address {
        Endpoint::Tcp(address) => match net.listen(*address, ListenOptions::default()).await {
            Ok(door) => {
                let bound = door.local_addr().unwrap_or(*address);
                Ok((Door::Tcp(door), Endpoint::Tcp(bound)))
            }
            Err(error) => Err(error),
        },
        Endpoint::Unix(path) => {
            let path = folder.join(path);
            let door = net.listen_unix(&path, UNIX_MODE).await;
            door.map(|door| (Door::Unix(door), Endpoint::Unix(path)))
        }
    };
    opened.map_err(|error| StartError::Listen {
        name: listener.name.clone(),
        address: listener.address.clone(),
        error,
    })
}

/// The accept loop of one listener; owns its sessions, so that they end with it.
async fn receive(hall: Arc<Hall>, listener: Arc<Listener>, door: Door) {
    let mut sessions = JoinSet::new();
    let mut turned_away = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = hall.stop.cancelled() => break,
            Some(ended) = sessions.join_next() => { note(ended); continue }
            Some(ended) = turned_away.join_next() => { note(ended); continue }
            accepted = door.accept() => accepted,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::error!(listener = %listener.name, %error, "cannot accept connections; trying again");
                hall.intake.world().clock.sleep(LISTENER_PAUSE).await;
                continue;
            }
        };
        let settings = hall.intake.settings();
        let listener = current(&settings, &listener);
        match hall.gate.enter(&listener, &settings.limits) {
            Ok(seat) => {
                sessions.spawn(session(hall.clone(), listener, settings, stream, seat));
            }
            Err(why) => {
                tracing::warn!(listener = %listener.name, ?why, "too many sessions; turned one away");
                let clear = listener.tls() != ListenerTls::Implicit;
                if clear && turned_away.len() < TURNED_AWAY_MAX {
                    turned_away.spawn(turn_away(hall.clone(), settings, stream));
                }
            }
        }
    }
    drop(door);
    finish(&hall, sessions).await;
}

/// The listener's settings of this moment; those it was opened with when it is not in the file any more.
pub(crate) fn current(settings: &Settings, listener: &Arc<Listener>) -> Arc<Listener> {
    match settings
        .listeners
        .iter()
        .find(|one| one.name == listener.name)
    {
        Some(now) if *now != **listener => Arc::new(now.clone()),
        Some(_) | None => listener.clone(),
    }
}

async fn session(
    hall: Arc<Hall>,
    listener: Arc<Listener>,
    settings: Arc<Settings>,
    stream: Stream,
    seat: Seat,
) {
    Session::new(hall, listener, settings)
        .run(stream, seat)
        .await;
}

async fn turn_away(hall: Arc<Hall>, settings: Arc<Settings>, mut stream: Stream) {
    let words = crowded(&settings);
    let telling = async {
        stream.write_all(&words).await?;
        stream.shutdown().await
    };
    match hall.intake.world().clock.timeout(TURN_AWAY, telling).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client did not wait to be turned away"),
        Err(late) => tracing::debug!(%late, "a client did not listen to why it is turned away"),
    }
}

/// Waits for the sessions to end; what is left after [`GRACE`] is cut off, and leaves nothing.
async fn finish(hall: &Hall, mut sessions: JoinSet<()>) {
    let ending = async {
        while let Some(ended) = sessions.join_next().await {
            note(ended);
        }
    };
    if hall
        .intake
        .world()
        .clock
        .timeout(GRACE, ending)
        .await
        .is_err()
    {
        tracing::warn!(
            sessions = sessions.len(),
            "cutting off sessions that did not end in time"
        );
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a session ended by a defect of ours; the others go on");
    }
}

impl Door {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Door::Tcp(door) => door.accept().await.map(|(stream, _peer)| stream),
            Door::Unix(door) => door.accept().await,
        }
    }
}
