//! A sweep that panics is logged and started anew: no defect stops the clock of all mail.

use std::time::Duration;

use ground_world::clock::Clock;
use tokio::task::JoinSet;

/// The pause before a sweep that ended is started anew, so that a defect met at once does not eat a processor.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs `work`, which should never end, for as long as this is awaited; dropping it ends the work too.
pub(crate) async fn keep<W, F>(name: &'static str, clock: Clock, work: W)
where
    W: Fn() -> F,
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut task = JoinSet::new();
        task.spawn(work());
        match task.join_next().await {
            Some(Err(error)) => {
                tracing::error!(sweep = name, %error, "a sweep failed and is started anew")
            }
            Some(Ok(())) | None => {
                tracing::error!(sweep = name, "a sweep ended and is started anew")
            }
        }
        clock.sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ground_world::World;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_sweep_that_panics_or_ends_is_started_anew() {
        let (world, _simulation) = World::simulated(1);
        let starts = Arc::new(AtomicU32::new(0));
        let counted = starts.clone();
        let work = move || {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                match start {
                    0 => panic!("a defect"),
                    1 => {}
                    _ => std::future::pending().await,
                }
            }
        };
        let kept = tokio::spawn(keep("test", world.clock.clone(), work));
        world.clock.sleep(PAUSE * 5).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
        kept.abort();
    }
}
