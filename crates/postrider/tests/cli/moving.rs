//! A whole store moves from SQLite to PostgreSQL and back, by a command that is killed again and again.
//!
//! `POSTRIDER_MIGRATE_MESSAGES` makes it larger (some hundreds otherwise), `POSTRIDER_MIGRATE_BINARY` names another binary, as one that
//! was built for release.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use ground_store::contract::{Populate, populate};
use ground_store::{Options, Store};
use ground_world::{World, WorldOptions};
use serde_json::Value;

use super::house::{CONFIGURATION, House, send};
use super::private::PrivateServer;

const MESSAGES: i64 = 300;
const LARGE_EACH: i64 = 50;

fn messages() -> i64 {
    let wanted = std::env::var("POSTRIDER_MIGRATE_MESSAGES").ok();
    wanted.map_or(MESSAGES, |wanted| wanted.parse().unwrap())
}

fn binary() -> OsString {
    std::env::var_os("POSTRIDER_MIGRATE_BINARY")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_postrider").into())
}

/// A house with a store full of mail that waits, flies, is held or has ended, and with its history.
fn filled(messages: i64) -> House {
    let house = House::new();
    let file = house.folder.path().join("data/postrider.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let world = World::real(&WorldOptions::default()).unwrap();
        let url = format!("sqlite:{}", file.display());
        let store = Store::open(&url, Options::default(), &world).await.unwrap();
        let wishes = Populate {
            messages,
            now: world.clock.now().as_millis(),
            large_each: LARGE_EACH,
        };
        populate(&store, wishes).await.unwrap();
    });
    house
}

/// The configuration, with the store at `url`; the data stays where it is.
fn stands_at(house: &House, url: &str) {
    house.write(&format!(
        "store = \"{url}\"\ndata_directory = \"data\"\n{CONFIGURATION}"
    ));
}

fn migrate(house: &House, to: &str) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(house.folder.path());
    command.args(["migrate", "--to", to, "--finish", "--json"]);
    command.stdin(Stdio::null());
    command
}

/// Kills it with the `after`th line that it tells, unless it is done before.
fn killed_after(house: &House, to: &str, after: usize) -> Option<Output> {
    let mut child = migrate(house, to)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    for line in told.by_ref().take(after) {
        line.unwrap();
    }
    child.kill().unwrap();
    let rest: Vec<String> = told.map(Result::unwrap).collect();
    let output = child.wait_with_output().unwrap();
    if output.status.signal() == Some(9) {
        return None;
    }
    assert!(output.status.success(), "{output:?}: {rest:?}");
    Some(output)
}

fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Kills it again and again, each time a little later; what the last command told, and how many were killed.
fn moved_with_kills(house: &House, to: &str) -> (Value, usize) {
    let start = Instant::now();
    // Of a large store each line is seconds of work.
    let lines = if messages() > 1000 { 9 } else { 4 };
    for kills in 0.. {
        if let Some(output) = killed_after(house, to, kills * lines + 1) {
            eprintln!(
                "moved to {to} after {kills} kills, in {:?}",
                start.elapsed()
            );
            return (object(&output), kills);
        }
    }
    unreachable!()
}

#[test]
fn a_store_moves_there_and_back_by_commands_that_are_killed_and_is_the_same() {
    let server = PrivateServer::start();
    let house = filled(messages());
    let there = server.database("there");
    let (told, kills) = moved_with_kills(&house, &there);
    assert!(kills >= 3, "{kills}");
    let refused = house.run(&["serve"]);
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("has moved to postgres://postgres@"), "{said}");
    stands_at(&house, &there);
    let (back, kills) = moved_with_kills(&house, "sqlite:data/back.db");
    assert!(kills >= 3, "{kills}");
    assert_eq!(back["tables"], told["tables"]);
    assert_eq!(back["body_octets"], told["body_octets"]);
    assert_eq!(back["miscounted"], serde_json::json!([]));
    stands_at(&house, "sqlite:data/back.db");
    let audit = &house.json(&["audit"])[0];
    assert_eq!(
        (&audit["difference"], &audit["orphans"]),
        (&0.into(), &0.into())
    );
}

/// Without kills, once each way: for figures.
#[test]
fn a_store_that_has_moved_serves_where_it_is_and_nowhere_else() {
    let server = PrivateServer::start();
    let house = filled(messages());
    let there = server.database("there");
    let start = Instant::now();
    let done = migrate(&house, &there).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    eprintln!("to PostgreSQL: {:?}", start.elapsed());
    stands_at(&house, &there);
    house.people();
    let mut served = house.serve(&["serve"]);
    let (_, address) = served.listening("mx");
    let reply = send(
        address,
        "jo@from.test",
        "alice@example.test",
        "Subject: new\r\n\r\nhi",
    );
    assert!(reply.starts_with("250"), "{reply}");
    house.until(&["mail", "list", "alice@example.test"], |rows| {
        rows.len() == 1
    });
    let refused = migrate(&house, "sqlite:data/back.db").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("a server runs on this store and answers at"),
        "{said}"
    );
    // A node elsewhere, whose control socket is not here.
    house.write(&format!(
        "store = \"{there}\"\ndata_directory = \"other\"\n{CONFIGURATION}"
    ));
    let refused = migrate(&house, "sqlite:data/back.db").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("servers are connected to this store's database"),
        "{said}"
    );
    assert_eq!(served.stop(), Some(0));
    let start = Instant::now();
    let done = migrate(&house, "sqlite:data/back.db").output().unwrap();
    assert!(done.status.success(), "{done:?}");
    eprintln!("back to SQLite: {:?}", start.elapsed());
    stands_at(&house, "sqlite:data/back.db");
    let audit = &house.json(&["audit"])[0];
    assert_eq!(
        (&audit["difference"], &audit["orphans"]),
        (&0.into(), &0.into())
    );
    assert_eq!(house.json(&["mail", "list", "alice@example.test"]).len(), 1);
}

#[test]
fn a_half_filled_store_and_a_closed_one_refuse_to_serve_and_say_what_to_do() {
    let house = filled(20);
    assert_eq!(killed_after(&house, "sqlite:data/new.db", 4), None);
    let serve = |wanted: &str| {
        let refused = house.run(&["serve"]);
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains(wanted), "{said}");
    };
    serve("is being moved to sqlite:/");
    stands_at(&house, "sqlite:data/new.db");
    serve("is half filled");
    stands_at(&house, "sqlite:data/postrider.db");
    house.ok(&["migrate", "--cancel"]);
    let again = house.run(&["migrate", "--cancel"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    house.ok(&["queue"]);
    let stale = migrate(&house, "sqlite:data/new.db").output().unwrap();
    assert_eq!(stale.status.code(), Some(1));
    let said = String::from_utf8(stale.stderr).unwrap();
    assert!(said.contains("has been at work on the source"), "{said}");
    house.ok(&["migrate", "--to", "sqlite:data/copy.db"]);
    let said = house.ok(&["migrate", "--to", "sqlite:data/copy.db", "--finish"]);
    assert!(said.contains("handed over: sqlite:/"), "{said}");
    let copy = house.folder.path().join("data/copy.db-bodies");
    let bodies = |folder: PathBuf| std::fs::read_dir(folder).unwrap().count();
    assert_eq!(
        bodies(copy),
        bodies(house.folder.path().join("data/postrider.db-bodies"))
    );
}

#[test]
fn a_target_that_cannot_be_is_told_clearly_and_without_its_password() {
    let house = filled(5);
    let check = |to: &str, code: i32, wanted: &str| {
        let refused = house.run(&["migrate", "--to", to]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(code), "{said}");
        assert!(said.contains(wanted), "{said}");
        assert!(!said.contains("secret"), "{said}");
    };
    check("mysql://jo:secret@db/x", 2, "--to names no store");
    check("sqlite:", 2, "--to names no store");
    check(
        "postgres://db.test/x?password=secret",
        2,
        "it names no user",
    );
    check(
        "postgres://jo:secret@127.0.0.1:9/x?sslmode=disable",
        3,
        "the target: ",
    );
    check("sqlite:data/postrider.db", 1, "are the same store");
    check("sqlite:postrider.toml", 2, "the target: ");
    check("sqlite:postrider.toml/x.db", 3, "the target: ");
    let missing = house.run(&["migrate"]);
    assert_eq!(missing.status.code(), Some(2));
    let read = house.run_with(&["migrate", "--to", "-"], "sqlite:data/read.db\n");
    assert!(read.status.success(), "{read:?}");
    assert!(house.folder.path().join("data/read.db").exists());
    house.ok(&["queue"]);
}
