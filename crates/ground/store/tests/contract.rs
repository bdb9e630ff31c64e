//! The contract suite against SQLite, on a real file with its threads and inline on a simulated disk, and against PostgreSQL.

mod private;

use std::sync::Arc;
use std::time::Duration;

use ground_store::contract::{CASES, Opening, Place};
use ground_store::{Options, Store};
use ground_world::{World, WorldOptions};
use private::PrivateServer;

fn options() -> Options {
    Options {
        write_deadline: Duration::from_millis(2000),
        orphan_grace: Duration::ZERO,
        ..Options::default()
    }
}

struct RealFile {
    folder: tempfile::TempDir,
    world: World,
}

impl Place for RealFile {
    fn open(&self) -> Opening<'_> {
        let url = format!("sqlite:{}", self.folder.path().join("data/a.db").display());
        Box::pin(async move { Store::open(&url, options(), &self.world).await })
    }
}

struct SimulatedDisk {
    world: World,
}

impl Place for SimulatedDisk {
    fn open(&self) -> Opening<'_> {
        Box::pin(Store::open("sqlite:/data/a.db", options(), &self.world))
    }
}

struct Database {
    url: String,
    world: World,
}

impl Place for Database {
    fn open(&self) -> Opening<'_> {
        Box::pin(Store::open(&self.url, options(), &self.world))
    }
}

/// Runs every case in a place of its own and tells all that failed.
async fn run_all(mut place: impl FnMut() -> Arc<dyn Place>) {
    let mut failed = Vec::new();
    for case in CASES {
        match tokio::spawn((case.run)(place())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failed.push(format!("{}: {error}", case.name)),
            Err(panicked) => failed.push(format!("{}: {panicked}", case.name)),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_on_a_real_file_keeps_the_contract() {
    run_all(|| {
        Arc::new(RealFile {
            folder: tempfile::tempdir().unwrap(),
            world: World::real(&WorldOptions::default()).unwrap(),
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn sqlite_inline_on_a_simulated_disk_keeps_the_contract() {
    run_all(|| {
        let (world, _simulation) = World::simulated(7);
        Arc::new(SimulatedDisk { world })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_keeps_the_contract() {
    let server = PrivateServer::start();
    let mut cases = 0;
    run_all(|| {
        cases += 1;
        Arc::new(Database {
            url: server.database(&format!("case{cases}")),
            world: World::real(&WorldOptions::default()).unwrap(),
        })
    })
    .await;
}
