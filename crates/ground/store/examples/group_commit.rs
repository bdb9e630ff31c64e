//! Measures the life of a message on a real file, or on PostgreSQL: accept (body, message, recipient) and settle (final state, attempt).
//!
//! `cargo run --release -p ground-store --example group_commit [-- FOLDER|URL [SECONDS]]`
//!
//! For 1, 16 and 128 concurrent tasks it prints messages a second, CPU time and octets written for each message, how long the
//! slowest writes took, and the longest write-ahead log seen. Senders, recipients and Message-IDs are spread as in real mail,
//! so that every index is hit in other pages than the last time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ground_store::bodies::{self, NewBody};
use ground_store::{Options, Query, Sql, Store, StoreError, Unit};
use ground_world::{World, WorldOptions};

const BODY_OCTETS: usize = 4096;
const PEOPLE: u64 = 20_000;

const MESSAGE: Sql = Sql::new(
    "INSERT INTO message (id, received_at, sender, size, body, origin, listener, peer, helo, tls, auth, body_type, smtputf8,
        ret, envid, message_id, subject, pending)
     VALUES ($1, $2, $3, $4, $1, 'smtp', 'mx', '192.0.2.1:49152', 'client.example.test', 'TLSv1.3', '', '8bitmime', 0,
        '', '', $5, 'A subject of usual length', 1)",
);
const RECIPIENT: Sql = Sql::new(
    "INSERT INTO recipient (id, message, address, orcpt, notify, state, next_hop, attempts, accepted_at, retry_at,
        deadline_at, expires_at, claimed_by, claimed_until, last_reply, last_peer)
     VALUES ($1, $1, $2, '', 0, 'in_flight', 'next.example.test', 0, $3, $3, CAST($3 AS BIGINT) + 60000, CAST($3 AS BIGINT) + 345600000, 1, CAST($3 AS BIGINT) + 60000, '', '')",
);
const FINAL: Sql = Sql::new(
    "UPDATE recipient SET state = 'relayed', attempts = attempts + 1, deadline_at = NULL, claimed_by = NULL,
        claimed_until = NULL, last_reply = $2, last_peer = '192.0.2.9:25', finished_at = $3, cause = 'accepted by the next hop',
        actor = 'node' WHERE id = $1 AND state = 'in_flight' AND claimed_by = 1",
);
const ATTEMPT: Sql = Sql::new(
    "INSERT INTO attempt (id, message, recipient, node, started_at, ended_at, next_hop, peer, address, tls, last_command, reply,
        bytes, outcome, transcript)
     VALUES ($1, $1, $1, 'node', $2, $2, 'next.example.test', 'mx.example.test', '192.0.2.9:25', 'TLSv1.3', 'DATA', $3, 4096,
        'relayed', '')",
);

fn accept(id: i64, now: i64, dice: u64) -> Unit {
    let mut unit = Unit::new();
    // Distinct content, as mail has.
    let mut content = id.to_le_bytes().to_vec();
    content.resize(BODY_OCTETS, b'x');
    let body = NewBody::Inline(Bytes::from(content));
    bodies::insert(&mut unit, id, &body);
    let sender = format!("sender{}@somewhere.example.test", dice % PEOPLE);
    let message_id = format!("<{:016x}.{id}@somewhere.example.test>", dice.reverse_bits());
    let size = i64::try_from(BODY_OCTETS).unwrap_or(0);
    let values = vec![
        id.into(),
        now.into(),
        sender.into(),
        size.into(),
        message_id.into(),
    ];
    unit.write_exactly(1, MESSAGE, values);
    let address = format!("recipient{}@elsewhere.example.test", (dice >> 20) % PEOPLE);
    unit.write_exactly(1, RECIPIENT, vec![id.into(), address.into(), now.into()]);
    unit
}

fn settle(id: i64, now: i64) -> Unit {
    let mut unit = Unit::new();
    let reply = "250 2.0.0 Ok: queued as 4XyZ1234567";
    unit.write_exactly(1, FINAL, vec![id.into(), reply.into(), now.into()]);
    unit.write_exactly(1, ATTEMPT, vec![id.into(), now.into(), reply.into()]);
    unit
}

/// What was used up to now.
#[derive(Clone, Copy)]
struct Used {
    at: Instant,
    cpu: Duration,
    written: u64,
}

impl Used {
    fn now() -> Self {
        // utime and stime, in ticks of 10 ms, are fields 14 and 15; the name in field 2 may hold blanks.
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let after = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 = after
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
        let written = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "))
            .and_then(|count| count.parse().ok());
        Self {
            at: Instant::now(),
            cpu: Duration::from_millis(ticks * 10),
            written: written.unwrap_or(0),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Life {
    Accept,
    AcceptAndSettle,
}

struct Load {
    store: Store,
    world: World,
    next: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    life: Life,
}

impl Load {
    /// One task's messages, one after the other; how long each accept took.
    async fn run(self) -> Result<Vec<Duration>, StoreError> {
        let mut took = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            let now = self.world.clock.now().as_millis();
            let begun = Instant::now();
            self.store
                .write(accept(id, now, self.world.chance.u64()))
                .await?;
            took.push(begun.elapsed());
            if self.life == Life::AcceptAndSettle {
                self.store.write(settle(id, now)).await?;
            }
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(took)
    }
}

/// Waits until `time` has passed since `begun`; the longest log seen meanwhile, in octets.
async fn watch_log(world: &World, file: &Path, begun: Instant, time: Duration) -> u64 {
    let log = file.with_extension("db-wal");
    let mut longest = 0;
    while begun.elapsed() < time {
        world.clock.sleep(Duration::from_millis(50)).await;
        longest = longest.max(std::fs::metadata(&log).map_or(0, |facts| facts.len()));
    }
    longest
}

async fn measure(
    store: &Store,
    world: &World,
    file: &Path,
    next: &Arc<AtomicI64>,
    (tasks, life, seconds): (usize, Life, u64),
) -> Result<(), StoreError> {
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let before = Used::now();
    let running: Vec<_> = (0..tasks)
        .map(|_| {
            let load = Load {
                store: store.clone(),
                world: world.clone(),
                next: Arc::clone(next),
                stop: Arc::clone(&stop),
                done: Arc::clone(&done),
                life,
            };
            tokio::spawn(load.run())
        })
        .collect();
    let longest = watch_log(world, file, before.at, Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for task in running {
        took.extend(
            task.await
                .map_err(|error| StoreError::Unavailable(error.to_string()))??,
        );
    }
    let after = Used::now();
    took.sort_unstable();
    let at = |share: usize| {
        took.get(took.len() * share / 1000)
            .copied()
            .unwrap_or_default()
    };
    let count = done.load(Ordering::Relaxed).max(1);
    let each = |total: f64| total / count as f64;
    println!(
        "{:>15} {tasks:>5} {:>9.0} {:>8.1} {:>10.0} {:>8.2} {:>8.2} {:>8.2} {:>8.1}",
        if life == Life::Accept {
            "accept"
        } else {
            "accept+settle"
        },
        count as f64 / after.at.duration_since(before.at).as_secs_f64(),
        each((after.cpu - before.cpu).as_micros() as f64),
        each((after.written - before.written) as f64),
        at(500).as_secs_f64() * 1e3,
        at(990).as_secs_f64() * 1e3,
        took.last().copied().unwrap_or_default().as_secs_f64() * 1e3,
        longest as f64 / f64::from(1 << 20),
    );
    Ok(())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().unwrap_or_else(|| "target".into());
    let seconds = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(5);
    let world = World::real(&WorldOptions::default())?;
    let is_url = place.starts_with("postgres:");
    let folder = tempfile::tempdir_in(if is_url { "target" } else { &place })?;
    let file = folder.path().join("a.db");
    let url = match is_url {
        true => place,
        false => format!("sqlite:{}", file.display()),
    };
    let store = Store::open(&url, Options::default(), &world).await?;
    let next = Arc::new(AtomicI64::new(1));
    println!(
        "           life tasks messages/s cpu us/m  octets/m   p50 ms   p99 ms   max ms  log MiB"
    );
    for life in [Life::Accept, Life::AcceptAndSettle] {
        for tasks in [1, 16, 128] {
            measure(&store, &world, &file, &next, (tasks, life, seconds)).await?;
        }
    }
    let kept = store
        .read(Query::new("SELECT COUNT(*) FROM recipient", vec![]))
        .await?;
    let kept = kept.first().map_or(Ok(0), |row| row.int(0))?;
    assert_eq!(
        kept,
        next.load(Ordering::Relaxed) - 1,
        "a message is missing"
    );
    println!(
        "{kept} messages, {:.1} MiB",
        std::fs::metadata(&file).map_or(0, |facts| facts.len()) as f64 / f64::from(1 << 20)
    );
    Ok(())
}
