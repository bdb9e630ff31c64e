//! One connection at work: a session, and job after job over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ground_settings::Settings;
use ground_store::Unit;
use ground_world::mishap::Spot;
use path_deliver::mailbox::{Care, Put};
use path_deliver::smtp::{Session, Whose, attempt_limit};
use path_deliver::{Afterwards, Dsn, Facts, Fate, Report};
use path_ledger::{HopKind, HopStatus, Ledger};
use path_notify::Reporter;
use path_route::Look;
use wire_message::{Class, EnhancedStatus};
use wire_smtp::client::Step;
use wire_smtp::command::Dialect;
use wire_smtp::reply::Reply;

use crate::Shared;
use crate::decide::{Hand, Policy, decide};
use crate::hop::{Hop, Shown, hold};
use crate::lists::Ready;
use crate::post::{Post, Stage};
use crate::settle::{Outcome, Settling};
use crate::settlements;
use crate::suspects::begin;
use crate::way::{course, terms};

/// Between two looks whether this node lives again.
const LIFELESS_PAUSE: Duration = Duration::from_millis(500);

/// Looks at a mailbox that changes under our hands before its mail waits for another attempt.
const LOOKS_MAX: u32 = 3;

/// A worker that waits shows that it lives within this time of each look.
const WAITING_MAX: Duration = Duration::from_secs(60);

/// The longest a session takes to open, whatever its peer does: no longer than it may take to carry a message.
pub(crate) fn opening_limit(settings: &Settings) -> Duration {
    attempt_limit(&settings.timeouts, 0)
}

/// The longest a session takes to close.
fn closing_limit(settings: &Settings) -> Duration {
    settings.timeouts.quit + WAITING_MAX
}

pub(crate) struct Worker {
    pub(crate) hop: Arc<Hop>,
    pub(crate) shared: Arc<Shared>,
    /// Where it is seen from outside.
    pub(crate) post: Arc<Post>,
}

/// What carries jobs.
pub(crate) enum Conveyance {
    Mailbox,
    Wire(Box<Wire>),
}

/// An open session, and the settings it was opened under.
pub(crate) struct Wire {
    session: Session,
    hand: Hand,
    settings: Arc<Settings>,
    max_messages: u32,
}

/// Why there is nothing to carry jobs.
pub(crate) enum NoConveyance {
    /// There never will be.
    Final(Reply),
    ForNow(Failure),
}

/// Why a hop cannot be worked with at present.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) reply: Reply,
    pub(crate) peer: String,
    pub(crate) ours: bool,
}

/// Why a worker ended.
pub(crate) enum WorkerEnd {
    /// Nothing to do.
    Idle,
    /// Other hops have less than their share.
    SteppedBack,
    /// There is no way, for good.
    NoWay(Reply),
    /// No session could be opened.
    NoSession(Failure),
    /// A session broke in its first transaction.
    Broke(Failure),
}

/// Opens what carries jobs of this hop.
pub(crate) async fn convey(
    hop: &Hop,
    shared: &Shared,
    settings: &Arc<Settings>,
) -> Result<Conveyance, NoConveyance> {
    if hop.key.kind() == HopKind::Mailbox {
        return Ok(Conveyance::Mailbox);
    }
    let look = match hold(&hop.health).failures {
        0 => Look::First,
        1.. => Look::Again,
    };
    let world = shared.ledger.world();
    let course = course(settings, &hop.key, world, &shared.config_folder, look).await;
    let course = course.map_err(Failure::of)?;
    let opened = Session::open(&course, world).await;
    let session = opened.map_err(|failure| {
        tracing::debug!(hop = %hop.key, transcript = failure.transcript, "no session");
        NoConveyance::ForNow(Failure {
            reply: failure.reply.clone(),
            peer: failure.peer.clone(),
            ours: failure.whose == Whose::Ours,
        })
    })?;
    Ok(Conveyance::Wire(Box::new(Wire {
        session,
        hand: match course.dialect {
            Dialect::Lmtp => Hand::Lmtp,
            Dialect::Smtp | Dialect::Submission => Hand::Smtp,
        },
        settings: settings.clone(),
        max_messages: terms(settings, &hop.key).max_messages,
    })))
}

/// Whether a hop that is down is this node's to try now.
pub(crate) async fn may_try(shared: &Shared, status: &HopStatus) -> bool {
    match shared.ledger.hop_probe(status).await {
        Ok(mine) => mine,
        Err(error) => {
            tracing::warn!(hop = %status.key, %error, "a next hop cannot be tried now");
            false
        }
    }
}

/// The book shows that a hop is up again; nothing happens when it did.
pub(crate) async fn show_up(hop: &Hop, shared: &Shared) {
    if hold(&hop.health).shown == Shown::Up {
        return;
    }
    match shared.ledger.hop_up(&hop.key).await {
        Ok(()) => {
            let mut health = hold(&hop.health);
            health.shown = Shown::Up;
            health.failures = 0;
            tracing::info!(hop = %hop.key, "a next hop is up");
        }
        Err(error) => {
            tracing::warn!(hop = %hop.key, %error, "that a next hop is up could not be recorded");
        }
    }
}

/// Fails a job with our own words: there is no way for it.
pub(crate) async fn refuse(shared: &Arc<Shared>, ready: Ready, reply: &Reply) {
    let now = shared.ledger.now();
    let fate = Fate::Refused {
        step: Step::Idle,
        reply: reply.clone(),
    };
    let report = Report {
        fates: vec![fate; ready.job.recipients.len()],
        facts: Facts {
            started_at: now,
            ended_at: now,
            peer: String::new(),
            address: String::new(),
            tls: String::new(),
            last_command: String::new(),
            reply: reply.to_string(),
            bytes: 0,
            transcript: String::new(),
        },
        dsn: Dsn::Passed,
        afterwards: Afterwards::Ended,
    };
    let settings = shared.settings();
    conclude(shared, ready, report, Vec::new(), Hand::Smtp, &settings).await;
}

impl Worker {
    pub(crate) async fn run(self, first: Option<Conveyance>) -> WorkerEnd {
        let mut conveyance = first;
        let end = self.carry_on(&mut conveyance).await;
        let limit = closing_limit(&self.shared.settings());
        self.post.at(Stage::Closing, limit);
        if let Some(Conveyance::Wire(wire)) = conveyance {
            wire.session.close().await;
        }
        end
    }

    async fn carry_on(&self, conveyance: &mut Option<Conveyance>) -> WorkerEnd {
        loop {
            if self.shared.stopping.is_cancelled() {
                return WorkerEnd::Idle;
            }
            self.post.at(Stage::Waiting, WAITING_MAX);
            if self.post.permit.is_over_share() {
                return WorkerEnd::SteppedBack;
            }
            // Others may have taken over what it has: no attempt begins before the book says otherwise.
            if !self.shared.ledger.is_alive() {
                self.shared.ledger.world().clock.sleep(LIFELESS_PAUSE).await;
                continue;
            }
            if self.hop.waiting(&self.shared.stand) == 0 {
                match self.wait_for_work(conveyance.as_ref()).await {
                    Waited::Work => continue,
                    Waited::TooLong => return WorkerEnd::Idle,
                }
            }
            let settings = self.shared.settings();
            self.post.at(Stage::Closing, closing_limit(&settings));
            retire(conveyance, &settings).await;
            self.post.at(Stage::Opening, opening_limit(&settings));
            let open = match conveyance {
                Some(open) => open,
                None => match convey(&self.hop, &self.shared, &settings).await {
                    Ok(opened) => conveyance.insert(opened),
                    Err(NoConveyance::Final(reply)) => return WorkerEnd::NoWay(reply),
                    Err(NoConveyance::ForNow(failure)) => return WorkerEnd::NoSession(failure),
                },
            };
            let Some(ready) = self.hop.pop(&self.shared.stand) else {
                continue;
            };
            let broken = self.carry(open, ready, &settings).await;
            self.post.at(Stage::Closing, closing_limit(&settings));
            hang_up(conveyance).await;
            if let Some(broken) = broken {
                return WorkerEnd::Broke(broken);
            }
        }
    }

    /// A session is kept for a moment; without one there is nothing to keep.
    async fn wait_for_work(&self, conveyance: Option<&Conveyance>) -> Waited {
        if conveyance.is_none() || self.shared.permits.are_gone() {
            return Waited::TooLong;
        }
        let idle = self.shared.settings().timeouts.idle;
        self.post.at(Stage::Waiting, idle + WAITING_MAX);
        let clock = &self.shared.ledger.world().clock;
        let work = async {
            tokio::select! {
                biased;
                () = self.hop.work.notified() => {}
                () = self.shared.stand.freed() => {}
                () = self.shared.stopping.cancelled() => {}
            }
        };
        match clock.timeout(idle, work).await {
            Ok(()) => Waited::Work,
            Err(_) => Waited::TooLong,
        }
    }

    /// Tries one job. The failure when the session broke at once.
    async fn carry(
        &self,
        open: &mut Conveyance,
        ready: Ready,
        settings: &Arc<Settings>,
    ) -> Option<Failure> {
        if !ready.held.is_live() {
            tracing::warn!(message = %ready.job.message, "its claim was lost while it waited for a connection");
            return None;
        }
        let _busy = Busy::begin(&self.hop.busy);
        let lease = self.shared.ledger.options().lease;
        self.post.at(Stage::Beginning, lease + WAITING_MAX);
        let ready = begin(&self.shared, ready).await?;
        self.post.takes(ready.held.clone());
        let limit = self.limit(&ready, settings);
        ready.held.work_for(limit + settings.timeouts.settle);
        self.post.at(Stage::Attempt, limit);
        let mishap = self.shared.ledger.world().mishap();
        mishap.meet(Spot::Attempt).await;
        #[cfg(test)]
        crate::tests::crash_if_poisoned(&ready.job);
        let (report, units, hand) = match open {
            Conveyance::Mailbox => {
                let put = self
                    .shared
                    .door
                    .attempt(&ready.job, settings, Care::Straight);
                let Put { report, units } = put.await;
                (report, units, Hand::Mailbox)
            }
            Conveyance::Wire(wire) => {
                let report = wire.session.attempt(&ready.job, &self.shared.ledger).await;
                (report, Vec::new(), wire.hand)
            }
        };
        self.post.at(Stage::Settling, settings.timeouts.settle);
        let broken = self.judge(&report).await;
        self.settle_beside(ready, report, units, hand, settings)
            .await;
        drop(self.post.lets_go());
        broken
    }

    /// How long an attempt may take: what its size needs, and no longer than its recipients may stay.
    fn limit(&self, ready: &Ready, settings: &Settings) -> Duration {
        let limit = attempt_limit(&settings.timeouts, ready.job.size);
        let now = self.shared.ledger.now();
        let ends = ready.job.recipients.iter().map(|one| one.expires_at).min();
        let left = ends.map_or(limit, |ends| ends.since(now));
        limit.min(left + settings.watch.slack)
    }

    /// What the attempt says about the hop.
    async fn judge(&self, report: &Report) -> Option<Failure> {
        if report.fates.iter().any(Fate::is_answer) {
            self.hop.success();
            self.shared.ledger.no_fault_of_ours(&self.hop.key);
            show_up(&self.hop, &self.shared).await;
        }
        let local = |fate: &Fate| matches!(fate, Fate::Ours { .. } | Fate::Damaged { .. });
        match report.afterwards {
            Afterwards::Open => None,
            Afterwards::Ended => {
                let all_answered = report.fates.iter().all(Fate::is_answer);
                if !all_answered && !report.fates.iter().any(local) {
                    self.hop.trouble();
                }
                None
            }
            Afterwards::BrokeAtOnce if report.fates.iter().any(local) => None,
            Afterwards::BrokeAtOnce => Some(Failure {
                reply: broken_words(report),
                peer: report.facts.peer.clone(),
                ours: false,
            }),
        }
    }

    /// The settlement runs beside the next job.
    async fn settle_beside(
        &self,
        ready: Ready,
        report: Report,
        units: Vec<Unit>,
        hand: Hand,
        settings: &Arc<Settings>,
    ) {
        let room = self.shared.settler.room().await;
        let (shared, settings) = (self.shared.clone(), settings.clone());
        let whose = (ready.job.next_hop.clone(), ready.held.clone());
        let work = async move {
            let abort = shared.abort.clone();
            let concluded = conclude(&shared, ready, report, units, hand, &settings);
            tokio::select! {
                biased;
                () = abort.cancelled() => {}
                () = concluded => {}
            }
            drop(room);
        };
        settlements::spawn(&self.shared, whose, work);
    }
}

enum Waited {
    Work,
    TooLong,
}

/// Counts a worker with a job in hand, also when it dies with it.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn begin(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets go of a session that carries no more, whatever comes next: a peer that has half a message waits for just that.
async fn hang_up(conveyance: &mut Option<Conveyance>) {
    let over = matches!(conveyance, Some(Conveyance::Wire(wire)) if !wire.session.is_usable());
    if over && let Some(Conveyance::Wire(wire)) = conveyance.take() {
        wire.session.close().await;
    }
}

/// Ends a session that should carry no more: over, worn out, or opened under settings that hold no more.
async fn retire(conveyance: &mut Option<Conveyance>, settings: &Arc<Settings>) {
    let Some(Conveyance::Wire(wire)) = conveyance else {
        return;
    };
    let fit = wire.session.begun() < wire.max_messages
        && Arc::ptr_eq(&wire.settings, settings)
        && wire.session.still_stands().await;
    if fit {
        return;
    }
    if let Some(Conveyance::Wire(wire)) = conveyance.take() {
        wire.session.close().await;
    }
}

fn broken_words(report: &Report) -> Reply {
    let refused = report.fates.iter().find_map(|fate| match fate {
        Fate::Refused { reply, .. } => Some(reply.clone()),
        Fate::Accepted { .. }
        | Fate::NotHandedOver { .. }
        | Fate::Unknown { .. }
        | Fate::Ours { .. }
        | Fate::Damaged { .. } => None,
    });
    refused.unwrap_or_else(|| {
        let status = EnhancedStatus::new(Class::Temporary, 4, 2);
        Reply::new(451, status, &report.facts.reply)
    })
}

/// Decides and settles; a mailbox that said no is looked at, one recipient after the other.
async fn conclude(
    shared: &Arc<Shared>,
    ready: Ready,
    report: Report,
    units: Vec<Unit>,
    hand: Hand,
    settings: &Settings,
) {
    let outcome = settle_once(shared, ready, report, units, hand, settings).await;
    let Outcome::Conflict(left) = outcome else {
        return;
    };
    for recipient in &left.job.recipients {
        let mut job = left.job.clone();
        job.recipients = vec![recipient.clone()];
        let alone = Ready {
            held: left.held.clone(),
            place: None,
            on_stand: None,
            counted: crate::lists::Counted::new(&shared.ready, 0),
            job,
        };
        settle_carefully(shared, alone, settings).await;
    }
}

async fn settle_carefully(shared: &Arc<Shared>, mut ready: Ready, settings: &Settings) {
    for _ in 0..LOOKS_MAX {
        let put = shared.door.attempt(&ready.job, settings, Care::LookFirst);
        let Put { report, units } = put.await;
        match settle_once(shared, ready, report, units, Hand::Mailbox, settings).await {
            Outcome::Over => return,
            Outcome::Conflict(left) => ready = *left,
        }
    }
    let put = shared.door.attempt(&ready.job, settings, Care::LookFirst);
    let Put { mut report, .. } = put.await;
    let status = EnhancedStatus::new(Class::Temporary, 3, 0);
    for fate in &mut report.fates {
        *fate = Fate::Ours {
            reply: Reply::new(451, status, "the mailbox cannot be written to; see the log"),
        };
    }
    if let Outcome::Conflict(left) =
        settle_once(shared, ready, report, Vec::new(), Hand::Mailbox, settings).await
    {
        tracing::error!(message = %left.job.message, "a settlement without a mailbox met a conflict");
    }
}

async fn settle_once(
    shared: &Arc<Shared>,
    ready: Ready,
    report: Report,
    units: Vec<Unit>,
    hand: Hand,
    settings: &Settings,
) -> Outcome {
    let chance = &shared.ledger.world().chance;
    let jitter = |about: Duration| chance.jitter(about, settings.queue.retry_jitter);
    let schedule = || terms(settings, &ready.job.next_hop).schedule;
    let policy = Policy {
        hand,
        envelope: &ready.job.envelope,
        schedule: &schedule,
        now: shared.ledger.now(),
        jitter: &jitter,
    };
    let decisions = decide(&report, &ready.job.recipients, &policy);
    let owes = decisions.iter().any(|one| one.owed.is_some());
    let reporter = match owes {
        true => reporter(&shared.ledger, settings).await,
        false => None,
    };
    let settling = Settling {
        ready,
        decisions,
        facts: report.facts,
        units,
        reporter,
        limit: settings.timeouts.settle,
    };
    shared.settler.settle(settling).await
}

/// Whoever tells senders; none can when the settings are wrong, which are refused when they are loaded.
async fn reporter(ledger: &Ledger, settings: &Settings) -> Option<Reporter> {
    let reporter = Reporter::with_links(ledger, settings).await;
    reporter
        .inspect_err(|error| tracing::error!(%error, "senders cannot be told of anything"))
        .ok()
}
