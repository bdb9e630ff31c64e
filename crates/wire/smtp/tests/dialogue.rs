//! Both machines talking to each other: any message arrives as it left, whatever way it goes and however it is cut.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the drivers of the tests care for few events"
)]

use bytes::BytesMut;
use proptest::prelude::*;
use std::sync::Arc;
use wire_message::{Address, ReversePath};
use wire_smtp::client::{self, Chunk, Client, Fate, HandOver, Pipelining, Report, Transaction};
use wire_smtp::command::{BodyType, Dialect, MailParams, RcptParams};
use wire_smtp::reply::Reply;
use wire_smtp::server::{self, Channel, Features, Server};

/// How one conversation is held.
#[derive(Debug, Clone)]
struct Manner {
    dialect: Dialect,
    pipelining: Pipelining,
    hand_over: HandOver,
    body: BodyType,
    /// Octets that pass at once.
    cut: usize,
    /// Octets of content fed at once.
    feed: usize,
}

/// A server that keeps what it accepts; recipients called `nobody` do not exist.
struct Receiver {
    server: Server,
    content: Vec<u8>,
    kept: Vec<Vec<u8>>,
}

impl Receiver {
    fn new(dialect: Dialect) -> Receiver {
        let mut server = Server::new(Arc::new(Features::new(dialect, "mx.test")), Channel::Clear);
        server.greet();
        Receiver {
            server,
            content: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn work(&mut self) {
        while let Some(event) = self.server.poll() {
            match event {
                server::Event::Body(chunk) => self.content.extend_from_slice(&chunk),
                server::Event::BodyEnd => {
                    self.kept.push(std::mem::take(&mut self.content));
                    self.server.accept();
                }
                server::Event::BodyRefused(_) => self.content.clear(),
                server::Event::Rcpt(rcpt) if rcpt.to.to_string().starts_with("<nobody@") => {
                    self.server.refuse(Reply::plain(550, "5.1.1 Nobody"));
                }
                _ if self.server.awaits_decision() => self.server.accept(),
                _ => {}
            }
        }
    }
}

/// Moves at most `cut` octets; false when there are none.
fn pass(from: &mut BytesMut, to: &mut BytesMut, cut: usize) -> bool {
    let octets = from.split_to(cut.min(from.len()));
    to.extend_from_slice(&octets);
    !octets.is_empty()
}

fn transaction(manner: &Manner, recipients: &[&str]) -> Transaction {
    let mut mail = MailParams::new(ReversePath::Null);
    mail.body = manner.body;
    Transaction {
        mail,
        recipients: recipients
            .iter()
            .map(|to| RcptParams::new(Address::parse(to).expect("an address")))
            .collect(),
        hand_over: manner.hand_over,
    }
}

/// Feeds the next piece of `content` while the client takes it.
fn feed(client: &mut Client, content: &mut &[u8], size: usize) {
    let Some((piece, rest)) = content.split_at_checked(size) else {
        return client.content(content, Chunk::Last);
    };
    client.content(piece, Chunk::More);
    *content = rest;
}

/// Sends the same message twice over one connection.
fn converse(manner: &Manner, recipients: &[&str], content: &[u8]) -> (Vec<Report>, Vec<Vec<u8>>) {
    let mut config = client::Config::new(manner.dialect, "c.test");
    config.pipelining = manner.pipelining;
    let mut client = Client::new(config);
    let mut receiver = Receiver::new(manner.dialect);
    let mut reports = Vec::new();
    let mut left = content;
    loop {
        while let Some(event) = client.poll() {
            match event {
                client::Event::Done(report) => reports.push(report),
                client::Event::Closed(why) => {
                    assert_eq!(why, client::Closed::Quit);
                    return (reports, receiver.kept);
                }
                _ => {}
            }
        }
        if client.wants_content() {
            feed(&mut client, &mut left, manner.feed);
        } else if client.is_ready() && reports.len() < 2 {
            left = content;
            client.send(transaction(manner, recipients)).expect("ready");
        } else if client.is_ready() {
            client.quit().expect("ready");
        }
        let there = pass(client.output(), receiver.server.input(), manner.cut);
        receiver.work();
        let back = pass(receiver.server.output(), client.input(), manner.cut);
        assert!(
            there || back || client.wants_content(),
            "both wait for ever"
        );
    }
}

fn manner() -> impl Strategy<Value = Manner> {
    let dialect = proptest::sample::select(vec![Dialect::Smtp, Dialect::Submission, Dialect::Lmtp]);
    let pipelining = proptest::sample::select(vec![Pipelining::WhenOffered, Pipelining::Never]);
    let hand_over = proptest::sample::select(vec![HandOver::Data, HandOver::Bdat]);
    (dialect, pipelining, hand_over, 1usize..40, 1usize..40).prop_map(
        |(dialect, pipelining, hand_over, cut, feed)| Manner {
            dialect,
            pipelining,
            hand_over,
            body: BodyType::EightBitMime,
            cut,
            feed,
        },
    )
}

/// Lines that end in CRLF, many of them dots.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(Vec::new()),
        Just(b".".to_vec()),
        Just(b"..".to_vec()),
        Just(b"QUIT".to_vec()),
        proptest::collection::vec(
            any::<u8>().prop_filter("text", |b| ![b'\r', b'\n', 0].contains(b)),
            0..30
        ),
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|l| [l, b"\r\n".to_vec()])
            .flatten()
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_text_arrives_unchanged(manner in manner(), content in message()) {
        let (reports, kept) = converse(&manner, &["a@b.test", "nobody@b.test", "c@b.test"], &content);
        prop_assert_eq!(kept, vec![content.clone(), content]);
        for report in reports {
            let [Fate::Accepted(_), Fate::RefusedBefore(..), Fate::Accepted(_)] = report.recipients.as_slice() else {
                panic!("{report:?}");
            };
        }
    }

    #[test]
    fn any_octets_arrive_unchanged_as_binary(manner in manner(), content in proptest::collection::vec(any::<u8>(), 0..200)) {
        let manner = Manner { hand_over: HandOver::Bdat, body: BodyType::BinaryMime, ..manner };
        let (_, kept) = converse(&manner, &["a@b.test"], &content);
        prop_assert_eq!(kept, vec![content.clone(), content]);
    }

    #[test]
    fn nothing_is_sent_to_nobody(manner in manner(), content in message()) {
        let (reports, kept) = converse(&manner, &["nobody@b.test"], &content);
        prop_assert!(kept.is_empty());
        prop_assert_eq!(reports.len(), 2);
        for report in reports {
            prop_assert!(matches!(report.recipients.as_slice(), [Fate::RefusedBefore(..)]), "{:?}", report);
        }
    }

    /// What a careless store holds may be repaired on its way; it never becomes two messages or a command.
    #[test]
    fn no_content_smuggles(
        manner in manner(),
        words in proptest::collection::vec(proptest::sample::select(vec!["\r", "\n", ".", "\r\n", "MAIL FROM:<>", "x"]), 0..30),
    ) {
        let content = words.concat();
        let (reports, kept) = converse(&manner, &["a@b.test"], content.as_bytes());
        prop_assert_eq!(reports.len(), 2);
        match manner.hand_over {
            HandOver::Data => prop_assert_eq!(kept.len(), 2),
            // Counted octets are not repaired: what is not strict is refused.
            HandOver::Bdat => prop_assert!(kept.iter().all(|kept| kept == content.as_bytes())),
        }
    }
}
