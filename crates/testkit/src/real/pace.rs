//! How time passes for a real server: its clock jumps from one moment at which something is due to the next, and each time
//! what was due is let happen. So four days take seconds, and still every try, notice and report has its own moment.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures_util::future::join_all;
use ground_world::Time;
use path_ledger::{Filter, SILENCE};
use postrider::config::Config;
use postrider::control::{Answer, Question, Request, ask};
use serde_json::Value;

use super::Real;
use super::program::Program;

/// What is under way for longer does not end by itself: a peer hangs, perhaps.
const REST: Duration = Duration::from_secs(10);

/// How far the clocks jump at a time while a node is paused, and how long the others are given then.
const STEP: Duration = Duration::from_secs(2);
const A_STEP_TAKES: Duration = Duration::from_millis(100);

/// The book at one moment.
enum Pace {
    /// Something is under way or due.
    Busy,
    /// Nothing is; the next thing is due then.
    Idle(Option<Time>),
}

impl Real {
    /// Waits until nothing is under way; answers with the moment at which the next thing is due.
    pub(super) async fn settle(&self) -> Result<Option<Time>> {
        // One node answers for all: they share the book.
        let Some((_, asked)) = self.house.running().next() else {
            return Ok(None);
        };
        let config = Config::read(&asked.config())?;
        let clock = &self.world.clock;
        let end = clock.instant() + REST;
        loop {
            match self.pace(&config).await? {
                Pace::Idle(next) => return Ok(next),
                Pace::Busy if clock.instant() > end => return Ok(None),
                Pace::Busy => clock.sleep(super::A_MOMENT).await,
            }
        }
    }

    async fn pace(&self, config: &Config) -> Result<Pace> {
        let filter = Filter::default();
        let Answer::Rows { rows } = self.put(config, Question::List { filter }).await? else {
            bail!("expected the rows of the queue");
        };
        let now = self.world.clock.now();
        let mut next: Option<Time> = None;
        for row in &rows {
            let text = |name: &str| row.get(name).and_then(Value::as_str);
            if text("state") == Some("in_flight") {
                return Ok(Pace::Busy);
            }
            let moments = ["next_try", "deadline_at"].map(|name| text(name)?.parse::<Time>().ok());
            for moment in moments.into_iter().flatten() {
                if moment <= now {
                    return Ok(Pace::Busy);
                }
                next = Some(next.map_or(moment, |next| next.min(moment)));
            }
        }
        Ok(Pace::Idle(next))
    }

    /// Lets time pass.
    pub(super) async fn pass_by(&mut self, time: Duration) -> Result<()> {
        let end = self.world.clock.now() + time;
        loop {
            if self.house.someone_is_paused() {
                // The others look for signs of life, and have to look often.
                let left = end.since(self.world.clock.now());
                if left.is_zero() {
                    return Ok(());
                }
                self.jump(left.min(STEP)).await?;
                self.world.clock.sleep(A_STEP_TAKES).await;
                continue;
            }
            let next = self.settle().await?;
            let left = end.since(self.world.clock.now());
            if left.is_zero() {
                return Ok(());
            }
            let next = next.map(|next| next.since(self.world.clock.now()));
            self.jump(next.map_or(left, |next| next.min(left))).await?;
        }
    }

    /// The clocks of the story and of the servers jump.
    async fn jump(&mut self, time: Duration) -> Result<()> {
        // To the millisecond, as the server's clock is told, and never by nothing.
        let millis = u64::try_from(time.as_millis())?.max(1);
        let time = Duration::from_millis(millis);
        self.jumped += time;
        self.clock.advance(time).await;
        let running = self
            .house
            .running()
            .map(|(_, program)| self.moved(program, millis));
        for moved in join_all(running).await {
            moved?;
        }
        self.write_configs()
    }

    /// A node that was paused goes on, and its clock is where the others' are. One that was fenced meanwhile starts anew, as
    /// its configuration says by now.
    pub(super) async fn goes_on(&mut self, name: &str) -> Result<()> {
        let missed = self.jumped.saturating_sub(self.house.goes_on(name)?);
        if missed > SILENCE {
            return self.house.listens_anew(name).await;
        }
        let program = self.house.programs().find(|(one, _)| *one == name);
        let (_, program) = program.context("expected a node of this name")?;
        self.moved(program, u64::try_from(missed.as_millis())?)
            .await
    }

    /// A server's clock jumps.
    async fn moved(&self, program: &Program, millis: u64) -> Result<()> {
        let config = Config::read(&program.config())?;
        let answer = self.put(&config, Question::ClockAdvance { millis });
        if let Answer::Refused { why, .. } = answer.await? {
            bail!("the clock does not move: {why}");
        }
        Ok(())
    }

    /// Asks as a command does, without the cost of a process.
    async fn put(&self, config: &Config, question: Question) -> Result<Answer> {
        let request = Request {
            by: "story".to_owned(),
            question,
            content: Bytes::new(),
        };
        Ok(ask(config, request).await?)
    }
}
