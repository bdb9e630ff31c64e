//! The sending end: one connection, one transaction after another.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use clap::ValueEnum;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Protocol;

/// A reply longer than this is not one.
const LONGEST_REPLY: usize = 64 * 1024;

/// Whether commands wait for each other's replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pipelining {
    /// MAIL, RCPT and DATA leave together (RFC 2920).
    On,
    /// Each command waits for its reply.
    Off,
}

/// How the message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// DATA, ended by a dot.
    Data,
    /// One BDAT LAST with the size (RFC 3030).
    Bdat,
}

/// How to speak.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// Together or one by one.
    pub pipelining: Pipelining,
    /// DATA or BDAT.
    pub carriage: Carriage,
    /// The longest wait for one reply.
    pub patience: Duration,
}

/// A refusal, or the last line of any other reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// The last line of a refusal; empty when the reply is good.
    pub text: String,
}

impl Reply {
    fn is_good(&self) -> bool {
        (200..400).contains(&self.code)
    }
}

/// What became of one transaction that came to its end.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether the peer took the message for each recipient, in their order.
    pub accepted: Vec<bool>,
    /// Every refusal.
    pub refusals: Vec<Reply>,
    /// From the last byte of the message to its reply.
    pub wait: Duration,
}

/// The connection is lost.
#[derive(Debug)]
pub struct Broken {
    /// Whether the peer may have the message.
    pub message: Whereabouts,
    /// Why.
    pub error: io::Error,
}

/// Where a message is when its connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Its last byte was not sent: it is with us.
    Here,
    /// Its last byte was sent and no reply came.
    Unknown,
}

/// One open connection, greeted.
pub struct Client {
    stream: TcpStream,
    input: BytesMut,
    style: Style,
}

impl Client {
    /// Connects and says EHLO or LHLO.
    pub async fn connect(to: SocketAddr, style: Style) -> io::Result<Self> {
        let stream = tokio::time::timeout(style.patience, TcpStream::connect(to)).await??;
        stream.set_nodelay(true)?;
        let mut client = Self {
            stream,
            input: BytesMut::with_capacity(4096),
            style,
        };
        let greeting = client.reply().await?;
        let hello: &[u8] = match style.protocol {
            Protocol::Smtp => b"EHLO bench.test\r\n",
            Protocol::Lmtp => b"LHLO bench.test\r\n",
        };
        client.stream.write_all(hello).await?;
        let hello = client.reply().await?;
        match [greeting, hello].into_iter().find(|reply| !reply.is_good()) {
            Some(refusal) => Err(io::Error::other(refusal.text)),
            None => Ok(client),
        }
    }

    /// One transaction. The message ends with CRLF and is dot-stuffed already where it travels by DATA.
    pub async fn deliver(
        &mut self,
        sender: &str,
        recipients: &[String],
        head: Bytes,
        body: Bytes,
    ) -> Result<Outcome, Broken> {
        let mut commands = format!("MAIL FROM:<{sender}>\r\n");
        let mut ends = vec![commands.len()];
        for recipient in recipients {
            commands.push_str("RCPT TO:<");
            commands.push_str(recipient);
            commands.push_str(">\r\n");
            ends.push(commands.len());
        }
        match self.style.carriage {
            Carriage::Data => self.by_data(commands, ends, head, body).await,
            Carriage::Bdat => self.by_bdat(commands, ends, head, body).await,
        }
    }

    /// Says QUIT and waits for the answer.
    pub async fn quit(mut self) -> io::Result<()> {
        self.stream.write_all(b"QUIT\r\n").await?;
        self.reply().await.map(drop)
    }

    async fn by_data(
        &mut self,
        mut commands: String,
        mut ends: Vec<usize>,
        head: Bytes,
        body: Bytes,
    ) -> Result<Outcome, Broken> {
        commands.push_str("DATA\r\n");
        ends.push(commands.len());
        let mut replies = self
            .exchange(commands.as_bytes(), &ends)
            .await
            .map_err(here)?;
        let go_ahead = replies.pop();
        let mut outcome = judge_envelope(replies);
        if go_ahead.as_ref().is_none_or(|reply| reply.code != 354) {
            if outcome.accepted.contains(&true) {
                outcome.refuse_all(go_ahead);
            }
            self.reset().await.map_err(here)?;
            return Ok(outcome);
        }
        if !outcome.accepted.contains(&true) {
            // RFC 2920 s3.1: a 354 after refused recipients must be answered with an empty message.
            self.stream.write_all(b".\r\n").await.map_err(here)?;
            self.reply().await.map_err(here)?;
            return Ok(outcome);
        }
        let message = head.chain(body).chain(&b".\r\n"[..]);
        self.send(message).await.map_err(here)?;
        self.verdict(&mut outcome).await.map_err(unknown)?;
        Ok(outcome)
    }

    async fn by_bdat(
        &mut self,
        mut commands: String,
        ends: Vec<usize>,
        head: Bytes,
        body: Bytes,
    ) -> Result<Outcome, Broken> {
        let size = head.len() + body.len();
        let mut early = None;
        if self.style.pipelining == Pipelining::Off {
            let replies = self.exchange(commands.as_bytes(), &ends).await;
            let outcome = judge_envelope(replies.map_err(here)?);
            if !outcome.accepted.contains(&true) {
                self.reset().await.map_err(here)?;
                return Ok(outcome);
            }
            early = Some(outcome);
            commands.clear();
        }
        commands.push_str(&format!("BDAT {size} LAST\r\n"));
        let flight = Bytes::from(commands).chain(head).chain(body);
        self.send(flight).await.map_err(here)?;
        let mut outcome = match early {
            Some(outcome) => outcome,
            None => {
                let sent = Instant::now();
                let replies = self.replies(ends.len()).await.map_err(unknown)?;
                let mut outcome = judge_envelope(replies);
                outcome.wait = sent.elapsed();
                outcome
            }
        };
        if !outcome.accepted.contains(&true) {
            self.reply().await.map_err(here)?;
            self.reset().await.map_err(here)?;
            return Ok(outcome);
        }
        self.verdict(&mut outcome).await.map_err(unknown)?;
        Ok(outcome)
    }

    /// Reads what the peer says of a message it has.
    async fn verdict(&mut self, outcome: &mut Outcome) -> io::Result<()> {
        let sent = Instant::now();
        match self.style.protocol {
            Protocol::Smtp => {
                let reply = self.reply().await?;
                if !reply.is_good() {
                    outcome.refuse_all(Some(reply));
                }
            }
            Protocol::Lmtp => {
                for accepted in outcome.accepted.iter_mut().filter(|taken| **taken) {
                    let reply = self.reply().await?;
                    if !reply.is_good() {
                        *accepted = false;
                        outcome.refusals.push(reply);
                    }
                }
            }
        }
        outcome.wait += sent.elapsed();
        Ok(())
    }

    async fn reset(&mut self) -> io::Result<()> {
        self.stream.write_all(b"RSET\r\n").await?;
        self.reply().await.map(drop)
    }

    /// Sends commands that end at `ends`, together or one by one, and reads their replies.
    async fn exchange(&mut self, commands: &[u8], ends: &[usize]) -> io::Result<Vec<Reply>> {
        if self.style.pipelining == Pipelining::On {
            self.stream.write_all(commands).await?;
            return self.replies(ends.len()).await;
        }
        let mut replies = Vec::with_capacity(ends.len());
        let mut start = 0;
        for &end in ends {
            let command = commands.get(start..end).unwrap_or_default();
            self.stream.write_all(command).await?;
            replies.push(self.reply().await?);
            start = end;
        }
        Ok(replies)
    }

    async fn send(&mut self, mut bytes: impl Buf) -> io::Result<()> {
        let patience = self.style.patience;
        tokio::time::timeout(patience, self.stream.write_all_buf(&mut bytes)).await?
    }

    async fn replies(&mut self, count: usize) -> io::Result<Vec<Reply>> {
        let mut replies = Vec::with_capacity(count + 1);
        for _ in 0..count {
            replies.push(self.reply().await?);
        }
        Ok(replies)
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(reply) = take_reply(&mut self.input)? {
                return Ok(reply);
            }
            let read = self.stream.read_buf(&mut self.input);
            if tokio::time::timeout(self.style.patience, read).await?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl Outcome {
    fn refuse_all(&mut self, reply: Option<Reply>) {
        self.accepted.fill(false);
        self.refusals.extend(reply);
    }
}

/// Reads the replies to MAIL and each RCPT.
fn judge_envelope(replies: Vec<Reply>) -> Outcome {
    let mut replies = replies.into_iter();
    let mail = replies.next();
    let mail_is_good = mail.as_ref().is_some_and(Reply::is_good);
    let mut outcome = Outcome::default();
    outcome
        .refusals
        .extend(mail.filter(|reply| !reply.is_good()));
    for reply in replies {
        outcome.accepted.push(mail_is_good && reply.is_good());
        if !reply.is_good() && mail_is_good {
            outcome.refusals.push(reply);
        }
    }
    outcome
}

/// Takes one whole reply off the front, when it is there.
fn take_reply(input: &mut BytesMut) -> io::Result<Option<Reply>> {
    let mut start = 0;
    while let Some(rest) = input.get(start..) {
        let Some(length) = memchr::memchr(b'\n', rest) else {
            break;
        };
        let line = rest.get(..length).unwrap_or_default();
        let end = start + length + 1;
        if line.get(3) == Some(&b'-') {
            start = end;
            continue;
        }
        let reply = parse_line(line)?;
        input.advance(end);
        return Ok(Some(reply));
    }
    if input.len() > LONGEST_REPLY {
        return Err(io::Error::other("a reply without an end"));
    }
    Ok(None)
}

fn parse_line(line: &[u8]) -> io::Result<Reply> {
    let text = line.trim_ascii_end();
    let code = text
        .get(..3)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| io::Error::other("a reply without a code"))?;
    let mut reply = Reply {
        code,
        text: String::new(),
    };
    if !reply.is_good() {
        reply.text = String::from_utf8_lossy(text).into_owned();
    }
    Ok(reply)
}

fn here(error: io::Error) -> Broken {
    Broken {
        message: Whereabouts::Here,
        error,
    }
}

fn unknown(error: io::Error) -> Broken {
    Broken {
        message: Whereabouts::Unknown,
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Option<(u16, &str)>, rest: &str) {
        let mut buffer = BytesMut::from(input);
        let reply = take_reply(&mut buffer).unwrap();
        let seen = reply.as_ref().map(|r| (r.code, r.text.as_str()));
        assert_eq!(seen, expected, "{input:?}");
        assert_eq!(buffer, rest, "{input:?}");
    }

    #[test]
    fn replies_are_taken_whole_and_one_at_a_time() {
        check("", None, "");
        check("250 ok", None, "250 ok");
        check("250 ok\r\n354 go\r\n", Some((250, "")), "354 go\r\n");
        check("250-a\r\n250-b\r\n250 c\r\n", Some((250, "")), "");
        check("250-a\r\n250-b\r\n", None, "250-a\r\n250-b\r\n");
        check("250\r\n", Some((250, "")), "");
        check("452 4.3.1 full\r\n", Some((452, "452 4.3.1 full")), "");
        assert!(take_reply(&mut BytesMut::from("what\r\n")).is_err());
    }

    #[test]
    fn a_refused_sender_is_one_refusal_and_no_recipient_counts() {
        let replies = [451, 503, 503].map(|code| Reply {
            code,
            text: String::new(),
        });
        let outcome = judge_envelope(replies.to_vec());
        assert_eq!(outcome.accepted, [false, false]);
        assert_eq!(outcome.refusals.len(), 1);
    }
}
