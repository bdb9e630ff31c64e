//! Replies: written, read back over any cuts, and what a peer's offers come to.

use super::*;
use crate::command::Mechanism;
use proptest::prelude::*;
use wire_message::enhanced::{Class as Grade, EnhancedStatus};

fn wire(reply: &Reply) -> String {
    let mut out = BytesMut::new();
    reply.write(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn each_line_carries_code_and_enhanced_code() {
    let enhanced = EnhancedStatus::new(Grade::Temporary, 7, 1);
    let reply = Reply::new(450, enhanced, "Greylisted\r\ntry \x07again");
    assert_eq!(
        wire(&reply),
        "450-4.7.1 Greylisted\r\n450 4.7.1 try ?again\r\n"
    );
    assert_eq!(reply.enhanced(), Some(enhanced));
    assert_eq!(reply.to_string(), "450 4.7.1 Greylisted / 4.7.1 try ?again");
    assert_eq!(wire(&Reply::plain(250, "ok")), "250 ok\r\n");
    assert_eq!(wire(&Reply::plain(99, "a\rb\nc")), "451-a?b\r\n451 c\r\n");
}

#[test]
fn an_enhanced_code_of_another_class_is_none() {
    assert_eq!(Reply::plain(550, "4.7.1 x").enhanced(), None);
    assert_eq!(Reply::plain(550, "no code").enhanced(), None);
    assert!(Reply::plain(550, "5.7.1").enhanced().is_some());
}

#[test]
fn long_text_is_wrapped_at_the_limit() {
    let reply = Reply::plain(550, "\u{e9}".repeat(2000));
    let wire = wire(&reply);
    assert!(
        wire.split_inclusive("\r\n")
            .all(|line| line.len() <= REPLY_LINE)
    );
    assert_eq!(wire.matches('\u{e9}').count(), 2000);
}

fn read(pieces: &[&[u8]]) -> Result<Vec<Reply>, ReplyFault> {
    let mut reader = ReplyReader::default();
    let mut input = BytesMut::new();
    let mut replies = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(reply) = reader.next(&mut input)? {
            replies.push(reply);
        }
    }
    Ok(replies)
}

#[test]
fn replies_of_the_real_world_can_be_read() {
    let cases = [
        ("250\r\n", "250 "),
        ("250 ok\n", "250 ok"),
        ("250-a\r\n250-\r\n250 c\r\n", "250 a /  / c"),
        ("550 \u{e9}\r\n", "550 \u{e9}"),
        ("550 a\tb\x1b\r\n", "550 a?b?"),
    ];
    for (wire, shown) in cases {
        let replies = read(&[wire.as_bytes()]).unwrap();
        assert_eq!(replies.len(), 1, "{wire:?}");
        assert_eq!(replies[0].to_string(), shown);
    }
    for junk in [
        "hello\r\n",
        "25\r\n",
        "999 x\r\n",
        "250_x\r\n",
        "\r\n",
        "+25 x\r\n",
    ] {
        assert!(
            matches!(read(&[junk.as_bytes()]), Err(ReplyFault::Malformed(_))),
            "{junk:?}"
        );
    }
}

#[test]
fn a_reply_without_end_is_cut_off() {
    let lines = "250-x\r\n".repeat(1000);
    assert_eq!(read(&[lines.as_bytes()]), Err(ReplyFault::TooLong));
    let line = [b'2'; 40_000];
    assert_eq!(read(&[&line]), Err(ReplyFault::TooLong));
}

#[test]
fn offers_are_read_as_they_come() {
    let lines = "mx.test at your service\nsize 1000\nPIPELINING\nChunking\nBINARYMIME\n8BITMIME\nSMTPUTF8\nDSN\n\
                 STARTTLS\nENHANCEDSTATUSCODES\nAUTH=LOGIN\nAUTH GSSAPI PLAIN LOGIN\n\
                 LIMITS RCPTMAX=20 MAILMAX=0 RCPTDOMAINMAX=1\nX-WHATEVER a b\n";
    let offer = EhloResponse::parse(&Reply::plain(250, lines));
    let expected = EhloResponse {
        name: "mx.test".to_owned(),
        size: Some(1000),
        pipelining: true,
        chunking: true,
        binary_mime: true,
        eight_bit_mime: true,
        smtputf8: true,
        dsn: true,
        starttls: true,
        enhanced_status_codes: true,
        auth: vec![Mechanism::Login, Mechanism::Plain],
        auth_offered: true,
        limits: Limits {
            mail_max: None,
            rcpt_max: Some(20),
            rcpt_domain_max: Some(1),
        },
    };
    assert_eq!(offer, expected);
    let sizes = [
        ("SIZE", None),
        ("SIZE 0", None),
        ("SIZE x", None),
        ("SIZE=7", Some(7)),
    ];
    for (line, limit) in sizes {
        let offer = EhloResponse::parse(&Reply::plain(250, format!("x\n{line}")));
        assert_eq!(
            (offer.size.is_some(), offer.size_limit()),
            (true, limit),
            "{line}"
        );
    }
}

proptest! {
    #[test]
    fn replies_are_read_back_over_any_cuts(
        replies in proptest::collection::vec((200u16..600, "[ -~]{1,40}(\n[ -~]{1,40}){0,3}"), 1..5),
        size in 1usize..20,
    ) {
        let replies: Vec<_> = replies.into_iter().map(|(code, text)| Reply::plain(code, text)).collect();
        let wire: String = replies.iter().map(wire).collect();
        let pieces: Vec<_> = wire.as_bytes().chunks(size).collect();
        prop_assert_eq!(read(&pieces), Ok(replies));
    }

    #[test]
    fn any_octets_are_survived(input in proptest::collection::vec(any::<u8>(), 0..200), size in 1usize..9) {
        let pieces: Vec<_> = input.chunks(size).collect();
        let whole = read(&[&input]);
        prop_assert_eq!(whole.is_ok(), read(&pieces).is_ok());
    }
}
