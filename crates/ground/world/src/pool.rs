//! Threads apart from all others: what runs there does not wait for a worker of the pool that everything else shares.
//!
//! | twin      | where its tasks run                                                    |
//! |-----------|------------------------------------------------------------------------|
//! | real      | [`THREADS`] threads with a runtime of their own, ended with the [`Pool`] |
//! | simulated | on the one runtime there is, or time would not stand still for them     |

use std::io;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::World;

/// Threads of a pool: while one is blocked, the other goes on.
pub const THREADS: usize = 2;

/// A runtime; dropped, its tasks end with it.
#[derive(Debug)]
pub struct Pool {
    handle: Handle,
    /// Ends the threads when it is dropped. None in a simulated world.
    #[expect(dead_code, reason = "held for its drop")]
    open: Option<oneshot::Sender<()>>,
}

impl Pool {
    /// Where its tasks are spawned.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl World {
    /// A pool whose threads carry `name`. Needs a tokio runtime in a simulated world.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn pool_apart(&self, name: &str) -> io::Result<Pool> {
        if self.clock.is_simulated() {
            let handle = Handle::current();
            return Ok(Pool { handle, open: None });
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name(name)
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (open, closed) = oneshot::channel::<()>();
        // A runtime must not be dropped where others run, so a thread waits to do it.
        std::thread::Builder::new()
            .name(format!("{name}-end"))
            .spawn(move || {
                if closed.blocking_recv().is_err() {
                    runtime.shutdown_background();
                }
            })?;
        let open = Some(open);
        Ok(Pool { handle, open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WorldOptions;
    use std::sync::mpsc;
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_pool_apart_works_while_every_thread_of_the_other_is_blocked() {
        let world = World::real(&WorldOptions::default()).unwrap();
        let pool = world.pool_apart("apart").unwrap();
        let (tell, told) = mpsc::channel();
        // This thread and the only worker wait without yielding.
        let (free, blocked) = mpsc::channel::<()>();
        tokio::spawn(async move { blocked.recv() });
        let clock = world.clock.clone();
        pool.handle().spawn(async move {
            clock.sleep(Duration::from_millis(1)).await;
            tell.send(()).unwrap();
        });
        told.recv_timeout(Duration::from_secs(10)).unwrap();
        drop(free);
    }
}
