//! Content in and out: tables of every false line end, and there and back over any cuts.

use super::*;
use bytes::BytesMut;
use proptest::prelude::*;

fn stuffed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut stuffer = DotStuffer::new();
    for piece in pieces {
        stuffer.write(piece, &mut out);
    }
    stuffer.finish(&mut out);
    out.to_vec()
}

#[test]
fn what_leaves_has_no_bare_line_end_and_no_false_end() {
    let cases: [(&str, &str); 16] = [
        ("", ".\r\n"),
        ("a", "a\r\n.\r\n"),
        ("a\r\n", "a\r\n.\r\n"),
        (".", "..\r\n.\r\n"),
        (".\r\n", "..\r\n.\r\n"),
        ("a\r\n.b\r\n..c\r\n", "a\r\n..b\r\n...c\r\n.\r\n"),
        ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r.\r\nb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r\n.\rb", "a\r\n..\r\nb\r\n.\r\n"),
        ("a\r\r\n.\r\r\nb", "a\r\n\r\n..\r\n\r\nb\r\n.\r\n"),
        ("a\n\r.\n\rb", "a\r\n\r\n..\r\n\r\nb\r\n.\r\n"),
        ("a\r", "a\r\n.\r\n"),
        ("\n", "\r\n.\r\n"),
    ];
    for (content, wire) in cases {
        assert_eq!(
            stuffed([content.as_bytes()]),
            wire.as_bytes(),
            "{content:?}"
        );
    }
}

/// What a reader makes of these pieces: the content, or the fault; and what is left of the input.
fn read(pieces: &[&[u8]], limits: TextLimits) -> (Option<Result<Vec<u8>, Fault>>, Vec<u8>) {
    let mut reader = DataReader::new(limits);
    let mut input = BytesMut::new();
    let mut content = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        input.extend_from_slice(piece);
        loop {
            match reader.step(&mut input) {
                Step::NeedMore => break,
                Step::Chunk(chunk) => content.extend_from_slice(&chunk),
                Step::End(fault) => {
                    input.extend_from_slice(&pieces[at + 1..].concat());
                    return (Some(fault.map_or(Ok(content), Err)), input.to_vec());
                }
            }
        }
    }
    (None, input.to_vec())
}

#[test]
fn only_the_real_end_ends_a_message() {
    let good = |content: &str| Some(Ok(content.as_bytes().to_vec()));
    let cases = [
        (".\r\nNOOP", good(""), "NOOP"),
        ("a\r\n.\r\nNOOP", good("a\r\n"), "NOOP"),
        ("..\r\n...x\r\n.y\r\n.\r\n", good(".\r\n..x\r\ny\r\n"), ""),
        ("a\n.\n", None, ""),
        ("a\n.\nb\r\n.\r\nNOOP", Some(Err(Fault::BareLf)), "NOOP"),
        ("a\n.\r\nb\r\n.\r\nNOOP", Some(Err(Fault::BareLf)), "NOOP"),
        ("a\r\n.\nb\r\n.\r\nNOOP", Some(Err(Fault::BareLf)), "NOOP"),
        ("a\r.\rb\r\n.\r\nNOOP", Some(Err(Fault::BareCr)), "NOOP"),
        ("a\r.\r\nb\r\n.\r\nNOOP", Some(Err(Fault::BareCr)), "NOOP"),
        ("a\r\n.\rb\r\n.\r\nNOOP", Some(Err(Fault::BareCr)), "NOOP"),
        ("a\r\n.\r\r\n.\r\nNOOP", Some(Err(Fault::BareCr)), "NOOP"),
        ("a\0\r\n.\r\nNOOP", Some(Err(Fault::Nul)), "NOOP"),
    ];
    for (wire, result, rest) in cases {
        let (got, left) = read(&[wire.as_bytes()], TextLimits::default());
        assert_eq!(got, result, "{wire:?}");
        if result.is_some() {
            assert_eq!(left, rest.as_bytes(), "{wire:?}");
        }
    }
}

#[test]
fn counted_text_is_checked_over_cuts() {
    let limits = TextLimits { line: 4, size: 9 };
    let cases: [(&[&str], Result<(), Fault>); 9] = [
        (&["ab\r\n", "abcd"], Ok(())),
        (&["a\r", "", "\nabcd"], Ok(())),
        (&["a\r", "b"], Err(Fault::BareCr)),
        (&["a\r"], Err(Fault::BareCr)),
        (&["\r\r\n"], Err(Fault::BareCr)),
        (&["\n"], Err(Fault::BareLf)),
        (&["\r\n", "\n"], Err(Fault::BareLf)),
        (&["\0"], Err(Fault::Nul)),
        (&["abc", "de"], Err(Fault::LongLine)),
    ];
    for (pieces, expected) in cases {
        let mut check = TextCheck::new(limits);
        let result = pieces
            .iter()
            .try_for_each(|piece| check.check(piece.as_bytes()))
            .and_then(|()| check.finish());
        assert_eq!(result, expected, "{pieces:?}");
    }
}

fn tricky() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![b"\r\n", b"\r", b"\n", b".", b"x", b"ab\r\n", b".\r\n"];
    proptest::collection::vec(proptest::sample::select(words), 0..40).prop_map(|w| w.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_stuffed_can_be_read_by_the_strictest_reader(content in tricky(), size in 1usize..7) {
        let wire = stuffed(content.chunks(size));
        prop_assert_eq!(&wire, &stuffed([content.as_slice()]));
        let (read, left) = read(&[&wire], TextLimits::default());
        // There and back is the content with its line ends repaired.
        let text = String::from_utf8(content).unwrap();
        let mut repaired = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        if !repaired.is_empty() && !repaired.ends_with("\r\n") {
            repaired.push_str("\r\n");
        }
        prop_assert_eq!(read, Some(Ok(repaired.into_bytes())));
        prop_assert!(left.is_empty());
    }

    #[test]
    fn cuts_do_not_change_what_is_read(wire in tricky(), size in 1usize..7) {
        let limits = TextLimits { line: 6, size: 60 };
        let whole = read(&[&wire], limits);
        let pieces: Vec<_> = wire.chunks(size).collect();
        prop_assert_eq!(whole, read(&pieces, limits));
    }
}

#[test]
fn the_limit_that_is_crossed_first_is_told_however_the_text_is_cut() {
    let limits = |line, size| TextLimits { line, size };
    for (text, limits, fault) in [
        ("a\r\nbcdefgh\r\n.\r\n", limits(4, 5), Fault::TooBig),
        ("a\r\nbcdefgh\r\n.\r\n", limits(4, 8), Fault::LongLine),
        ("abcdefgh\r\n.\r\n", limits(4, 4), Fault::LongLine),
        ("abcd\r\n\n\r\n.\r\n", limits(4, 5), Fault::TooBig),
        ("abcd\n\r\n.\r\n", limits(4, 4), Fault::BareLf),
    ] {
        let refused = (Some(Err(fault)), Vec::new());
        assert_eq!(read(&[text.as_bytes()], limits), refused, "{text:?}");
        let octets: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(read(&octets, limits), refused, "{text:?} octet by octet");
    }
}
