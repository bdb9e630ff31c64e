//! The ready lists of one hop: claimed jobs, first attempts and retries in two lines that take turns.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use path_ledger::{Job, Place, RecipientId};

use crate::leases::Held;

/// A claimed job that waits for a connection.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) job: Job,
    /// Keeps its lease.
    pub(crate) held: Held,
    /// Its room in the hand-off, when it came that way.
    pub(crate) place: Option<Place>,
    /// Its part of `ready_limit`.
    #[expect(dead_code, reason = "held for its drop")]
    pub(crate) counted: Counted,
}

/// Two lines.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    fresh: VecDeque<Ready>,
    retries: VecDeque<Ready>,
    turn: Turn,
    /// Whether the hop's task takes more.
    gate: Gate,
}

#[derive(Debug, Clone, Copy, Default)]
enum Turn {
    #[default]
    Fresh,
    Retry,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    Open,
    Closed,
}

impl Lists {
    /// Adds a job to its line; gives it back when the hop's task is ending.
    pub(crate) fn push(&mut self, ready: Ready) -> Result<(), Box<Ready>> {
        if self.gate == Gate::Closed {
            return Err(Box::new(ready));
        }
        let tried = ready.job.recipients.iter().any(|one| one.attempts > 0);
        match tried {
            false => self.fresh.push_back(ready),
            true => self.retries.push_back(ready),
        }
        Ok(())
    }

    /// The next job: the lines take turns, so new mail never waits behind retries, nor they behind it for ever.
    pub(crate) fn pop(&mut self) -> Option<Ready> {
        let (first, second) = match self.turn {
            Turn::Fresh => (&mut self.fresh, &mut self.retries),
            Turn::Retry => (&mut self.retries, &mut self.fresh),
        };
        let next = first.pop_front().or_else(|| second.pop_front())?;
        self.turn = match self.turn {
            Turn::Fresh => Turn::Retry,
            Turn::Retry => Turn::Fresh,
        };
        Some(next)
    }

    pub(crate) fn len(&self) -> usize {
        self.fresh.len() + self.retries.len()
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> Vec<Ready> {
        self.fresh.drain(..).chain(self.retries.drain(..)).collect()
    }

    /// Takes nothing more, if nothing is left.
    pub(crate) fn close_if_empty(&mut self) -> bool {
        if self.len() == 0 {
            self.gate = Gate::Closed;
        }
        self.len() == 0
    }

    /// Takes nothing more, and gives up what is left.
    pub(crate) fn close(&mut self) -> Vec<Ready> {
        self.gate = Gate::Closed;
        self.drain()
    }
}

/// The recipients of these jobs.
pub(crate) fn recipients(jobs: &[Ready]) -> Vec<RecipientId> {
    let all = jobs.iter().flat_map(|ready| &ready.job.recipients);
    all.map(|one| one.id).collect()
}

/// Counts recipients in memory; gives them back when dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    counter: Arc<AtomicUsize>,
    n: usize,
}

impl Counted {
    pub(crate) fn new(counter: &Arc<AtomicUsize>, n: usize) -> Self {
        counter.fetch_add(n, Ordering::Relaxed);
        Self {
            counter: counter.clone(),
            n,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.n, Ordering::Relaxed);
    }
}
