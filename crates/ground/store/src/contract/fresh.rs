//! An empty store for one test of the floors above, on the engine that the test run is about.

use crate::faults::TimeHeld;
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
    match Database::create().await? {
        None => Store::open("sqlite::memory:", Options::default(), world).await,
        Some(database) => database.open().await,
    }
}

/// An empty database on the PostgreSQL server that the test run is about. It stays until [`Database::remove`], or as long as
/// its server.
pub struct Database {
    server: String,
    name: String,
    url: String,
    /// Sockets are never simulated ones.
    world: World,
}

impl Database {
    /// Makes one; none when the environment names no server, and the run is about SQLite.
    ///
    /// # Errors
    /// The server's.
    pub async fn create() -> Result<Option<Self>, StoreError> {
        let Ok(server) = std::env::var(SERVER) else {
            return Ok(None);
        };
        let _held = TimeHeld::begin();
        let world = World::real(&WorldOptions::default())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let name = format!("fresh_{:016x}", world.chance.u64());
        let url = Postgres::create_database(&server, &name, &world).await?;
        Ok(Some(Self {
            server,
            name,
            url,
            world,
        }))
    }

    /// Whether the environment names a server.
    #[must_use]
    pub fn is_meant() -> bool {
        std::env::var_os(SERVER).is_some()
    }

    /// As a configuration names it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens it. Paused clocks stand still while it is asked something.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(&self) -> Result<Store, StoreError> {
        let _held = TimeHeld::begin();
        let store = Store::open(&self.url, Options::default(), &self.world).await?;
        store.faults().hold_time();
        Ok(store)
    }

    /// Removes it, whoever is still connected to it.
    ///
    /// # Errors
    /// The server's.
    pub async fn remove(self) -> Result<(), StoreError> {
        let _held = TimeHeld::begin();
        Postgres::drop_database(&self.server, &self.name, &self.world).await
    }
}
