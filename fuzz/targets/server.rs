//! The server machine, any dialect: arbitrary octets in arbitrary cuts, and a driver that decides anything.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use postrider_fuzz::{Cuts, Dice, dialect, features, is_strict, read_replies, same};
use std::sync::Arc;
use wire_smtp::command::{BodyType, Dialect};
use wire_smtp::reply::Reply;
use wire_smtp::server::{Channel, Counters, Event, Features, Server, Via};

fuzz_target!(|data: &[u8]| {
    let mut dice = Dice(data);
    let dialect = dialect(dice.byte());
    let bits = dice.byte();
    let features = features(dialect, bits, dice.byte());
    let channel = match bits & 0x80 {
        0 => Channel::Clear,
        _ => Channel::Tls,
    };
    let cuts = Cuts::read(&mut dice);
    let decisions = Dice(dice.piece(32));
    let steady = Driver {
        tls: AfterStartTls::Stop,
        fickle: Fickle::No,
    };
    let whole = talk(
        &features,
        channel,
        decisions.clone(),
        steady,
        Cuts::NONE,
        dice.0,
    );
    let cut = talk(&features, channel, decisions.clone(), steady, cuts, dice.0);
    same(&whole, &cut);
    let fickle = Driver {
        tls: AfterStartTls::GoOn,
        fickle: Fickle::Yes,
    };
    talk(&features, channel, decisions, fickle, cuts, dice.0);
});

/// How the driver goes about it.
#[derive(Clone, Copy)]
struct Driver {
    tls: AfterStartTls,
    fickle: Fickle,
}

/// The octets behind STARTTLS are the handshake's: where they begin depends on the cuts.
#[derive(Clone, Copy, PartialEq)]
enum AfterStartTls {
    Stop,
    GoOn,
}

/// Whether content is refused while it comes: which part, depends on the cuts.
#[derive(Clone, Copy, PartialEq)]
enum Fickle {
    Yes,
    No,
}

/// One dialogue.
struct Talk<'a> {
    server: Server,
    features: &'a Features,
    decisions: Dice<'a>,
    driver: Driver,
    events: Vec<Event>,
    body: Vec<u8>,
    via: Via,
    announced: BodyType,
    stopped: bool,
}

/// All that a peer and a driver can see of it.
type Seen = (Vec<Event>, Vec<u8>, Counters, bool);

fn talk(
    features: &Features,
    channel: Channel,
    decisions: Dice<'_>,
    driver: Driver,
    cuts: Cuts<'_>,
    octets: &[u8],
) -> Seen {
    let mut server = Server::new(Arc::new(features.clone()), channel);
    server.greet();
    let mut talk = Talk {
        server,
        features,
        decisions,
        driver,
        events: Vec::new(),
        body: Vec::new(),
        via: Via::Data,
        announced: BodyType::SevenBit,
        stopped: false,
    };
    let mut said = BytesMut::new();
    for piece in cuts.pieces(octets) {
        talk.server.input().extend_from_slice(piece);
        talk.work();
        said.unsplit(talk.server.output().split());
    }
    let replies = read_replies(&said);
    let started = talk
        .events
        .iter()
        .filter(|e| **e == Event::DataBegin(Via::Data));
    let go_ahead = replies.iter().filter(|reply| reply.code() == 354).count();
    assert!(go_ahead <= started.count(), "354 without a decision");
    // Of content without its end, how much was given out is a matter of the cuts too.
    talk.events.pop_if(|event| matches!(event, Event::Body(_)));
    let closed = talk.server.is_closed();
    (talk.events, said.to_vec(), talk.server.counters(), closed)
}

impl Talk<'_> {
    fn work(&mut self) {
        while !self.stopped
            && let Some(event) = self.server.poll()
        {
            self.note(&event);
            if self.server.awaits_decision() {
                assert_eq!(
                    self.server.poll(),
                    None,
                    "nothing happens before a decision"
                );
                self.decide(&event);
            }
            self.keep(event);
        }
        assert!(self.stopped || !self.server.awaits_decision());
    }

    /// Follows the content as a driver does, and looks at it.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Mail(mail) => self.announced = mail.body,
            Event::DataBegin(via) => {
                self.via = *via;
                self.body.clear();
            }
            Event::Body(chunk) => {
                assert!(self.server.in_content() && !chunk.is_empty());
                self.body.extend_from_slice(chunk);
            }
            Event::BodyEnd => self.check_body(),
            Event::BodyRefused(_) => {
                assert!(!self.server.in_transaction());
                // Even what is thrown away was never more than strict text.
                assert!(self.via != Via::Data || is_strict(&self.body));
                self.body.clear();
            }
            _ => {}
        }
    }

    fn check_body(&self) {
        let body = self.body.escape_ascii();
        let text = self.via == Via::Data || self.announced != BodyType::BinaryMime;
        if text {
            assert!(is_strict(&self.body) && !self.body.contains(&0), "{body}");
            let longest = self.body.split(|&b| b == b'\n').map(<[u8]>::len).max();
            assert!(longest <= Some(self.features.max_text_line + 1), "{body}");
        }
        if self.via == Via::Data {
            assert!(
                self.body.is_empty() || self.body.ends_with(b"\r\n"),
                "{body}"
            );
        }
        let most = self.features.max_size;
        assert!(most == 0 || self.body.len() as u64 <= most, "{body}");
    }

    fn decide(&mut self, event: &Event) {
        let choice = self.decisions.byte();
        let each = *event == Event::BodyEnd && self.features.dialect == Dialect::Lmtp;
        match choice % 8 {
            0..=2 => self.server.accept(),
            3 | 4 if each => {
                while self.server.awaits_decision() {
                    let code = if self.decisions.byte().is_multiple_of(2) {
                        250
                    } else {
                        452
                    };
                    self.server
                        .answer_recipient(&Reply::plain(code, "2.0.0 So be it"));
                }
            }
            3 | 4 => self
                .server
                .accept_with(Reply::plain(250, "2.0.0 As you like\nand more")),
            5 => self.server.refuse(Reply::plain(450, "4.2.0 Not now")),
            6 => self.server.refuse(Reply::plain(550, "5.7.1 No")),
            _ => self.server.refuse(Reply::plain(421, "4.3.2 Closing")),
        }
        if *event != Event::StartTls || choice % 8 > 4 {
            return;
        }
        match self.driver.tls {
            AfterStartTls::Stop => self.stopped = true,
            AfterStartTls::GoOn => {
                assert_eq!(self.server.poll(), None, "octets are the handshake's");
                self.server.tls_established();
                assert!(self.server.hello().is_none() && !self.server.is_authenticated());
            }
        }
    }

    /// Keeps the event; content in one piece, however it came.
    fn keep(&mut self, event: Event) {
        let content = matches!(event, Event::Body(_) | Event::Noop);
        if self.driver.fickle == Fickle::Yes && content && self.decisions.byte() % 4 == 1 {
            self.server.refuse_body(Reply::plain(552, "5.2.2 Full"));
        }
        match (self.events.last_mut(), event) {
            (Some(Event::Body(before)), Event::Body(more)) => {
                *before = [before.as_ref(), more.as_ref()].concat().into();
            }
            (_, event) => self.events.push(event),
        }
        // How much of faulty content was given out before its fault is a matter of the cuts.
        if let [.., Event::Body(_), Event::BodyRefused(_)] = self.events.as_slice() {
            self.events.remove(self.events.len() - 2);
        }
    }
}
