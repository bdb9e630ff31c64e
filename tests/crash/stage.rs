//! What the load, the sink and the killer know of each other.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Recipients the sink may lag behind before sessions wait: bounds the book, not the load on it.
const BACKLOG_MAX: u64 = 2000;

/// Where servers listen in their present lives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Door {
    #[default]
    Shut,
    Open(Vec<SocketAddr>),
    /// No more load.
    Over,
}

#[derive(Debug, Default)]
struct State {
    door: Door,
    serial: u64,
    /// Sessions so far.
    entered: usize,
    counts: Counts,
    silence: Option<Silence>,
}

/// The times between one 250 and the next.
#[derive(Debug, Clone, Copy)]
struct Silence {
    last: Instant,
    longest: Duration,
}

impl Silence {
    /// The longest so far, the present one included.
    fn longest(self) -> Duration {
        self.longest.max(self.last.elapsed())
    }
}

/// What has happened so far.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    /// Messages that got 250.
    pub(crate) accepted: u64,
    /// Recipients elsewhere of those messages.
    pub(crate) owed: u64,
    /// Recipients at the sink, each copy counted.
    pub(crate) sunk: u64,
    /// Messages refused for now (4xx).
    pub(crate) refused: u64,
    /// Sessions that broke off.
    pub(crate) broken: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_door(&self, door: Door) {
        self.lock().door = door;
        self.changed.notify_all();
    }

    pub(crate) fn open(&self, address: SocketAddr) {
        self.open_each(vec![address]);
    }

    /// Sessions go to each of these in turn.
    pub(crate) fn open_each(&self, addresses: Vec<SocketAddr>) {
        self.set_door(Door::Open(addresses));
    }

    /// Sessions under way go on; those that lose their connection wait for the next life.
    pub(crate) fn shut(&self) {
        self.set_door(Door::Shut);
    }

    pub(crate) fn end(&self) {
        self.set_door(Door::Over);
    }

    /// Waits until the server is up; none: the load is over.
    pub(crate) fn enter(&self) -> Option<SocketAddr> {
        let shut = |state: &mut State| state.door == Door::Shut;
        let state = self.changed.wait_while(self.lock(), shut);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.entered += 1;
        let entered = state.entered;
        match &state.door {
            Door::Open(addresses) => addresses.get(entered % addresses.len()).copied(),
            Door::Shut | Door::Over => None,
        }
    }

    /// The number of the next letter, once the sink is not too far behind; none: the load is over.
    pub(crate) fn next_serial(&self) -> Option<u64> {
        let behind = |state: &mut State| {
            state.door != Door::Over && state.counts.owed > state.counts.sunk + BACKLOG_MAX
        };
        let state = self.changed.wait_while(self.lock(), behind);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.door == Door::Over {
            return None;
        }
        state.serial += 1;
        Some(state.serial)
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut state = self.lock();
        let before = state.counts.accepted;
        change(&mut state.counts);
        if state.counts.accepted > before {
            state.silence = state.silence.map(|silence| Silence {
                last: Instant::now(),
                longest: silence.longest(),
            });
        }
        drop(state);
        self.changed.notify_all();
    }

    /// From now on the times without any 250 are measured.
    pub(crate) fn listen_for_silence(&self) {
        self.lock().silence = Some(Silence {
            last: Instant::now(),
            longest: Duration::ZERO,
        });
    }

    /// The longest time without any 250 since [`Self::listen_for_silence`].
    pub(crate) fn longest_silence(&self) -> Duration {
        let silence = self.lock().silence;
        silence.map_or(Duration::ZERO, Silence::longest)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Waits until `reached`, at most until `deadline`; says whether it was.
    pub(crate) fn wait(&self, deadline: Instant, reached: impl Fn(&Counts) -> bool) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let not_yet = |state: &mut State| !reached(&state.counts);
        let waited = self.changed.wait_timeout_while(self.lock(), left, not_yet);
        let (_state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    /// Waits for any change at the sink, at most `pause`.
    pub(crate) fn pause(&self, pause: Duration) {
        let sunk = self.counts().sunk;
        self.wait(Instant::now() + pause, |counts| counts.sunk != sunk);
    }
}
