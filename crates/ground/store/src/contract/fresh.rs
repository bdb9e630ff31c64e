//! An empty store for one test of the floors above, on the engine that the test run is about.

use tokio::sync::oneshot;

use crate::postgres::Postgres;
use crate::{Options, Store, StoreError};
use ground_world::{World, WorldOptions};

/// Names the server, when tests are to run on PostgreSQL; see `examples/private_postgres.rs`.
const SERVER: &str = "POSTRIDER_TEST_POSTGRES";

/// A store that nobody else sees.
pub struct Fresh {
    /// The store.
    pub store: Store,
    /// Released when this is dropped.
    _time_held: Option<oneshot::Sender<()>>,
}

/// Opens an empty store: in memory, in `world`; or, when the environment names a server, a new database there. Keep the
/// answer as long as the store is used.
///
/// # Errors
/// The store's.
pub async fn fresh(world: &World) -> Result<Fresh, StoreError> {
    let Ok(server) = std::env::var(SERVER) else {
        return Ok(Fresh {
            store: Store::open("sqlite::memory:", Options::default(), world).await?,
            _time_held: None,
        });
    };
    let held = hold_time();
    let real = World::real(&WorldOptions::default())
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let name = format!("fresh_{:016x}", real.chance.u64());
    let url = Postgres::create_database(&server, &name, &real).await?;
    Ok(Fresh {
        store: Store::open(&url, Options::default(), &real).await?,
        _time_held: Some(held),
    })
}

/// Keeps tokio's paused clock from running ahead, to the next deadline, whenever the test waits for the server: it does not
/// while a blocking task runs.
fn hold_time() -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel::<()>();
    tokio::task::spawn_blocking(move || {
        // The sender is only ever dropped.
        released.blocking_recv().ok();
    });
    release
}
