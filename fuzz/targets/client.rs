//! The client machine: a peer that says anything, in any cuts, while we want anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::{Cuts, Dice, assert_one_end, assert_strict, dialect, same};
use wire_message::{Address, OriginalRecipient, ReversePath};
use wire_smtp::client::{Chunk, Client, Config, Event, HandOver, Pipelining, Transaction};
use wire_smtp::command::{BodyType, Credentials, MailParams, Mechanism, Notify, RcptParams};

/// Nothing of it may be seen in a transcript.
const PASSWORD: &str = "never-shown";

fuzz_target!(|data: &[u8]| {
    let mut dice = Dice(data);
    let (kind, bits) = (dice.byte(), dice.byte());
    let wishes = Dice(dice.piece(8));
    let (cuts, feed) = (Cuts::read(&mut dice), Cuts::read(&mut dice));
    let content = dice.piece(64);
    let plan = Plan {
        kind,
        bits,
        feed,
        content,
    };
    let whole = talk(plan, wishes.clone(), Cuts::NONE, dice.0);
    same(&whole, &talk(plan, wishes, cuts, dice.0));
});

/// What our side is and wants to carry.
#[derive(Clone, Copy)]
struct Plan<'a> {
    kind: u8,
    bits: u8,
    feed: Cuts<'a>,
    content: &'a [u8],
}

impl Plan<'_> {
    fn is(&self, bit: u8) -> bool {
        self.bits & (1 << bit) != 0
    }

    fn hand_over(&self) -> HandOver {
        match self.is(0) {
            true => HandOver::Bdat,
            false => HandOver::Data,
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::new(dialect(self.kind), "c.test");
        if self.is(1) {
            config.pipelining = Pipelining::Never;
        }
        config
    }

    fn transaction(&self) -> Transaction {
        let address = |text| Address::parse(text).expect("an address");
        let mut mail = MailParams::new(ReversePath::Address(address("s@a.test")));
        mail.size = self.is(2).then_some(64);
        mail.smtputf8 = self.is(3);
        mail.envid = self.is(4).then(|| "id 1".to_owned());
        mail.body = match (self.is(5), self.is(6)) {
            (true, true) => BodyType::BinaryMime,
            (true, false) => BodyType::EightBitMime,
            (false, _) => BodyType::SevenBit,
        };
        let mut first = RcptParams::new(address("\"odd one\"@b.test"));
        first.notify = Some(Notify::Never);
        first.orcpt = OriginalRecipient::new("rfc822", "odd one@b.test").ok();
        let mut recipients = vec![first, RcptParams::new(address("r@b.test"))];
        recipients.truncate(if self.is(7) { 1 } else { 2 });
        Transaction {
            mail,
            recipients,
            hand_over: self.hand_over(),
        }
    }
}

/// One dialogue.
struct Talk<'a> {
    client: Client,
    plan: Plan<'a>,
    wishes: Dice<'a>,
    events: Vec<Event>,
    sent: Vec<u8>,
    left: Option<Vec<&'a [u8]>>,
    stuffed: Vec<u8>,
    transactions: usize,
}

/// The peer's octets arrive line by line, each line in these cuts: an answer may not come before its question.
fn talk(plan: Plan<'_>, wishes: Dice<'_>, cuts: Cuts<'_>, peer: &[u8]) -> (Vec<Event>, Vec<u8>) {
    let mut talk = Talk {
        client: Client::new(plan.config()),
        plan,
        wishes,
        events: Vec::new(),
        sent: Vec::new(),
        left: None,
        stuffed: Vec::new(),
        transactions: 0,
    };
    for line in peer.split_inclusive(|&octet| octet == b'\n') {
        for piece in cuts.pieces(line) {
            talk.client.input().extend_from_slice(piece);
            talk.work();
        }
    }
    talk.client.connection_lost();
    talk.work();
    talk.check_end();
    (talk.events, talk.sent)
}

impl<'a> Talk<'a> {
    fn work(&mut self) {
        loop {
            while let Some(event) = self.client.poll() {
                assert!(!matches!(self.events.last(), Some(Event::Closed(_))));
                if event == Event::StartTls {
                    self.client.tls_established();
                }
                if matches!(event, Event::Done(_)) {
                    self.left = None;
                }
                self.events.push(event);
            }
            self.take_output();
            if self.client.wants_content() {
                self.feed();
            } else if self.client.is_ready() {
                self.wish();
            } else {
                return;
            }
            self.take_output();
        }
    }

    fn take_output(&mut self) -> Vec<u8> {
        let octets = self.client.output().split().to_vec();
        self.sent.extend_from_slice(&octets);
        octets
    }

    /// Feeds the next piece; over DATA, looks at how the whole leaves us.
    fn feed(&mut self) {
        let (feed, content) = (self.plan.feed, self.plan.content);
        if self.left.is_none() {
            self.stuffed.clear();
        }
        let left = self.left.get_or_insert_with(|| {
            let mut pieces: Vec<_> = feed.pieces(content).collect();
            pieces.reverse();
            pieces
        });
        let piece = left.pop().unwrap_or_default();
        let chunk = match left.is_empty() {
            true => Chunk::Last,
            false => Chunk::More,
        };
        self.client.content(piece, chunk);
        if self.plan.hand_over() == HandOver::Bdat {
            return;
        }
        let octets = self.take_output();
        self.stuffed.extend_from_slice(&octets);
        if chunk == Chunk::Last {
            assert_one_end(&self.stuffed);
        }
    }

    fn wish(&mut self) {
        let credentials = Credentials::new("jo", PASSWORD);
        let choice = match self.wishes.0.is_empty() {
            true => u8::MAX,
            false => self.wishes.byte(),
        };
        let done = match choice % 8 {
            0..=2 => self.send(),
            3 => self.client.starttls(),
            4 => self.client.authenticate(Mechanism::Plain, &credentials),
            5 => self.client.authenticate(Mechanism::Login, &credentials),
            6 => self.client.reset(),
            _ => self.client.quit(),
        };
        done.expect("it said that it was ready");
    }

    /// What the peer does not offer is not sent: then we leave.
    fn send(&mut self) -> Result<(), wire_smtp::client::NotReady> {
        match self.client.send(self.plan.transaction()) {
            Ok(()) => {
                self.transactions += 1;
                Ok(())
            }
            Err(_) => self.client.quit(),
        }
    }

    fn check_end(&self) {
        assert!(self.client.is_closed() && self.client.awaiting().is_none());
        assert!(matches!(self.events.last(), Some(Event::Closed(_))));
        let recipients = self.plan.transaction().recipients.len();
        let done = self.events.iter().filter_map(|event| match event {
            Event::Done(report) => Some(report.recipients.len()),
            _ => None,
        });
        // Every transaction is accounted for, recipient by recipient.
        assert_eq!(
            done.collect::<Vec<_>>(),
            vec![recipients; self.transactions]
        );
        if self.plan.hand_over() == HandOver::Data {
            assert_strict(&self.sent);
        }
        for line in self
            .client
            .transcript()
            .filter(|line| line.starts_with("C: "))
        {
            assert!(
                !line.contains(PASSWORD) && !line.contains("bmV2ZXIt"),
                "{line}"
            );
        }
    }
}
