//! The receiving end: bytes in, steps out; and the loop that serves one connection with them.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Protocol;

/// The largest message or line held in memory; a longer one ends the connection.
const LARGEST: usize = 64 << 20;

/// Answer to a recipient or a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken.
    Accept,
    /// Refused with this reply line, without its CRLF.
    Refuse(String),
}

/// Sender and recipients of the transaction, as they stood between the angle brackets.
#[derive(Clone, Debug, Default)]
pub struct Envelope {
    /// MAIL FROM.
    pub sender: Vec<u8>,
    /// Each RCPT TO that was accepted.
    pub recipients: Vec<Vec<u8>>,
}

/// What happens to mail at this end.
pub trait Receiver {
    /// The dialogue to speak.
    fn protocol(&self) -> Protocol;
    /// Extra EHLO lines.
    fn extensions(&self) -> &'static str;
    /// How long to sit before each reply.
    fn delay(&self) -> Duration;
    /// Judges one recipient.
    fn recipient(&self, sender: &[u8], recipient: &[u8]) -> Verdict;
    /// Takes a whole message, still dot-stuffed when it came by DATA (the ending dot is removed).
    async fn message(&self, envelope: &Envelope, body: Bytes) -> Verdict;
}

/// Serves one connection to its end.
pub async fn serve(mut stream: TcpStream, receiver: &impl Receiver) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Input::default();
    let mut dialogue = Dialogue {
        receiver,
        envelope: None,
        out: b"220 bench.test ready\r\n".to_vec(),
        replies: 1,
    };
    loop {
        let goes_on = dialogue.take_all(&mut input).await?;
        if dialogue.replies > 0 && !receiver.delay().is_zero() {
            tokio::time::sleep(receiver.delay() * dialogue.replies).await;
        }
        if !dialogue.out.is_empty() {
            stream.write_all(&dialogue.out).await?;
            dialogue.out.clear();
        }
        dialogue.replies = 0;
        if goes_on == GoesOn::No || stream.read_buf(&mut input.bytes).await? == 0 {
            return Ok(());
        }
    }
}

#[derive(PartialEq, Eq)]
enum GoesOn {
    Yes,
    No,
}

struct Dialogue<'a, R> {
    receiver: &'a R,
    envelope: Option<Envelope>,
    out: Vec<u8>,
    replies: u32,
}

impl<R: Receiver> Dialogue<'_, R> {
    /// Answers everything that has arrived whole.
    async fn take_all(&mut self, input: &mut Input) -> io::Result<GoesOn> {
        while let Some(step) = input.step()? {
            match step {
                Step::Hello => self.reply_hello(),
                Step::Mail(sender) => {
                    self.envelope = Some(Envelope {
                        sender,
                        recipients: Vec::new(),
                    });
                    self.reply("250 2.1.0 ok");
                }
                Step::Rcpt(recipient) => self.take_recipient(recipient),
                Step::Data => self.take_data(input),
                Step::Bdat { size, part } => input.state = State::Chunk { size, part },
                Step::Message(body) => self.take_message(body).await,
                Step::Chunk => self.reply("250 2.0.0 chunk"),
                Step::Reset => {
                    self.envelope = None;
                    self.reply("250 2.0.0 ok");
                }
                Step::Quit => {
                    self.reply("221 2.0.0 bye");
                    return Ok(GoesOn::No);
                }
                Step::Unknown => self.reply("500 5.5.2 unknown"),
            }
        }
        Ok(GoesOn::Yes)
    }

    fn reply(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.replies += 1;
    }

    fn reply_hello(&mut self) {
        let extensions = self.receiver.extensions();
        let hello = format!(
            "250-bench.test\r\n{extensions}250-PIPELINING\r\n250-8BITMIME\r\n\
             250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE {LARGEST}"
        );
        self.reply(&hello);
    }

    fn take_recipient(&mut self, recipient: Vec<u8>) {
        let Some(envelope) = &mut self.envelope else {
            return self.reply("503 5.5.1 MAIL first");
        };
        match self.receiver.recipient(&envelope.sender, &recipient) {
            Verdict::Accept => {
                envelope.recipients.push(recipient);
                self.reply("250 2.1.5 ok");
            }
            Verdict::Refuse(line) => self.reply(&line),
        }
    }

    fn take_data(&mut self, input: &mut Input) {
        let recipients = self.envelope.as_ref().map_or(0, |e| e.recipients.len());
        if recipients == 0 {
            return self.reply("503 5.5.1 RCPT first");
        }
        input.state = State::Data { searched: 0 };
        self.reply("354 go on");
    }

    async fn take_message(&mut self, body: Bytes) {
        let Some(envelope) = self.envelope.take() else {
            return self.reply("503 5.5.1 MAIL first");
        };
        if envelope.recipients.is_empty() {
            return self.reply("503 5.5.1 RCPT first");
        }
        let line = match self.receiver.message(&envelope, body).await {
            Verdict::Accept => "250 2.0.0 kept".to_owned(),
            Verdict::Refuse(line) => line,
        };
        let replies = match self.receiver.protocol() {
            Protocol::Smtp => 1,
            Protocol::Lmtp => envelope.recipients.len(),
        };
        for _ in 0..replies {
            self.reply(&line);
        }
    }
}

/// Bytes that arrived and what is expected of them.
#[derive(Default)]
struct Input {
    bytes: BytesMut,
    state: State,
    /// Chunks of a message that has not ended.
    chunks: BytesMut,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Command,
    Data {
        searched: usize,
    },
    Chunk {
        size: usize,
        part: Part,
    },
}

/// Where a chunk stands in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    More,
    Last,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Hello,
    Mail(Vec<u8>),
    Rcpt(Vec<u8>),
    Data,
    Bdat { size: usize, part: Part },
    Chunk,
    Message(Bytes),
    Reset,
    Quit,
    Unknown,
}

impl Input {
    fn step(&mut self) -> io::Result<Option<Step>> {
        if self.bytes.len() + self.chunks.len() > LARGEST {
            return Err(io::Error::other("more than this end can hold"));
        }
        Ok(match self.state {
            State::Command => self.command(),
            State::Data { searched } => self.data(searched),
            State::Chunk { size, part } => self.chunk(size, part),
        })
    }

    fn command(&mut self) -> Option<Step> {
        let end = memchr::memchr(b'\n', &self.bytes)?;
        let line = self.bytes.split_to(end + 1);
        Some(parse_command(line.trim_ascii_end()))
    }

    fn data(&mut self, searched: usize) -> Option<Step> {
        // The dot may stand on the first line: the CRLF before it belongs to DATA.
        let end = if self.bytes.starts_with(b".\r\n") {
            Some((0, 3))
        } else {
            let from = self.bytes.get(searched..)?;
            memmem::find(from, b"\r\n.\r\n").map(|at| (searched + at + 2, 3))
        };
        let Some((end, dot)) = end else {
            let searched = self.bytes.len().saturating_sub(4);
            self.state = State::Data { searched };
            return None;
        };
        let mut message = self.bytes.split_to(end + dot);
        message.truncate(end);
        self.state = State::Command;
        Some(Step::Message(message.freeze()))
    }

    fn chunk(&mut self, size: usize, part: Part) -> Option<Step> {
        if self.bytes.len() < size {
            self.bytes.reserve(size - self.bytes.len());
            return None;
        }
        let chunk = self.bytes.split_to(size);
        self.state = State::Command;
        if self.chunks.is_empty() && part == Part::Last {
            return Some(Step::Message(chunk.freeze()));
        }
        self.chunks.extend_from_slice(&chunk);
        Some(match part {
            Part::More => Step::Chunk,
            Part::Last => Step::Message(self.chunks.split().freeze()),
        })
    }
}

fn parse_command(line: &[u8]) -> Step {
    let verb = line.get(..4).unwrap_or(line).to_ascii_uppercase();
    match verb.as_slice() {
        b"EHLO" | b"LHLO" | b"HELO" => Step::Hello,
        b"MAIL" => path(line).map_or(Step::Unknown, Step::Mail),
        b"RCPT" => path(line).map_or(Step::Unknown, Step::Rcpt),
        b"DATA" => Step::Data,
        b"BDAT" => parse_bdat(line).unwrap_or(Step::Unknown),
        b"RSET" | b"NOOP" => Step::Reset,
        b"QUIT" => Step::Quit,
        _ => Step::Unknown,
    }
}

/// What stands between the angle brackets.
fn path(line: &[u8]) -> Option<Vec<u8>> {
    let start = memchr::memchr(b'<', line)? + 1;
    let end = memchr::memrchr(b'>', line)?;
    line.get(start..end).map(<[u8]>::to_vec)
}

fn parse_bdat(line: &[u8]) -> Option<Step> {
    let words = std::str::from_utf8(line.get(4..)?).ok()?;
    let mut words = words.split_ascii_whitespace();
    let size = words.next()?.parse().ok()?;
    let part = match words.next() {
        Some(word) if word.eq_ignore_ascii_case("LAST") => Part::Last,
        Some(_) => return None,
        None => Part::More,
    };
    Some(Step::Bdat { size, part })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` in pieces of every length and expects the same messages each time.
    fn check_data(bytes: &str, message: &str, rest: &str) {
        for piece in 1..=bytes.len() {
            let mut input = Input {
                state: State::Data { searched: 0 },
                ..Input::default()
            };
            let mut found = None;
            for part in bytes.as_bytes().chunks(piece) {
                input.bytes.extend_from_slice(part);
                if found.is_none() {
                    found = input.data_step();
                }
            }
            assert_eq!(found.as_deref(), Some(message.as_bytes()), "piece {piece}");
            assert_eq!(input.bytes, rest, "piece {piece}");
        }
    }

    impl Input {
        fn data_step(&mut self) -> Option<Vec<u8>> {
            let step = self.step().unwrap()?;
            let Step::Message(bytes) = step else {
                panic!("{step:?}");
            };
            Some(bytes.to_vec())
        }
    }

    #[test]
    fn a_message_ends_at_its_dot_however_it_is_cut() {
        check_data("a\r\n.\r\n", "a\r\n", "");
        check_data(".\r\n", "", "");
        check_data("a\r\n..\r\nb\r\n.\r\nMAIL", "a\r\n..\r\nb\r\n", "MAIL");
        check_data("\n.\nx\r\n.\r\n", "\n.\nx\r\n", "");
    }

    #[test]
    fn chunks_are_put_together_and_the_next_command_is_left() {
        let mut input = Input::default();
        input
            .bytes
            .extend_from_slice(b"BDAT 3\r\nabcBDAT 2 LAST\r\nde");
        let mut seen = Vec::new();
        while let Some(step) = input.step().unwrap() {
            if let Step::Bdat { size, part } = step {
                input.state = State::Chunk { size, part };
            } else {
                seen.push(step);
            }
        }
        let whole = Bytes::from_static(b"abcde");
        assert_eq!(seen, [Step::Chunk, Step::Message(whole)]);
    }

    #[test]
    fn commands_are_told_apart() {
        let cases: [(&[u8], Step); 8] = [
            (b"ehlo x", Step::Hello),
            (
                b"MAIL FROM:<a@b.test> SIZE=1",
                Step::Mail(b"a@b.test".to_vec()),
            ),
            (b"MAIL FROM:<>", Step::Mail(Vec::new())),
            (b"rcpt to:<c@d.test>", Step::Rcpt(b"c@d.test".to_vec())),
            (b"MAIL FROM:a", Step::Unknown),
            (b"QUIT", Step::Quit),
            (b"BDAT x", Step::Unknown),
            (b"", Step::Unknown),
        ];
        for (line, expected) in cases {
            assert_eq!(parse_command(line), expected);
        }
    }
}
