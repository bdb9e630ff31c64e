//! A scripted server for tests: keeps what it hears, and says what it is told to say.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ground_world::World;
use ground_world::net::{ListenOptions, Stream};
use ground_world::tls::TlsServer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

/// What the peer does at a command instead of saying yes.
#[derive(Debug, Clone)]
pub enum Say {
    /// These octets, and on.
    Text(&'static str),
    /// These octets, and the connection ends.
    Bye(&'static str),
    /// The connection ends.
    Cut,
    /// Nothing, ever.
    Hang,
}

/// A script: the first rule whose prefix a line has is used, its answers in turn, the last for ever unless it is bounded.
#[derive(Debug, Clone, Default)]
pub struct Script {
    rules: Vec<(&'static str, VecDeque<Say>, Then)>,
    pause_before_end: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Repeat,
    SayYes,
}

impl Script {
    /// Says this at each line with this prefix (`greeting` and `.` are lines too).
    pub fn at(mut self, prefix: &'static str, say: Say) -> Self {
        self.rules
            .push((prefix, VecDeque::from([say]), Then::Repeat));
        self
    }

    /// Says this the first `times` times.
    pub fn first(mut self, times: usize, prefix: &'static str, say: Say) -> Self {
        let answers = std::iter::repeat_n(say, times).collect();
        self.rules.push((prefix, answers, Then::SayYes));
        self
    }

    /// A whole message is answered after this time.
    pub fn slow(mut self, pause: Duration) -> Self {
        self.pause_before_end = pause;
        self
    }

    fn answer(&mut self, line: &str) -> Option<Say> {
        let rule = self
            .rules
            .iter_mut()
            .find(|(prefix, says, _)| line.starts_with(prefix) && !says.is_empty())?;
        match rule.2 {
            Then::Repeat => rule.1.front().cloned(),
            Then::SayYes => rule.1.pop_front(),
        }
    }
}

/// What a peer heard.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Every line but content, in the order of arrival, all connections together.
    pub lines: Vec<String>,
    /// Contents that ended, undotted.
    pub messages: Vec<String>,
    pub connections: usize,
    pub open: usize,
    pub most_open: usize,
    /// Reads that brought something, by connection: how the octets were cut.
    pub tls_handshakes: usize,
}

/// A running peer.
#[derive(Clone)]
pub struct Peer {
    pub heard: Arc<Mutex<Heard>>,
    pub script: Arc<Mutex<Script>>,
    offers: &'static [&'static str],
    lmtp: bool,
    tls: Option<TlsServer>,
}

pub const OFFERS: &[&str] = &[
    "PIPELINING",
    "8BITMIME",
    "SIZE 1000000",
    "SMTPUTF8",
    "DSN",
    "CHUNKING",
    "BINARYMIME",
];

impl Peer {
    pub fn new(script: Script) -> Peer {
        Peer {
            heard: Arc::default(),
            script: Arc::new(Mutex::new(script)),
            offers: OFFERS,
            lmtp: false,
            tls: None,
        }
    }

    pub fn offering(mut self, offers: &'static [&'static str]) -> Peer {
        self.offers = offers;
        self
    }

    pub fn lmtp(mut self) -> Peer {
        self.lmtp = true;
        self
    }

    pub fn with_tls(mut self, server: TlsServer) -> Peer {
        self.tls = Some(server);
        self
    }

    pub fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }

    pub fn now_says(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    /// Listens at an address.
    pub async fn serve(&self, world: &World, address: &str) -> tokio::task::JoinHandle<()> {
        let address: SocketAddr = address.parse().unwrap();
        let listener = world
            .net
            .listen(address, ListenOptions::default())
            .await
            .unwrap();
        let (peer, world) = (self.clone(), world.clone());
        tokio::spawn(async move {
            let mut sessions = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                sessions.spawn(peer.clone().session(stream, world.clone()));
            }
        })
    }

    pub async fn session(self, stream: Stream, world: World) {
        {
            let mut heard = self.heard.lock().unwrap();
            heard.connections += 1;
            heard.open += 1;
            heard.most_open = heard.most_open.max(heard.open);
        }
        let _ended = self.talk(stream, world).await;
        self.heard.lock().unwrap().open -= 1;
    }

    async fn talk(&self, stream: Stream, world: World) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let mut secured = false;
        self.reply(&mut stream, "greeting", "220 peer.test ESMTP\r\n")
            .await?;
        let mut accepted = 0;
        let mut chunked = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_owned();
            self.heard.lock().unwrap().lines.push(line.clone());
            let verb = line
                .split([' ', ':'])
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" | "LHLO" => {
                    let offers = self.offers(secured);
                    self.reply(&mut stream, &line, &offers).await?;
                }
                "STARTTLS" => {
                    self.reply(&mut stream, &line, "220 go ahead\r\n").await?;
                    let server = self.tls.clone()?;
                    let plain = stream.into_inner();
                    let tls = server.accept(plain).await.ok()?;
                    self.heard.lock().unwrap().tls_handshakes += 1;
                    secured = true;
                    stream = BufReader::new(tls);
                }
                "RCPT" => {
                    if self.reply(&mut stream, &line, "250 2.1.5 ok\r\n").await? == Said::Yes {
                        accepted += 1;
                    }
                }
                "MAIL" => {
                    accepted = 0;
                    self.reply(&mut stream, &line, "250 2.1.0 ok\r\n").await?;
                }
                "DATA" if accepted == 0 => {
                    stream
                        .get_mut()
                        .write_all(b"554 5.5.1 no recipients\r\n")
                        .await
                        .ok()?;
                }
                "DATA" => {
                    self.data(&mut stream, &line, accepted, &world).await?;
                }
                "BDAT" => self.bdat(&mut stream, &line, &mut chunked).await?,
                "QUIT" => {
                    self.reply(&mut stream, &line, "221 bye\r\n").await?;
                    return None;
                }
                "AUTH" => {
                    self.reply(&mut stream, &line, "235 2.7.0 welcome\r\n")
                        .await?;
                }
                _ => {
                    self.reply(&mut stream, &line, "250 ok\r\n").await?;
                }
            }
        }
    }

    fn offers(&self, secured: bool) -> String {
        let mut text = String::from("250-peer.test\r\n");
        for offer in self.offers {
            if *offer != "STARTTLS" || !secured {
                text += &format!("250-{offer}\r\n");
            }
        }
        text + "250 HELP\r\n"
    }

    async fn data(
        &self,
        stream: &mut BufReader<Stream>,
        line: &str,
        accepted: usize,
        world: &World,
    ) -> Option<()> {
        if self.reply(stream, line, "354 go on\r\n").await? != Said::Yes {
            return Some(());
        }
        let content = self.content(stream).await?;
        let pause = self.script.lock().unwrap().pause_before_end;
        if !pause.is_zero() {
            world.clock.sleep(pause).await;
        }
        self.heard.lock().unwrap().messages.push(content);
        let answers = if self.lmtp { accepted } else { 1 };
        for _ in 0..answers {
            self.reply(stream, ".", "250 2.0.0 kept as q1\r\n").await?;
        }
        Some(())
    }

    async fn bdat(
        &self,
        stream: &mut BufReader<Stream>,
        line: &str,
        chunked: &mut Vec<u8>,
    ) -> Option<()> {
        let mut words = line.split(' ').skip(1);
        let octets: usize = words.next()?.parse().ok()?;
        let mut chunk = vec![0; octets];
        stream.read_exact(&mut chunk).await.ok()?;
        chunked.extend_from_slice(&chunk);
        if words.next() == Some("LAST") {
            let content = String::from_utf8_lossy(chunked).into_owned();
            self.heard.lock().unwrap().messages.push(content);
            chunked.clear();
        }
        self.reply(stream, line, "250 2.0.0 kept as q1\r\n").await?;
        Some(())
    }

    async fn content(&self, stream: &mut BufReader<Stream>) -> Option<String> {
        let mut content = String::new();
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await.ok()? == 0 {
                return None;
            }
            if line == b".\r\n" {
                return Some(content);
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            content += &String::from_utf8_lossy(line);
        }
    }

    async fn reply(&self, stream: &mut BufReader<Stream>, line: &str, yes: &str) -> Option<Said> {
        let say = self.script.lock().unwrap().answer(line);
        let (text, said) = match say {
            None => (yes, Said::Yes),
            Some(Say::Text(text)) => (text, Said::Other),
            Some(Say::Bye(text)) => {
                stream.get_mut().write_all(text.as_bytes()).await.ok()?;
                return None;
            }
            Some(Say::Cut) => return None,
            Some(Say::Hang) => std::future::pending().await,
        };
        stream.get_mut().write_all(text.as_bytes()).await.ok()?;
        Some(said)
    }
}

#[derive(PartialEq)]
enum Said {
    Yes,
    Other,
}
