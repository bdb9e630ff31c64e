//! EHLO: what our server tells, our client understands; what others tell is read as far as it makes sense.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use postrider_fuzz::{Dice, dialect, features, read_replies};
use std::sync::Arc;
use wire_smtp::command::Dialect;
use wire_smtp::reply::{EhloResponse, ReplyReader};
use wire_smtp::server::{Channel, Features, Server};

fuzz_target!(|data: &[u8]| {
    let mut dice = Dice(data);
    let dialect = dialect(dice.byte());
    let features = features(dialect, dice.byte(), dice.byte());
    check_ours(&features, Channel::Clear);
    check_ours(&features, Channel::Tls);
    check_foreign(dice.0);
});

fn check_ours(features: &Features, channel: Channel) {
    let mut server = Server::new(Arc::new(features.clone()), channel);
    server.greet();
    let hello: &[u8] = match features.dialect {
        Dialect::Lmtp => b"LHLO c.test\r\n",
        Dialect::Smtp | Dialect::Submission => b"EHLO c.test\r\n",
    };
    server.input().extend_from_slice(hello);
    server.poll().expect("a greeting");
    server.accept();
    let replies = read_replies(server.output());
    let offer = EhloResponse::parse(replies.last().expect("an answer"));
    let clear = channel == Channel::Clear;
    assert_eq!(offer.name, features.hostname);
    assert_eq!(offer.size, Some(features.max_size));
    assert!(offer.pipelining && offer.eight_bit_mime && offer.enhanced_status_codes);
    assert_eq!(offer.starttls, features.starttls && clear);
    assert_eq!(offer.chunking, features.chunking);
    assert_eq!(offer.binary_mime, features.chunking && features.binary_mime);
    assert_eq!(
        (offer.smtputf8, offer.dsn),
        (features.smtputf8, features.dsn)
    );
    let auth = !features.auth.is_empty() && (!clear || features.auth_in_clear);
    assert_eq!(offer.auth_offered, auth);
    assert_eq!(
        offer.auth,
        if auth {
            features.auth.clone()
        } else {
            Vec::new()
        }
    );
    let most = Some(features.max_recipients).filter(|most| *most > 0);
    assert_eq!(offer.limits.rcpt_max, most);
}

/// Lines of anything, in the frame of a reply.
fn check_foreign(text: &[u8]) {
    let mut input = BytesMut::new();
    for line in text.split(|&b| b == b'\n') {
        input.extend_from_slice(b"250-");
        input.extend_from_slice(line);
        input.extend_from_slice(b"\r\n");
    }
    input.extend_from_slice(b"250 HELP\r\n");
    if let Ok(Some(reply)) = ReplyReader::default().next(&mut input) {
        let offer = EhloResponse::parse(&reply);
        assert!(offer.auth.len() <= 2 && (offer.auth_offered || offer.auth.is_empty()));
        assert_ne!(offer.size_limit(), Some(0));
        assert_ne!(offer.limits.rcpt_max, Some(0));
    }
}
