//! A client that carries one message through a whole dialogue by itself, while the story goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ground_world::World;
use ground_world::net::Stream;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::statement::Letter;

/// One message on its way to a listener.
#[derive(Debug, Clone)]
pub(crate) struct Errand {
    pub(crate) letter: Letter,
    /// The listener's name.
    pub(crate) over: String,
    /// Between two lines of the dialogue.
    pub(crate) pace: Duration,
    /// It leaves after so many lines, whatever was answered.
    pub(crate) leaves_after: Option<usize>,
}

/// A message that a server has answered for with 250.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confirmed {
    /// Its Message-ID field.
    pub(crate) message_id: String,
    pub(crate) sender: String,
    /// Those of its recipients that were taken.
    pub(crate) recipients: Vec<String>,
}

/// Everybody who is under way, and what was confirmed. Dropped, they are gone.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    under_way: JoinSet<()>,
    confirmed: Arc<Mutex<Vec<Confirmed>>>,
}

impl Errands {
    /// Somebody sets out. Whatever goes wrong is the dialogue's business: only what is confirmed counts.
    pub(crate) fn set_out(&mut self, errand: Errand, number: u32, stream: Stream, world: &World) {
        let (confirmed, world) = (self.confirmed.clone(), world.clone());
        self.under_way.spawn(async move {
            let walk = Walk {
                client: Client::new(stream, &world),
                world,
                errand,
                lines: 0,
            };
            if let Ok(done) = walk.carry(number).await {
                hold(&confirmed).extend(done);
            }
        });
    }

    /// A message was taken that came another way.
    pub(crate) fn confirm(&self, confirmed: Confirmed) {
        hold(&self.confirmed).push(confirmed);
    }

    /// What was confirmed so far.
    pub(crate) fn confirmed(&self) -> Vec<Confirmed> {
        hold(&self.confirmed).clone()
    }
}

fn hold(confirmed: &Mutex<Vec<Confirmed>>) -> MutexGuard<'_, Vec<Confirmed>> {
    confirmed.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Walk {
    client: Client,
    world: World,
    errand: Errand,
    lines: usize,
}

impl Walk {
    async fn carry(mut self, number: u32) -> Result<Option<Confirmed>> {
        let letter = self.errand.letter.clone();
        let lmtp = self.errand.over == "lmtp";
        self.client.reply().await?;
        let hello = if lmtp { "LHLO" } else { "EHLO" };
        self.say(&format!("{hello} story.test")).await?;
        self.welcome().await?;
        self.say(&format!("MAIL FROM:<{}>", letter.from)).await?;
        self.welcome().await?;
        let mut taken = Vec::new();
        for recipient in &letter.to {
            let notify = letter.notify.as_ref();
            let notify = notify.map_or(String::new(), |wish| format!(" NOTIFY={wish}"));
            self.say(&format!("RCPT TO:<{recipient}>{notify}")).await?;
            if self.client.reply().await?.starts_with('2') {
                taken.push(recipient.clone());
            }
        }
        self.say("DATA").await?;
        if !self.client.reply().await?.starts_with('3') {
            bail!("no content is wanted");
        }
        self.step().await?;
        let content = crate::tell::content(&letter, number);
        self.client.say(&content).await?;
        self.step().await?;
        self.client.say(b"\r\n.\r\n").await?;
        let mut confirmed = Vec::new();
        for recipient in taken.iter().take(if lmtp { taken.len() } else { 1 }) {
            if self.client.reply().await?.starts_with('2') {
                confirmed.push(recipient.clone());
            }
        }
        let recipients = match (lmtp, confirmed.is_empty()) {
            (_, true) => return Ok(None),
            (true, false) => confirmed,
            (false, false) => taken,
        };
        Ok(Some(Confirmed {
            message_id: crate::tell::message_id(number),
            sender: letter.from,
            recipients,
        }))
    }

    async fn say(&mut self, line: &str) -> Result<()> {
        self.step().await?;
        self.client.say(format!("{line}\r\n").as_bytes()).await
    }

    async fn welcome(&mut self) -> Result<()> {
        let reply = self.client.reply().await?;
        Some(())
            .filter(|()| reply.starts_with('2'))
            .context("not welcome")
    }

    /// Takes its time, or leaves.
    async fn step(&mut self) -> Result<()> {
        if self.errand.leaves_after == Some(self.lines) {
            bail!("it leaves");
        }
        self.lines += 1;
        if !self.errand.pace.is_zero() {
            self.world.clock.sleep(self.errand.pace).await;
        }
        Ok(())
    }
}
