//! Python's smtplib, which most programs written in Python send mail with.

use crate::letter::{Letter, Lines};
use crate::postrider::{ALICE, BOB, DELIVERED_HERE, PASSWORD, STRANGER, Server};
use crate::program::{client, succeed};

/// Every script starts with this: its arguments by name, and the letter.
const BEGIN: &str = "\
import smtplib, ssl, sys
host, port, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
letter = open(file, 'rb').read()
context = ssl._create_unverified_context()
alice, bob, stranger, password = sys.argv[4:8]
";

/// What a script printed.
fn python(server: &Server, listener: &str, letter: &Letter, script: &str) -> String {
    let address = server.port(listener);
    let mut python = client("python3", "python3");
    python.arg("-c").arg(format!("{BEGIN}{script}"));
    python.args([address.ip().to_string(), address.port().to_string()]);
    python
        .arg(letter.wire_file())
        .args([ALICE, BOB, STRANGER, PASSWORD]);
    succeed(&mut python, None)
}

#[test]
fn a_message_from_smtplib_stands_in_the_mailbox_byte_for_byte() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, ALICE);
    let script = "
with smtplib.SMTP(host, port, 'python.test') as s:
    s.ehlo()
    print(sorted(s.esmtp_features))
    print(s.sendmail(stranger, [alice], letter, mail_options=['BODY=8BITMIME']))
";
    let said = python(&server, "mx", &letter, script);
    for extension in [
        "8bitmime",
        "binarymime",
        "chunking",
        "dsn",
        "enhancedstatuscodes",
        "pipelining",
        "size",
        "smtputf8",
        "starttls",
    ] {
        assert!(
            said.contains(&format!("'{extension}'")),
            "{extension} is not offered: {said}"
        );
    }
    server.story(&letter.id, &[(ALICE, "delivered")]);
    assert_eq!(
        letter.names_above(&server.only_mail(ALICE), Lines::Crlf),
        DELIVERED_HERE
    );
    server.close(&[("delivered", 1)]);
}

#[test]
fn smtplib_logs_in_over_tls_only() {
    let server = Server::start("");
    let letter = Letter::new(BOB, ALICE);
    let script = "
with smtplib.SMTP(host, port) as s:
    s.ehlo()
    assert not s.has_extn('auth'), s.esmtp_features
    print(s.docmd('MAIL', 'FROM:<%s>' % bob))
    s.starttls(context=context)
    s.login(bob, password)
    print(s.sendmail(bob, [alice], letter))
";
    let said = python(&server, "submission", &letter, script);
    assert!(said.starts_with("(530, b'5.7.0"), "{said}");
    let story = server.story(&letter.id, &[(ALICE, "delivered")]);
    assert_eq!(story.text("auth"), BOB);
    letter.names_above(&server.only_mail(ALICE), Lines::Crlf);
    server.close(&[("delivered", 1)]);
}

#[test]
fn smtplib_hears_of_each_refused_recipient_and_the_others_get_their_mail() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, ALICE);
    let script = "
with smtplib.SMTP(host, port) as s:
    for name, (code, text) in sorted(s.sendmail(stranger, [alice, 'far@away.test', 'nobody@here.test', bob], letter).items()):
        print(name, code, text.decode())
";
    let said = python(&server, "mx", &letter, script);
    let lines: Vec<_> = said.lines().collect();
    assert!(
        lines
            .first()
            .is_some_and(|line| line.starts_with("far@away.test 550 5.7.1 ")),
        "{said}"
    );
    assert!(
        lines
            .get(1)
            .is_some_and(|line| line.starts_with("nobody@here.test 550 5.1.1 ")),
        "{said}"
    );
    assert_eq!(lines.len(), 2, "{said}");
    server.story(&letter.id, &[(ALICE, "delivered"), (BOB, "delivered")]);
    server.close(&[("delivered", 2)]);
}

#[test]
fn smtplib_sends_by_lmtp_and_hears_of_each_recipient() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, ALICE);
    let script = "
with smtplib.LMTP(host, port) as s:
    s.ehlo(); s.mail(stranger)
    for name in [alice, 'nobody@here.test', bob]:
        print(s.rcpt(name)[0])
    print(s.docmd('DATA')[0])
    s.send(smtplib._quote_periods(letter) + b'.\\r\\n')
    for _ in range(2):
        code, text = s.getreply()
        print(code, text.split()[0].decode())
";
    let said = python(&server, "lmtp", &letter, script);
    assert_eq!(said, "250\n550\n250\n354\n250 2.0.0\n250 2.0.0\n");
    server.story(&letter.id, &[(ALICE, "delivered"), (BOB, "delivered")]);
    assert_eq!(
        letter.names_above(&server.only_mail(BOB), Lines::Crlf),
        DELIVERED_HERE
    );
    server.close(&[("delivered", 2)]);
}

#[test]
fn smtplib_sends_to_an_address_in_utf8() {
    let server = Server::start("");
    server.ask(&["alias", "add", "j\u{fc}rgen@here.test", ALICE]);
    let letter = Letter::new(STRANGER, ALICE);
    let script = "
with smtplib.SMTP(host, port) as s:
    print(s.sendmail(stranger, ['j\u{fc}rgen@here.test'], letter, mail_options=['SMTPUTF8', 'BODY=8BITMIME']))
";
    assert_eq!(python(&server, "mx", &letter, script), "{}\n");
    let becomes = [("j\u{fc}rgen@here.test", "expanded"), (ALICE, "delivered")];
    server.story(&letter.id, &becomes);
    letter.names_above(&server.only_mail(ALICE), Lines::Crlf);
    server.close(&[("expanded", 1), ("delivered", 1)]);
}

#[test]
fn a_message_in_chunks_is_the_same_message() {
    let server = Server::start("");
    let letter = Letter::large(STRANGER, ALICE);
    let script = "
with smtplib.SMTP(host, port) as s:
    s.ehlo(); s.mail(stranger, ['BODY=BINARYMIME']); s.rcpt(alice)
    for start in range(0, len(letter), 77777):
        piece = letter[start:start + 77777]
        s.send(b'BDAT %d\\r\\n' % len(piece) + piece)
        assert s.getreply()[0] == 250
    print(s.docmd('BDAT', '0 LAST')[0])
";
    assert_eq!(python(&server, "mx", &letter, script), "250\n");
    server.story(&letter.id, &[(ALICE, "delivered")]);
    assert_eq!(
        letter.names_above(&server.only_mail(ALICE), Lines::Crlf),
        DELIVERED_HERE
    );
    server.close(&[("delivered", 1)]);
}
