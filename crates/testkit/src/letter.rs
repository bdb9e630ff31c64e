//! `send from A to B, C ...`: mail from a program on the machine itself.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use path_accept::Submission;
use wire_message::{Address, ReversePath};
use wire_smtp::command::{Command, Dialect, MailParams, Notify, RcptParams};

use crate::statement::{list, number};
use crate::words::Words;

/// A message from a program on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    from: String,
    to: Vec<String>,
    size: usize,
    subject: String,
    /// For all recipients.
    notify: Option<Notify>,
    /// What the refusal must say.
    pub(crate) refused: Option<String>,
}

impl Letter {
    pub(crate) fn parse(words: &mut Words<'_>) -> Result<Letter> {
        words.expect("from")?;
        let from = words.word("an address or <>")?.to_owned();
        words.expect("to")?;
        let mut letter = Letter {
            from,
            to: list(words)?,
            size: 0,
            subject: "A story".to_owned(),
            notify: None,
            refused: None,
        };
        while let Some(word) = words.next() {
            match word {
                "size" => letter.size = usize::try_from(number(words)?)?,
                "subject" => letter.subject = words.word("a subject")?.to_owned(),
                "notify" => letter.notify = Some(notify(words.word("a NOTIFY")?)?),
                "refused" => letter.refused = Some(words.word("what the refusal says")?.to_owned()),
                other => bail!("expected size, subject, notify or refused, got {other:?}"),
            }
        }
        Ok(letter)
    }

    /// The letter as it is sent, the story's `number`th.
    pub(crate) fn submission(&self, number: u32) -> Result<Submission> {
        let from = match self.from.as_str() {
            "<>" => ReversePath::Null,
            address => ReversePath::Address(Address::parse(address)?),
        };
        let recipient = |text: &String| {
            Ok(RcptParams {
                notify: self.notify,
                ..RcptParams::new(Address::parse(text)?)
            })
        };
        Ok(Submission {
            user: "story".to_owned(),
            mail: MailParams::new(from),
            recipients: self.to.iter().map(recipient).collect::<Result<_>>()?,
            content: self.content(number),
        })
    }

    fn content(&self, number: u32) -> Bytes {
        let (from, to, subject) = (&self.from, self.to.join(", "), &self.subject);
        let mut content = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{number}@story.test>\r\n\r\nOnce upon a time.\r\n"
        );
        while content.len() < self.size {
            content.push_str("And so it went on, line by line, until it was long enough.\r\n");
        }
        content.into()
    }
}

/// As in a dialogue: `NEVER`, or a list such as `SUCCESS,FAILURE`.
fn notify(value: &str) -> Result<Notify> {
    let line = format!("RCPT TO:<postmaster> NOTIFY={value}");
    match Command::parse(line.as_bytes(), Dialect::Smtp) {
        Ok(Command::Rcpt(params)) => params.notify.context("expected a NOTIFY"),
        _ => bail!("expected NEVER or a list of SUCCESS, FAILURE and DELAY, got {value:?}"),
    }
}
