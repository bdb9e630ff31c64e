//! A client of ours, or of a peer: says lines, hears replies.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ground_world::World;
use ground_world::net::Stream;
use ground_world::tls::Verify;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pattern::matches;

/// How long a client waits for a reply: longer than any answer takes, shorter than our own patience with clients.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long it listens to be sure that nothing is said.
const SILENCE: Duration = Duration::from_secs(1);

/// A connection, and what was heard on it.
pub(crate) struct Client {
    stream: Stream,
    world: World,
    /// Heard, not yet cut into lines.
    heard: Vec<u8>,
    /// Lines of the present reply that no `S:` has spoken of yet.
    reply: VecDeque<String>,
}

impl Client {
    pub(crate) fn new(stream: Stream, world: &World) -> Client {
        let world = world.clone();
        Client {
            stream,
            world,
            heard: Vec::new(),
            reply: VecDeque::new(),
        }
    }

    pub(crate) async fn say(&mut self, octets: &[u8]) -> Result<()> {
        self.reply.clear();
        let clock = &self.world.clock;
        let saying = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        let said = clock.timeout(PATIENCE, saying).await;
        said.context("expected the other side to read")?
            .context("expected an open connection")
    }

    /// The same, under TLS from here on.
    /// Whose certificate it is, is not what stories are about.
    pub(crate) async fn start_tls(self, host: &str) -> Result<Client> {
        let tls = self.world.tls.client();
        let stream = tls
            .connect(self.stream, host, Verify::Opportunistic)
            .await?;
        Ok(Client::new(stream, &self.world))
    }

    /// `250 text` speaks of the last line of a reply, `250-text` of any line before it or of the last, in order.
    pub(crate) async fn hear(&mut self, pattern: &str) -> Result<()> {
        if self.reply.is_empty() {
            self.reply = self.next_reply().await?;
        }
        let all: Vec<String> = self.reply.iter().cloned().collect();
        let got = || {
            format!(
                "expected: {pattern}\n  got:      {}",
                all.join("\n            ")
            )
        };
        if pattern.as_bytes().get(3) == Some(&b'-') {
            while let Some(line) = self.reply.pop_front() {
                let line: String = line
                    .chars()
                    .take(3)
                    .chain(['-'])
                    .chain(line.chars().skip(4))
                    .collect();
                if matches(pattern, &line) {
                    return Ok(());
                }
            }
            bail!(got());
        }
        let last = self.reply.pop_back().unwrap_or_default();
        self.reply.clear();
        if !matches(pattern, &last) {
            bail!(got());
        }
        Ok(())
    }

    pub(crate) async fn hear_end(&mut self) -> Result<()> {
        if let Some(line) = self.next_line(PATIENCE).await? {
            bail!("expected the end of the connection, got: {line}");
        }
        Ok(())
    }

    pub(crate) async fn hear_nothing(&mut self) -> Result<()> {
        self.reply.clear();
        let mut piece = [0; 512];
        let clock = &self.world.clock;
        if !self.heard.is_empty() {
            bail!(
                "expected silence, got: {}",
                String::from_utf8_lossy(&self.heard)
            );
        }
        match clock.timeout(SILENCE, self.stream.read(&mut piece)).await {
            Err(_) => Ok(()),
            Ok(Ok(length @ 1..)) => {
                let said = piece.get(..length).unwrap_or_default();
                bail!("expected silence, got: {}", String::from_utf8_lossy(said))
            }
            Ok(Ok(0) | Err(_)) => bail!("expected silence, got the end of the connection"),
        }
    }

    /// The last line of the next reply.
    pub(crate) async fn reply(&mut self) -> Result<String> {
        let lines = self.next_reply().await?;
        Ok(lines.back().cloned().unwrap_or_default())
    }

    async fn next_reply(&mut self) -> Result<VecDeque<String>> {
        let mut reply = VecDeque::new();
        loop {
            let line = self.next_line(PATIENCE).await?;
            let line = line.context("expected a reply, got the end of the connection")?;
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply.push_back(line);
            if last {
                return Ok(reply);
            }
        }
    }

    /// The next line without its end; `None` at the end of the connection.
    async fn next_line(&mut self, patience: Duration) -> Result<Option<String>> {
        loop {
            if let Some(at) = self.heard.windows(2).position(|pair| pair == b"\r\n") {
                let rest = self.heard.split_off(at + 2);
                let line = std::mem::replace(&mut self.heard, rest);
                let line = line.strip_suffix(b"\r\n").unwrap_or(&line);
                return Ok(Some(String::from_utf8_lossy(line).into_owned()));
            }
            let mut piece = [0; 4096];
            let read = self
                .world
                .clock
                .timeout(patience, self.stream.read(&mut piece))
                .await;
            let read =
                read.with_context(|| format!("expected a reply, got {patience:?} of silence"))?;
            match read {
                Ok(length @ 1..) => self.heard.extend(piece.get(..length).unwrap_or_default()),
                Ok(0) | Err(_) => return Ok(None),
            }
        }
    }
}
