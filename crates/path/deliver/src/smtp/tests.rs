//! An attempt by SMTP and LMTP against scripted peers.

use std::time::Duration;

use bytes::Bytes;
use ground_settings::Settings;
use ground_store::bodies::NewBody;
use ground_store::{Options, Store};
use ground_world::Simulation;
use ground_world::net::Fault as NetFault;
use ground_world::tls::PlatformRoots;
use path_ledger::{
    Birth, Envelope, HopKey, Job, Ledger, LedgerOptions, NewMessage, NewRecipient, Origin,
};
use wire_message::{Address, ReversePath};
use wire_smtp::client::Step;
use wire_smtp::command::BodyType;

use super::*;
use crate::{Afterwards, Dsn, Fate, Report};
use peer::{Heard, Peer, Say, Script};

#[allow(
    dead_code,
    reason = "the queue's tests use the same peer, and more of it"
)]
mod peer;

const MESSAGE: &str = "Subject: hello\r\n\r\n.leading dot\r\nlast line\r\n";

struct House {
    world: World,
    simulation: Simulation,
    ledger: Ledger,
}

async fn house() -> House {
    let (world, simulation) = World::simulated(7);
    let store = Store::open("sqlite::memory:", Options::default(), &world)
        .await
        .unwrap();
    let mut options = LedgerOptions::from_settings("mx.test", &Settings::default());
    options.fresh_body_bytes = 0;
    let ledger = Ledger::open(store, world.clone(), options).await.unwrap();
    House {
        world,
        simulation,
        ledger,
    }
}

impl House {
    async fn job(&self, recipients: &[&str]) -> Job {
        self.job_of(recipients, Bytes::from_static(MESSAGE.as_bytes()), |_| ())
            .await
    }

    async fn job_of(&self, to: &[&str], body: Bytes, change: impl FnOnce(&mut Envelope)) -> Job {
        let mut envelope = Envelope {
            received_at: self.ledger.now(),
            sender: ReversePath::Address("ada@here.test".parse().unwrap()),
            origin: Origin::Smtp,
            listener: String::new(),
            peer: String::new(),
            helo: String::new(),
            tls: String::new(),
            auth: String::new(),
            body_type: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            message_id: String::new(),
            subject: String::new(),
            cause: None,
        };
        change(&mut envelope);
        let recipient = |to: &&str| NewRecipient {
            address: to.parse::<Address>().unwrap(),
            orcpt: None,
            notify: None,
            parent: None,
            birth: Birth::Claimed {
                next_hop: HopKey::mx("peer.test"),
            },
        };
        let new = NewMessage {
            id: self.ledger.new_id(),
            envelope,
            body: NewBody::Inline(body),
            recipients: to.iter().map(recipient).collect(),
        };
        self.ledger.accept(new).await.unwrap().jobs.remove(0)
    }

    async fn peer(&self, peer: &Peer) {
        peer.serve(&self.world, "192.0.2.25:25").await;
    }

    async fn open(&self, course: &Course) -> Session {
        Session::open(course, &self.world).await.unwrap()
    }

    /// One message to one recipient, over a session of its own.
    async fn deliver(&self, course: &Course) -> Report {
        let job = self.job(&["bo@peer.test"]).await;
        self.open(course).await.attempt(&job, &self.ledger).await
    }
}

fn server(host: &str, places: &[&str]) -> Server {
    Server {
        host: host.to_owned(),
        places: places
            .iter()
            .map(|place| Place::Tcp(place.parse().unwrap()))
            .collect(),
    }
}

fn course() -> Course {
    Course {
        servers: vec![server("peer.test", &["192.0.2.25:25"])],
        dialect: Dialect::Smtp,
        tls: ConnectorTls::Opportunistic,
        tls_start: TlsStart::Command,
        login: None,
        source_address: None,
        our_name: "mx.test".to_owned(),
        timeouts: Timeouts::default(),
    }
}

fn words(report: &Report) -> Vec<String> {
    report.fates.iter().map(Fate::words).collect()
}

#[tokio::test(start_paused = true)]
async fn many_messages_go_over_one_connection_and_arrive_as_they_are() {
    let house = house().await;
    let peer = Peer::new(Script::default());
    house.peer(&peer).await;
    let mut session = house.open(&course()).await;
    for _ in 0..20 {
        let job = house.job(&["bo@peer.test"]).await;
        let report = session.attempt(&job, &house.ledger).await;
        assert_eq!(words(&report), ["250 2.0.0 kept as q1"]);
        assert_eq!(report.afterwards, Afterwards::Open);
        assert_eq!(report.facts.transcript, "");
        assert_eq!(report.dsn, Dsn::Passed);
    }
    session.close().await;
    let Heard {
        lines,
        messages,
        connections,
        ..
    } = peer.heard();
    assert_eq!((connections, messages.len()), (1, 20));
    assert!(messages.iter().all(|message| message == MESSAGE));
    assert_eq!(lines.last().unwrap(), "QUIT");
    assert!(lines.contains(&format!("MAIL FROM:<ada@here.test> SIZE={}", MESSAGE.len())));
}

#[tokio::test(start_paused = true)]
async fn a_small_message_costs_two_writes_and_two_round_trips() {
    let house = house().await;
    let peer = Peer::new(Script::default());
    house.peer(&peer).await;
    let latency = Duration::from_millis(100);
    house.simulation.net.set_latency(latency);
    let mut session = house.open(&course()).await;
    let job = house.job(&["bo@peer.test", "cy@peer.test"]).await;
    let began = house.world.clock.instant();
    session.attempt(&job, &house.ledger).await;
    assert_eq!(house.world.clock.instant() - began, latency * 4);
}

#[tokio::test(start_paused = true)]
async fn each_recipient_has_its_own_words() {
    let house = house().await;
    let refused = Say::Text("550 5.1.1 who?\r\n");
    let peer = Peer::new(Script::default().at("RCPT TO:<no@", refused));
    house.peer(&peer).await;
    let job = house.job(&["bo@peer.test", "no@peer.test"]).await;
    let report = house
        .open(&course())
        .await
        .attempt(&job, &house.ledger)
        .await;
    assert_eq!(words(&report), ["250 2.0.0 kept as q1", "550 5.1.1 who?"]);
    assert_eq!(report.facts.last_command, "RCPT");
    assert!(
        report.facts.transcript.contains("S: 550 5.1.1 who?"),
        "{}",
        report.facts.transcript
    );
    assert_eq!(report.facts.address, "192.0.2.25:25");
}

#[tokio::test(start_paused = true)]
async fn recipients_that_are_too_many_for_one_transaction_go_in_the_next() {
    let house = house().await;
    let too_many = Say::Text("452 4.5.3 too many\r\n");
    let peer = Peer::new(Script::default().first(1, "RCPT TO:<r2@", too_many));
    house.peer(&peer).await;
    let to: Vec<String> = (0..150).map(|n| format!("r{n}@peer.test")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let job = house.job(&to).await;
    let report = house
        .open(&course())
        .await
        .attempt(&job, &house.ledger)
        .await;
    assert!(
        report
            .fates
            .iter()
            .all(|fate| matches!(fate, Fate::Accepted { .. }))
    );
    assert_eq!(peer.heard().messages.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn lmtp_answers_for_each_recipient() {
    let house = house().await;
    let full = Say::Text("452 4.2.2 full\r\n");
    let peer = Peer::new(Script::default().first(1, ".", full)).lmtp();
    house.peer(&peer).await;
    let job = house.job(&["bo@peer.test", "cy@peer.test"]).await;
    let course = Course {
        dialect: Dialect::Lmtp,
        ..course()
    };
    let report = house.open(&course).await.attempt(&job, &house.ledger).await;
    assert_eq!(words(&report), ["452 4.2.2 full", "250 2.0.0 kept as q1"]);
    assert_eq!(peer.heard().lines[0], "LHLO mx.test");
}

#[tokio::test(start_paused = true)]
async fn lmtp_goes_over_a_unix_socket() {
    let house = house().await;
    let peer = Peer::new(Script::default()).lmtp();
    let path = PathBuf::from("/run/lmtp");
    let listener = house.world.net.listen_unix(&path, 0o600).await.unwrap();
    let (heard, world) = (peer.clone(), house.world.clone());
    tokio::spawn(async move { heard.session(listener.accept().await.unwrap(), world).await });
    let course = Course {
        dialect: Dialect::Lmtp,
        servers: vec![Server {
            host: "localhost".to_owned(),
            places: vec![Place::Unix(path)],
        }],
        ..course()
    };
    let report = house.deliver(&course).await;
    assert_eq!(words(&report), ["250 2.0.0 kept as q1"]);
    assert_eq!(report.facts.address, "unix:/run/lmtp");
}

#[tokio::test(start_paused = true)]
async fn one_attempt_tries_all_addresses_and_then_the_next_server() {
    let house = house().await;
    let busy = Peer::new(Script::default().at("greeting", Say::Text("554 5.3.2 not here\r\n")));
    busy.serve(&house.world, "192.0.2.2:25").await;
    let deaf = Peer::new(Script::default().at("EHLO", Say::Text("421 4.3.2 later\r\n")));
    deaf.serve(&house.world, "192.0.2.3:25").await;
    let good = Peer::new(Script::default());
    good.serve(&house.world, "192.0.2.4:25").await;
    let course = Course {
        servers: vec![
            server(
                "mx1.test",
                &["192.0.2.1:25", "192.0.2.2:25", "192.0.2.3:25"],
            ),
            server("mx2.test", &["192.0.2.4:25"]),
        ],
        ..course()
    };
    let session = house.open(&course).await;
    assert_eq!(
        (session.peer(), session.address()),
        ("mx2.test", "192.0.2.4:25")
    );
    assert_eq!(busy.heard().connections + deaf.heard().connections, 2);
}

#[tokio::test(start_paused = true)]
async fn when_nobody_answers_well_the_first_words_of_a_server_are_reported() {
    let house = house().await;
    let busy = Peer::new(Script::default().at("greeting", Say::Text("421 4.3.2 busy\r\n")));
    busy.serve(&house.world, "192.0.2.2:25").await;
    let course = Course {
        servers: vec![server(
            "mx1.test",
            &["192.0.2.1:25", "192.0.2.2:25", "192.0.2.3:25"],
        )],
        ..course()
    };
    let failure = Session::open(&course, &house.world).await.unwrap_err();
    assert_eq!(failure.reply.to_string(), "421 4.3.2 busy");
    assert_eq!(
        (failure.whose, failure.address.as_str()),
        (Whose::Peer, "192.0.2.2:25")
    );
    for part in [
        "192.0.2.1:25 refused",
        "421 4.3.2 busy",
        "192.0.2.3:25 refused",
    ] {
        assert!(failure.transcript.contains(part), "{}", failure.transcript);
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_addresses_are_dialled_than_the_bound() {
    let house = house().await;
    let places: Vec<String> = (1..=30).map(|n| format!("192.0.2.{n}:25")).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let course = Course {
        servers: vec![server("mx.test", &places)],
        ..course()
    };
    let failure = Session::open(&course, &house.world).await.unwrap_err();
    assert_eq!(failure.transcript.matches("-- mx.test").count(), DIALS_MAX);
}

const WITH_TLS: &[&str] = &["PIPELINING", "STARTTLS", "AUTH PLAIN LOGIN"];

#[tokio::test(start_paused = true)]
async fn tls_is_used_when_offered_and_its_facts_are_kept() {
    let house = house().await;
    let made = house.world.tls.self_signed("peer.test").unwrap();
    let identity = made.identity().unwrap();
    let tls = house.world.tls.server(identity).unwrap();
    let peer = Peer::new(Script::default())
        .offering(WITH_TLS)
        .with_tls(tls);
    house.peer(&peer).await;
    let report = house.deliver(&course()).await;
    assert!(
        report.facts.tls.starts_with("TLSv1.3 TLS_"),
        "{}",
        report.facts.tls
    );
    assert!(
        report.facts.tls.contains("not verified"),
        "{}",
        report.facts.tls
    );
    assert_eq!(peer.heard().tls_handshakes, 1);
    assert_eq!(report.dsn, Dsn::NotPassed);
}

#[tokio::test(start_paused = true)]
async fn a_failed_handshake_falls_back_to_the_clear_only_when_encryption_was_only_wished_for() {
    let house = house().await;
    // Offers STARTTLS, says go ahead, and hangs up.
    let peer = Peer::new(Script::default()).offering(WITH_TLS);
    house.peer(&peer).await;
    let report = house.deliver(&course()).await;
    assert_eq!(words(&report), ["250 2.0.0 kept as q1"]);
    assert_eq!(report.facts.tls, "");
    assert_eq!(peer.heard().connections, 2);
    for tls in [ConnectorTls::Required, ConnectorTls::Verify] {
        let course = Course { tls, ..course() };
        let failure = Session::open(&course, &house.world).await.unwrap_err();
        assert_eq!(failure.last_command, "TLS");
    }
    assert_eq!(peer.heard().messages.len(), 1);
    assert_eq!(peer.heard().connections, 4);
}

#[tokio::test(start_paused = true)]
async fn required_tls_that_is_not_offered_is_never_done_without() {
    let house = house().await;
    let peer = Peer::new(Script::default());
    house.peer(&peer).await;
    let course = Course {
        tls: ConnectorTls::Required,
        ..course()
    };
    let failure = Session::open(&course, &house.world).await.unwrap_err();
    assert!(
        failure.reply.to_string().starts_with("451 4.7.4"),
        "{}",
        failure.reply
    );
    assert!(peer.heard().messages.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_verified_login_sends_the_password_over_tls_and_never_into_the_transcript() {
    let mut house = house().await;
    let made = house.world.tls.self_signed("peer.test").unwrap();
    let tls = house.world.tls.server(made.identity().unwrap()).unwrap();
    let roots = made.certificate_pem.as_bytes();
    house.world.tls = house
        .world
        .tls
        .trusting(PlatformRoots::Ignored, roots)
        .unwrap();
    let refused = Say::Text("535 5.7.8 no\r\n");
    let peer = Peer::new(Script::default().first(1, "AUTH", refused))
        .offering(WITH_TLS)
        .with_tls(tls);
    house.peer(&peer).await;
    let course = Course {
        tls: ConnectorTls::Verify,
        login: Some(Credentials::new("relay", "s3cret")),
        ..course()
    };
    let failure = Session::open(&course, &house.world).await.unwrap_err();
    assert_eq!((failure.whose, failure.reply.code()), (Whose::Ours, 535));
    assert!(
        failure.transcript.contains("AUTH PLAIN ***"),
        "{}",
        failure.transcript
    );
    let session = house.open(&course).await;
    assert!(session.tls().ends_with("(verified)"), "{}", session.tls());
}

#[tokio::test(start_paused = true)]
async fn a_password_is_never_said_in_the_clear() {
    let house = house().await;
    let peer = Peer::new(Script::default()).offering(&["AUTH PLAIN"]);
    house.peer(&peer).await;
    let course = Course {
        login: Some(Credentials::new("relay", "s3cret")),
        ..course()
    };
    let failure = Session::open(&course, &house.world).await.unwrap_err();
    assert_eq!(failure.whose, Whose::Ours);
    assert!(
        !peer
            .heard()
            .lines
            .iter()
            .any(|line| line.starts_with("AUTH"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hangs_costs_the_time_of_its_phase_and_no_more() {
    let limits = Timeouts::default();
    let phases = [
        ("greeting", limits.greeting),
        ("EHLO", limits.ehlo),
        ("MAIL", limits.mail),
        ("RCPT", limits.rcpt),
        ("DATA", limits.data_init),
        (".", limits.data_end),
    ];
    for (step, limit) in phases {
        let house = house().await;
        house
            .peer(&Peer::new(Script::default().at(step, Say::Hang)))
            .await;
        let job = house.job(&["bo@peer.test"]).await;
        let began = house.world.clock.instant();
        match Session::open(&course(), &house.world).await {
            Err(failure) => assert!(
                failure.reply.to_string().contains("no answer"),
                "{failure:?}"
            ),
            Ok(mut session) => {
                let report = session.attempt(&job, &house.ledger).await;
                let unknown = matches!(report.fates[0], Fate::Unknown { .. });
                assert_eq!(unknown, step == ".", "{step}: {report:?}");
                assert!(!session.is_usable());
                assert_eq!(report.afterwards, Afterwards::BrokeAtOnce);
            }
        }
        assert_eq!(house.world.clock.instant() - began, limit, "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_after_the_final_dot_is_unknown_and_before_it_is_not() {
    for (step, unknown) in [(".", true), ("DATA", false), ("RCPT", false)] {
        let house = house().await;
        house
            .peer(&Peer::new(Script::default().at(step, Say::Cut)))
            .await;
        let report = house.deliver(&course()).await;
        assert_eq!(
            matches!(report.fates[0], Fate::Unknown { .. }),
            unknown,
            "{step}"
        );
        assert_eq!(
            matches!(report.fates[0], Fate::NotHandedOver { .. }),
            !unknown,
            "{step}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_in_the_middle_of_content_hands_nothing_over() {
    let house = house().await;
    let peer = Peer::new(Script::default());
    house.peer(&peer).await;
    house.simulation.net.fault(
        "192.0.2.25:25".parse().unwrap(),
        NetFault::ResetAfterSent(5000),
    );
    let body = Bytes::from("0123456789abcdef\r\n".repeat(2000));
    let job = house.job_of(&["bo@peer.test"], body, |_| ()).await;
    let report = house
        .open(&course())
        .await
        .attempt(&job, &house.ledger)
        .await;
    assert!(
        matches!(report.fates[0], Fate::NotHandedOver { .. }),
        "{report:?}"
    );
    assert!(peer.heard().messages.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_closed_while_idle_is_noticed_without_a_message() {
    let house = house().await;
    house.peer(&Peer::new(Script::default())).await;
    let mut session = house.open(&course()).await;
    assert!(session.still_stands().await);
    house
        .simulation
        .net
        .reset_connections("192.0.2.25:25".parse().unwrap());
    assert!(!session.still_stands().await);
}

#[tokio::test(start_paused = true)]
async fn content_the_peer_cannot_take_is_refused_for_good_and_the_session_goes_on() {
    let house = house().await;
    let peer = Peer::new(Script::default()).offering(&["PIPELINING"]);
    house.peer(&peer).await;
    let mut session = house.open(&course()).await;
    let body = || Bytes::from_static("Subject: \u{e9}\r\n".as_bytes());
    type Change = fn(&mut Envelope);
    let cases: [(Change, &str); 3] = [
        (
            |envelope| envelope.body_type = BodyType::EightBitMime,
            "554 5.6.3",
        ),
        (
            |envelope| envelope.body_type = BodyType::BinaryMime,
            "554 5.6.3",
        ),
        (|envelope| envelope.smtputf8 = true, "550 5.6.7"),
    ];
    for (change, expected) in cases {
        let job = house.job_of(&["bo@peer.test"], body(), change).await;
        let report = session.attempt(&job, &house.ledger).await;
        assert!(words(&report)[0].starts_with(expected), "{report:?}");
        assert_eq!(report.afterwards, Afterwards::Open);
    }
    let job = house
        .job_of(&["bo@b\u{fc}cher.test", "\u{e9}@peer.test"], body(), |_| ())
        .await;
    let report = session.attempt(&job, &house.ledger).await;
    assert!(
        matches!(report.fates[0], Fate::Accepted { .. }),
        "{report:?}"
    );
    assert!(words(&report)[1].starts_with("550 5.6.7"));
    let rcpt = "RCPT TO:<bo@xn--bcher-kva.test>".to_owned();
    assert!(peer.heard().lines.contains(&rcpt));
}

#[tokio::test(start_paused = true)]
async fn a_421_before_content_is_about_the_peer() {
    let house = house().await;
    house
        .peer(&Peer::new(
            Script::default().at("MAIL", Say::Bye("421 4.3.2 closing\r\n")),
        ))
        .await;
    let report = house.deliver(&course()).await;
    let refused = matches!(&report.fates[0], Fate::Refused { step: Step::Mail, reply } if reply.code() == 421);
    assert!(refused, "{report:?}");
    assert!(!report.fates[0].is_answer());
    assert_eq!(report.afterwards, Afterwards::BrokeAtOnce);
}

#[tokio::test(start_paused = true)]
async fn a_large_body_is_read_in_pieces_and_arrives_whole_by_data_and_by_bdat() {
    let house = house().await;
    let peer = Peer::new(Script::default());
    house.peer(&peer).await;
    let mut session = house.open(&course()).await;
    let body = "..0123456789abcdef\r\n".repeat(20_000);
    for body_type in [BodyType::SevenBit, BodyType::BinaryMime] {
        let content = Bytes::from(body.clone());
        let job = house
            .job_of(&["bo@peer.test"], content, |envelope| {
                envelope.body_type = body_type
            })
            .await;
        let ids: Vec<_> = job.recipients.iter().map(|one| one.id).collect();
        house.ledger.release(&ids).await.unwrap();
        let now = house.ledger.now();
        let job = house
            .ledger
            .claim(&job.next_hop, 1, now)
            .await
            .unwrap()
            .remove(0);
        assert!(job.body.cached().is_none());
        let report = session.attempt(&job, &house.ledger).await;
        assert_eq!(words(&report), ["250 2.0.0 kept as q1"]);
        assert!(report.facts.bytes > body.len() as u64);
    }
    let Heard {
        lines, messages, ..
    } = peer.heard();
    assert!(messages.iter().all(|message| *message == body));
    assert!(
        lines
            .iter()
            .filter(|line| line.starts_with("BDAT 65536"))
            .count()
            >= 5,
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_damaged_body_is_never_completed_and_reported_for_a_person() {
    let house = house().await;
    let peer = Peer::new(Script::default());
    house.peer(&peer).await;
    let body = Bytes::from("0123456789abcdef\r\n".repeat(20_000));
    let job = house.job_of(&["bo@peer.test"], body, |_| ()).await;
    let ids: Vec<_> = job.recipients.iter().map(|one| one.id).collect();
    house.ledger.release(&ids).await.unwrap();
    let mut damage = ground_store::Unit::new();
    let sql = ground_store::Sql::new("UPDATE body SET checksum = zeroblob(32)");
    damage.write_exactly(1, sql, Vec::new());
    house.ledger.store().write(damage).await.unwrap();
    let now = house.ledger.now();
    let job = house
        .ledger
        .claim(&job.next_hop, 1, now)
        .await
        .unwrap()
        .remove(0);
    let mut session = house.open(&course()).await;
    let report = session.attempt(&job, &house.ledger).await;
    assert!(
        matches!(report.fates[0], Fate::Damaged { .. }),
        "{report:?}"
    );
    assert!(!session.is_usable());
    drop(session);
    house.simulation.clock.advance(Duration::from_secs(1)).await;
    assert!(peer.heard().messages.is_empty());
}
