//! The accept loop of one listener: who comes in gets a task of his own, or hears why not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use ground_settings::{Listener, ListenerTls, Protocol, Settings};
use ground_world::net::Stream;
use ground_world::supervise::Pulse;
use tokio::io::AsyncWriteExt;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::doors::Door;
use crate::server::{GRACE, Hall};
use crate::session::{Session, crowded};
use crate::visit::{CROWDED, Visit};

/// How long somebody who is turned away has to hear why.
pub(crate) const TURN_AWAY: Duration = Duration::from_secs(5);

/// Those who are told why they are turned away, at one time; more are only disconnected.
const TURNED_AWAY_MAX: usize = 256;

/// A rest after a listener's own failure, so that a broken one does not spin.
const LISTENER_PAUSE: Duration = Duration::from_secs(1);

/// How often a listener that nobody comes to shows that it lives, and notes the sessions that ended.
const LOOK: Duration = Duration::from_secs(5);

/// It shows that it lives within this time.
const PULSE: Duration = Duration::from_secs(60);

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

/// What the accept loop works with: it can fail and be replaced, and no session notices.
struct Reception {
    hall: Arc<Hall>,
    listener: Arc<Listener>,
    door: Arc<Door>,
    leave: CancellationToken,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    sessions: JoinSet<()>,
    turned_away: JoinSet<()>,
}

impl Receiver {
    /// To the end of its last session.
    pub(crate) async fn receive(self) {
        let inside = Arc::<Mutex<Inside>>::default();
        let reception = Arc::new(Reception {
            hall: self.hall.clone(),
            listener: self.listener.clone(),
            door: self.door,
            leave: self.leave,
            inside: inside.clone(),
        });
        let name = format!("listener {}", self.listener.name);
        let supervisor = &self.hall.supervisor;
        let kept = supervisor.keep(name, PULSE, move |pulse| {
            let reception = reception.clone();
            async move { reception.accept_all(pulse).await }
        });
        self.closing.cancelled().await;
        kept.stop().await;
        let mut sessions = std::mem::take(&mut hold(&inside).sessions);
        let hall = self.hall;
        tokio::select! {
            biased;
            () = all_over(&mut sessions) => {}
            () = hall.stop.cancelled() => finish(&hall, sessions).await,
        }
    }
}

fn hold(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    // Nothing in here panics half way, so a poisoned lock guards whole data.
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reception {
    async fn accept_all(&self, pulse: Pulse) {
        let clock = self.hall.intake.world().clock.clone();
        loop {
            pulse.beat("accepting");
            self.note_ended();
            match clock.timeout(LOOK, self.door.accept()).await {
                Ok(Ok(stream)) => self.admit(stream),
                Ok(Err(error)) => {
                    tracing::error!(listener = %self.listener.name, %error, "cannot accept connections; trying again");
                    clock.sleep(LISTENER_PAUSE).await;
                }
                Err(_nobody) => {}
            }
        }
    }

    fn note_ended(&self) {
        let mut inside = hold(&self.inside);
        while let Some(ended) = inside.sessions.try_join_next() {
            note(ended);
        }
        while let Some(ended) = inside.turned_away.try_join_next() {
            note(ended);
        }
    }

    /// A place and a session for who came, or the reason why not.
    fn admit(&self, stream: Stream) {
        let hall = self.hall.clone();
        let settings = hall.intake.settings();
        let listener = current(&settings, &self.listener);
        let mut inside = hold(&self.inside);
        match hall.gate.enter(&listener, &settings.limits) {
            Ok(seat) => {
                let leave = self.leave.clone();
                match listener.protocol {
                    Protocol::Http => {
                        let visit = Visit {
                            hall,
                            listener,
                            settings,
                            leave,
                        };
                        inside.sessions.spawn(visit.run(stream, seat));
                    }
                    Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
                        let session = Session::new(hall, listener, settings, leave);
                        inside.sessions.spawn(session.run(stream, seat));
                    }
                }
            }
            Err(why) => {
                tracing::warn!(listener = %listener.name, ?why, "too many sessions; turned one away");
                let clear = listener.tls() != ListenerTls::Implicit;
                if clear && inside.turned_away.len() < TURNED_AWAY_MAX {
                    let words = match listener.protocol {
                        Protocol::Http => CROWDED.into(),
                        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
                            crowded(&settings)
                        }
                    };
                    inside.turned_away.spawn(turn_away(hall, words, stream));
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

async fn turn_away(hall: Arc<Hall>, words: BytesMut, mut stream: Stream) {
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
