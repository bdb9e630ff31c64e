//! Scripted peers: other mail servers, as a story wants them to be.
//!
//! A peer answers as a decent server does, except where a rule of its script says otherwise.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ground_world::clock::Clock;
use ground_world::net::{ListenOptions, Stream};
use ground_world::{Simulation, World};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use crate::pattern::duration;
use crate::words::{Words, unescape};

/// Between two octets of a peer that drips.
const DRIP: Duration = Duration::from_secs(1);

/// Where in a dialogue a rule answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Connect,
    Hello,
    StartTls,
    Mail,
    Rcpt,
    Data,
    /// The final dot.
    End,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Deed {
    Reply(String),
    /// Answers after this time.
    Late(Duration, String),
    /// Answers an octet a second.
    Drip(String),
    /// Says nothing more, and still listens: half of the connection is closed.
    HalfClose,
    /// Closes the connection without a word.
    Drop,
    /// Never answers.
    Hang,
    /// The node of this name crashes at this moment.
    Crash(String),
    /// Who waits for this answer panics.
    Panic,
}

/// One line of a peer's script.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    moment: Moment,
    /// What the line, or at the final dot the message with its envelope, must hold.
    text: String,
    deed: Deed,
    /// How often it still applies; `None`: always.
    left: Option<u32>,
}

/// Whether connections to a peer come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temper {
    Answers,
    Refuses,
    Hangs,
    /// New connections break when so many octets were sent to it.
    Breaks(u64),
    /// It hears so many octets of each new connection, and nothing more.
    GoesSilent(u64),
}

impl Rule {
    /// Reads `RCPT -> 450 4.7.1 Greylisted`, with `first N:` or `always:` in front if it matters, or
    /// `END "text" -> drop`.
    pub(crate) fn parse(line: &str) -> Result<Rule> {
        let (left, rest) = match line.strip_prefix("first ") {
            Some(rest) => {
                let (count, rest) = rest.split_once(": ").context("expected \"first N: ...\"")?;
                let count = count.parse().ok();
                (
                    Some(count.context("expected a number after \"first\"")?),
                    rest,
                )
            }
            None => (None, line.strip_prefix("always: ").unwrap_or(line)),
        };
        let (moment, deed) = rest
            .split_once(" -> ")
            .with_context(|| format!("expected MOMENT -> REPLY, got {rest:?}"))?;
        let mut words = Words::of(moment);
        let moment = match words.word("a moment")? {
            "CONNECT" => Moment::Connect,
            "EHLO" => Moment::Hello,
            "STARTTLS" => Moment::StartTls,
            "MAIL" => Moment::Mail,
            "RCPT" => Moment::Rcpt,
            "DATA" => Moment::Data,
            "END" => Moment::End,
            other => {
                bail!("expected CONNECT, EHLO, STARTTLS, MAIL, RCPT, DATA or END, got {other:?}")
            }
        };
        let text = words.next().unwrap_or_default().to_owned();
        words.end()?;
        let deed = match deed {
            late if late.starts_with("after ") => {
                let (time, text) = late
                    .trim_start_matches("after ")
                    .split_once(' ')
                    .context("expected a time and a reply behind \"after\"")?;
                Deed::Late(duration(time)?, reply(text)?)
            }
            drip if drip.starts_with("drip ") => {
                Deed::Drip(reply(drip.trim_start_matches("drip "))?)
            }
            "half-close" => Deed::HalfClose,
            "drop" => Deed::Drop,
            "hang" => Deed::Hang,
            "panic" => Deed::Panic,
            crash if crash.starts_with("crash ") => {
                Deed::Crash(crash.trim_start_matches("crash ").to_owned())
            }
            text => Deed::Reply(reply(text)?),
        };
        Ok(Rule {
            moment,
            text,
            deed,
            left,
        })
    }
}

/// A reply as it goes out.
fn reply(text: &str) -> Result<String> {
    let code = text.get(..3);
    if !code.is_some_and(|code| code.bytes().all(|octet| octet.is_ascii_digit())) {
        bail!(
            "expected a reply such as \"450 4.7.1 Greylisted\", after TIME REPLY, drip REPLY, half-close, drop, hang, panic or crash NODE, got {text:?}"
        );
    }
    Ok(String::from_utf8(unescape(text)?)?)
}

/// How far a peer's deeds go.
#[derive(Clone)]
pub(crate) enum Reach {
    /// What is said, and not said.
    TheWire,
    /// Whoever is at the other end.
    Everything {
        simulation: Simulation,
        /// Nodes that shall crash.
        crashes: UnboundedSender<String>,
    },
}

/// A peer; dropped, it is gone.
pub(crate) struct Peer {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    reach: Reach,
    connections: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Script {
    rules: Vec<Rule>,
    received: Vec<String>,
    connections: usize,
}

impl Peer {
    /// Listens, and answers by `rules`.
    pub(crate) async fn start(
        world: &World,
        address: SocketAddr,
        rules: Vec<Rule>,
        reach: Reach,
    ) -> Result<Peer> {
        let script = Script {
            rules,
            ..Script::default()
        };
        let mut peer = Peer {
            address,
            script: Arc::new(Mutex::new(script)),
            reach,
            connections: JoinSet::new(),
        };
        peer.open(world).await?;
        Ok(peer)
    }

    /// Where it listens, when it does.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens again.
    pub(crate) async fn open(&mut self, world: &World) -> Result<()> {
        self.close().await;
        let listening = world.net.listen(self.address, ListenOptions::default());
        let listener = listening.await?;
        let (script, reach) = (self.script.clone(), self.reach.clone());
        let clock = world.clock.clone();
        self.connections.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                hold(&script).connections += 1;
                let connection =
                    Connection::new(stream, clock.clone(), script.clone(), reach.clone());
                connections.spawn(async move {
                    // A connection that breaks is the other side's business.
                    drop(connection.talk().await);
                });
            }
        });
        Ok(())
    }

    /// Listens no more, and hangs up on everybody.
    pub(crate) async fn close(&mut self) {
        self.connections.shutdown().await;
    }

    pub(crate) fn follow(&self, rules: Vec<Rule>) {
        hold(&self.script).rules = rules;
    }

    /// How many connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        hold(&self.script).connections
    }

    /// The messages it has answered 250 for: the envelope, a line each, and the content as it came over the wire.
    pub(crate) fn received(&self) -> Vec<String> {
        hold(&self.script).received.clone()
    }
}

fn hold(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Connection {
    stream: BufReader<Stream>,
    clock: Clock,
    script: Arc<Mutex<Script>>,
    reach: Reach,
    envelope: String,
    recipients: usize,
}

/// Whether the dialogue goes on.
enum Onward {
    Yes,
    No,
}

impl Connection {
    fn new(stream: Stream, clock: Clock, script: Arc<Mutex<Script>>, reach: Reach) -> Connection {
        Connection {
            stream: BufReader::new(stream),
            clock,
            script,
            reach,
            envelope: String::new(),
            recipients: 0,
        }
    }

    async fn talk(mut self) -> std::io::Result<()> {
        if let Onward::No = self
            .answer(Moment::Connect, "", "220 peer.test ESMTP")
            .await?
            .0
        {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Onward::No = self.obey(line.trim_end()).await? {
                return Ok(());
            }
        }
    }

    async fn obey(&mut self, line: &str) -> std::io::Result<Onward> {
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        let told = match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "LHLO" => {
                let words = "250-peer.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES";
                self.answer(Moment::Hello, line, words).await?
            }
            "HELO" => self.say("250 peer.test").await?,
            "STARTTLS" => {
                let unknown = "500 5.5.2 What?";
                self.answer(Moment::StartTls, line, unknown).await?
            }
            "MAIL" => {
                self.envelope.clear();
                self.recipients = 0;
                let told = self
                    .answer(Moment::Mail, line, "250 2.1.0 Sender ok")
                    .await?;
                if told.1 {
                    self.envelope = format!("{line}\n");
                }
                told
            }
            "RCPT" if self.envelope.is_empty() => self.say("503 5.5.1 Who sends it?").await?,
            "RCPT" => {
                let told = self
                    .answer(Moment::Rcpt, line, "250 2.1.5 Recipient ok")
                    .await?;
                if told.1 {
                    self.recipients += 1;
                    self.envelope.push_str(&format!("{line}\n"));
                }
                told
            }
            "DATA" if self.recipients == 0 => self.say("503 5.5.1 No recipients").await?,
            "DATA" => {
                let told = self.answer(Moment::Data, line, "354 Go ahead").await?;
                if told.1 {
                    return self.content().await;
                }
                told
            }
            "RSET" | "NOOP" => self.say("250 2.0.0 Ok").await?,
            "QUIT" => {
                self.say("221 2.0.0 Bye").await?;
                return Ok(Onward::No);
            }
            _ => self.say("500 5.5.2 What?").await?,
        };
        Ok(told.0)
    }

    async fn content(&mut self) -> std::io::Result<Onward> {
        let mut octets = Vec::new();
        while !(octets.ends_with(b"\r\n.\r\n") || octets == b".\r\n") {
            if self.stream.read_until(b'\n', &mut octets).await? == 0 {
                return Ok(Onward::No);
            }
        }
        let text = format!("{}{}", self.envelope, String::from_utf8_lossy(&octets));
        let told = self.answer(Moment::End, &text, "250 2.0.0 Kept").await?;
        if told.1 {
            hold(&self.script).received.push(text);
        }
        Ok(told.0)
    }

    /// Answers by the script, or else decently. The second says whether that was a welcome.
    async fn answer(
        &mut self,
        moment: Moment,
        line: &str,
        usual: &str,
    ) -> std::io::Result<(Onward, bool)> {
        let deed = {
            let mut script = hold(&self.script);
            let applies = |rule: &&mut Rule| {
                rule.moment == moment && rule.left != Some(0) && line.contains(&rule.text)
            };
            let rule = script.rules.iter_mut().find(applies);
            rule.map(|rule| {
                rule.left = rule.left.map(|left| left - 1);
                rule.deed.clone()
            })
        };
        match deed {
            None => self.say(usual).await,
            Some(Deed::Reply(reply)) => self.say(&reply).await,
            Some(Deed::Late(after, reply)) => {
                self.clock.sleep(after).await;
                self.say(&reply).await
            }
            Some(Deed::Drip(reply)) => self.drip(&reply).await,
            Some(Deed::HalfClose) => {
                self.stream.shutdown().await?;
                let mut rest = Vec::new();
                self.stream.read_to_end(&mut rest).await?;
                Ok((Onward::No, false))
            }
            Some(Deed::Drop) => Ok((Onward::No, false)),
            Some(Deed::Hang) => std::future::pending().await,
            Some(Deed::Crash(node)) => {
                self.crash(node);
                std::future::pending().await
            }
            Some(Deed::Panic) => {
                self.panic();
                std::future::pending().await
            }
        }
    }

    fn crash(&self, node: String) {
        if let Reach::Everything { crashes, .. } = &self.reach {
            // The story ends meanwhile, or it hears of it at once.
            drop(crashes.send(node));
        }
    }

    fn panic(&self) {
        let stream = self.stream.get_ref();
        let ends = stream.peer_addr().zip(stream.local_addr());
        if let (Reach::Everything { simulation, .. }, Some((from, to))) = (&self.reach, ends) {
            simulation.net.panic_connector(from, to);
        }
    }

    async fn drip(&mut self, reply: &str) -> std::io::Result<(Onward, bool)> {
        for octet in reply.bytes() {
            self.stream.write_all(&[octet]).await?;
            self.stream.flush().await?;
            self.clock.sleep(DRIP).await;
        }
        let (last, welcome) = self.say("").await?;
        Ok((last, welcome || reply.starts_with(['2', '3'])))
    }

    async fn say(&mut self, reply: &str) -> std::io::Result<(Onward, bool)> {
        self.stream
            .write_all(format!("{reply}\r\n").as_bytes())
            .await?;
        self.stream.flush().await?;
        let welcome = reply.starts_with(['2', '3']);
        let onward = if reply.starts_with("421") {
            Onward::No
        } else {
            Onward::Yes
        };
        Ok((onward, welcome))
    }
}
