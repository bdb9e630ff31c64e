//! Headers of both versions: good ones, cut ones, and those that must end the connection.

use super::*;
use proptest::prelude::*;

fn client(source: &str, destination: &str) -> Proxied {
    Proxied::Client {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}

fn v2(version: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut header = v2::SIGNATURE.to_vec();
    header.extend([version, family]);
    header.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    header.extend(body);
    header
}

/// The header is complete at its end and incomplete before it.
fn check(header: &[u8], expected: Proxied) {
    let mut input = header.to_vec();
    input.extend(b"EHLO x\r\n");
    assert_eq!(
        parse(&input),
        Ok(Progress::Complete(expected, header.len()))
    );
    for end in 0..header.len() {
        assert_eq!(parse(&header[..end]), Ok(Progress::Incomplete), "{end}");
    }
}

#[test]
fn lines_of_version_1_tell_the_client() {
    let four = client("192.0.2.1:56324", "192.0.2.2:25");
    check(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\n", four);
    let six = client("[2001:db8::1]:1", "[::1]:65535");
    check(b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", six);
    check(b"PROXY UNKNOWN\r\n", Proxied::Local);
    check(b"PROXY UNKNOWN anything goes 1 2\r\n", Proxied::Local);
}

#[test]
fn headers_of_version_2_tell_the_client() {
    let four = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0, 25];
    let told = client("192.0.2.1:56324", "192.0.2.2:25");
    check(&v2(0x21, 0x11, &four), told);
    let with_values = [&four[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
    check(&v2(0x21, 0x11, &with_values), told);
    let mut six = [0; 36];
    six[15] = 1;
    six[31] = 2;
    six[35] = 25;
    check(&v2(0x21, 0x21, &six), client("[::1]:0", "[::2]:25"));
    check(&v2(0x20, 0x00, b""), Proxied::Local);
    check(&v2(0x20, 0x11, &four), Proxied::Local);
    check(&v2(0x21, 0x00, b""), Proxied::Local);
    check(&v2(0x21, 0x31, &[0; 216]), Proxied::Local);
}

#[test]
fn anything_else_ends_the_connection() {
    let lines: [&[u8]; 12] = [
        b"EHLO x\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 25 26\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 056324 25\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 +5 25\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n",
        b"PROXY TCP4 ::1 ::1 1 25\r\n",
        b"PROXY TCP4  192.0.2.1 192.0.2.2 1 25\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 1 25\r\n",
        b"proxy TCP4 192.0.2.1 192.0.2.2 1 25\r\n",
        &[b'P'; 5],
    ];
    for line in lines {
        assert!(parse(line).is_err(), "{}", line.escape_ascii());
    }
    let endless = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 100]].concat();
    assert_eq!(parse(&endless), Err(ProxyError::Line));
    for header in [
        v2(0x11, 0x11, &[0; 12]),
        v2(0x22, 0x11, &[0; 12]),
        v2(0x21, 0x12, &[0; 12]),
        v2(0x21, 0x11, &[0; 11]),
        v2(0x21, 0x21, &[0; 35]),
    ] {
        assert_eq!(parse(&header), Err(ProxyError::Binary));
    }
    let long = v2(0x21, 0x11, &[0; MAX_HEADER]);
    assert_eq!(
        parse(&long[..16]),
        Err(ProxyError::TooLong(MAX_HEADER + 16))
    );
}

proptest! {
    #[test]
    fn any_octets_are_survived(tail in proptest::collection::vec(any::<u8>(), 0..64), which in 0..3) {
        let head: &[u8] = [b"".as_slice(), v1::SIGNATURE, v2::SIGNATURE][which as usize];
        let input = [head, &tail].concat();
        if let Ok(Progress::Complete(_, taken)) = parse(&input) {
            prop_assert!(taken <= input.len());
        }
    }
}
