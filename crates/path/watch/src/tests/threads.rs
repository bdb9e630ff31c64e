//! On the real world's threads: what a simulation in one thread cannot show.

use std::sync::mpsc;

use ground_world::WorldOptions;

use super::*;

/// Threads of the pool that delivery shares.
const WORKERS: usize = 2;

#[test]
fn a_delivery_that_blocks_every_thread_of_its_pool_delays_no_sweep() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("book.db").display());
    let mut settings = Settings::default();
    settings.queue.lifetime = Duration::from_secs(60);
    settings.watch.sweep_interval = Duration::from_millis(10);
    // Everything is on its way: mail whose lifetime ends in half a second, and the watch.
    let (ledger, watch, pool) = runtime.block_on(async {
        let options = WorldOptions::default();
        let (world, clock) = World::real_with_clock_control(&options, Duration::ZERO).unwrap();
        let store = Store::open(&url, Options::default(), &world).await.unwrap();
        let ledger = open(&store, &world, &settings).await;
        let bench = Bench {
            world: world.clone(),
            simulation: World::simulated(0).1,
            store,
            settings: settings.clone(),
            ledger: ledger.clone(),
        };
        bench
            .accept("jo@a.example", &[("k@b.example", NEVER, queued())])
            .await;
        let pool = world.pool_apart("watch").unwrap();
        let watch = Watch::start(WatchParts {
            ledger: ledger.apart(),
            settings: Arc::new(settings),
            supervisor: Supervisor::on(world.clock.clone(), pool.handle().clone()),
            runtime: pool.handle().clone(),
        });
        clock.advance(Duration::from_millis(59_500)).await;
        (ledger, watch.unwrap(), pool)
    });
    // Every thread of the pool is blocked.
    let (blocked, all_blocked) = mpsc::channel();
    let mut free = Vec::new();
    for _ in 0..WORKERS {
        let (release, until) = mpsc::channel::<()>();
        let blocked = blocked.clone();
        runtime.spawn(async move {
            blocked.send(()).unwrap();
            until.recv()
        });
        free.push(release);
    }
    for _ in 0..WORKERS {
        all_blocked.recv_timeout(Duration::from_secs(10)).unwrap();
    }
    // Asked from outside of the pool: inside nothing would be answered.
    let (tell, told) = mpsc::channel();
    let apart = ledger.apart();
    pool.handle().spawn(async move {
        loop {
            let filter = path_ledger::Filter::default();
            let listed = apart.list(&filter).await.unwrap();
            if listed.is_empty() {
                break tell.send(()).unwrap();
            }
            apart.world().clock.sleep(Duration::from_millis(5)).await;
        }
    });
    told.recv_timeout(Duration::from_secs(20)).unwrap();
    drop(free);
    drop((watch, pool));
    runtime.shutdown_background();
}
