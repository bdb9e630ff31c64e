//! Where connections come from: whichever address of the URL takes writes.
//!
//! The address that took writes last is asked first, then the others in their order; one that is silent does not hold up the
//! next, and those that said no are asked again while it is waited for: a standby may have been promoted meanwhile.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ground_world::World;
use ground_world::net::Stream;
use ground_world::tls::{PlatformRoots, TlsClient, Verify};
use tokio::time::Instant;

use super::connection::Connection;
use super::url::{Address, Protection, Server};
use crate::{Options, Query, StoreError};

/// How long one address may take, from the connection to the end of the login: a host that is down must not use up the
/// time of the one that took over.
const EACH_ADDRESS: Duration = Duration::from_secs(5);

/// How long an address is waited for before the next is asked too: a login takes a tenth of it, and a machine that is gone
/// says nothing at all.
const HEAD_START: Duration = Duration::from_millis(500);

/// How long a reader believes that no address takes writes: while the database is away every query asks for it, and the
/// standbys have better to do than to refuse logins by the hundred.
const REFUSAL_HOLDS: Duration = Duration::from_millis(200);

/// Roots of an own certificate authority are a few kilobytes.
const ROOTS_BYTES: usize = 1 << 20;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Writer,
    Reader,
}

/// How one address is protected.
pub(super) struct Via {
    pub(super) tls: TlsClient,
    /// Whom the certificate must name.
    pub(super) name: String,
    pub(super) verify: Verify,
}

/// Makes connections.
pub(super) struct Dialer {
    server: Server,
    tls: TlsClient,
    world: World,
    write_deadline: Duration,
    read_deadline: Duration,
    /// The place of the address that took writes last.
    proven: AtomicUsize,
    /// One task asks at a time; those that wait hear what it was told. A login costs both ends thousands of hash rounds.
    turn: tokio::sync::Mutex<()>,
    /// When all addresses had refused, and what they said.
    refusal: Mutex<Option<(Instant, StoreError)>>,
}

/// Server settings of a connection, and what must be known of the server. `synchronous_commit` is raised to `on` where
/// somebody set it lower: 250 means flushed. `$1` is the time for one statement; `$2` for a transaction of ours that nobody
/// goes on with, because a node that was stopped must not keep its locks; `$3` says whether writes are refused.
const SESSION: &str = "SELECT current_setting('server_version_num')::bigint, current_setting('server_encoding'), \
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool, current_setting('fsync')::bool, \
       set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = 'remote_apply' \
           THEN 'remote_apply' ELSE 'on' END, false), \
       set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false), \
       set_config('idle_in_transaction_session_timeout', $2, false), \
       set_config('jit', 'off', false), set_config('default_transaction_read_only', $3, false)";

/// What the schema and the statements are written and tested for.
const OLDEST: i64 = 150_000;

impl Dialer {
    /// Reads the roots, when the URL names some.
    pub(super) async fn new(
        mut server: Server,
        options: &Options,
        world: &World,
    ) -> Result<Self, StoreError> {
        server.login.application_name(options.connections_name);
        let tls = match &server.protection {
            Protection::Verified { roots: Some(file) } => {
                let unusable = |why: String| {
                    StoreError::Unfit(format!("sslrootcert {}: {why}", file.display()))
                };
                let opened = world.disk.open(file).await;
                let opened = opened.map_err(|error| unusable(error.to_string()))?;
                let pem = opened.read_at(0, ROOTS_BYTES).await;
                let pem = pem.map_err(|error| unusable(error.to_string()))?;
                let tls = world.tls.trusting(PlatformRoots::Ignored, &pem);
                tls.map_err(|error| unusable(error.to_string()))?
            }
            Protection::None | Protection::Encrypted | Protection::Verified { roots: None } => {
                world.tls.clone()
            }
        };
        Ok(Self {
            server,
            tls: tls.client().clone(),
            world: world.clone(),
            write_deadline: options.write_deadline,
            read_deadline: options.read_deadline,
            proven: AtomicUsize::new(0),
            turn: tokio::sync::Mutex::default(),
            refusal: Mutex::default(),
        })
    }

    /// Connects to an address that takes writes.
    ///
    /// # Errors
    /// What each address said, in one. [`StoreError::Unfit`] when all of them say that this program has no business there: one
    /// alone may be a standby that does not have everything yet.
    pub(super) async fn connect(&self, role: Role) -> Result<Connection, StoreError> {
        let _turn = self.turn.lock().await;
        if let (Role::Reader, Some(error)) = (role, self.recent_refusal()) {
            return Err(error);
        }
        let connected = self.ask_all(role).await;
        let refusal = connected.as_ref().err().cloned();
        let refusal = refusal.map(|error| (self.world.clock.instant(), error));
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
        connected
    }

    fn recent_refusal(&self) -> Option<StoreError> {
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, error) = refusal.as_ref()?;
        (self.since(*at) < REFUSAL_HOLDS).then(|| error.clone())
    }

    fn since(&self, instant: Instant) -> Duration {
        let now = self.world.clock.instant();
        now.saturating_duration_since(instant)
    }

    async fn ask_all(&self, role: Role) -> Result<Connection, StoreError> {
        let (began, mut said) = (self.world.clock.instant(), Vec::new());
        let (mut waiting, mut under_way) = (self.in_order(), FuturesUnordered::new());
        loop {
            match waiting.pop_front() {
                Some(place) => under_way.push(self.attempt(place, role)),
                None if under_way.is_empty() => return Err(self.refused(said)),
                None => {}
            }
            match self.world.clock.timeout(HEAD_START, under_way.next()).await {
                Ok(Some((place, Ok(connection)))) => {
                    self.proven.store(place, Ordering::Relaxed);
                    return Ok(connection);
                }
                Ok(Some((place, Err(error)))) => said.push((place, error)),
                Ok(None) => {}
                Err(_) if waiting.is_empty() && self.since(began) < EACH_ADDRESS => {
                    waiting.extend(said.drain(..).map(|(place, _)| place));
                }
                Err(_) => {}
            }
        }
    }

    /// Every address once, the one that is likeliest to take writes first.
    fn in_order(&self) -> VecDeque<usize> {
        let mut places: VecDeque<usize> = (0..self.server.addresses.len()).collect();
        places.rotate_left(self.proven.load(Ordering::Relaxed).min(places.len()));
        places
    }

    async fn attempt(&self, place: usize, role: Role) -> (usize, Result<Connection, StoreError>) {
        let Some(address) = self.server.addresses.get(place) else {
            return (place, Err(StoreError::Unavailable("no address".into())));
        };
        let attempt = self.connect_to(address, role);
        let attempt = self.world.clock.timeout(EACH_ADDRESS, attempt).await;
        let late = |late| Err(StoreError::Unavailable(format!("no login: {late}")));
        (place, attempt.unwrap_or_else(late))
    }

    /// What all of them said.
    fn refused(&self, mut said: Vec<(usize, StoreError)>) -> StoreError {
        said.sort_by_key(|(place, _)| *place);
        let all_unfit = said
            .iter()
            .all(|(_, error)| matches!(error, StoreError::Unfit(_)));
        let one = |(place, error): &(usize, StoreError)| {
            let address = self.server.addresses.get(*place);
            let address = address.map_or_else(String::new, ToString::to_string);
            if let StoreError::Unfit(why) = error {
                return format!("{address}: {why}");
            }
            format!("{address}: {error}")
        };
        let together = said.iter().map(one).collect::<Vec<_>>().join("; ");
        match all_unfit {
            true => StoreError::Unfit(together),
            false => StoreError::Unavailable(together),
        }
    }

    async fn connect_to(&self, address: &Address, role: Role) -> Result<Connection, StoreError> {
        let stream = self.stream(address).await?;
        let (name, unix) = match address {
            Address::Tcp { host, .. } => (host.clone(), false),
            Address::Unix(_) => (String::new(), true),
        };
        let verify = match &self.server.protection {
            Protection::Verified { .. } => Verify::Required,
            Protection::None | Protection::Encrypted => Verify::Opportunistic,
        };
        let via = Via {
            tls: self.tls.clone(),
            name,
            verify,
        };
        let server = if unix {
            self.server.without_tls()
        } else {
            self.server.clone()
        };
        let mut connection = Connection::log_in(stream, &via, &server).await?;
        self.begin(&mut connection, role).await?;
        Ok(connection)
    }

    async fn stream(&self, address: &Address) -> Result<Stream, StoreError> {
        let net = &self.world.net;
        let stream = match address {
            Address::Tcp { host, port } => net.connect_host(host, *port, EACH_ADDRESS).await,
            Address::Unix(path) => net.connect_unix(path, EACH_ADDRESS).await,
        };
        stream.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Sets the session up and looks whom it is with.
    async fn begin(&self, connection: &mut Connection, role: Role) -> Result<(), StoreError> {
        let (time, read_only) = match role {
            Role::Writer => (self.write_deadline, "off"),
            Role::Reader => (self.read_deadline, "on"),
        };
        let millis = |time: Duration| format!("{}", time.as_millis().max(1));
        let idle = millis(self.write_deadline);
        let session = Query::new(
            SESSION,
            vec![millis(time).into(), idle.into(), read_only.into()],
        );
        let rows = connection.read(&session.text, &session.values, 1).await?;
        let row = rows
            .first()
            .ok_or_else(|| StoreError::Unavailable("the server does not say what it is".into()))?;
        let (version, encoding) = (row.int(0)?, row.text(1)?);
        if version < OLDEST {
            return Err(StoreError::Unfit(format!(
                "PostgreSQL 15 or newer is needed, this is {}",
                version / 10_000
            )));
        }
        if encoding != "UTF8" {
            return Err(StoreError::Unfit(format!(
                "the database's encoding is {encoding}; create it with ENCODING 'UTF8' TEMPLATE template0"
            )));
        }
        if row.flag(2)? {
            return Err(StoreError::Unavailable("it is a read-only standby".into()));
        }
        if role == Role::Writer && !row.flag(3)? {
            tracing::warn!(
                "the database server runs with fsync = off: a power cut there loses mail that was accepted"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ground_world::WorldOptions;

    use super::*;

    #[tokio::test]
    async fn while_no_address_takes_writes_readers_ask_a_few_times_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join(".s.PGSQL.5432");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let asked = || std::iter::from_fn(|| listener.accept().ok()).count();
        let host = folder.path().display().to_string().replace('/', "%2F");
        let server = Server::parse(&format!("postgres://u@{host}/mail")).unwrap();
        let world = World::real(&WorldOptions::default()).unwrap();
        let options = Options::default();
        let dialer = Dialer::new(server, &options, &world).await.unwrap();
        // From a moment to come: however slow this machine is, it is recent.
        let refused = Some((
            world.clock.instant() + Duration::from_secs(3600),
            StoreError::Unavailable("it is a read-only standby".into()),
        ));
        *dialer.refusal.lock().unwrap() = refused;
        for _ in 0..100 {
            let told = dialer.connect(Role::Reader).await.map(drop);
            assert!(matches!(told, Err(StoreError::Unavailable(_))));
        }
        assert_eq!(asked(), 0);
        // The writer paces itself.
        let writer = dialer.connect(Role::Writer);
        drop(tokio::time::timeout(Duration::from_millis(50), writer).await);
        assert_eq!(asked(), 1);
    }
}
