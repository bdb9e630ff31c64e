//! *Message*: its whole story, from the connection to the last word, and why each recipient is where it is.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ground_directory::operator::Right;
use path_ledger::{MessageId, Story, StoryAttempt, StoryRecipient};
use serde::Deserialize;
use wire_message::Time;

use super::frame::{Frame, Tab, Visitor};
use super::time::{Moment, octets, span};
use super::{Refusal, html, one, rows};
use crate::api::Problem;
use crate::explain::Explanation;
use crate::web::{Web, Who};
use crate::{Answer, Question};

#[derive(Template)]
#[template(path = "message.html")]
struct Page {
    frame: Frame,
    id: String,
    subject: String,
    sender: String,
    received: Moment,
    facts: Vec<Fact>,
    damaged: Option<String>,
    body_kept: bool,
    cause: Option<String>,
    reports: Vec<String>,
    recipients: Vec<Recipient>,
    events: Vec<Happened>,
    /// For those who may give it away.
    link: Option<Link>,
}

/// As [`Question::Link`] is answered.
#[derive(Deserialize)]
struct Link {
    path: String,
    address: Option<String>,
}

struct Fact {
    name: &'static str,
    value: String,
}

struct Recipient {
    id: String,
    address: String,
    state: &'static str,
    is_final: bool,
    meaning: String,
    why: String,
    since: Moment,
    next_hop: String,
    orcpt: Option<String>,
    next: Vec<Next>,
    way: Vec<Fact>,
    steps: Vec<Step>,
    attempts: Vec<Attempt>,
}

struct Next {
    what: String,
    at: Moment,
    rule: String,
}

struct Step {
    at: Moment,
    what: String,
    meaning: String,
    detail: String,
    by: String,
}

struct Attempt {
    at: Moment,
    took: String,
    outcome: &'static str,
    place: String,
    tls: String,
    last_command: String,
    reply: String,
    bytes: String,
    node: String,
    transcript: String,
}

struct Happened {
    at: Moment,
    kind: &'static str,
    actor: String,
    detail: String,
}

/// As [`Question::Explain`] is answered.
#[derive(Deserialize)]
struct Explained {
    recipients: Vec<Explanation>,
}

pub(super) async fn page(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let id: MessageId = id
        .parse()
        .map_err(|error| Problem::asker(format!("{id:?} is no id: {error}")))?;
    let query = id.to_string();
    let trace = Question::Trace {
        query: query.clone(),
    };
    let stories: Vec<Story> = rows(&web, &who, trace).await?;
    let Some(story) = stories.into_iter().next() else {
        return Err(Problem::asker(format!("nothing is known of {id}")).into());
    };
    // Of a recipient's id the whole message is shown.
    let explain = Question::Explain {
        query: story.id.to_string(),
    };
    let explained: Vec<Explained> = rows(&web, &who, explain).await?;
    let link = link(&web, &who, story.id).await;
    let frame = Frame::around(&web, who, Tab::Messages).await;
    let explanations: Vec<Explanation> = explained
        .into_iter()
        .flat_map(|one| one.recipients)
        .collect();
    let shown = shown(story, &explanations, frame);
    Ok(html(&Page { link, ..shown }))
}

/// The status link; the page is shown without it when it cannot be made now.
async fn link(web: &Web, who: &Who, id: MessageId) -> Option<Link> {
    who.may(Right::Act).ok()?;
    let link = one(web, who, Question::Link { id }).await;
    link.inspect_err(|error| tracing::warn!(?error, "a status link cannot be made"))
        .ok()
}

fn shown(story: Story, explanations: &[Explanation], frame: Frame) -> Page {
    let now = frame.now;
    let recipients = story.recipients.iter().map(|one| {
        let id = one.id.to_string();
        let explanation = explanations.iter().find(|other| other.recipient_id == id);
        recipient(one, explanation, now)
    });
    Page {
        id: story.id.to_string(),
        received: Moment::of(story.received_at, now),
        facts: facts(&story),
        recipients: recipients.collect(),
        events: story
            .events
            .iter()
            .map(|event| Happened {
                at: Moment::of(event.at, now),
                kind: event.kind.word(),
                actor: event.actor.clone(),
                detail: event.detail.clone(),
            })
            .collect(),
        subject: story.subject,
        sender: story.sender,
        damaged: story.damaged,
        body_kept: story.body_kept,
        cause: story.cause.map(|id| id.to_string()),
        reports: story.reports.iter().map(ToString::to_string).collect(),
        link: None,
        frame,
    }
}

fn facts(story: &Story) -> Vec<Fact> {
    let origin = story.origin.map_or("", |origin| origin.word());
    [
        ("Message-ID", story.message_id.clone()),
        ("Size", octets(story.size)),
        ("Came by", format!("{origin} {}", story.listener)),
        ("From", story.peer.clone()),
        ("Said it was", story.helo.clone()),
        ("Encrypted", story.tls.clone()),
        ("Logged in as", story.auth.clone()),
        ("Envelope id", story.envid.clone().unwrap_or_default()),
    ]
    .into_iter()
    .map(|(name, value)| (name, value.trim().to_owned()))
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| Fact { name, value })
    .collect()
}

fn recipient(one: &StoryRecipient, explanation: Option<&Explanation>, now: Time) -> Recipient {
    let next = explanation.map_or(Vec::new(), |one| next(one, now));
    let steps = explanation.map_or(Vec::new(), |one| steps(one, now));
    let since = explanation.map_or_else(String::new, |one| one.since.clone());
    Recipient {
        id: one.id.to_string(),
        address: one.address.clone(),
        state: one.state.word(),
        is_final: one.state.is_final(),
        meaning: one.state.meaning().to_owned(),
        why: explanation.map_or_else(String::new, |one| one.why.clone()),
        since: Moment::read(&since, now),
        next_hop: one.next_hop.clone(),
        orcpt: one.orcpt.clone(),
        next,
        way: explanation.map_or(Vec::new(), way),
        steps,
        attempts: one.attempts.iter().map(|one| attempt(one, now)).collect(),
    }
}

fn next(explanation: &Explanation, now: Time) -> Vec<Next> {
    let due = explanation.next.iter();
    due.map(|due| Next {
        what: due.meaning.to_string(),
        at: Moment::read(&due.at, now),
        rule: due
            .setting
            .clone()
            .unwrap_or_else(|| due.rule.word().to_owned()),
    })
    .collect()
}

fn steps(explanation: &Explanation, now: Time) -> Vec<Step> {
    let steps = explanation.steps.iter();
    steps
        .map(|step| Step {
            at: Moment::read(&step.at, now),
            what: step.step.to_string(),
            meaning: step.meaning.to_string(),
            detail: step.detail.clone(),
            by: step.by.clone(),
        })
        .collect()
}

fn way(explanation: &Explanation) -> Vec<Fact> {
    let Some(way) = &explanation.way else {
        return Vec::new();
    };
    let maybe = |value: &Option<String>| value.clone().unwrap_or_default();
    [
        ("Way", way.reason.clone()),
        ("Hands over at", way.server.clone()),
        ("Next hop is", way.hop.word().to_owned()),
        ("Would now go by", maybe(&way.rerouted)),
        ("Connector", maybe(&way.connector)),
        ("Spoken", maybe(&way.protocol)),
        ("Encryption", maybe(&way.tls)),
        ("Logs in as", maybe(&way.username)),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| Fact { name, value })
    .collect()
}

fn attempt(attempt: &StoryAttempt, now: Time) -> Attempt {
    Attempt {
        at: Moment::of(attempt.started_at, now),
        took: match attempt.ended_at.since(attempt.started_at) {
            short if short.as_secs() == 0 => format!("{} ms", short.as_millis()),
            long => span(long),
        },
        outcome: attempt.outcome.map_or("damaged", |outcome| outcome.word()),
        place: format!("{} {}", attempt.peer, attempt.address)
            .trim()
            .to_owned(),
        tls: attempt.tls.clone(),
        last_command: attempt.last_command.clone(),
        reply: attempt.reply.clone(),
        bytes: octets(attempt.bytes),
        node: attempt.node.clone(),
        transcript: attempt.transcript.clone(),
    }
}

/// The message itself, as text: a browser must not run what a stranger has sent.
pub(super) async fn source(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    who.may(Right::Content)?;
    let id: MessageId = id
        .parse()
        .map_err(|error| Problem::asker(format!("{id:?} is no id: {error}")))?;
    match who.ask(&web, Question::Body { id }).await {
        Answer::Octets { content } => {
            let name = format!("attachment; filename=\"{id}.eml\"");
            let headers = [
                (header::CONTENT_TYPE, "message/rfc822".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            Ok((headers, content).into_response())
        }
        answer @ (Answer::Rows { .. } | Answer::One { .. } | Answer::Refused { .. }) => {
            Err(Refusal::of(answer))
        }
    }
}
