//! An empty store for one test of the floors above, on the engine that the test run is about.

use crate::postgres::Postgres;
use crate::{Options, Store, StoreError};
use ground_world::{World, WorldOptions};

/// Names the server, when tests are to run on PostgreSQL; see `examples/private_postgres.rs`.
const SERVER: &str = "POSTRIDER_TEST_POSTGRES";

/// Opens an empty store that nobody else sees: in memory, in `world`; or, when the environment names a server, a new
/// database there. Paused clocks stand still while it is asked something, as they do for a store in memory.
///
/// # Errors
/// The store's.
pub async fn fresh(world: &World) -> Result<Store, StoreError> {
    let Ok(server) = std::env::var(SERVER) else {
        return Store::open("sqlite::memory:", Options::default(), world).await;
    };
    let _held = crate::faults::TimeHeld::begin();
    let real = World::real(&WorldOptions::default())
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let name = format!("fresh_{:016x}", real.chance.u64());
    let url = Postgres::create_database(&server, &name, &real).await?;
    let store = Store::open(&url, Options::default(), &real).await?;
    store.faults().hold_time();
    Ok(store)
}
