//! Two nodes on one database: one is killed, stopped in its tracks, or cut off; the other takes over, and nothing is lost.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::letter::Letter;
use crate::load::{self, Peer, Told};
use crate::private::PrivateServer;
use crate::proxy::Proxy;
use crate::server::{Home, START_MAX, Server};
use crate::sink::Sink;
use crate::stage::Stage;
use crate::verdict::{self, everything_ends};
use crate::{Chance, Curtain, LOOK, PATIENCE, SESSIONS, setting};

/// What a node that is gone had claimed is taken over in this time.
const TAKE_OVER_MAX: Duration = Duration::from_secs(30);

/// A node in one of its lives.
pub(crate) struct Node {
    pub(crate) home: Home,
    pub(crate) life: Option<(Server, SocketAddr)>,
    pub(crate) name: &'static str,
}

impl Node {
    pub(crate) fn new(name: &'static str, store: &str, sink: &Sink) -> Self {
        let home = Home::of_node(name, store, sink.address());
        Self {
            home,
            life: None,
            name,
        }
    }

    pub(crate) fn start(&mut self) {
        self.life = Some(self.home.serve());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.life.as_ref().expect("it runs").1
    }

    fn server(&self) -> &Server {
        &self.life.as_ref().expect("it runs").0
    }

    /// Whether it has started anew by itself since this was asked last.
    pub(crate) fn started_anew(&mut self) -> bool {
        let anew = self.server().listening(Duration::ZERO);
        if let (Some(address), Some(life)) = (anew, &mut self.life) {
            life.1 = address;
        }
        anew.is_some()
    }

    /// Waits until it has started anew by itself.
    fn rejoins(&mut self) {
        let address = self.server().listening(START_MAX);
        let address = address.expect("it starts anew");
        self.life.as_mut().expect("it runs").1 = address;
    }
}

/// How long it takes `survivor` until nothing is claimed by the node `gone` any more.
fn taken_over(survivor: &Node, gone: &str, since: Instant) -> Duration {
    loop {
        let nodes = survivor.home.ask(&["node", "list"]);
        let row = nodes.iter().find(|node| node["name"] == gone);
        let row = row.unwrap_or_else(|| panic!("no {gone} in {nodes:?}"));
        if row["state"] == "fenced" && row["in_flight"] == 0 {
            return since.elapsed();
        }
        assert!(
            since.elapsed() < TAKE_OVER_MAX,
            "not taken over in time: {nodes:?}"
        );
        thread::sleep(LOOK);
    }
}

#[test]
fn what_got_250_is_delivered_whichever_of_two_nodes_is_killed() {
    let kills = setting("POSTRIDER_NODE_KILLS", 2);
    let mut chance = Chance(setting("POSTRIDER_SEED", 950_757));
    let database = PrivateServer::start();
    let url = database.database("postrider");
    let (stage, told, sink) = (Stage::default(), Told::default(), Sink::new());
    let mut nodes = ["node1", "node2"].map(|name| Node::new(name, &url, &sink));
    nodes.first().expect("one").home.furnish();
    let mut slowest = Duration::ZERO;
    thread::scope(|scope| {
        let _curtain = Curtain(&stage, &sink);
        sink.open(scope, &stage);
        for node in &mut nodes {
            node.start();
        }
        for _ in 0..SESSIONS {
            scope.spawn(|| load::client(&stage, &told));
        }
        for _ in 0..kills {
            let more = 1 + chance.below(2000);
            slowest = slowest.max(one_dies(&mut nodes, &stage, chance.below(2) == 0, more));
        }
        stage.end();
        everything_ends(&nodes.first().expect("one").home, &stage, kills);
    });
    let found = verdict::reach(&nodes.first().expect("one").home, &told, &sink);
    println!(
        "kills {kills}, accepted {} messages, delivered {} recipients elsewhere, duplicates {} (each marked unknown); \
         a dead node's claims were taken over after {:.1} s at most",
        found.accepted,
        found.elsewhere,
        found.duplicates,
        slowest.as_secs_f64(),
    );
}

/// After `more` messages one of two is killed; the other goes on alone until it has taken over. How long that took.
fn one_dies(nodes: &mut [Node; 2], stage: &Stage, first: bool, more: u64) -> Duration {
    let [one, two] = nodes;
    let (victim, survivor) = if first { (one, two) } else { (two, one) };
    stage.open_each(vec![victim.address(), survivor.address()]);
    let before = stage.counts();
    let came = stage.wait(Instant::now() + PATIENCE, |now| {
        now.accepted >= before.accepted + more
    });
    assert!(came, "{more} more messages did not come");
    stage.open_each(vec![survivor.address()]);
    if let Some((server, _)) = victim.life.take() {
        server.kill();
    }
    let took = taken_over(survivor, victim.name, Instant::now());
    survivor.home.audit();
    victim.start();
    took
}

#[test]
fn a_node_that_was_paused_beyond_its_lease_sends_nothing_with_its_old_claims() {
    let database = PrivateServer::start();
    let url = database.database("postrider");
    let (stage, sink) = (Stage::default(), Sink::new());
    let mut paused = Node::new("node1", &url, &sink);
    let mut other = Node::new("node2", &url, &sink);
    other.home.furnish();
    thread::scope(|scope| {
        let _curtain = Curtain(&stage, &sink);
        sink.open(scope, &stage);
        paused.start();
        other.start();
        in_the_middle_of_a_letter(&paused, &sink);
        paused.server().signal(Signal::STOP);
        taken_over(&other, "node1", Instant::now());
        assert!(stage.wait(Instant::now() + PATIENCE, |now| now.sunk == 1));
        paused.server().signal(Signal::CONT);
        sink.let_go();
        paused.rejoins();
        sink.caught_has_ended(PATIENCE);
        everything_ends(&paused.home, &stage, 0);
    });
    only_the_other_delivered(&paused, &sink);
}

#[test]
fn a_node_that_is_cut_off_from_the_database_refuses_and_comes_back() {
    let (database, port) = PrivateServer::start_tcp();
    let url = database.database("postrider");
    let proxy = Proxy::to(SocketAddr::from(([127, 0, 0, 1], port)));
    let through = format!(
        "postgres://postgres@{}/postrider?sslmode=disable",
        proxy.address()
    );
    let (stage, sink) = (Stage::default(), Sink::new());
    let mut cut_off = Node::new("node1", &through, &sink);
    let mut other = Node::new("node2", &url, &sink);
    other.home.furnish();
    thread::scope(|scope| {
        let _curtain = Curtain(&stage, &sink);
        sink.open(scope, &stage);
        cut_off.start();
        other.start();
        in_the_middle_of_a_letter(&cut_off, &sink);
        proxy.cut();
        taken_over(&other, "node1", Instant::now());
        assert!(stage.wait(Instant::now() + PATIENCE, |now| now.sunk == 1));
        refuses_for_now(cut_off.address());
        sink.let_go();
        sink.caught_has_ended(PATIENCE);
        proxy.mend();
        cut_off.rejoins();
        only_the_other_delivered(&other, &sink);
        let mut peer = Peer::greet(cut_off.address()).expect("a session");
        let reply = peer.send(Letter { serial: 2 }).expect("a reply");
        assert!(reply.starts_with("250 "), "{reply}");
        everything_ends(&other.home, &stage, 0);
    });
    assert_eq!(sink.copies().len(), 2);
}

/// A letter of which the sink has the envelope, and the node waits for the word that it may send the content.
fn in_the_middle_of_a_letter(node: &Node, sink: &Sink) {
    sink.catch_next();
    let mut peer = Peer::greet(node.address()).expect("a session");
    let reply = peer.send(Letter { serial: 1 }).expect("a reply");
    assert!(reply.starts_with("250 "), "{reply}");
    sink.has_caught(PATIENCE);
}

fn refuses_for_now(address: SocketAddr) {
    let mut peer = Peer::greet(address).expect("a session");
    let reply = peer.announce(&["user1@one.test".to_owned()]);
    let reply = reply.expect("a reply").expect("a refusal");
    assert!(reply.starts_with('4'), "{reply}");
}

/// One copy is there, and the history says of the first attempt that nobody knows.
fn only_the_other_delivered(asked: &Node, sink: &Sink) {
    let copies: Vec<usize> = sink.copies().into_values().collect();
    assert_eq!(copies, [1]);
    assert_eq!(sink.torn(), Vec::<String>::new());
    let story = asked
        .home
        .ask(&["trace", &Letter { serial: 1 }.message_id()]);
    let attempts: Vec<&str> = story
        .iter()
        .flat_map(|story| verdict::list(story, "recipients"))
        .flat_map(|recipient| verdict::list(recipient, "attempts"))
        .map(|attempt| verdict::text(attempt, "outcome"))
        .collect();
    assert_eq!(attempts, ["unknown", "relayed"]);
    asked.home.audit();
}
