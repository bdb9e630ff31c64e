//! The promises of receiving, on a simulated world: real sessions over simulated connections, a real store.

mod content;
mod doors;
mod limits;
mod login;
mod real;
mod recipients;
mod reload;
mod resume;
mod stop;

use std::sync::Arc;
use std::time::Duration;

use ground_directory::{Change, Directory, NewPassword, Options, PasswordCost};
use ground_settings::Settings;
use ground_store::{Query, Row, Store, Unit};
use ground_world::net::{ConnectOptions, Stream};
use ground_world::tls::{PlatformRoots, Tls, Verify};
use ground_world::{Simulation, World};
use path_ledger::{Handoff, HandoffLimits, Handovers, Ledger, LedgerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use wire_message::{Address, DomainName};

use crate::{Intake, IntakeParts, Server, ServerParts};

const MX: &str = "127.0.0.1:25";
const SUBMISSION: &str = "127.0.0.1:587";
const SECURE: &str = "127.0.0.1:465";
const PROXIED: &str = "127.0.0.1:26";
const INSIDE: &str = "127.0.0.1:27";

const LISTENERS: &str = r#"
[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:25"
[[listener]]
name = "submission"
protocol = "submission"
address = "127.0.0.1:587"
[[listener]]
name = "secure"
protocol = "submission"
tls = "implicit"
address = "127.0.0.1:465"
[[listener]]
name = "proxied"
protocol = "smtp"
address = "127.0.0.1:26"
proxy_protocol = true
[[listener]]
name = "inside"
protocol = "smtp"
address = "127.0.0.1:27"
relay_from = ["0.0.0.0/0"]
[[listener]]
name = "lmtp"
protocol = "lmtp"
address = "unix:lmtp.sock"
[[connector]]
name = "partner"
address_space = ["partner.test"]
next_hop = "192.0.2.99:25"
"#;

/// A server, and everything around it.
struct House {
    world: World,
    simulation: Simulation,
    store: Store,
    ledger: Ledger,
    intake: Intake,
    settings: watch::Sender<Arc<Settings>>,
    handovers: Handovers,
    server: Server,
    /// Trusts the server's certificate.
    tls: Tls,
}

/// Settings with more at their top, such as `[limits]`.
fn settings(more: &str) -> Settings {
    Settings::parse(&format!("hostname = \"mx.here.test\"\n{more}\n{LISTENERS}")).unwrap()
}

async fn house() -> House {
    house_with("").await
}

/// What the watch does for a node.
async fn signs_of_life(ledger: Ledger) {
    while let Ok(beat) = ledger.heartbeat().await {
        assert_eq!(beat, path_ledger::Heartbeat::Alive);
        ledger.world().clock.sleep(Duration::from_secs(4)).await;
    }
}

async fn house_with(more: &str) -> House {
    let (world, simulation) = World::simulated(1);
    let store = Store::open(
        "sqlite:/data/book.db",
        ground_store::Options::default(),
        &world,
    )
    .await
    .unwrap();
    let settings = settings(more);
    let options = LedgerOptions::from_settings("one", &settings);
    let ledger = Ledger::open(store.clone(), world.clone(), options)
        .await
        .unwrap();
    tokio::spawn(signs_of_life(ledger.clone()));
    let directory = people(&store, &world).await;
    let (handoff, handovers) = Handoff::new(HandoffLimits {
        jobs: 1000,
        jobs_per_hop: 1000,
    });
    let (sender, receiver) = watch::channel(Arc::new(settings));
    let intake = Intake::new(IntakeParts {
        ledger: ledger.clone(),
        directory,
        handoff,
        settings: receiver,
        data_directory: "/data".into(),
    });
    let made = world.tls.self_signed("mx.here.test").unwrap();
    let tls = world
        .tls
        .trusting(PlatformRoots::Ignored, made.certificate_pem.as_bytes());
    let parts = ServerParts {
        intake: intake.clone(),
        tls: Some(world.tls.server(made.identity().unwrap()).unwrap()),
        config_directory: "/etc".into(),
        host: None,
        supervisor: ground_world::supervise::Supervisor::new(world.clock.clone()),
    };
    House {
        server: Server::start(parts).await.unwrap(),
        tls: tls.unwrap(),
        world,
        simulation,
        store,
        ledger,
        intake,
        settings: sender,
        handovers,
    }
}

async fn people(store: &Store, world: &World) -> Directory {
    let cost = PasswordCost {
        memory_kib: 8,
        passes: 1,
    };
    let options = Options { verifiers: 2, cost };
    let directory = Directory::open(store.clone(), world.clone(), &options);
    let jo = NewPassword::Set("correct horse".to_owned());
    for change in [
        Change::AddDomain {
            name: DomainName::parse("here.test").unwrap(),
        },
        account("jo@here.test", jo),
        account("ada@here.test", NewPassword::NoLogin),
        alias(
            "team@here.test",
            &["jo@here.test", "ada@here.test", "eve@far.test"],
        ),
        alias("boss@here.test", &["jo@here.test"]),
        alias("stale@here.test", &["ada@here.test", "gone@here.test"]),
    ] {
        directory.apply(&change, Unit::new()).await.unwrap();
    }
    directory
}

fn account(text: &str, password: NewPassword) -> Change {
    Change::AddAccount {
        address: address(text),
        password,
        quota: None,
    }
}

fn alias(text: &str, targets: &[&str]) -> Change {
    Change::AddAlias {
        address: address(text),
        targets: targets.iter().copied().map(address).collect(),
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

impl House {
    /// A client that was greeted.
    async fn client(&self, to: &str) -> Client {
        let mut client = self.stranger(to).await;
        assert!(client.hear().await.starts_with("220 mx.here.test "));
        client
    }

    /// A client that has said EHLO.
    async fn greeted(&self, to: &str) -> Client {
        let mut client = self.client(to).await;
        client.says("EHLO client.test", "250").await;
        client
    }

    async fn stranger(&self, to: &str) -> Client {
        let to = to.parse().unwrap();
        let connecting = self.world.net.connect(to, ConnectOptions::default());
        Client::new(connecting.await.unwrap())
    }

    async fn lmtp(&self) -> Client {
        let path = std::path::Path::new("/etc/lmtp.sock");
        let connecting = self.world.net.connect_unix(path, Duration::from_secs(1));
        let mut client = Client::new(connecting.await.unwrap());
        assert_eq!(client.hear().await, "220 mx.here.test LMTP Postrider");
        client.says("LHLO client.test", "250").await;
        client
    }

    /// The client under TLS from here on.
    async fn secured(&self, client: Client) -> Client {
        let handshake = self.tls.client();
        let stream = handshake.connect(client.stream, "mx.here.test", Verify::Required);
        Client::new(stream.await.unwrap())
    }

    async fn rows(&self, text: &'static str) -> Vec<Row> {
        self.store.read(Query::new(text, Vec::new())).await.unwrap()
    }

    /// `address state next_hop` of every recipient, in the order they were born.
    async fn recipients(&self) -> Vec<String> {
        let rows = self.rows("SELECT address, state, next_hop FROM recipient ORDER BY id");
        let line = |row: &Row| {
            let words =
                [row.text(0), row.text(1), row.text(2)].map(|word| word.unwrap().to_owned());
            words.join(" ").trim_end().to_owned()
        };
        rows.await.iter().map(line).collect()
    }

    /// Messages in the book.
    async fn messages(&self) -> usize {
        self.rows("SELECT id FROM message").await.len()
    }

    /// The content of the only message.
    async fn body(&mut self) -> String {
        let handed = self.handovers.next().await.unwrap();
        let body = self
            .ledger
            .whole_body(&handed.job.body, 1 << 24)
            .await
            .unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

/// The other end.
struct Client {
    stream: Stream,
    heard: String,
}

impl Client {
    fn new(stream: Stream) -> Client {
        Client {
            stream,
            heard: String::new(),
        }
    }

    async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// One whole reply, its lines joined by LF; empty at the end of the connection.
    async fn hear(&mut self) -> String {
        let mut reply = Vec::new();
        loop {
            while let Some((line, rest)) = self.heard.split_once("\r\n") {
                let last = line.as_bytes().get(3) != Some(&b'-');
                reply.push(line.to_owned());
                self.heard = rest.to_owned();
                if last {
                    return reply.join("\n");
                }
            }
            let mut piece = [0; 4096];
            let Ok(length @ 1..) = self.stream.read(&mut piece).await else {
                return String::new();
            };
            self.heard
                .push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
    }

    async fn asks(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.hear().await
    }

    /// Says a line, and insists on how the answer starts.
    async fn says(&mut self, line: &str, expected: &str) -> String {
        let answer = self.asks(line).await;
        assert!(
            answer.starts_with(expected),
            "{line:?} was answered {answer:?}, not {expected:?}"
        );
        answer
    }

    /// A transaction up to 354.
    async fn begins(&mut self, recipients: &[&str]) {
        self.says("MAIL FROM:<ann@far.test>", "250 2.1.0 ").await;
        for recipient in recipients {
            self.says(&format!("RCPT TO:<{recipient}>"), "250 2.1.5 ")
                .await;
        }
        self.says("DATA", "354 ").await;
    }

    /// A whole transaction; the answer to its end.
    async fn mails(&mut self, recipients: &[&str], content: &str) -> String {
        self.begins(recipients).await;
        self.send(format!("{content}\r\n.\r\n")).await;
        self.hear().await
    }
}
