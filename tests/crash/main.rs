//! `kill -9` at random moments, on a real process and a real disk: what got 250 is delivered or listed, and the book adds up.
//!
//! `POSTRIDER_KILLS` says how many kills (12), `POSTRIDER_SEED` which moments.

mod letter;
mod load;
mod server;
mod sink;
mod stage;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use letter::{KEEPER, Letter};
use load::{Accepted, Peer, Told};
use server::{Home, Server};
use sink::{Copies, Sink};
use stage::Stage;

/// Clients at one time.
const SESSIONS: usize = 50;

/// Progress that takes longer is a hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at the book while the sink is silent.
const LOOK: Duration = Duration::from_millis(200);

#[test]
fn what_got_250_is_delivered_whenever_the_server_is_killed() {
    let kills = setting("POSTRIDER_KILLS", 12);
    let mut chance = Chance(setting("POSTRIDER_SEED", 950_757));
    let (stage, told, sink) = (Stage::default(), Told::default(), Sink::new());
    let home = Home::new(sink.address());
    let (server, _) = thread::scope(|scope| {
        let _curtain = Curtain(&stage, &sink);
        sink.open(scope, &stage);
        for _ in 0..SESSIONS {
            scope.spawn(|| load::client(&stage, &told));
        }
        for _ in 0..kills {
            live_and_die(&home, &stage, Moment::by(&mut chance));
        }
        stage.end();
        let life = home.serve();
        everything_ends(&home, &stage, kills);
        life
    });
    let accepted = told.accepted.lock().expect("whole").clone();
    let wrong = told.wrong.lock().expect("whole").clone();
    assert_eq!(wrong, Vec::<String>::new(), "replies no client should get");
    assert_eq!(sink.torn(), Vec::<String>::new(), "letters that came torn");
    let copies = sink.copies();
    nothing_is_lost(&accepted, &copies);
    mailboxes_hold_each_once(&home, &accepted);
    let duplicates = duplicates_are_marked(&home, &copies);
    the_book_agrees(&home, &copies);
    drop(server);
    let counts = stage.counts();
    println!(
        "kills {kills}, accepted {} messages, delivered {} recipients elsewhere, duplicates {duplicates} (each marked unknown); \
         {} sessions broken, {} messages refused for now",
        accepted.len(),
        copies.len(),
        counts.broken,
        counts.refused,
    );
}

/// Ends the load and the sink, also when an assertion has failed.
struct Curtain<'a>(&'a Stage, &'a Sink);

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        self.0.end();
        self.1.end();
    }
}

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

/// SplitMix64: the same seed chooses the same moments.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// When a life ends.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// When so many more messages got 250.
    Accepted(u64),
    /// When so many more recipients are at the sink; the last 250 of the sink is perhaps not yet heard.
    Sunk(u64),
    /// While it starts, before it takes mail.
    Starting(Duration),
}

impl Moment {
    fn by(chance: &mut Chance) -> Self {
        match chance.below(8) {
            0 => Self::Starting(Duration::from_micros(chance.below(80_000))),
            1..=3 => Self::Sunk(1 + chance.below(400)),
            _ => Self::Accepted(1 + chance.below(400)),
        }
    }
}

/// One life of the server, from its start to `kill -9`.
fn live_and_die(home: &Home, stage: &Stage, moment: Moment) {
    if let Moment::Starting(after) = moment {
        let server = home.start();
        server.listening(after);
        return server.kill();
    }
    let (server, address) = home.serve();
    home.audit();
    let before = stage.counts();
    stage.open(address);
    let came = stage.wait(Instant::now() + PATIENCE, |now| match moment {
        Moment::Accepted(more) => now.accepted >= before.accepted + more,
        Moment::Sunk(more) => now.sunk >= before.sunk + more,
        Moment::Starting(_) => true,
    });
    stage.shut();
    server.kill();
    assert!(
        came,
        "{moment:?} did not come; before {before:?}, now {:?}",
        stage.counts()
    );
}

/// Waits until nothing is in transit any more.
fn everything_ends(home: &Home, stage: &Stage, kills: u64) {
    let deadline = Instant::now() + PATIENCE + Duration::from_secs(kills);
    while home.audit().count("in_transit") > 0 {
        if Instant::now() > deadline {
            let left = home.ask(&["queue", "list", "--limit", "20"]);
            panic!("these are not at their end: {left:#?}");
        }
        stage.pause(LOOK);
    }
}

fn nothing_is_lost(accepted: &[Accepted], copies: &Copies) {
    let mut lost = Vec::new();
    for Accepted { id, letter } in accepted {
        for recipient in letter.recipients() {
            if recipient != KEEPER && !copies.contains_key(&(letter.serial, recipient.clone())) {
                lost.push(format!("{id} to {recipient}"));
            }
        }
    }
    assert_eq!(
        lost,
        Vec::<String>::new(),
        "got 250, and are neither at the sink nor listed"
    );
}

/// Insert and final state are one transaction: exactly once, whatever died.
fn mailboxes_hold_each_once(home: &Home, accepted: &[Accepted]) {
    let mut held: BTreeMap<String, usize> = BTreeMap::new();
    for mail in home.ask(&["mail", "list", KEEPER]) {
        *held.entry(text(&mail, "id").to_owned()).or_default() += 1;
    }
    let twice: Vec<_> = held.iter().filter(|(_, copies)| **copies > 1).collect();
    assert!(twice.is_empty(), "twice in the mailbox: {twice:?}");
    let here = |one: &&Accepted| one.letter.recipients().iter().any(|to| to == KEEPER);
    for Accepted { id, .. } in accepted.iter().filter(here) {
        assert!(
            held.contains_key(id),
            "{id} got 250, and is not in the mailbox"
        );
    }
}

/// A second copy comes only where the history says that nobody knows about the first. Returns how many copies too many.
fn duplicates_are_marked(home: &Home, copies: &Copies) -> usize {
    let mut duplicates = 0;
    for ((serial, recipient), copies) in copies.iter().filter(|(_, copies)| **copies > 1) {
        let message_id = Letter { serial: *serial }.message_id();
        let stories = home.ask(&["trace", &message_id]);
        let unknown: usize = stories
            .iter()
            .map(|story| unknown_attempts(story, recipient))
            .sum();
        assert!(
            unknown >= copies - 1,
            "{copies} copies, {unknown} unknown: {stories:#?}"
        );
        duplicates += copies - 1;
    }
    duplicates
}

fn unknown_attempts(story: &Value, recipient: &str) -> usize {
    let to_it = list(story, "recipients")
        .iter()
        .filter(|one| text(one, "address") == recipient);
    let attempts = to_it.flat_map(|one| list(one, "attempts"));
    attempts
        .filter(|attempt| text(attempt, "outcome") == "unknown")
        .count()
}

/// What was accepted without our hearing the 250 counts too: the book and the sink know the same recipients.
fn the_book_agrees(home: &Home, copies: &Copies) {
    let audit = home.audit();
    let mailed = home.ask(&["mail", "list", KEEPER]).len() as u64;
    assert_eq!(audit.count("relayed"), copies.len() as u64);
    assert_eq!(audit.count("delivered"), mailed);
    assert_eq!(audit.count("accepted"), copies.len() as u64 + mailed);
    assert_eq!(audit.count("orphans"), 0);
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[test]
fn messages_abandoned_in_mid_data_leave_nothing_in_the_book() {
    let (stage, sink) = (Stage::default(), Sink::new());
    let home = Home::new(sink.address());
    thread::scope(|scope| {
        let _curtain = Curtain(&stage, &sink);
        sink.open(scope, &stage);
        let (server, address) = home.serve();
        let peers: Vec<Peer> = (1..=100)
            .map(|serial| in_mid_data(address, serial))
            .collect();
        for (number, peer) in peers.into_iter().enumerate() {
            // Half say goodbye to their half, the others vanish.
            if number % 2 == 0 {
                peer.hang_up().expect("the server ends the session");
            }
        }
        assert_eq!(home.audit().count("accepted"), 0);
        let server = killed_with_open_messages(&home, server, address);
        let mut peer = Peer::greet(server.1).expect("a session");
        let reply = peer.send(Letter { serial: 1000 }).expect("a reply");
        assert!(reply.starts_with("250 "), "{reply}");
        everything_ends(&home, &stage, 0);
        home.ask(&["clock", "advance", "2h"]);
        its_folder_is_empty(&home, &stage);
    });
    let recipients = Letter { serial: 1000 }.recipients().len();
    let audit = home.audit();
    assert_eq!(audit.count("accepted"), recipients as u64);
    assert_eq!(audit.count("orphans"), 0);
    assert_eq!(sink.copies().len(), recipients - 1);
    assert_eq!(sink.torn(), Vec::<String>::new());
}

/// A hundred messages half sent when the server is killed; the next life knows nothing of them.
fn killed_with_open_messages(
    home: &Home,
    server: Server,
    address: std::net::SocketAddr,
) -> (Server, std::net::SocketAddr) {
    let peers: Vec<Peer> = (101..=200)
        .map(|serial| in_mid_data(address, serial))
        .collect();
    server.kill();
    drop(peers);
    assert!(home.body_files() > 0, "the crash left no file behind");
    let life = home.serve();
    assert_eq!(home.audit().count("accepted"), 0);
    life
}

/// Files of messages cut off by the crash stay for an hour, and not for ever.
fn its_folder_is_empty(home: &Home, stage: &Stage) {
    let deadline = Instant::now() + PATIENCE;
    while home.body_files() > 0 {
        assert!(
            Instant::now() < deadline,
            "{} files without a row",
            home.body_files()
        );
        stage.pause(LOOK);
    }
}

/// A session whose message lacks its end. Some are larger than what the database holds.
fn in_mid_data(address: std::net::SocketAddr, serial: u64) -> Peer {
    let mut peer = Peer::greet(address).expect("a session");
    let refusal = peer
        .announce(&["user@one.test".to_owned()])
        .expect("replies");
    assert_eq!(refusal, None);
    let lines = if serial.is_multiple_of(3) { 2000 } else { 5 };
    let half = "half a message\r\n".repeat(lines);
    peer.put(&format!("X-Id: {serial}\r\n\r\n{half}"))
        .expect("it is taken");
    peer
}
