//! What only SQLite on a file, or only its inline twin, has to promise: full disks, a short log, a writer that recovers.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ground_store::bodies::{self, NewBody};
use ground_store::{Options, Query, Sql, Store, StoreError, Unit, Value};
use ground_world::{World, WorldOptions};

const TABLE: Sql = Sql::new("CREATE TABLE sample (id INTEGER PRIMARY KEY, content BLOB) STRICT");
const INSERT: Sql = Sql::new("INSERT INTO sample (content) VALUES ($1)");

fn unit_of(sql: Sql, values: Vec<Value>) -> Unit {
    let mut unit = Unit::new();
    unit.write(sql, values);
    unit
}

fn row_of(octets: usize) -> Unit {
    unit_of(INSERT, vec![vec![7_u8; octets].into()])
}

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("a.db").display())
}

async fn open(folder: &Path, options: Options) -> Store {
    let world = World::real(&WorldOptions::default()).unwrap();
    Store::open(&url(folder), options, &world).await.unwrap()
}

async fn with_table(folder: &Path, options: Options) -> Store {
    let store = open(folder, options).await;
    store.write(unit_of(TABLE, vec![])).await.unwrap();
    store
}

async fn count(store: &Store) -> i64 {
    let query = Query::new("SELECT COUNT(*) FROM sample", vec![]);
    store.read(query).await.unwrap()[0].int(0).unwrap()
}

/// Writes until the disk is full; how many writes were answered.
async fn fill(store: &Store) -> i64 {
    for answered in 0..10_000 {
        match store.write(row_of(10_000)).await {
            Ok(_) => {}
            Err(StoreError::Full(_)) => return answered,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the disk was never full");
}

#[tokio::test]
async fn nobody_but_the_owner_reads_the_database_and_its_log() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = with_table(folder.path(), Options::default()).await;
    store.write(row_of(10)).await.unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let facts = entry.unwrap().metadata().unwrap();
        if facts.is_file() {
            files += 1;
            assert_eq!(facts.permissions().mode() & 0o777, 0o600);
        }
    }
    assert!(files >= 2, "{files}");
}

#[tokio::test]
async fn a_full_database_says_so_and_works_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_table(folder.path(), Options::default()).await;
    const LIMIT: Sql = Sql::new("PRAGMA max_page_count = 400");
    const NO_LIMIT: Sql = Sql::new("PRAGMA max_page_count = 1000000");
    store.write(unit_of(LIMIT, vec![])).await.unwrap();
    let answered = fill(&store).await;
    assert!(answered > 10);
    assert_eq!(count(&store).await, answered);
    let again = store.write(row_of(10_000)).await;
    assert!(matches!(again, Err(StoreError::Full(_))), "{again:?}");
    store.write(unit_of(NO_LIMIT, vec![])).await.unwrap();
    store.write(row_of(10_000)).await.unwrap();
    assert_eq!(count(&store).await, answered + 1);
}

/// A file system of its own, gone when dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn mount(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", size, "tmpfs"])
            .arg(folder.path())
            .status();
        assert!(mounted.unwrap().success(), "not allowed to mount");
        Self(folder)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
        assert!(unmounted.unwrap().success());
    }
}

#[tokio::test]
#[ignore = "needs the right to mount a file system"]
async fn a_full_disk_says_so_and_works_again_when_there_is_room() {
    let mounted = Mounted::mount("size=6m");
    let folder = mounted.0.path();
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![0; 3 << 20]).unwrap();
    let store = with_table(folder, Options::default()).await;
    let answered = fill(&store).await;
    assert_eq!(count(&store).await, answered);
    let spooled = async {
        let mut spool = store.spool().await?;
        for _ in 0..64 {
            spool.append(&[1; 64 * 1024]).await?;
        }
        spool.finish().await
    };
    let spooled = spooled.await;
    assert!(matches!(spooled, Err(StoreError::Full(_))), "{spooled:?}");
    std::fs::remove_file(&ballast).unwrap();
    store.write(row_of(10_000)).await.unwrap();
    assert_eq!(count(&store).await, answered + 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_simulated_disk_says_so_and_works_again_when_there_is_room() {
    let (world, simulation) = World::simulated(1);
    let store = Store::open("sqlite:/data/a.db", Options::default(), &world)
        .await
        .unwrap();
    store.write(unit_of(TABLE, vec![])).await.unwrap();
    simulation.disk.set_free(8000);
    let answer = store.write(row_of(10_000)).await;
    assert!(matches!(answer, Err(StoreError::Full(_))), "{answer:?}");
    simulation.disk.set_free(1 << 20);
    simulation
        .disk
        .set_failing(Some(std::io::ErrorKind::TimedOut));
    let answer = store.write(row_of(10_000)).await;
    assert!(
        matches!(answer, Err(StoreError::Unavailable(_))),
        "{answer:?}"
    );
    simulation.disk.set_failing(None);
    store.write(row_of(10_000)).await.unwrap();
    assert_eq!(count(&store).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_crash_loses_memory_and_no_rows() {
    let (world, simulation) = World::simulated(1);
    let store = Store::open("sqlite:/data/a.db", Options::default(), &world)
        .await
        .unwrap();
    store.write(unit_of(TABLE, vec![])).await.unwrap();
    store.write(row_of(10)).await.unwrap();
    store.faults().hold_writes();
    let hanging = store.clone();
    let task = tokio::spawn(async move { hanging.write(row_of(10)).await });
    tokio::task::yield_now().await;
    task.abort();
    drop(store);
    simulation.disk.crash();
    let store = Store::open("sqlite:/data/a.db", Options::default(), &world)
        .await
        .unwrap();
    store.write(row_of(10)).await.unwrap();
    assert_eq!(count(&store).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_short_under_load_with_readers() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        log_bytes_soft: 1 << 20,
        log_bytes_hard: 8 << 20,
        group_commit_bytes: 1 << 20,
        ..Options::default()
    };
    let store = with_table(folder.path(), options).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (reader, until) = (store.clone(), Arc::clone(&stop));
    let reading = tokio::spawn(async move {
        while !until.load(Ordering::Relaxed) {
            count(&reader).await;
        }
    });
    let log = folder.path().join("a.db-wal");
    let mut longest = 0;
    for _ in 0..40 {
        let writes: Vec<_> = (0..64)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.write(row_of(30_000)).await })
            })
            .collect();
        for write in writes {
            write.await.unwrap().unwrap();
        }
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
    }
    stop.store(true, Ordering::Relaxed);
    reading.await.unwrap();
    assert_eq!(count(&store).await, 40 * 64);
    // 77 MB were written; the bound, a group, and what comes while a reader holds a moment.
    assert!(longest < 24 << 20, "the log grew to {longest} octets");
}

#[tokio::test]
async fn a_writer_that_fails_is_replaced_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_table(folder.path(), Options::default()).await;
    for round in 1..=3 {
        store.break_writer();
        let lost = store.write(row_of(10)).await;
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        store.write(row_of(10)).await.unwrap();
        assert_eq!(count(&store).await, round);
    }
}

/// The files as a power cut would leave them: whatever was answered has been flushed to them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        log_bytes_soft: u64::MAX,
        log_bytes_hard: u64::MAX,
        ..Options::default()
    };
    let store = with_table(folder.path(), options.clone()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (other, until) = (store.clone(), Arc::clone(&stop));
    let load = tokio::spawn(async move {
        while !until.load(Ordering::Relaxed) {
            other.write(row_of(500)).await.unwrap();
        }
    });
    for _ in 0..20 {
        store.write(row_of(5000)).await.unwrap();
        let answered = count(&store).await;
        let image = tempfile::tempdir().unwrap();
        for name in ["a.db", "a.db-wal"] {
            std::fs::copy(folder.path().join(name), image.path().join(name)).unwrap();
        }
        let found = count(&open(image.path(), options.clone()).await).await;
        assert!(
            found >= answered,
            "{answered} were answered, {found} are left"
        );
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
}

#[tokio::test]
async fn a_query_without_end_is_given_up_and_frees_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        readers: 1,
        read_deadline: Duration::from_millis(300),
        ..Options::default()
    };
    let store = with_table(folder.path(), options).await;
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n";
    let answer = store.read(Query::new(endless, vec![])).await;
    assert!(
        matches!(answer, Err(StoreError::Unavailable(_))),
        "{answer:?}"
    );
    assert_eq!(count(&store).await, 0);
}

#[tokio::test]
async fn a_query_with_too_many_rows_is_refused() {
    let (world, _simulation) = World::simulated(1);
    let options = Options {
        rows_per_query: 2,
        ..Options::default()
    };
    let store = Store::open("sqlite::memory:", options, &world)
        .await
        .unwrap();
    let rows = |text: &'static str| store.read(Query::new(text, vec![]));
    assert_eq!(rows("VALUES (1), (2)").await.unwrap().len(), 2);
    let answer = rows("VALUES (1), (2), (3)").await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
}

#[tokio::test]
async fn what_is_no_store_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::real(&WorldOptions::default()).unwrap();
    let file = folder.path().join("a.db");
    for url in ["", "sqlite:", "mysql://somewhere", "/data/a.db"] {
        let answer = Store::open(url, Options::default(), &world).await.map(drop);
        assert!(
            matches!(answer, Err(StoreError::Unfit(_))),
            "{url}: {answer:?}"
        );
    }
    std::fs::write(&file, "Dear diary, ".repeat(1000)).unwrap();
    let answer = Store::open(&url(folder.path()), Options::default(), &world)
        .await
        .map(drop);
    assert!(matches!(answer, Err(StoreError::Unfit(_))), "{answer:?}");
    std::fs::remove_file(&file).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE diary (entry TEXT)")
        .unwrap();
    drop(other);
    let before = std::fs::read(&file).unwrap();
    let answer = Store::open(&url(folder.path()), Options::default(), &world)
        .await
        .map(drop);
    assert!(matches!(answer, Err(StoreError::Unfit(_))), "{answer:?}");
    assert!(std::fs::read(&file).unwrap() == before, "it was touched");
}

#[tokio::test]
async fn a_body_file_that_changed_or_went_is_reported_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), Options::default()).await;
    let mut spool = store.spool().await.unwrap();
    spool.append(&vec![b'x'; 200_000]).await.unwrap();
    let body = spool.finish().await.unwrap();
    let file = folder.path().join("a.db-bodies").join(body.name());
    let mut unit = Unit::new();
    bodies::insert(&mut unit, 1, &NewBody::File(body));
    bodies::insert(&mut unit, 2, &NewBody::Inline(Bytes::from_static(b"small")));
    store.write(unit).await.unwrap();
    let mut content = std::fs::read(&file).unwrap();
    content[150_000] = b'y';
    std::fs::write(&file, content).unwrap();
    let answer = store
        .read_body(1)
        .await
        .unwrap()
        .unwrap()
        .whole(1 << 20)
        .await;
    assert!(matches!(answer, Err(StoreError::Damaged(_))), "{answer:?}");
    std::fs::remove_file(&file).unwrap();
    let answer = store.read_body(1).await.map(drop);
    assert!(matches!(answer, Err(StoreError::Damaged(_))), "{answer:?}");
    assert!(store.read_body(2).await.unwrap().is_some());
}
