//! The accept loop of one listener: who comes in gets a task of his own, or hears why not.

use std::sync::Arc;
use std::time::Duration;

use ground_settings::{Listener, ListenerTls, Settings};
use ground_world::net::Stream;
use tokio::io::AsyncWriteExt;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::doors::Door;
use crate::server::{GRACE, Hall};
use crate::session::{Session, crowded};

/// How long somebody who is turned away has to hear why.
const TURN_AWAY: Duration = Duration::from_secs(5);

/// Those who are told why they are turned away, at one time; more are only disconnected.
const TURNED_AWAY_MAX: usize = 256;

/// A rest after a listener's own failure, so that a broken one does not spin.
const LISTENER_PAUSE: Duration = Duration::from_secs(1);

/// Receives at one door for one listener. Owns its sessions, so that they end with it.
pub(crate) struct Receiver {
    pub(crate) hall: Arc<Hall>,
    pub(crate) listener: Arc<Listener>,
    pub(crate) door: Arc<Door>,
    /// Takes no more sessions then.
    pub(crate) closing: CancellationToken,
    /// Ends its sessions then, in good order.
    pub(crate) leave: CancellationToken,
}

impl Receiver {
    /// To the end of its last session.
    pub(crate) async fn receive(self) {
        let mut sessions = JoinSet::new();
        let mut turned_away = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.closing.cancelled() => break,
                Some(ended) = sessions.join_next() => { note(ended); continue }
                Some(ended) = turned_away.join_next() => { note(ended); continue }
                accepted = self.door.accept() => accepted,
            };
            match accepted {
                Ok(stream) => self.admit(stream, &mut sessions, &mut turned_away),
                Err(error) => {
                    tracing::error!(listener = %self.listener.name, %error, "cannot accept connections; trying again");
                    self.hall.intake.world().clock.sleep(LISTENER_PAUSE).await;
                }
            }
        }
        let hall = self.hall;
        drop(self.door);
        tokio::select! {
            () = all_over(&mut sessions) => {}
            () = hall.stop.cancelled() => finish(&hall, sessions).await,
        }
    }

    /// A place and a session for who came, or the reason why not.
    fn admit(&self, stream: Stream, sessions: &mut JoinSet<()>, turned_away: &mut JoinSet<()>) {
        let hall = self.hall.clone();
        let settings = hall.intake.settings();
        let listener = current(&settings, &self.listener);
        match hall.gate.enter(&listener, &settings.limits) {
            Ok(seat) => {
                let session = Session::new(hall, listener, settings, self.leave.clone());
                sessions.spawn(session.run(stream, seat));
            }
            Err(why) => {
                tracing::warn!(listener = %listener.name, ?why, "too many sessions; turned one away");
                let clear = listener.tls() != ListenerTls::Implicit;
                if clear && turned_away.len() < TURNED_AWAY_MAX {
                    turned_away.spawn(turn_away(hall, settings, stream));
                }
            }
        }
    }
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

async fn all_over(sessions: &mut JoinSet<()>) {
    while let Some(ended) = sessions.join_next().await {
        note(ended);
    }
}

/// Waits for the sessions to end; what is left after [`GRACE`] is cut off, and leaves nothing.
async fn finish(hall: &Hall, mut sessions: JoinSet<()>) {
    let clock = &hall.intake.world().clock;
    if clock.timeout(GRACE, all_over(&mut sessions)).await.is_err() {
        tracing::warn!(
            sessions = sessions.len(),
            "cutting off sessions that did not end in time"
        );
    }
}

pub(crate) fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a session ended by a defect of ours; the others go on");
    }
}
