//! The ready lists of one hop: claimed jobs, first attempts, retries and suspects in three lines that take turns.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use path_ledger::{Job, MessageId, Place, RecipientId};

use crate::leases::Held;
use crate::suspects::{OnStand, Stand, must_be_alone};

/// A claimed job that waits for a connection.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) job: Job,
    /// Keeps its lease.
    pub(crate) held: Held,
    /// Its room in the hand-off, when it came that way.
    pub(crate) place: Option<Place>,
    /// Its place on the stand, when it must be tried alone.
    pub(crate) on_stand: Option<OnStand>,
    /// Its part of `ready_limit`.
    #[expect(dead_code, reason = "held for its drop")]
    pub(crate) counted: Counted,
}

/// Three lines.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    fresh: VecDeque<Ready>,
    retries: VecDeque<Ready>,
    /// Those that must be tried alone.
    suspects: VecDeque<Ready>,
    turn: Turn,
    /// Whether the hop's task takes more.
    gate: Gate,
}

#[derive(Debug, Clone, Copy, Default)]
enum Turn {
    #[default]
    Fresh,
    Retry,
    Suspect,
}

impl Turn {
    const fn next(self) -> Self {
        match self {
            Turn::Fresh => Turn::Retry,
            Turn::Retry => Turn::Suspect,
            Turn::Suspect => Turn::Fresh,
        }
    }
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
        match (must_be_alone(&ready), tried) {
            (true, _) => self.suspects.push_back(ready),
            (false, true) => self.retries.push_back(ready),
            (false, false) => self.fresh.push_back(ready),
        }
        Ok(())
    }

    /// The next job: the lines take turns, so new mail never waits behind retries or suspects, nor they behind it for ever.
    pub(crate) fn pop(&mut self, stand: &Stand) -> Option<Ready> {
        let mut turn = self.turn;
        for _ in 0..3 {
            let next = match turn {
                Turn::Fresh => self.fresh.pop_front(),
                Turn::Retry => self.retries.pop_front(),
                Turn::Suspect => self.pop_suspect(stand),
            };
            turn = turn.next();
            if next.is_some() {
                self.turn = turn;
                return next;
            }
        }
        None
    }

    fn pop_suspect(&mut self, stand: &Stand) -> Option<Ready> {
        if self.suspects.is_empty() {
            return None;
        }
        let on_stand = stand.take()?;
        let mut suspect = self.suspects.pop_front()?;
        suspect.on_stand = Some(on_stand);
        Some(suspect)
    }

    /// Jobs that a worker could have now.
    pub(crate) fn ready(&self, stand: &Stand) -> usize {
        let suspects = match stand.is_free() {
            true => self.suspects.len().min(1),
            false => 0,
        };
        self.fresh.len() + self.retries.len() + suspects
    }

    fn len(&self) -> usize {
        self.fresh.len() + self.retries.len() + self.suspects.len()
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> Vec<Ready> {
        let lines = [&mut self.fresh, &mut self.retries, &mut self.suspects];
        lines.into_iter().flat_map(|line| line.drain(..)).collect()
    }

    /// The messages in them.
    pub(crate) fn messages(&self) -> Vec<String> {
        let all = [&self.fresh, &self.retries, &self.suspects];
        let all = all.into_iter().flatten();
        all.map(|ready| ready.job.message.to_string()).collect()
    }

    /// Takes out jobs whose claims are not ours any more, and one that is to be forgotten.
    pub(crate) fn prune(&mut self, forgotten: Option<MessageId>) -> Vec<Ready> {
        let mut out = Vec::new();
        for line in [&mut self.fresh, &mut self.retries, &mut self.suspects] {
            let goes = |ready: &Ready| {
                let named = Some(ready.job.message) == forgotten;
                named || ready.held.is_disowned()
            };
            if !line.iter().any(goes) {
                continue;
            }
            for ready in std::mem::take(line) {
                match goes(&ready) {
                    true => out.push(ready),
                    false => line.push_back(ready),
                }
            }
        }
        out
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
        let less = |now: usize| Some(now.saturating_sub(self.n));
        // It always says yes.
        let counted = self
            .counter
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        debug_assert!(counted.is_ok(), "a count always goes down");
    }
}
