//! Units in line for an engine's writer, and how many of them share a transaction: the same for every engine.

use tokio::sync::{mpsc, oneshot};

use crate::{Done, Options, StoreError, Unit};

/// What a unit is told.
pub(crate) type Answer = Result<Done, StoreError>;

/// One unit on its way to the writer.
pub(crate) struct Job {
    pub(crate) unit: Unit,
    pub(crate) answer: oneshot::Sender<Answer>,
}

impl Job {
    /// Nobody waits for it any more: not begun is better than an outcome nobody knows.
    pub(crate) fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }
}

/// Lines up `unit` and waits for its answer.
pub(crate) async fn ask(writer: &mpsc::Sender<Job>, unit: Unit) -> Answer {
    let (answer, wait) = oneshot::channel();
    if writer.send(Job { unit, answer }).await.is_err() {
        return Err(StoreError::Unavailable("the writer has ended".into()));
    }
    wait.await.unwrap_or_else(|_| {
        Err(StoreError::Unavailable(
            "the writer failed; the outcome is not known".into(),
        ))
    })
}

/// How much one transaction takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupBounds {
    /// Units.
    pub(crate) count: usize,
    /// Octets, about.
    pub(crate) bytes: usize,
}

impl GroupBounds {
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            count: options.group_commit_count.max(1),
            bytes: options.group_commit_bytes,
        }
    }
}

/// Units that will share a transaction.
pub(crate) struct Group {
    jobs: Vec<Job>,
    bytes: usize,
}

impl Group {
    pub(crate) fn begin(bounds: GroupBounds, first: Job) -> Self {
        let bytes = first.unit.weight();
        let mut jobs = Vec::with_capacity(bounds.count.min(64));
        jobs.push(first);
        Self { jobs, bytes }
    }

    /// Takes what waits, up to the bounds of a group; returns the job that no longer fitted.
    pub(crate) fn gather(
        &mut self,
        bounds: GroupBounds,
        waiting: &mut mpsc::Receiver<Job>,
    ) -> Option<Job> {
        while self.jobs.len() < bounds.count {
            let Ok(job) = waiting.try_recv() else { break };
            if job.is_given_up() {
                continue;
            }
            self.bytes = self.bytes.saturating_add(job.unit.weight());
            if self.bytes > bounds.bytes {
                return Some(job);
            }
            self.jobs.push(job);
        }
        None
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn units(&self) -> impl ExactSizeIterator<Item = &Unit> + Clone {
        self.jobs.iter().map(|job| &job.unit)
    }

    /// Tells each caller its own answer.
    pub(crate) fn answer(self, answers: impl IntoIterator<Item = Answer>) {
        for (job, answer) in self.jobs.into_iter().zip(answers) {
            tell(job.answer, answer);
        }
    }

    /// Tells every caller the same.
    pub(crate) fn refuse(self, error: &StoreError) {
        self.answer(std::iter::repeat_with(|| Err(error.clone())));
    }
}

/// Answers; a caller that no longer waits has been told by its own deadline.
pub(crate) fn tell<T>(answer: oneshot::Sender<T>, value: T) {
    if answer.send(value).is_err() {
        tracing::debug!("nobody waits for this answer any more");
    }
}
