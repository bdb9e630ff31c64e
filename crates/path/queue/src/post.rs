//! A worker at its post, as it is seen from outside: at which stage, for how long, with what in hand.

use std::sync::Mutex;
use std::time::Duration;

use ground_world::clock::Clock;
use ground_world::supervise::Pulse;
use path_ledger::RecipientId;

use crate::hop::hold;
use crate::leases::Held;
use crate::permits::Permit;

/// Shared by the worker and those who watch it.
pub(crate) struct Post {
    pulse: Pulse,
    /// The lease of the job being tried: kept also when the worker dies, until the book knows.
    in_hand: Mutex<Option<Held>>,
    pub(crate) permit: Permit,
}

/// What a worker does. Each stage has a limit, past which another worker takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for a job, or for its node to live again.
    Waiting,
    /// Closes a session.
    Closing,
    /// Opens a session.
    Opening,
    /// Writes that an attempt at a suspect begins.
    Beginning,
    /// Hands a message over.
    Attempt,
    /// Waits for room to settle what came of it.
    Settling,
}

impl Stage {
    /// Its name, in alarms and in the history.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Stage::Waiting => "waiting",
            Stage::Closing => "closing",
            Stage::Opening => "opening",
            Stage::Beginning => "beginning",
            Stage::Attempt => "attempt",
            Stage::Settling => "settling",
        }
    }
}

impl Post {
    pub(crate) fn new(permit: Permit, clock: &Clock) -> Self {
        Self {
            pulse: Pulse::new(clock, Duration::MAX),
            in_hand: Mutex::default(),
            permit,
        }
    }

    /// The worker is at this stage, for `limit` at most.
    pub(crate) fn at(&self, stage: Stage, limit: Duration) {
        self.pulse.beat_within(stage.word(), limit);
    }

    /// It takes a job in hand.
    pub(crate) fn takes(&self, held: Held) {
        *hold(&self.in_hand) = Some(held);
    }

    /// It has nothing in hand any more; what it had.
    pub(crate) fn lets_go(&self) -> Option<Held> {
        hold(&self.in_hand).take()
    }

    /// The stage at which it hangs, and that in words, when it is there for longer than it may.
    pub(crate) fn silence(&self) -> Option<(&'static str, String)> {
        self.pulse.silence()
    }
}

/// What a worker had in hand, for the book and for those who run the server.
pub(crate) struct Dropped {
    pub(crate) recipients: Vec<RecipientId>,
    pub(crate) about: Vec<String>,
}

impl Dropped {
    pub(crate) fn of(held: Option<&Held>) -> Self {
        let whose = held.and_then(Held::whose);
        let (about, recipients) = match whose {
            Some((message, recipients)) => (vec![message.to_string()], recipients.to_vec()),
            None => (Vec::new(), Vec::new()),
        };
        Self { recipients, about }
    }
}
