//! The trace header: whatever a peer calls itself, it stays one field of printable lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::{Dice, assert_strict};
use std::net::{Ipv4Addr, Ipv6Addr};
use wire_message::header::{Head, LINE_MAX};
use wire_message::received::{Greeting, Received, Source, With};
use wire_message::{Address, Time};

fuzz_target!(|data: &[u8]| {
    let mut dice = Dice(data);
    let bits = dice.byte();
    let on = |bit: u8| bits & (1 << bit) != 0;
    let (helo, name, by, tls, id) = (
        dice.text(64),
        dice.text(64),
        dice.text(64),
        dice.text(64),
        dice.text(64),
    );
    let recipient = Address::parse(dice.text(64)).ok();
    let address = match on(0) {
        true => Ipv4Addr::new(192, 0, 2, bits).into(),
        false => Ipv6Addr::from([bits; 16]).into(),
    };
    let name = on(1).then_some(name);
    let source = match on(2) {
        true => Source::Local { user: helo },
        false => Source::Peer {
            helo,
            name,
            address,
        },
    };
    let with = on(3).then_some(With {
        greeting: Greeting::Ehlo,
        tls: on(4),
        authenticated: on(5),
        smtputf8: on(6),
    });
    let received = Received {
        source,
        by,
        with,
        tls: on(7).then_some(tls),
        id,
        recipient: recipient.as_ref(),
        at: Time::EPOCH,
    };
    check(&received.to_string(), on(3) && on(6));
});

fn check(field: &str, smtputf8: bool) {
    let bytes = field.as_bytes();
    assert_strict(bytes);
    assert!(smtputf8 || field.is_ascii());
    for line in bytes.split(|&b| b == b'\n') {
        assert!(line.len() <= LINE_MAX + 1);
    }
    let head = Head::of(bytes);
    assert_eq!(head.bytes(), bytes);
    assert_eq!((head.fields().count(), head.count_received()), (1, 1));
}
