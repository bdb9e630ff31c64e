//! The same on the real world's threads and sockets: what a simulation in one thread cannot show.

use std::net::SocketAddr;

use ground_world::WorldOptions;
use ground_world::net::ListenOptions;

use super::*;

/// Messages: enough for workers, claims and hand-overs to meet.
const MESSAGES: i64 = 400;

async fn listening(world: &World, peer: &Peer) -> SocketAddr {
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = world
        .net
        .listen(any, ListenOptions::default())
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let (peer, world) = (peer.clone(), world.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(peer.clone().session(stream, world.clone()));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_sent_twice_between_threads() {
    let world = World::real(&WorldOptions::default()).unwrap();
    let peer = Peer::new(Script::default().first(3, "RCPT TO:<r7@", Say::Bye("421 4.3.2 bye\r\n")));
    let address = listening(&world, &peer).await;
    let text = format!(
        "hostname = \"mx.test\"\n[queue]\nretry = [\"1s\"]\nready_limit = 50\n[[connector]]\nname = \"partner\"\n\
         address_space = [\"peer.test\"]\nnext_hop = \"{address}\"\nmax_messages_per_connection = 20\n"
    );
    let (_, simulation) = World::simulated(0);
    let mut house = house_in(world, simulation, &text).await;
    house.start();
    for n in 0..MESSAGES {
        let mut one = mail(&format!("r{n}@peer.test"));
        one.hop = HopKey::via("partner");
        let again = mail(&format!("r{n}@peer.test"));
        if house.handed(one).await.is_none() {
            house
                .queued(Mail {
                    hop: HopKey::via("partner"),
                    ..again
                })
                .await;
        }
    }
    house.until(MESSAGES, "relayed", seconds(60)).await;
    let mut messages = peer.heard().messages;
    assert_eq!(i64::try_from(messages.len()).unwrap(), MESSAGES);
    messages.sort();
    messages.dedup();
    assert_eq!(i64::try_from(messages.len()).unwrap(), MESSAGES);
    house.queue.take().unwrap().stop(seconds(10)).await;
    let goodbyes = async {
        while peer.heard().open > 0 {
            house.world.clock.sleep(Duration::from_millis(10)).await;
        }
    };
    house
        .world
        .clock
        .timeout(seconds(10), goodbyes)
        .await
        .unwrap();
}
