//! The push: what is measured goes to the collector of `[telemetry]`, again and again.
//!
//! ```text
//!   off --told where to--> due --> read, post --> taken | taken in part | given up ----> due after `every`
//!                           ^                 \-> later (429, 502, 503, 504; no answer) -> due when it said, or after a pause
//!                           '--- other settings: due at once
//! ```
//!
//! All that is pushed is cumulative, so nothing is kept of a push that failed: the next one says it all. Whether the collector
//! takes pushes is said once when it changes; it touches neither mail nor health.

use std::sync::Arc;
use std::time::Duration;

use ground_settings::{Secured, Settings, Telemetry, WebAddress};
use ground_world::http::{Over, Post, PostError, Reply};
use ground_world::supervise::Pulse;
use path_ledger::Ledger;
use path_watch::Watch;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire_message::Time;

use super::otlp::{self, Instance, Response};

/// It shows that it lives within this time, beyond its rests and the time of a push.
pub const EXPORT_PULSE: Duration = Duration::from_secs(300);

/// How long a server that stops waits for its last push: whatever was counted since the one before.
pub const LAST_PUSH: Duration = Duration::from_secs(3);

/// The pause after the first try without an answer; each further one doubles it, up to the time between two pushes.
const PAUSE: Duration = Duration::from_secs(5);

/// By how much of itself a pause is moved, so that nodes do not come back at one moment.
const SPREAD: f64 = 0.2;

/// A collector that asks for a longer pause is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Octets of an answer that are read.
const ANSWER_MAX: usize = 64 * 1024;

/// What is pushed, and by which settings.
#[derive(Clone)]
pub struct ExportParts {
    /// The book, by readers that delivery does not use.
    pub ledger: Ledger,
    /// The settings of this moment.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// What the watch has seen.
    pub watch: Arc<Watch>,
    /// Since when this node counts.
    pub since: Time,
    /// The server stops: one more push, and it ends.
    pub stop: CancellationToken,
}

/// Pushes for ever, or until the server stops.
pub async fn export(mut parts: ExportParts, pulse: Pulse) {
    let stop = parts.stop.clone();
    let clock = parts.ledger.world().clock.clone();
    let mut exporter = Exporter {
        ledger: parts.ledger,
        watch: parts.watch,
        since: parts.since,
        pulse,
        by: Telemetry::default(),
        due: clock.instant(),
        tries: 0,
        known: Known::Nothing,
    };
    loop {
        exporter.take(&parts.settings.borrow_and_update().telemetry);
        let rest = exporter.rest();
        let stage = rest.map_or(Duration::MAX, |rest| rest.saturating_add(EXPORT_PULSE));
        exporter.pulse.beat_within("rest", stage);
        let due = async {
            match rest {
                Some(rest) => clock.sleep(rest).await,
                // It is off: new settings wake it.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return exporter.last().await,
            // Settings that nobody can change any more stay as they are.
            Ok(()) = parts.settings.changed() => {}
            () = due => exporter.push_if_due().await,
        }
    }
}

/// What is known of the collector, and was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    Takes,
    Fails,
}

struct Exporter {
    ledger: Ledger,
    watch: Arc<Watch>,
    since: Time,
    pulse: Pulse,
    by: Telemetry,
    due: Instant,
    /// Without an answer, in a row.
    tries: u32,
    known: Known,
}

/// What became of a push.
#[derive(Debug, PartialEq, Eq)]
enum Pushed {
    Taken,
    /// Taken, and not all of it.
    InPart(String),
    /// Refused: the next one may fare better, at its time.
    GivenUp(String),
    /// The same may be taken later: when it said so, or after a pause.
    Later(String, Option<Duration>),
}

impl Exporter {
    /// Settings by which it works from now on.
    fn take(&mut self, by: &Telemetry) {
        if self.by == *by {
            return;
        }
        self.by = by.clone();
        self.due = self.ledger.world().clock.instant();
        self.tries = 0;
        self.known = Known::Nothing;
    }

    /// Until the next push; none when it is off.
    fn rest(&self) -> Option<Duration> {
        self.by.otlp.as_ref()?;
        let now = self.ledger.world().clock.instant();
        Some(self.due.saturating_duration_since(now))
    }

    async fn push_if_due(&mut self) {
        let Some(at) = self.by.otlp.clone() else {
            return;
        };
        let pushed = self.push(&at, self.by.timeout).await;
        self.tell(&at, &pushed);
        let pause = self.pause(&pushed);
        self.due = self.ledger.world().clock.instant() + pause;
    }

    /// What was counted since the last push would be lost with the process.
    async fn last(&self) {
        if let Some(at) = &self.by.otlp {
            let pushed = self.push(at, self.by.timeout.min(LAST_PUSH)).await;
            tracing::debug!(?pushed, "the last push");
        }
    }

    async fn push(&self, at: &WebAddress, limit: Duration) -> Pushed {
        let (ledger, seen) = (&self.ledger, &self.watch);
        self.pulse.beat("read");
        let read = super::read(ledger, &seen.alarms(), seen.last_audit()).await;
        let families = match read {
            Ok(families) => families,
            Err(error) => return Pushed::GivenUp(error.to_string()),
        };
        let instance = Instance {
            node: &ledger.node_name(),
            since: self.since,
            now: ledger.now(),
        };
        let content = match otlp::request(&families, &instance) {
            Ok(content) => content,
            Err(error) => return Pushed::GivenUp(error.to_string()),
        };
        let stage = limit.saturating_add(EXPORT_PULSE);
        self.pulse.beat_within("post", stage);
        let reply = self.post(at, content, limit).await;
        judge(reply, ledger.world().clock.now())
    }

    async fn post(
        &self,
        at: &WebAddress,
        content: Vec<u8>,
        limit: Duration,
    ) -> Result<Reply, PostError> {
        let mut fields = vec![("content-type", "application/json")];
        if let Some(secret) = &self.by.authorization {
            fields.push(("authorization", secret.reveal()));
        }
        let over = match at.secured {
            Secured::Plain => Over::Plain,
            Secured::Tls => Over::Tls,
        };
        let post = Post {
            host: &at.host,
            port: at.port,
            over,
            authority: &at.authority(),
            path: &format!("{}/v1/metrics", at.path.trim_end_matches('/')),
            fields: &fields,
            answer_max: ANSWER_MAX,
            limit,
        };
        self.ledger.world().post(&post, content.into()).await
    }

    /// Says it once when the collector takes pushes no more, and once when it takes them again.
    fn tell(&mut self, at: &WebAddress, pushed: &Pushed) {
        let (known, why) = match pushed {
            Pushed::Taken => (Known::Takes, None),
            Pushed::InPart(why) | Pushed::GivenUp(why) | Pushed::Later(why, _) => {
                (Known::Fails, Some(why))
            }
        };
        if self.known == known {
            return;
        }
        match why {
            Some(why) => {
                tracing::warn!(collector = %at, why, "the collector does not take the metrics; this is said once");
            }
            None => tracing::info!(collector = %at, "the collector takes the metrics"),
        }
        self.known = known;
    }

    fn pause(&mut self, pushed: &Pushed) -> Duration {
        let Pushed::Later(_, said) = pushed else {
            self.tries = 0;
            return self.by.every;
        };
        if let Some(said) = said {
            return *said;
        }
        let doubled = PAUSE.saturating_mul(1_u32 << self.tries.min(16));
        self.tries = self.tries.saturating_add(1);
        let chance = &self.ledger.world().chance;
        chance.jitter(doubled.min(self.by.every), SPREAD)
    }
}

/// What an answer means (OTLP 1.x, "OTLP/HTTP Response").
fn judge(reply: Result<Reply, PostError>, now: Time) -> Pushed {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return Pushed::Later(error.to_string(), None),
    };
    if reply.is_taken() {
        return match Response::complaint(&reply.content) {
            None => Pushed::Taken,
            Some(why) => Pushed::InPart(why),
        };
    }
    let why = format!("it answered {}", reply.status);
    match reply.status {
        429 | 502 | 503 | 504 => {
            let after = reply.retry_after.and_then(|text| retry_after(&text, now));
            Pushed::Later(why, after)
        }
        _ => Pushed::GivenUp(why),
    }
}

/// Seconds, or a date (RFC 9110 s10.2.3). One that is over means soon, and not at once for ever.
fn retry_after(text: &str, now: Time) -> Option<Duration> {
    let after = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_no_number) => Time::parse_rfc5322(text.trim()).ok()?.since(now),
    };
    Some(after.clamp(Duration::from_secs(1), RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests;
