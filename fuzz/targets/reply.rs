//! Replies: a peer's are read alike however they are cut and can be repeated; ours keep to the limits.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use postrider_fuzz::{Cuts, Dice, read_replies, same};
use wire_message::EnhancedStatus;
use wire_smtp::reply::{REPLY_LINES, REPLY_OCTETS, Reply, ReplyFault, ReplyReader};

fuzz_target!(|data: &[u8]| {
    let mut dice = Dice(data);
    let code = u16::from(dice.byte()) * 4;
    let cuts = Cuts::read(&mut dice);
    let whole = read(dice.0, Cuts::NONE);
    same(&whole, &read(dice.0, cuts));
    for reply in &whole.0 {
        let mut again = BytesMut::new();
        reply.write(&mut again);
        same(&(vec![reply.clone()], None, false), &read(&again, cuts));
        assert!(
            (200..600).contains(&reply.code()) && !reply.to_string().contains(char::is_control)
        );
        let class = reply.enhanced().map(|status| status.class().digit());
        assert!(class.is_none_or(|class| u16::from(class) == reply.code() / 100));
    }
    if let Ok(text) = std::str::from_utf8(dice.0) {
        check_ours(&Reply::plain(code, text.to_owned()));
        let status = EnhancedStatus::from_reply_code(code);
        status
            .into_iter()
            .for_each(|status| check_ours(&Reply::new(code, status, text)));
    }
});

/// The replies, the fault behind them, and whether half a reply is left.
fn read(octets: &[u8], cuts: Cuts<'_>) -> (Vec<Reply>, Option<ReplyFault>, bool) {
    let (mut reader, mut input) = (ReplyReader::default(), BytesMut::new());
    let mut replies = Vec::new();
    for piece in cuts.pieces(octets) {
        input.extend_from_slice(piece);
        loop {
            match reader.next(&mut input) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(fault) => return (replies, Some(fault), false),
            }
        }
    }
    (replies, None, reader.is_midway())
}

fn check_ours(reply: &Reply) {
    let mut said = BytesMut::new();
    reply.write(&mut said);
    if reply.lines().count() > REPLY_LINES || said.len() > REPLY_OCTETS {
        return;
    }
    let heard = read_replies(&said);
    // Control characters beyond ASCII are only hidden when they are read.
    let hide = |c: char| if c.is_control() && c != '\n' { '?' } else { c };
    let text: String = reply.text().chars().map(hide).collect();
    assert_eq!(heard.len(), 1);
    assert!(
        heard
            .iter()
            .all(|heard| heard.code() == reply.code() && heard.text() == text)
    );
}
