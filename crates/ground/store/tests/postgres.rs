//! What only PostgreSQL has to promise: connections that break, servers that restart or change places, nodes side by side.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod private;

use std::time::Duration;

use ground_store::{Options, Query, Sql, Store, StoreError, Unit, Value};
use ground_world::{World, WorldOptions};
use private::PrivateServer;

const TABLE: Sql = Sql::new("CREATE TABLE sample (id BIGINT PRIMARY KEY, n BIGINT, t TEXT)");
const INSERT: Sql = Sql::new("INSERT INTO sample (id, n) VALUES ($1, 0)");
const ADD: Sql = Sql::new("UPDATE sample SET n = n + 1 WHERE id = $1");
const COUNT: &str = "SELECT COUNT(*) FROM sample";

fn unit_of(sql: Sql, values: Vec<Value>) -> Unit {
    let mut unit = Unit::new();
    unit.write(sql, values);
    unit
}

fn options() -> Options {
    Options {
        write_deadline: Duration::from_secs(20),
        read_deadline: Duration::from_secs(20),
        ..Options::default()
    }
}

fn real_world() -> World {
    World::real(&WorldOptions::default()).unwrap()
}

async fn try_open(url: &str) -> Result<Store, StoreError> {
    let world = real_world();
    Store::open(url, options(), &world).await
}

async fn open(url: &str) -> Store {
    try_open(url).await.unwrap()
}

async fn with_table(url: &str) -> Store {
    let store = open(url).await;
    store.write(unit_of(TABLE, vec![])).await.unwrap();
    store
}

async fn one_int(store: &Store, text: &'static str) -> i64 {
    store.read(Query::new(text, vec![])).await.unwrap()[0]
        .int(0)
        .unwrap()
}

/// Writes rows `from`, `from + 1`, ... until one is taken; how many were refused before.
async fn write_until_taken(store: &Store, from: i64) -> i64 {
    for refused in 0..1000 {
        match store
            .write(unit_of(INSERT, vec![(from + refused).into()]))
            .await
        {
            Ok(_) => return refused,
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no write was taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_in_mid_group_answers_nobody_yes_and_is_replaced() {
    let server = PrivateServer::start();
    let store = with_table(&server.database("cut")).await;
    store.write(unit_of(INSERT, vec![1.into()])).await.unwrap();
    // Another transaction holds the row until the group waits for it, and then cuts the group's connection.
    const HOLD: &str = "BEGIN; UPDATE sample SET n = 7 WHERE id = 1; \
         DO $$ BEGIN \
           WHILE NOT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid') LOOP END LOOP; \
           PERFORM pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'; \
         END $$; ROLLBACK";
    const HELD: &str = "SELECT COUNT(*) FROM pg_locks WHERE relation = 'sample'::regclass AND mode = 'RowExclusiveLock'";
    std::thread::scope(|scope| {
        let holding = scope.spawn(|| server.sql("cut", HOLD));
        let group = async {
            while one_int(&store, HELD).await == 0 {}
            let mut unit = unit_of(INSERT, vec![2.into()]);
            unit.write_exactly(1, ADD, vec![1.into()]);
            store.write(unit).await
        };
        let runtime = tokio::runtime::Handle::current();
        let lost = tokio::task::block_in_place(|| runtime.block_on(group));
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        holding.join().unwrap();
    });
    assert_eq!(one_int(&store, "SELECT SUM(id) FROM sample").await, 1);
    assert_eq!(write_until_taken(&store, 10).await, 0);
    assert_eq!(one_int(&store, "SELECT SUM(n) FROM sample").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_is_found_again_and_what_was_answered_is_there() {
    let mut server = PrivateServer::start();
    let store = with_table(&server.database("again")).await;
    for id in 1..=20 {
        store.write(unit_of(INSERT, vec![id.into()])).await.unwrap();
    }
    server.stop();
    let refused = store.write(unit_of(INSERT, vec![21.into()])).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let refused = store.read(Query::new(COUNT, vec![])).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    server.resume();
    write_until_taken(&store, 100).await;
    assert_eq!(
        one_int(&store, "SELECT COUNT(*) FROM sample WHERE id <= 20").await,
        20
    );
    // Nobody reads meanwhile: the connections that were idle at the restart are not felt.
    server.stop();
    server.resume();
    for _ in 0..8 {
        assert_eq!(one_int(&store, COUNT).await, 21);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_in_the_url_is_passed_over_until_it_is_promoted() {
    let mut primary = PrivateServer::start();
    primary.database("fail_over");
    let standby = primary.standby();
    let alone = try_open(&standby.url("fail_over")).await.map(drop);
    let Err(StoreError::Unavailable(why)) = alone else {
        panic!("a standby was opened: {alone:?}");
    };
    assert!(why.contains("read-only standby"), "{why}");
    let store = with_table(&PrivateServer::url_of(&[&standby, &primary], "fail_over")).await;
    store.write(unit_of(INSERT, vec![1.into()])).await.unwrap();
    while standby.sql("fail_over", "SELECT to_regclass('sample') IS NOT NULL") != "t" {}
    while standby.sql("fail_over", COUNT) != "1" {}
    primary.stop();
    assert_eq!(standby.sql("postgres", "SELECT pg_promote()"), "t");
    write_until_taken(&store, 100).await;
    assert_eq!(one_int(&store, COUNT).await, 2);
    assert_eq!(standby.sql("fail_over", COUNT), "2");
}

/// A standby that was made a moment ago, or that lags behind, may lack the database or the login still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_our_database_is_passed_over_while_another_has_it() {
    let empty = PrivateServer::start();
    let full = PrivateServer::start();
    full.database("elsewhere");
    let url = PrivateServer::url_of(&[&empty, &full], "elsewhere");
    let store = with_table(&url).await;
    store.write(unit_of(INSERT, vec![1.into()])).await.unwrap();
    assert_eq!(full.sql("elsewhere", COUNT), "1");
    let nobody_has_it = try_open(&empty.url("elsewhere")).await.map(drop);
    assert!(matches!(nobody_has_it, Err(StoreError::Unfit(_))));
}

/// As a machine that lost its power: what is sent to it is neither answered nor refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_in_the_url_delays_a_connection_by_less_than_its_own_time() {
    let server = PrivateServer::start();
    server.database("behind");
    let silent = tempfile::tempdir().unwrap();
    let socket = silent.path().join(".s.PGSQL.5432");
    // Connections wait in its backlog for ever.
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let folder = silent.path().display().to_string().replace('/', "%2F");
    let url = server
        .url("behind")
        .replacen('@', &format!("@{folder}:5432,"), 1);
    let began = std::time::Instant::now();
    let store = with_table(&url).await;
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    store.write(unit_of(INSERT, vec![1.into()])).await.unwrap();
    drop(listener);
}

/// As a node sees it whose server is demoted under it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_taking_writes_is_left_for_one_that_takes_them() {
    let first = PrivateServer::start();
    first.database("demoted");
    let second = PrivateServer::start();
    second.database("demoted");
    let url = PrivateServer::url_of(&[&first, &second], "demoted");
    drop(with_table(&second.url("demoted")).await);
    let store = with_table(&url).await;
    first.sql(
        "demoted",
        "ALTER DATABASE demoted SET default_transaction_read_only = on",
    );
    first.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'demoted'",
    );
    write_until_taken(&store, 1).await;
    assert_eq!(second.sql("demoted", COUNT), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_database_lose_nothing_and_end_every_deadlock() {
    let server = PrivateServer::start_with(&["deadlock_timeout=50ms"]);
    let url = server.database("two");
    // Both find an empty database.
    let (one, other) = tokio::join!(try_open(&url), try_open(&url));
    let (one, other) = (one.unwrap(), other.unwrap());
    one.write(unit_of(TABLE, vec![])).await.unwrap();
    for id in [1, 2] {
        one.write(unit_of(INSERT, vec![id.into()])).await.unwrap();
    }
    let mut tasks = Vec::new();
    for (store, first, second) in [(&one, 1, 2), (&other, 2, 1)] {
        for _ in 0..4 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                for _ in 0..25 {
                    // In opposite order: two groups that meet wait for each other.
                    let mut unit = Unit::new();
                    unit.write_exactly(1, ADD, vec![first.into()]);
                    unit.write_exactly(1, ADD, vec![second.into()]);
                    store.write(unit).await.unwrap();
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(one_int(&one, "SELECT SUM(n) FROM sample").await, 2 * 8 * 25);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_in_the_url_or_at_the_server_is_told_clearly() {
    let server = PrivateServer::start();
    let folder = server.folder().display().to_string().replace('/', "%2F");
    server.sql(
        "postgres",
        "CREATE DATABASE old ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    );
    server.sql("postgres", "CREATE DATABASE diary");
    server.sql("diary", "CREATE TABLE diary (entry TEXT)");
    let check = async |url: String, wanted: &str| {
        let answer = try_open(&url).await.map(drop);
        let Err(StoreError::Unfit(why)) = &answer else {
            panic!("{url}: {answer:?}");
        };
        assert!(why.contains(wanted), "{url}: {why}");
    };
    check(server.url("missing"), "\"missing\" does not exist").await;
    check(server.url("old"), "encoding is LATIN1").await;
    check(server.url("diary"), "belongs to something else").await;
    check(format!("postgres://nobody@{folder}/old"), "nobody").await;
    check("postgres:///old".into(), "no user").await;
    check("postgres://u:hunter2@h/db?sslmode=allow".into(), "sslmode").await;
    check(
        "postgre://u:hunter2@h/db".into(),
        "\"postgre\" names no store",
    )
    .await;
    assert_eq!(
        server.sql(
            "diary",
            "SELECT count(*) FROM pg_class WHERE relname = 'migration'"
        ),
        "0"
    );
    let nowhere = try_open("postgres://u@%2Fnowhere/db").await.map(drop);
    assert!(
        matches!(nowhere, Err(StoreError::Unavailable(_))),
        "{nowhere:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_setting_of_the_server_lets_a_commit_answer_before_the_flush() {
    let server = PrivateServer::start_with(&["synchronous_commit=off"]);
    let url = server.database("flushed");
    server.sql(
        "flushed",
        "ALTER ROLE postgres SET synchronous_commit = local",
    );
    let store = with_table(&url).await;
    const PROBE: Sql =
        Sql::new("INSERT INTO sample (id, t) SELECT 1, current_setting('synchronous_commit')");
    store.write(unit_of(PROBE, vec![])).await.unwrap();
    assert_eq!(server.sql("flushed", "SELECT t FROM sample"), "on");
}

/// The server commits here and cannot say so: it is told to give up waiting for a standby that does not exist.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_did_not_wait_for_its_standby_is_not_answered_yes() {
    let server = PrivateServer::start();
    let store = with_table(&server.database("alone")).await;
    server.sql(
        "alone",
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
    );
    server.sql("alone", "SELECT pg_reload_conf()");
    let reloaded = "SELECT CASE WHEN current_setting('synchronous_standby_names') = 'nobody' THEN 1 ELSE 0 END";
    while one_int(&store, reloaded).await == 0 {}
    let writing = store.clone();
    let write = tokio::spawn(async move { writing.write(unit_of(INSERT, vec![1.into()])).await });
    let waits =
        "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    while server.sql("alone", waits) == "0" {}
    let answer = write.await.unwrap();
    assert!(
        matches!(answer, Err(StoreError::Unavailable(_))),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_without_end_is_given_up_and_frees_its_reader() {
    let server = PrivateServer::start();
    let world = real_world();
    let options = Options {
        readers: 1,
        read_deadline: Duration::from_millis(500),
        rows_per_query: 2,
        ..Options::default()
    };
    let store = Store::open(&server.database("endless"), options, &world)
        .await
        .unwrap();
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n";
    let answer = store.read(Query::new(endless, vec![])).await;
    assert!(
        matches!(answer, Err(StoreError::Unavailable(_))),
        "{answer:?}"
    );
    let rows = |text: &'static str| store.read(Query::new(text, vec![]));
    assert_eq!(rows("VALUES (1), (2)").await.unwrap().len(), 2);
    let answer = rows("SELECT * FROM generate_series(1, 1000000)").await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    assert_eq!(rows("VALUES (1), (2)").await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_with_a_nul_is_stored_as_far_as_postgresql_can() {
    let server = PrivateServer::start();
    let store = with_table(&server.database("nul")).await;
    const TEXT: Sql = Sql::new("INSERT INTO sample (id, t) VALUES (1, $1)");
    store
        .write(unit_of(TEXT, vec!["a\0b".into()]))
        .await
        .unwrap();
    let query = Query::new("SELECT t FROM sample WHERE t = $1", vec!["a\0b".into()]);
    assert_eq!(
        store.read(query).await.unwrap()[0].text(0).unwrap(),
        "a\u{FFFD}b"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_fails_is_replaced_without_a_restart() {
    let server = PrivateServer::start();
    let store = with_table(&server.database("broken")).await;
    for id in 1..=3 {
        store.break_writer();
        let lost = store.write(unit_of(INSERT, vec![(-id).into()])).await;
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        store.write(unit_of(INSERT, vec![id.into()])).await.unwrap();
        assert_eq!(one_int(&store, COUNT).await, id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_vanishes_by_truncate_either() {
    let server = PrivateServer::start();
    let store = open(&server.database("truncated")).await;
    const TRUNCATE: Sql = Sql::new("TRUNCATE recipient, message CASCADE");
    let refused = store.write(unit_of(TRUNCATE, vec![])).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_must_prove_who_it_is_proves_it_or_is_not_used() {
    let certificate = real_world().tls.self_signed("localhost").unwrap();
    let (server, port) =
        PrivateServer::start_tls(&certificate.certificate_pem, &certificate.key_pem);
    server.sql("postgres", "CREATE DATABASE secured");
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, &certificate.certificate_pem).unwrap();
    let roots = format!("&sslrootcert={}", roots.display());
    let check = async |host: &str, mode: &str, wanted: Result<(), &str>| {
        let url = format!("postgres://postgres@{host}:{port}/secured?sslmode={mode}");
        match (try_open(&url).await, wanted) {
            (Ok(store), Ok(())) => {
                const PROBE: &str =
                    "SELECT CAST(ssl AS INTEGER) FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
                let secured = one_int(&store, PROBE).await == 1;
                assert_eq!(secured, mode != "disable", "{url}");
            }
            (Err(StoreError::Unavailable(why)), Err(wanted)) => {
                assert!(why.contains(wanted), "{url}: {why}");
            }
            (opened, wanted) => panic!("{url}: {:?}, not {wanted:?}", opened.map(drop)),
        }
    };
    check("localhost", &format!("verify-full{roots}"), Ok(())).await;
    check("localhost", "verify-full", Err("certificate")).await;
    check(
        "127.0.0.1",
        &format!("verify-full{roots}"),
        Err("certificate"),
    )
    .await;
    check("127.0.0.1", "require", Ok(())).await;
    check("127.0.0.1", "disable", Ok(())).await;
}

/// Every column of every table and view, in order.
const SCHEMA: Sql = Sql::each(
    "SELECT m.name || '.' || c.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
     WHERE m.type IN ('table', 'view') ORDER BY m.name, c.cid",
    "SELECT table_name || '.' || column_name FROM information_schema.columns
     WHERE table_schema = current_schema() ORDER BY table_name COLLATE \"C\", ordinal_position",
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_have_the_same_tables_and_columns() {
    // What PostgreSQL has besides: bodies in rows, the counts behind two views, and the views for people.
    const OWN: [&str; 10] = [
        "body_chunk.",
        "body_file.",
        "by_next_hop.",
        "history.",
        "nodes.",
        "pending.",
        "tally_change.",
        "tally_kept.",
        "total_change.",
        "total_kept.",
    ];
    let server = PrivateServer::start();
    let columns = async |url: &str| {
        let store = open(url).await;
        let rows = store.read(Query::new(store.text_of(SCHEMA), vec![])).await;
        let rows = rows.unwrap();
        let names = rows.iter().map(|row| row.text(0).unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let sqlite = columns("sqlite::memory:").await;
    let mut postgres = columns(&server.database("schema")).await;
    postgres.retain(|column| !OWN.iter().any(|own| column.starts_with(own)));
    assert!(sqlite.len() > 100, "{sqlite:?}");
    assert_eq!(sqlite, postgres);
}

/// A queue outgrows the server's statistics within seconds, and a new store has none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claimed_recipient_is_found_by_its_id_without_statistics() {
    let server = PrivateServer::start();
    drop(open(&server.database("planned")).await);
    const SETTLE: &str = "EXPLAIN UPDATE recipient SET last_peer = '' \
         WHERE id = 1 AND state = 'in_flight' AND claimed_by = 2";
    let plan = server.sql("planned", SETTLE);
    let conditions = plan.lines().filter(|line| line.contains("Index Cond"));
    let conditions: Vec<&str> = conditions.collect();
    assert!(!conditions.is_empty(), "{plan}");
    assert!(
        conditions.iter().all(|one| one.contains("(id = 1)")),
        "{plan}"
    );
}

/// A claim from a queue of a million must not look at the million.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_of_a_queue_are_found_in_the_order_of_its_index() {
    let server = PrivateServer::start();
    drop(open(&server.database("planned")).await);
    const NEXT: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; \
         EXPLAIN SELECT id FROM recipient WHERE state = 'queued' AND next_hop = 'mx:far.test' \
         AND (CASE WHEN attempts > 0 THEN 1 ELSE 0 END) = 0 AND retry_at <= 5 ORDER BY retry_at, id LIMIT 100";
    let plan = server.sql("planned", NEXT);
    assert!(
        plan.contains("recipient_ready") && plan.contains("CASE"),
        "{plan}"
    );
    assert!(!plan.contains("Sort"), "{plan}");
}

/// A page of what one account sent must not look at what others did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mail_of_an_account_is_found_in_the_order_of_its_index() {
    let server = PrivateServer::start();
    drop(open(&server.database("planned")).await);
    const PAGE: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; \
         SET plan_cache_mode = force_generic_plan; \
         PREPARE page (TEXT, BIGINT, BIGINT, BIGINT) AS SELECT id FROM message WHERE auth = $1 AND auth <> '' \
         AND received_at >= $2 AND id < $3 ORDER BY id DESC LIMIT $4; \
         EXPLAIN EXECUTE page ('ann@here.test', 1, 9, 20)";
    let plan = server.sql("planned", PAGE);
    let condition = plan.lines().find(|line| line.contains("Index Cond"));
    assert!(plan.contains("message_by_auth"), "{plan}");
    assert!(
        condition.is_some_and(|one| one.contains("auth = ") && one.contains("id < ")),
        "{plan}"
    );
    assert!(!plan.contains("Sort"), "{plan}");
}

#[tokio::test]
async fn nodes_hear_each_others_words_and_not_their_own_also_after_a_restart_of_the_server() {
    let mut server = PrivateServer::start();
    let url = server.database("postrider");
    let (one, two) = (open(&url).await, open(&url).await);
    heard_by(&two, &one, "mx:there.test").await;
    server.stop();
    server.resume();
    heard_by(&two, &one, "mx:again.test").await;
    two.tell_others("mailbox");
    assert_eq!(one.next_word().await, "mailbox");
    // What the first said last, more than once perhaps, and nothing of its own.
    one.tell_others("mx:last.test");
    loop {
        match two.next_word().await.as_str() {
            "mx:last.test" => break,
            word => assert_ne!(word, "mailbox"),
        }
    }
}

/// Says a word until the other hears it: what is said before it listens is lost, as a hint may be.
async fn heard_by(hears: &Store, says: &Store, wanted: &str) {
    loop {
        says.tell_others(wanted);
        let heard = tokio::time::timeout(Duration::from_millis(200), hears.next_word()).await;
        if heard.is_ok_and(|word| word == wanted) {
            return;
        }
    }
}

const A_RECIPIENT: &str = "INSERT INTO body (id, size, checksum, content) VALUES (1, 1, decode(repeat('00', 32), 'hex'), 'x'); \
     INSERT INTO message (id, received_at, sender, size, body, origin, listener, peer, helo, tls, auth, body_type, smtputf8, \
       ret, envid, message_id, subject, pending) \
     VALUES (1234567890123456789, 1, 'a@here.test', 1, 1, 'smtp', '', '', '', '', '', '7bit', 0, '', '', '', '', 1); \
     INSERT INTO recipient (id, message, address, orcpt, notify, state, next_hop, attempts, accepted_at, retry_at, deadline_at, \
       expires_at, last_reply, last_peer) \
     VALUES (1, 1234567890123456789, 'b@far.test', '', 0, 'queued', 'mx:far.test', 0, 1, 1, 2, 3, '', '');";

/// What docs/views.md tells operators to run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_role_sees_the_views_and_nothing_else() {
    let server = PrivateServer::start();
    drop(open(&server.database("shown")).await);
    server.sql("shown", A_RECIPIENT);
    let manual = include_str!("../../../../docs/views.md");
    let role = manual.split("```sql\n").nth(1).expect("the first example");
    let role = role.split("```").next().expect("its end");
    server.sql("shown", role);
    let as_reader = |text: &str| server.sql("shown", &format!("SET ROLE postrider_reader; {text}"));
    let shown = as_reader("SELECT message, state, accepted_at < now() FROM pending");
    assert_eq!(shown, "SET\n128GGYHYYK08N|queued|t");
    for view in ["by_next_hop", "history", "nodes"] {
        as_reader(&format!("SELECT * FROM {view}"));
    }
    for table in ["account", "body", "mail", "message", "recipient"] {
        let may = format!("SELECT has_table_privilege('postrider_reader', '{table}', 'SELECT')");
        assert_eq!(server.sql("shown", &may), "f", "{table}");
    }
}
