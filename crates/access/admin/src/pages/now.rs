//! *Now*: the journey of mail as it is at this moment, and what wants to be looked at.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use path_ledger::{Filter, HopState, Listed, QueueLine, Totals};
use path_watch::{Alarm, AlarmKind};
use wire_message::Time;

use super::frame::{Frame, Tab, Visitor};
use super::queues::{Cell, cells};
use super::time::{Moment, number, span};
use super::{Refusal, html, rows};
use crate::live::{POINTS, Pace, Rates, TimesLine};
use crate::web::{Web, Who};
use crate::{Question, pages};

/// Next hops whose oldest mail is shown.
const HOPS_SHOWN: usize = 8;

/// Of each of those, how many.
const A_HOP: u32 = 3;

/// Alarms shown; the rest stand on their own page.
const ALARMS_SHOWN: usize = 5;

#[derive(Template)]
#[template(path = "now.html")]
struct Page {
    frame: Frame,
    live: String,
}

/// What changes while one looks.
#[derive(Template)]
#[template(path = "now_live.html")]
struct Live {
    at: String,
    stages: Vec<Stage>,
    sum: Vec<Term>,
    in_transit: String,
    accepted: String,
    difference: i64,
    alarms: Vec<Raised>,
    more_alarms: usize,
    waiting: Vec<Waiting>,
    held: u64,
    damaged: u64,
    dead_letters: u64,
    hops_down: usize,
    hops_paused: usize,
    chart: String,
    /// The heads of the classes of time.
    classes: Vec<String>,
    times: Vec<Took>,
}

/// How long those took that became this.
struct Took {
    became: &'static str,
    cells: Vec<Cell>,
}

/// A stage of the journey.
struct Stage {
    name: &'static str,
    path: String,
    count: String,
    what: &'static str,
    rate: String,
    note: String,
}

/// A term of the sum that must come out.
struct Term {
    name: &'static str,
    n: String,
}

struct Raised {
    kind: &'static str,
    since: Moment,
    subject: String,
    detail: String,
    messages: Vec<String>,
}

struct Waiting {
    id: String,
    recipient: String,
    next_hop: String,
    state: &'static str,
    since: Moment,
    next: Option<Moment>,
    why: String,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
) -> Result<Response, Refusal> {
    let live = live(&web, &who).await?;
    let frame = Frame::around(&web, who, Tab::Now).await;
    Ok(html(&Page { frame, live }))
}

/// The part of the page that changes, as it is now.
pub(crate) async fn live(web: &Web, who: &Who) -> Result<String, Refusal> {
    let now = web.world().clock.now();
    let totals: Totals = pages::one(web, who, Question::Totals).await?;
    let lines: Vec<QueueLine> = rows(web, who, Question::Queue).await?;
    let alarms: Vec<Alarm> = rows(web, who, Question::Alarms).await?;
    let waiting = waiting(web, who, &lines, now).await?;
    let rates = web.pace().rates();
    let times = web.pace().times();
    let shown = alarms.len().min(ALARMS_SHOWN);
    let count = |state| lines.iter().filter(|line| line.state == state).count();
    let page = Live {
        at: now.to_string(),
        stages: stages(&totals, &lines, &rates, now),
        sum: sum(&totals),
        in_transit: number(totals.in_transit),
        accepted: number(totals.accepted),
        difference: totals.difference(),
        more_alarms: alarms.len() - shown,
        alarms: alarms
            .iter()
            .take(shown)
            .map(|one| raised(one, now))
            .collect(),
        waiting,
        held: totals.held,
        damaged: damaged(&alarms),
        dead_letters: totals.dead_letter,
        hops_down: count(HopState::Down),
        hops_paused: count(HopState::Paused),
        chart: chart(web.pace()),
        classes: classes(&times),
        times: took(&times),
    };
    page.render().map_err(|error| Refusal::ours(&error))
}

/// "10 ms", "1 s", ... "longer".
fn classes(times: &[TimesLine]) -> Vec<String> {
    let bounds = times.first().map_or(&[][..], |line| &line.bounds);
    let head = |bound: &f64| match Duration::try_from_secs_f64(*bound).unwrap_or_default() {
        short if short < Duration::from_secs(1) => format!("≤ {} ms", short.as_millis()),
        long => format!("≤ {}", span(long)),
    };
    let mut heads: Vec<String> = bounds.iter().map(head).collect();
    heads.push("longer".to_owned());
    heads
}

/// A line for each final state that somebody reached.
fn took(times: &[TimesLine]) -> Vec<Took> {
    let some = times
        .iter()
        .filter(|line| line.recipients.iter().any(|n| *n > 0));
    let line = |line: &TimesLine| Took {
        became: line.state.word(),
        cells: cells(&line.recipients),
    };
    some.map(line).collect()
}

/// Messages that cannot be read, as the watch last counted them: each is held, and rung for.
fn damaged(alarms: &[Alarm]) -> u64 {
    let damaged = alarms
        .iter()
        .filter(|alarm| alarm.kind == AlarmKind::Damaged);
    damaged.map(|alarm| alarm.all).sum()
}

fn sum(totals: &Totals) -> Vec<Term> {
    [
        ("delivered", totals.delivered),
        ("relayed", totals.relayed),
        ("expanded", totals.expanded),
        ("returned", totals.returned),
        ("discarded", totals.discarded),
        ("dead letters", totals.dead_letter),
    ]
    .map(|(name, n)| Term { name, n: number(n) })
    .into()
}

fn stages(totals: &Totals, lines: &[QueueLine], rates: &Rates, now: Time) -> Vec<Stage> {
    let oldest = lines.iter().filter_map(|line| line.oldest).min();
    let oldest = oldest.map_or(String::new(), |at| {
        format!("oldest {}", Moment::of(at, now).words)
    });
    let waiting = lines.iter().filter(|line| line.queued > 0).count();
    let stage = |name, path: &str, count: u64, what, rate: f64, note: String| Stage {
        name,
        path: path.to_owned(),
        count: number(count),
        what,
        rate: format!("{rate:.1}/s"),
        note,
    };
    vec![
        stage(
            "Accept",
            "/events",
            totals.accepted,
            "ever",
            rates.accepted,
            String::new(),
        ),
        stage(
            "Categorize",
            "/messages?state=categorizing",
            totals.categorizing,
            "wait for the directory",
            0.0,
            String::new(),
        ),
        stage(
            "Route",
            "/queues",
            waiting as u64,
            "next hops with mail",
            0.0,
            String::new(),
        ),
        stage(
            "Queue",
            "/messages?state=queued",
            totals.queued,
            "wait",
            0.0,
            oldest,
        ),
        stage(
            "Deliver",
            "/messages?state=in_flight",
            totals.in_flight,
            "in flight",
            rates.delivered,
            String::new(),
        ),
        stage(
            "Notify",
            "/messages?state=returned",
            totals.returned,
            "returned ever",
            rates.returned,
            String::new(),
        ),
    ]
}

/// The oldest of the next hops whose mail waits longest.
async fn waiting(
    web: &Web,
    who: &Who,
    lines: &[QueueLine],
    now: Time,
) -> Result<Vec<Waiting>, Refusal> {
    let mut hops: Vec<&QueueLine> = lines.iter().filter(|line| line.oldest.is_some()).collect();
    hops.sort_by_key(|line| line.oldest);
    let mut found: Vec<Listed> = Vec::new();
    for line in hops.into_iter().take(HOPS_SHOWN) {
        let filter = Filter {
            next_hop: Some(line.next_hop.clone()).filter(|hop| !hop.is_empty()),
            state: line
                .next_hop
                .is_empty()
                .then_some(path_ledger::State::Categorizing),
            limit: Some(A_HOP),
            ..Filter::default()
        };
        found.extend(rows::<Listed>(web, who, Question::List { filter }).await?);
    }
    found.sort_by_key(|one| one.received_at);
    Ok(found.into_iter().map(|one| shown(one, now)).collect())
}

fn shown(one: Listed, now: Time) -> Waiting {
    let why = match one.reason.is_empty() {
        true => one.last_reply,
        false => one.reason,
    };
    Waiting {
        id: one.id.to_string(),
        recipient: one.recipient,
        next_hop: one.next_hop,
        state: one.state.word(),
        since: Moment::of(one.received_at, now),
        next: Moment::maybe(one.next_try, now),
        why,
    }
}

fn raised(alarm: &Alarm, now: Time) -> Raised {
    Raised {
        kind: alarm.kind.word(),
        since: Moment::of(alarm.since, now),
        subject: alarm.subject.clone(),
        detail: alarm.detail.clone(),
        messages: alarm.messages.iter().take(3).cloned().collect(),
    }
}

/// Width and height of the chart's own coordinates.
const CHART: (f64, f64) = (600.0, 80.0);

/// Acceptances and endings a second over the last hour, as two lines that end at this moment.
#[expect(
    clippy::cast_precision_loss,
    reason = "a picture of some hundred points"
)]
fn chart(pace: &Pace) -> String {
    let points = pace.history();
    let rates = points.iter();
    let most = rates
        .flat_map(|rates| [rates.accepted, rates.ended])
        .fold(1.0_f64, f64::max);
    let (width, height) = CHART;
    let line = |class: &str, of: fn(&Rates) -> f64| {
        let places = points.iter().rev().enumerate().map(|(back, rates)| {
            let x = width * (1.0 - back as f64 / POINTS as f64);
            let y = height * (1.0 - of(rates) / most);
            format!("{x:.0},{y:.1}")
        });
        let places: Vec<String> = places.collect();
        format!(
            r#"<polyline class="{class}" points="{}"/>"#,
            places.join(" ")
        )
    };
    format!(
        r#"<svg viewBox="0 -2 {width} {0}" preserveAspectRatio="none" role="img" aria-label="Accepted and ended a second, over the last hour; the top is {most:.1}/s">{1}{2}</svg>"#,
        height + 4.0,
        line("accepted", |rates| rates.accepted),
        line("ended", |rates| rates.ended),
    )
}
