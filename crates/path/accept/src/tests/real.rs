//! The same over real sockets, files and threads: what a simulation cannot show.

use ground_world::WorldOptions;
use ground_world::net::Stream;

use super::*;

/// Messages of one session, pipelined as a good client does.
async fn session(world: World, to: std::net::SocketAddr, messages: usize) -> Vec<String> {
    let stream: Stream = world
        .net
        .connect(to, ConnectOptions::default())
        .await
        .unwrap();
    let mut client = Client::new(stream);
    assert!(client.hear().await.starts_with("220 "));
    client.says("EHLO client.test", "250").await;
    let content = format!("Subject: x\r\n\r\n{}", "0123456789\r\n".repeat(340));
    let mut ids = Vec::new();
    for _ in 0..messages {
        client
            .send("MAIL FROM:<ann@far.test>\r\nRCPT TO:<jo@here.test>\r\nDATA\r\n")
            .await;
        for expected in ["250 2.1.0 ", "250 2.1.5 ", "354 "] {
            let answer = client.hear().await;
            assert!(answer.starts_with(expected), "{answer}");
        }
        client.send(format!("{content}.\r\n")).await;
        let answer = client.hear().await;
        assert!(answer.starts_with("250 2.0.0 "), "{answer}");
        ids.push(answer);
    }
    client.says("QUIT", "221 ").await;
    ids
}

/// A server on real sockets, with one listener `mx` at a port the system chose.
struct Real {
    world: World,
    store: Store,
    server: Server,
    folder: tempfile::TempDir,
}

fn listeners(addresses: &[(&str, String)]) -> Settings {
    let section = |(name, address): &(&str, String)| {
        format!("[[listener]]\nname = {name:?}\nprotocol = \"smtp\"\naddress = {address:?}\n")
    };
    let text: String = addresses.iter().map(section).collect();
    Settings::parse(&format!("hostname = \"mx.here.test\"\n{text}")).unwrap()
}

async fn real() -> Real {
    let folder = tempfile::tempdir().unwrap();
    let mut options = WorldOptions::default();
    options.dns.servers = vec!["127.0.0.1:9".parse().unwrap()];
    let world = World::real(&options).unwrap();
    let url = format!("sqlite:{}", folder.path().join("book.db").display());
    let store = Store::open(&url, ground_store::Options::default(), &world)
        .await
        .unwrap();
    let settings = listeners(&[("mx", "127.0.0.1:0".to_owned())]);
    let options = LedgerOptions::from_settings("one", &settings);
    let ledger = Ledger::open(store.clone(), world.clone(), options)
        .await
        .unwrap();
    let (_sender, receiver) = watch::channel(Arc::new(settings));
    let intake = Intake::new(IntakeParts {
        ledger,
        directory: people(&store, &world).await,
        handoff: Handoff::to_nobody(),
        settings: receiver,
        data_directory: folder.path().to_owned(),
    });
    let parts = ServerParts {
        intake,
        tls: None,
        config_directory: folder.path().to_owned(),
        host: None,
        supervisor: ground_world::supervise::Supervisor::new(world.clock.clone()),
    };
    Real {
        server: Server::start(parts).await.unwrap(),
        world,
        store,
        folder,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_sessions_side_by_side_each_keep_their_messages() {
    let mut house = real().await;
    let to = house.server.address("mx").unwrap();
    let mut sessions = tokio::task::JoinSet::new();
    for _ in 0..16 {
        sessions.spawn(session(house.world.clone(), to, 10));
    }
    let mut ids = sessions.join_all().await.concat();
    house.server.stop().await;
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 160);
    let query = Query::new("SELECT count(*), sum(size) FROM message", Vec::new());
    let rows = house.store.read(query).await.unwrap();
    assert_eq!(rows[0].int(0).unwrap(), 160);
    assert!(rows[0].int(1).unwrap() > 160 * 4000);
    drop(house.folder);
}

#[tokio::test]
async fn a_listener_opens_to_the_world_on_the_port_it_has() {
    let mut house = real().await;
    let here = house.server.address("mx").unwrap();
    let connecting = house.world.net.connect(here, ConnectOptions::default());
    let mut before = Client::new(connecting.await.unwrap());
    assert!(before.hear().await.starts_with("220 "));
    let everywhere = listeners(&[("mx", format!("0.0.0.0:{}", here.port()))]);
    house.server.reload(&everywhere, || {}).await.unwrap();
    before.says("EHLO client.test", "250").await;
    assert_eq!(session(house.world.clone(), here, 1).await.len(), 1);
}

#[tokio::test]
async fn a_listener_that_made_room_for_nothing_listens_again() {
    let mut house = real().await;
    let here = house.server.address("mx").unwrap();
    let loopback = "127.0.0.1:0".parse().unwrap();
    let other = house.world.net.listen(loopback, Default::default());
    let taken = other.await.unwrap();
    let wanted = listeners(&[
        ("mx", format!("0.0.0.0:{}", here.port())),
        ("two", taken.local_addr().unwrap().to_string()),
    ]);
    let refused = house.server.reload(&wanted, || panic!("published")).await;
    assert_eq!(refused.unwrap_err().problems.len(), 1);
    assert_eq!(house.server.address("mx"), Some(here));
    assert_eq!(session(house.world.clone(), here, 1).await.len(), 1);
}
