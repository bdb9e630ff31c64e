//! A store moves to the other engine and back, whatever interrupts it, and comes back the same.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod private;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ground_store::contract::{Populate, populate};
use ground_store::transfer::{
    Notes, Outcome, Plan, Progress, TransferError, Until, cancel, transfer,
};
use ground_store::{Options, Query, Sql, Store, StoreError, Unit};
use ground_world::{World, WorldOptions};
use private::PrivateServer;
use tokio::sync::Notify;

const MESSAGES: i64 = 400;
const NOW: i64 = 1_800_000_000_000;

fn world() -> World {
    World::real(&WorldOptions::default()).unwrap()
}

fn sqlite(folder: &Path, name: &str) -> String {
    format!("sqlite:{}", folder.join(name).display())
}

async fn open(url: &str) -> Store {
    Store::open(url, Options::default(), &world())
        .await
        .unwrap()
}

async fn filled(url: &str) -> Store {
    filled_with(url, MESSAGES).await
}

async fn filled_with(url: &str, messages: i64) -> Store {
    let store = open(url).await;
    let wishes = Populate {
        messages,
        now: NOW,
        large_each: 40,
    };
    populate(&store, wishes).await.unwrap();
    store
}

async fn text(store: &Store, text: &'static str) -> Vec<String> {
    let rows = store.read(Query::new(text, vec![])).await.unwrap();
    rows.iter().map(|row| format!("{row:?}")).collect()
}

async fn run(store: &Store, text: &'static str) -> Result<(), StoreError> {
    let mut unit = Unit::new();
    unit.write(Sql::new(text), vec![]);
    store.write(unit).await.map(drop)
}

fn plan(from: &str, to: &str, until: Until) -> Plan {
    Plan {
        from: from.to_owned(),
        to: to.to_owned(),
        until,
    }
}

async fn moved(plan: &Plan) -> Result<Outcome, TransferError> {
    transfer(plan, &world(), &|_| {}).await
}

fn notes(outcome: Outcome) -> Notes {
    match outcome {
        Outcome::Copied(notes) | Outcome::HandedOver(notes) => notes,
        Outcome::HandedOverBefore => panic!("there is nothing to compare"),
    }
}

/// Drops the copying when it has told of its progress `after` times; the outcome when it was done before.
async fn interrupted(plan: &Plan, after: u64) -> Option<Outcome> {
    let (told, enough) = (AtomicU64::new(0), Notify::new());
    let count = |progress: Progress| {
        // All is handed over then: whoever is cut off here finds nothing to compare any more, which is another promise.
        let over = matches!(progress, Progress::Left);
        if !over && told.fetch_add(1, Ordering::Relaxed) + 1 == after {
            enough.notify_one();
        }
    };
    let world = world();
    tokio::select! {
        biased;
        () = enough.notified() => None,
        outcome = transfer(plan, &world, &count) => Some(outcome.unwrap()),
    }
}

/// Interrupted again and again, each time a little later, until it is done.
async fn with_interruptions(plan: &Plan) -> (Notes, u64) {
    for tries in 1_u64.. {
        if let Some(outcome) = interrupted(plan, tries * 2).await {
            return (notes(outcome), tries);
        }
    }
    unreachable!()
}

const COUNTS: [&str; 4] = [
    "SELECT state, next_hop, hour, n FROM tally ORDER BY state, next_hop, hour",
    "SELECT what, n FROM total ORDER BY what",
    "SELECT id, refs FROM body ORDER BY id",
    "SELECT recipient FROM search_due ORDER BY recipient",
];

async fn counts(store: &Store) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for query in COUNTS {
        all.push(text(store, query).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_comes_back_the_same_from_the_other_engine_however_often_it_is_interrupted() {
    let (server, folder) = (PrivateServer::start(), tempfile::tempdir().unwrap());
    let (first, second) = (sqlite(folder.path(), "a.db"), server.database("there"));
    let third = sqlite(folder.path(), "b/b.db");
    let store = filled(&first).await;
    let wanted = counts(&store).await;
    drop(store);
    let (there, tries) = with_interruptions(&plan(&first, &second, Until::HandedOver)).await;
    assert!(tries > 10, "{tries}");
    assert!(there.body_octets > 1_000_000, "{there:?}");
    assert_eq!((&there.damaged, &there.miscounted), (&vec![], &vec![]));
    assert_eq!(counts(&open(&second).await).await, wanted);
    let (back, _) = with_interruptions(&plan(&second, &third, Until::HandedOver)).await;
    assert_eq!(back, there);
    let store = open(&third).await;
    assert_eq!(counts(&store).await, wanted);
    // Operators and tokens moved; whoever was logged in logs in anew.
    let operators = "SELECT (SELECT count(*) FROM operator), (SELECT count(*) FROM api_token), (SELECT count(*) FROM web_session)";
    assert_eq!(
        text(&store, operators).await,
        ["Row { values: [Int(1), Int(1), Int(0)] }"]
    );
    store.in_service().await.unwrap();
    let files = |name: &str| {
        let mut names: Vec<_> = std::fs::read_dir(folder.path().join(name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(files("b/b.db-bodies"), files("a.db-bodies"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_leaves_the_source_untouched_and_does_not_serve() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(folder.path(), "a.db"), sqlite(folder.path(), "b.db"));
    filled(&from).await;
    let (file, log) = (folder.path().join("a.db"), folder.path().join("a.db-wal"));
    // The store's threads end after its last handle; the last of them removes the log.
    while log.exists() {
        tokio::task::yield_now().await;
    }
    let before = std::fs::read(&file).unwrap();
    let copied = notes(moved(&plan(&from, &to, Until::Copied)).await.unwrap());
    assert_eq!(
        notes(moved(&plan(&from, &to, Until::Copied)).await.unwrap()),
        copied
    );
    assert!(std::fs::read(&file).unwrap() == before, "it was written to");
    open(&from).await.in_service().await.unwrap();
    let refused = open(&to).await.in_service().await;
    let Err(StoreError::Elsewhere(why)) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("is a copy of sqlite:"), "{why}");
    assert!(why.contains("--finish"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_it_stops_at_most_one_of_the_two_serves() {
    let server = PrivateServer::start();
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (server.database("source"), sqlite(folder.path(), "b.db"));
    // Few, for there are as many tries as there is progress to tell.
    filled_with(&from, 40).await;
    let plan = plan(&from, &to, Until::HandedOver);
    let mut handed_over = false;
    for after in 1.. {
        let done = interrupted(&plan, after).await.is_some();
        let serve = [
            open(&from).await.in_service().await,
            open(&to).await.in_service().await,
        ];
        let serving = serve.iter().filter(|one| one.is_ok()).count();
        assert!(serving <= 1, "{after}: {serve:?}");
        if done {
            assert!(serve[1].is_ok(), "{serve:?}");
            handed_over = true;
            break;
        }
    }
    assert!(handed_over);
    assert_eq!(moved(&plan).await, Ok(Outcome::HandedOverBefore));
    let Err(StoreError::Elsewhere(why)) = open(&from).await.in_service().await else {
        panic!("it serves")
    };
    assert!(why.contains(&format!("has moved to {to}")), "{why}");
}

/// Crashes in the very moment when it tells of this progress.
fn crashed_at(plan: &Plan, at: Progress) {
    let plan = plan.clone();
    let crash = move || {
        let told = |progress| assert_ne!(progress, at, "a crash, as the test wants it");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(transfer(&plan, &world(), &told))
    };
    std::thread::spawn(crash).join().unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_the_last_two_steps_leaves_all_mail_in_one_place() {
    let server = PrivateServer::start();
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(folder.path(), "a.db"), server.database("there"));
    let store = filled_with(&from, 40).await;
    let plan = plan(&from, &to, Until::HandedOver);
    for at in [Progress::Closed, Progress::Left] {
        crashed_at(&plan, at);
        for end in [&store, &open(&to).await] {
            let refused = end.in_service().await;
            assert!(
                matches!(refused, Err(StoreError::Elsewhere(_))),
                "{at:?}: {refused:?}"
            );
        }
    }
    assert_eq!(moved(&plan).await, Ok(Outcome::HandedOverBefore));
    store.in_service().await.unwrap_err();
    open(&to).await.in_service().await.unwrap();
    assert_eq!(counts(&open(&to).await).await, counts(&store).await);
    // Again, when the mail has gone on from there: nothing is done twice.
    let third = sqlite(folder.path(), "c.db");
    let onwards = Plan {
        from: to.clone(),
        to: third.clone(),
        ..plan.clone()
    };
    moved(&onwards).await.unwrap();
    let refused = moved(&plan).await;
    assert!(
        matches!(
            refused,
            Err(TransferError::Target(StoreError::Elsewhere(_)))
        ),
        "{refused:?}"
    );
    open(&third).await.in_service().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_source_takes_no_write_from_anybody_until_it_is_taken_back() {
    let server = PrivateServer::start();
    let folder = tempfile::tempdir().unwrap();
    let here = sqlite(folder.path(), "a.db");
    let there = server.database("source");
    for (from, to) in [
        (here.clone(), sqlite(folder.path(), "b.db")),
        (there.clone(), sqlite(folder.path(), "c.db")),
    ] {
        // A server that was overlooked has the store open.
        let overlooked = filled(&from).await;
        let plan = plan(&from, &to, Until::HandedOver);
        assert_eq!(interrupted(&plan, 5).await, None);
        for write in [
            "UPDATE node SET heartbeat_at = heartbeat_at + 1",
            "UPDATE recipient SET attempts = 9 WHERE state = 'queued'",
            "DELETE FROM mail",
            "INSERT INTO domain (name, created_at) VALUES ('new.test', 1)",
        ] {
            let refused = run(&overlooked, write).await;
            let Err(StoreError::Refused(why)) = refused else {
                panic!("{write}: {refused:?}")
            };
            assert!(why.contains("is moving, or has moved"), "{why}");
        }
        cancel(&from, &world()).await.unwrap();
        overlooked.in_service().await.unwrap();
        run(
            &overlooked,
            "UPDATE node SET heartbeat_at = heartbeat_at + 1",
        )
        .await
        .unwrap();
        assert_eq!(
            cancel(&from, &world()).await,
            Err(TransferError::NothingToCancel)
        );
        // It has been at work since: what was copied is of no use.
        assert_eq!(moved(&plan).await, Err(TransferError::Changed));
        overlooked.in_service().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_has_left_cannot_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(folder.path(), "a.db"), sqlite(folder.path(), "b.db"));
    filled(&from).await;
    moved(&plan(&from, &to, Until::HandedOver)).await.unwrap();
    let refused = cancel(&from, &world()).await;
    assert!(
        matches!(
            refused,
            Err(TransferError::Source(StoreError::Elsewhere(_)))
        ),
        "{refused:?}"
    );
    let elsewhere = plan(&from, &sqlite(folder.path(), "c.db"), Until::HandedOver);
    let refused = moved(&elsewhere).await;
    assert!(
        matches!(
            refused,
            Err(TransferError::Source(StoreError::Elsewhere(_)))
        ),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_arrives_as_it_is_and_is_told() {
    let server = PrivateServer::start();
    let folder = tempfile::tempdir().unwrap();
    let (from, there) = (sqlite(folder.path(), "a.db"), server.database("there"));
    let back = sqlite(folder.path(), "b.db");
    let store = filled(&from).await;
    run(
        &store,
        "UPDATE body SET content = CAST('rotten' AS BLOB) WHERE id = 64",
    )
    .await
    .unwrap();
    run(
        &store,
        "UPDATE message SET subject = 'nul ' || char(0) || ' here' WHERE id = 64",
    )
    .await
    .unwrap();
    run(
        &store,
        "UPDATE recipient SET address = 'nonsense' WHERE id = 65",
    )
    .await
    .unwrap();
    let rows = text_of(
        &store,
        "SELECT file FROM body WHERE file IS NOT NULL ORDER BY id",
    )
    .await;
    let bodies = folder.path().join("a.db-bodies");
    std::fs::write(bodies.join(&rows[0]), b"cut short").unwrap();
    std::fs::remove_file(bodies.join(&rows[1])).unwrap();
    drop(store);
    for (from, to) in [(&from, &there), (&there, &back)] {
        let found = notes(moved(&plan(from, to, Until::HandedOver)).await.unwrap());
        assert_eq!(found.damaged.len(), 3, "{found:?}");
        let store = open(to).await;
        let spoilt = text(
            &store,
            "SELECT count(*) FROM recipient WHERE address = 'nonsense'",
        )
        .await;
        assert!(spoilt[0].contains("Int(1)"), "{spoilt:?}");
        for id in found.damaged {
            let read = store.read_body(id).await;
            let read = match read {
                Ok(body) => body.unwrap().whole(1 << 20).await.map(drop),
                Err(error) => Err(error),
            };
            assert!(
                matches!(read, Err(StoreError::Damaged(_))),
                "{id}: {read:?}"
            );
        }
    }
}

async fn text_of(store: &Store, query: &'static str) -> Vec<String> {
    let rows = store.read(Query::new(query, vec![])).await.unwrap();
    rows.iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_copied_is_named_and_nothing_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(folder.path(), "a.db"), sqlite(folder.path(), "b.db"));
    let store = filled(&from).await;
    run(
        &store,
        "UPDATE message SET subject = CAST(x'C328' AS TEXT) WHERE id = 320",
    )
    .await
    .unwrap();
    let refused = moved(&plan(&from, &to, Until::Copied)).await;
    let Err(TransferError::Row {
        table: "message",
        key,
        why,
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(key, "320");
    assert!(why.contains("its subject is no readable text"), "{why}");
    run(
        &store,
        "UPDATE message SET subject = 'repaired' WHERE id = 320",
    )
    .await
    .unwrap();
    // Something that the rules of every store forbid, made by hand.
    run(&store, "DROP TRIGGER message_done_with_body")
        .await
        .unwrap();
    run(&store, "UPDATE message SET body = NULL, pending = 0 WHERE id = (SELECT message FROM recipient WHERE state = 'queued' LIMIT 1)").await.unwrap();
    let refused = moved(&plan(&from, &to, Until::Copied)).await;
    let Err(TransferError::Row {
        table: "recipient",
        why,
        ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert!(why.contains("the body of this message is gone"), "{why}");
    open(&from).await.in_service().await.unwrap();
    open(&to).await.in_service().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_no_empty_one_of_this_move_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let from = sqlite(folder.path(), "a.db");
    let other = sqlite(folder.path(), "other.db");
    filled(&from).await;
    filled(&other).await;
    let refused = moved(&plan(&from, &other, Until::Copied)).await;
    let Err(TransferError::NotEmpty { table: "body", .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        moved(&plan(&from, &from, Until::HandedOver)).await,
        Err(TransferError::Same)
    );
    open(&from).await.in_service().await.unwrap();
    let shared = sqlite(folder.path(), "shared.db");
    assert_eq!(
        interrupted(&plan(&other, &shared, Until::Copied), 5).await,
        None
    );
    let refused = moved(&plan(&from, &shared, Until::Copied)).await;
    assert!(
        matches!(refused, Err(TransferError::Others { .. })),
        "{refused:?}"
    );
    // A copy that does not serve has nothing to give.
    let refused = moved(&plan(
        &shared,
        &sqlite(folder.path(), "c.db"),
        Until::Copied,
    ))
    .await;
    assert!(
        matches!(
            refused,
            Err(TransferError::Source(StoreError::Elsewhere(_)))
        ),
        "{refused:?}"
    );
    assert!(!folder.path().join("c.db").exists());
    let nowhere = plan(&sqlite(folder.path(), "none.db"), &shared, Until::Copied);
    let refused = moved(&nowhere).await;
    assert!(
        matches!(refused, Err(TransferError::Source(StoreError::Unfit(_)))),
        "{refused:?}"
    );
    assert!(!folder.path().join("none.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_commands_on_one_target_the_earlier_is_told_and_the_later_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(folder.path(), "a.db"), sqlite(folder.path(), "b.db"));
    filled(&from).await;
    let plan = plan(&from, &to, Until::HandedOver);
    let (begun, go_on) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let earlier = {
        let (plan, begun, go_on) = (plan.clone(), begun.0, go_on.1);
        let gate = std::sync::Mutex::new(Some((begun, go_on)));
        std::thread::spawn(move || {
            let wait = |progress| {
                if let Progress::Copying("recipient", _) = progress
                    && let Some((begun, go_on)) = gate.lock().unwrap().take()
                {
                    begun.send(()).unwrap();
                    go_on.recv().unwrap();
                }
            };
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(transfer(&plan, &world(), &wait))
        })
    };
    tokio::task::block_in_place(|| begun.1.recv().unwrap());
    let later = moved(&plan).await;
    assert!(matches!(later, Ok(Outcome::HandedOver(_))), "{later:?}");
    go_on.0.send(()).unwrap();
    assert_eq!(earlier.join().unwrap(), Err(TransferError::Overtaken));
    open(&to).await.in_service().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_lost_on_the_way_is_told_and_taken_up_again() {
    let (mut server, folder) = (PrivateServer::start(), tempfile::tempdir().unwrap());
    let (from, to) = (sqlite(folder.path(), "a.db"), server.database("there"));
    filled(&from).await;
    let plan = plan(&from, &to, Until::HandedOver);
    for at in ["body", "recipient", "event"] {
        let stopped = std::sync::Mutex::new(Some(&mut server));
        let cut = |progress| {
            if matches!(progress, Progress::Copying(table, _) if table == at)
                && let Some(server) = stopped.lock().unwrap().take()
            {
                server.stop();
            }
        };
        let lost = transfer(&plan, &world(), &cut).await;
        assert!(
            matches!(lost, Err(TransferError::Target(StoreError::Unavailable(_)))),
            "{lost:?}"
        );
        server.resume();
    }
    let done = moved(&plan).await;
    assert!(matches!(done, Ok(Outcome::HandedOver(_))), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn a_target_whose_disk_is_full_is_told_and_taken_up_again_when_there_is_room() {
    let (world, simulation) = World::simulated(3);
    let store = Store::open("sqlite:/here/a.db", Options::default(), &world);
    let store = store.await.unwrap();
    let wishes = Populate {
        messages: MESSAGES,
        now: NOW,
        large_each: 40,
    };
    populate(&store, wishes).await.unwrap();
    let plan = plan("sqlite:/here/a.db", "sqlite:/there/b.db", Until::HandedOver);
    let mut full = 0;
    for room in 1..200 {
        simulation.disk.set_free(room * 20_000);
        match transfer(&plan, &world, &|_| {}).await {
            Ok(_) => break,
            // Whichever of the two writes at that moment: they share the disk.
            Err(
                TransferError::Target(StoreError::Full(_))
                | TransferError::Source(StoreError::Full(_)),
            ) => full += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(full > 20, "{full}");
    let there = Store::open("sqlite:/there/b.db", Options::default(), &world);
    let there = there.await.unwrap();
    there.in_service().await.unwrap();
    assert_eq!(counts(&there).await, counts(&store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_another_program_is_refused_on_either_side() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (sqlite(folder.path(), "a.db"), sqlite(folder.path(), "b.db"));
    let store = filled(&from).await;
    let newer =
        "INSERT INTO migration (number, name, checksum, applied_at) VALUES (99, 'later', x'00', 0)";
    run(&open(&to).await, newer).await.unwrap();
    let refused = moved(&plan(&from, &to, Until::HandedOver)).await;
    let Err(TransferError::Target(StoreError::Unfit(why))) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("newer program"), "{why}");
    store.in_service().await.unwrap();
    run(&store, newer).await.unwrap();
    let fresh = plan(&from, &sqlite(folder.path(), "c.db"), Until::Copied);
    let refused = moved(&fresh).await;
    let Err(TransferError::Source(StoreError::Unfit(why))) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("newer program"), "{why}");
    run(&store, "DELETE FROM migration WHERE number > 2")
        .await
        .unwrap();
    let refused = moved(&fresh).await;
    let Err(TransferError::Source(StoreError::Unfit(why))) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.contains("older than this program's"), "{why}");
}
