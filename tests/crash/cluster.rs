//! The database is a cluster of three, and the machine that leads it dies again and again: two nodes go on, and nothing is lost.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::load::{self, Told};
use crate::nodes::Node;
use crate::patroni::Cluster;
use crate::sink::Sink;
use crate::stage::Stage;
use crate::verdict::{self, everything_ends};
use crate::{Chance, Curtain, LOOK, PATIENCE, SESSIONS, setting};

/// What is remembered of the kills.
#[derive(Default)]
struct Log {
    /// The longest time without any 250 after each kill.
    pauses: Vec<Duration>,
    /// How often a node was fenced and started anew, in its process.
    anew: u64,
}

#[test]
fn what_got_250_is_delivered_whichever_leader_of_the_database_dies() {
    let kills = setting("POSTRIDER_LEADER_KILLS", 1);
    let mut chance = Chance(setting("POSTRIDER_SEED", 950_757));
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let (stage, told, sink) = (Stage::default(), Told::default(), Sink::new());
    let mut nodes = ["node1", "node2"].map(|name| Node::new(name, &cluster.store, &sink));
    nodes.first().expect("one").home.furnish();
    let mut log = Log::default();
    thread::scope(|scope| {
        let _curtain = Curtain(&stage, &sink);
        sink.open(scope, &stage);
        for node in &mut nodes {
            node.start();
        }
        stage.open_each(addresses(&nodes));
        for _ in 0..SESSIONS {
            scope.spawn(|| load::client(&stage, &told));
        }
        for number in 1..=kills {
            accepts(&stage, 1 + chance.below(1000));
            the_leader_dies(number, &cluster, &mut nodes, &stage, &told, &mut log);
        }
        stage.end();
        everything_ends(&nodes.first().expect("one").home, &stage, kills);
    });
    for node in &mut nodes {
        let (server, _) = node.life.as_mut().expect("it was started once");
        assert!(server.still_runs(), "{} ended", node.name);
    }
    let found = verdict::reach(&nodes.first().expect("one").home, &told, &sink);
    let counts = stage.counts();
    println!(
        "leaders killed {kills}, accepted {} messages, delivered {} recipients elsewhere, duplicates {} (each marked unknown), \
         refused for now {}, sessions broken {}; longest pause {:.1} s; no process restarted, nodes fenced {} times",
        found.accepted,
        found.elsewhere,
        found.duplicates,
        counts.refused,
        counts.broken,
        log.pauses
            .iter()
            .max()
            .unwrap_or(&Duration::ZERO)
            .as_secs_f64(),
        log.anew,
    );
}

fn addresses(nodes: &[Node; 2]) -> Vec<SocketAddr> {
    nodes.iter().map(Node::address).collect()
}

/// Waits until so many more messages got 250.
fn accepts(stage: &Stage, more: u64) {
    let before = stage.counts().accepted;
    let came = stage.wait(Instant::now() + PATIENCE, |now| {
        now.accepted >= before + more
    });
    assert!(came, "{more} more messages did not come");
}

/// Kills the machine that leads, waits until both nodes take mail again, and switches it on again.
fn the_leader_dies(
    number: u64,
    cluster: &Cluster,
    nodes: &mut [Node; 2],
    stage: &Stage,
    told: &Told,
    log: &mut Log,
) {
    let leader = cluster.leader();
    let before = stage.counts();
    stage.listen_for_silence();
    let since = Instant::now();
    cluster.kill(&leader);
    let mut took = [Duration::ZERO; 2];
    while took.contains(&Duration::ZERO) {
        assert!(since.elapsed() < PATIENCE, "no 250 from both nodes");
        thread::sleep(LOOK);
        // What was on its way to the client when the leader died is no sign of life.
        let elsewhere = cluster.leader() != leader;
        for (node, took) in nodes.iter_mut().zip(&mut took) {
            log.anew += u64::from(node.started_anew());
            if elsewhere && took.is_zero() && load::takes_one(node.address(), stage, told) {
                *took = since.elapsed();
            }
        }
        stage.open_each(addresses(nodes));
    }
    let pause = stage.longest_silence();
    let refused = stage.counts().refused - before.refused;
    let successor = cluster.leader();
    cluster.boot(&leader);
    let [one, two] = took.map(|took| took.as_secs_f64());
    println!(
        "kill {number}: {leader} led, then {successor}; no 250 for {:.1} s (node1 seen to take mail after {one:.1} s, node2 \
         after {two:.1} s), {refused} refused for now; whole again {:.1} s after the kill",
        pause.as_secs_f64(),
        since.elapsed().as_secs_f64(),
    );
    log.pauses.push(pause);
}
