//! One server on one machine.

use std::thread;
use std::time::{Duration, Instant};

use crate::letter::Letter;
use crate::load::{self, Peer, Told};
use crate::server::{Home, Server};
use crate::sink::Sink;
use crate::stage::Stage;
use crate::verdict::{self, everything_ends};
use crate::{Chance, Curtain, LOOK, PATIENCE, SESSIONS, setting};

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
    let found = verdict::reach(&home, &told, &sink);
    drop(server);
    let counts = stage.counts();
    println!(
        "kills {kills}, accepted {} messages, delivered {} recipients elsewhere, duplicates {} (each marked unknown); \
         {} sessions broken, {} messages refused for now",
        found.accepted, found.elsewhere, found.duplicates, counts.broken, counts.refused,
    );
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
