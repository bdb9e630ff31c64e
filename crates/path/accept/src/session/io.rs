//! Waiting on the client: every read, write and handshake has its end.

use std::io;
use std::time::Duration;

use ground_world::net::Stream;
use ground_world::tls::TlsError;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire_smtp::reply::Reply;

use super::{Farewell, Session};
use crate::admit::Draft;

/// Room for one read: commands are short, and a message of usual size comes in one.
const READ: usize = 16 * 1024;
/// The same once a message has shown to be large: fewer system calls, and only its session pays the memory.
const READ_LARGE: usize = 64 * 1024;

/// How long the last words and the end of a connection may take.
const HANG_UP: Duration = Duration::from_secs(5);

/// Octets that are still read then, at most.
const DRAINED_MAX: usize = 1024 * 1024;

/// Content may go on for this many times the length of a session: a transaction is not cut off between two octets, but a
/// client that drips has an end too.
const CONTENT_SESSIONS: u32 = 2;

/// Why a session broke off.
#[derive(Debug, Error)]
pub(crate) enum Ended {
    /// The client's.
    #[error("the client is gone")]
    Gone,
    /// The client's, or the network's.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// Time's: the client did not take our replies.
    #[error("the client did not take a reply in time")]
    Deaf,
    /// The client's.
    #[error("no TLS: {0}")]
    Tls(#[from] TlsError),
    /// The operator's: who connects is no proxy, or speaks otherwise.
    #[error("{0}")]
    Proxy(String),
}

/// What a wait came to.
enum Heard {
    Octets(io::Result<usize>),
    Nothing,
    Stop,
}

impl Session {
    /// Reads what the client says next, into the machine. Says 421 when nothing came in time, or the session
    /// must leave.
    pub(super) async fn hear(&mut self, stream: &mut Stream) -> Result<(), Ended> {
        let wait = self.patience();
        if wait.is_zero() {
            // A read that is ready would win against any limit: the session is over whether or not more has come.
            self.give_up("4.4.2 The session took too long");
            return Ok(());
        }
        let received = self.draft.as_ref().map_or(0, Draft::received);
        let room = match received >= READ_LARGE as u64 {
            true => READ_LARGE,
            false => READ,
        };
        let may_stop = !self.machine.in_transaction();
        let input = self.machine.input();
        input.reserve(room);
        let clock = &self.hall.intake.world().clock;
        let heard = tokio::select! {
            biased;
            () = self.leave.cancelled(), if may_stop => Heard::Stop,
            heard = clock.timeout(wait, stream.read_buf(input)) => heard.map_or(Heard::Nothing, Heard::Octets),
        };
        match heard {
            Heard::Octets(Ok(0)) => Err(Ended::Gone),
            Heard::Octets(Ok(_)) => Ok(()),
            Heard::Octets(Err(error)) => Err(error.into()),
            Heard::Nothing => {
                self.give_up("4.4.2 You took too long");
                Ok(())
            }
            Heard::Stop => {
                self.give_up(match self.hall.stop.is_cancelled() {
                    true => "4.3.2 The server stops; come again",
                    false => "4.3.2 This listener is closed; come again",
                });
                Ok(())
            }
        }
    }

    /// How long the client may be silent now.
    fn patience(&self) -> Duration {
        let timeouts = &self.settings.timeouts;
        let age = self.hall.intake.world().clock.instant() - self.started;
        let (silence, whole) = match self.machine.in_content() {
            true => (
                timeouts.server_data_block,
                timeouts.server_session * CONTENT_SESSIONS,
            ),
            false => (timeouts.server_command, timeouts.server_session),
        };
        silence.min(whole.saturating_sub(age))
    }

    fn give_up(&mut self, words: &'static str) {
        self.draft = None;
        self.machine.close(&Reply::plain(421, words));
    }

    /// Sends all replies at once.
    pub(super) async fn flush(&mut self, stream: &mut Stream) -> Result<(), Ended> {
        if self.machine.output().is_empty() {
            return Ok(());
        }
        let output = self.machine.output();
        let sending = async {
            stream.write_all(output).await?;
            stream.flush().await
        };
        let limit = self.settings.timeouts.server_command;
        let clock = &self.hall.intake.world().clock;
        let sent = clock.timeout(limit, sending).await;
        self.machine.output().clear();
        Ok(sent.map_err(|_late| Ended::Deaf)??)
    }

    /// Ends the connection; the last words were sent.
    pub(super) async fn hang_up(&self, mut stream: Stream) -> Result<(), Ended> {
        let clock = &self.hall.intake.world().clock;
        let closing = async {
            stream.shutdown().await?;
            match self.farewell {
                Farewell::Theirs => Ok(()),
                Farewell::Ours => drain(&mut stream).await,
            }
        };
        let closed = clock.timeout(HANG_UP, closing).await;
        Ok(closed.map_err(|_late| Ended::Deaf)??)
    }

    /// Shakes hands.
    pub(super) async fn secure(&mut self, stream: Stream) -> Result<Stream, Ended> {
        let Some(tls) = &self.hall.tls else {
            return Err(Ended::Broken(io::Error::other("there is no certificate")));
        };
        let limit = self.settings.timeouts.tls_handshake;
        let clock = &self.hall.intake.world().clock;
        let shaken = clock.timeout(limit, tls.accept(stream)).await;
        let stream = shaken.map_err(|late| TlsError::TimedOut { after: late.after })??;
        let facts = stream.tls_facts();
        self.tls = facts.map(|facts| format!("{} {}", facts.version, facts.cipher));
        self.login = None;
        Ok(stream)
    }
}

/// Reads what still comes: closing over unread octets resets the connection, and the client might lose our last words.
async fn drain(stream: &mut Stream) -> io::Result<()> {
    // On the heap: it would make every session's task larger for its last moment.
    let mut piece = vec![0; 4096];
    for _ in 0..DRAINED_MAX / piece.len() {
        if stream.read(&mut piece).await? == 0 {
            break;
        }
    }
    Ok(())
}
