//! What panics, ends or hangs is replaced; what rests is left alone.

use super::*;
use crate::World;
use std::sync::atomic::AtomicU32;

const LIMIT: Duration = Duration::from_secs(60);

fn supervisor() -> (Supervisor, World) {
    let (world, _simulation) = World::simulated(1);
    (Supervisor::new(world.clock.clone()), world)
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_ends_or_hangs_is_replaced_and_told_of() {
    let (supervisor, world) = supervisor();
    let starts = Arc::new(AtomicU32::new(0));
    let counted = starts.clone();
    let _kept = supervisor.keep("test", LIMIT, move |pulse| {
        let start = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match start {
                0 => panic!("a defect"),
                1 => {}
                2 => {
                    pulse.beat("question");
                    std::future::pending().await
                }
                _ => loop {
                    pulse.sleep(LIMIT / 2).await;
                },
            }
        }
    });
    let mut words = std::collections::BTreeSet::new();
    for pass in [PAUSE / 2, PAUSE, LIMIT + PAUSE] {
        world.clock.sleep(pass).await;
        words.extend(supervisor.replaced().into_iter().map(|one| one.words));
    }
    let expected = [
        "a defect",
        "it ended",
        "it hung at the stage \"question\" for 60 s",
    ];
    assert_eq!(words, expected.map(str::to_owned).into());
    world.clock.sleep(LIMIT * 3).await;
    assert_eq!(starts.load(Ordering::SeqCst), 4);
    let told = supervisor.replaced();
    let failures: Vec<_> = told.iter().map(|one| (one.failure, one.times)).collect();
    assert_eq!(
        failures,
        [(Failure::Ended, 2), (Failure::Hung("question"), 1)]
    );
    world.clock.sleep(RECENT).await;
    assert_eq!(supervisor.replaced(), []);
}

#[tokio::test(start_paused = true)]
async fn a_long_rest_is_no_silence_and_one_that_may_end_is_not_started_anew() {
    let (supervisor, world) = supervisor();
    let starts = Arc::new(AtomicU32::new(0));
    let counted = starts.clone();
    let mut kept = supervisor.keep("test", LIMIT, move |pulse| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { pulse.sleep(LIMIT * 100).await }
    });
    world.clock.sleep(LIMIT * 99).await;
    kept.ended().await;
    assert_eq!(starts.load(Ordering::SeqCst), 1);
    assert_eq!(supervisor.replaced(), []);
}

#[tokio::test(start_paused = true)]
async fn dropped_it_ends_its_task() {
    let (supervisor, world) = supervisor();
    let alive = Arc::new(());
    let held = alive.clone();
    let kept = supervisor.keep("test", LIMIT, move |_| {
        let held = held.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
        }
    });
    world.clock.sleep(PAUSE).await;
    assert!(Arc::strong_count(&alive) > 1);
    drop(kept);
    world.clock.sleep(PAUSE).await;
    assert_eq!(Arc::strong_count(&alive), 1);
}
