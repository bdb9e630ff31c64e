//! Commands: a line is refused with a sound reply, or read; and what is read can be said again.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use postrider_fuzz::{Dice, dialect, read_replies};
use wire_message::OriginalRecipient;
use wire_smtp::command::{COMMAND_LINE, Command, Dialect, MAIL_EXTENSIONS, RCPT_EXTENSIONS};

fuzz_target!(|data: &[u8]| {
    let mut dice = Dice(data);
    let dialect = dialect(dice.byte());
    match Command::parse(dice.0, dialect) {
        Ok(command) => check(&command, dialect),
        Err(error) => {
            let mut said = BytesMut::new();
            error.reply().write(&mut said);
            let replies = read_replies(&said);
            assert_eq!(replies.len(), 1);
            assert!(
                replies
                    .iter()
                    .all(|reply| reply.code() >= 500 && reply.enhanced().is_some())
            );
        }
    }
});

/// An original recipient may be longer in the form that every peer reads than in the one that was written.
fn may_be_sent(command: &Command) -> bool {
    let Command::Rcpt(rcpt) = command else {
        return true;
    };
    let orcpt = rcpt.orcpt.as_ref();
    orcpt.is_none_or(OriginalRecipient::fits_a_parameter)
}

fn check(command: &Command, dialect: Dialect) {
    if !may_be_sent(command) {
        return;
    }
    let (line, extensions) = match command {
        Command::Mail(mail) => (mail.to_string(), MAIL_EXTENSIONS),
        Command::Rcpt(rcpt) => (rcpt.to_string(), RCPT_EXTENSIONS),
        Command::Bdat(bdat) => (bdat.to_string(), 0),
        Command::Hello(hello) => (format!("{} {}", hello.verb.as_str(), hello.name), 0),
        Command::Data | Command::Rset | Command::Noop | Command::Quit => return,
        Command::Vrfy(_) | Command::Expn(_) | Command::Help(_) => return,
        Command::StartTls | Command::Auth(_) => return,
    };
    assert!(!line.contains(['\r', '\n', '\0']));
    // Its normal form may be longer than what was written.
    if line.len() + 2 <= COMMAND_LINE + extensions {
        let again = Command::parse(line.as_bytes(), dialect);
        assert_eq!(again.as_ref(), Ok(command), "{line:?}");
    }
}
