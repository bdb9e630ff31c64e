//! What the operating system asks of the process: stop, or read the settings again.

use std::io;

use tokio::signal::unix::{Signal as Source, SignalKind, signal};
use tokio::sync::mpsc;

/// Signals a test may send ahead of their being received.
const SCRIPTED_AHEAD: usize = 16;

/// A request to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stop gracefully (SIGTERM, SIGINT).
    Shutdown,
    /// Read the settings and certificates again (SIGHUP).
    Reload,
}

/// Receives signals.
#[derive(Debug)]
pub struct Signals {
    twin: Twin,
}

#[derive(Debug)]
enum Twin {
    Real {
        terminate: Source,
        interrupt: Source,
        hangup: Source,
    },
    Scripted(mpsc::Receiver<Signal>),
}

impl Signals {
    /// Catches SIGTERM, SIGINT and SIGHUP from now on; they no longer end the process.
    ///
    /// # Errors
    /// Ours: the handlers cannot be installed.
    pub fn real() -> io::Result<Self> {
        Ok(Self {
            twin: Twin::Real {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
            },
        })
    }

    /// Signals that a test sends.
    pub fn scripted() -> (SignalSender, Self) {
        let (sender, receiver) = mpsc::channel(SCRIPTED_AHEAD);
        let signals = Self {
            twin: Twin::Scripted(receiver),
        };
        (SignalSender { sender }, signals)
    }

    /// The next signal. Safe to cancel. Signals of one kind that come faster than they are received count once.
    pub async fn recv(&mut self) -> Signal {
        match &mut self.twin {
            Twin::Real {
                terminate,
                interrupt,
                hangup,
            } => {
                tokio::select! {
                    biased;
                    Some(()) = terminate.recv() => Signal::Shutdown,
                    Some(()) = interrupt.recv() => Signal::Shutdown,
                    Some(()) = hangup.recv() => Signal::Reload,
                    else => std::future::pending().await,
                }
            }
            Twin::Scripted(receiver) => match receiver.recv().await {
                Some(signal) => signal,
                None => std::future::pending().await,
            },
        }
    }
}

/// Sends signals to a simulated process.
#[derive(Clone, Debug)]
pub struct SignalSender {
    sender: mpsc::Sender<Signal>,
}

impl SignalSender {
    /// Sends `signal`; waits while too many are not received yet. Nothing happens when nobody receives any more.
    pub async fn send(&self, signal: Signal) {
        if self.sender.send(signal).await.is_err() {
            tracing::debug!(?signal, "nobody receives signals any more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hangup_asks_for_a_reload() {
        let mut signals = Signals::real().unwrap();
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::HUP).unwrap();
        assert_eq!(signals.recv().await, Signal::Reload);
        rustix::process::kill_process(me, rustix::process::Signal::TERM).unwrap();
        assert_eq!(signals.recv().await, Signal::Shutdown);
    }

    #[tokio::test(start_paused = true)]
    async fn scripted_signals_arrive_in_order() {
        let (sender, mut signals) = Signals::scripted();
        sender.send(Signal::Reload).await;
        sender.send(Signal::Shutdown).await;
        assert_eq!(signals.recv().await, Signal::Reload);
        assert_eq!(signals.recv().await, Signal::Shutdown);
    }
}
