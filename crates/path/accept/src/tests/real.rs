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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_sessions_side_by_side_each_keep_their_messages() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = WorldOptions::default();
    options.dns.servers = vec!["127.0.0.1:9".parse().unwrap()];
    let world = World::real(&options).unwrap();
    let url = format!("sqlite:{}", folder.path().join("book.db").display());
    let store = Store::open(&url, ground_store::Options::default(), &world)
        .await
        .unwrap();
    let settings = Settings::parse(
        "hostname = \"mx.here.test\"\n[[listener]]\nname = \"mx\"\nprotocol = \"smtp\"\naddress = \"127.0.0.1:0\"",
    )
    .unwrap();
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
    };
    let server = Server::start(parts).await.unwrap();
    let to = server.address("mx").unwrap();
    let mut sessions = tokio::task::JoinSet::new();
    for _ in 0..16 {
        sessions.spawn(session(world.clone(), to, 10));
    }
    let mut ids = sessions.join_all().await.concat();
    server.stop().await;
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 160);
    let query = Query::new("SELECT count(*), sum(size) FROM message", Vec::new());
    let rows = store.read(query).await.unwrap();
    assert_eq!(rows[0].int(0).unwrap(), 160);
    assert!(rows[0].int(1).unwrap() > 160 * 4000);
}
