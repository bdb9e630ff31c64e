//! The one function that answers, in the server and without it.

mod act;
pub(crate) mod bulk;
mod directory;
mod explain;
mod hop;
mod mail;
mod operator;
pub(crate) mod selftest;
mod send;
mod view;
mod watch;

use std::time::Duration;

use access_admin::TimesLine;
use access_admin::senders;
use ground_store::{Buckets, StoreError};
use ground_world::clock::ClockControl;
use path_ledger::{LedgerError, State};
use serde::Serialize;
use serde_json::json;

use super::{Answer, Mover, Question, Request};
use crate::rooms::Rooms;

/// Answers a request.
pub async fn execute(rooms: &Rooms, request: Request) -> Answer {
    // On the heap: it is as large as the largest of all answers.
    let done = Box::pin(dispatch(rooms, request)).await;
    done.unwrap_or_else(|refused| refused)
}

/// `Err` is a refusal: `?` ends the answer with it.
type Answered = Result<Answer, Answer>;

async fn dispatch(rooms: &Rooms, request: Request) -> Answered {
    let by = &request.by;
    match request.question {
        Question::Queue => rows(rooms.ledger.queue_lines().await.map_err(ledger)?),
        Question::List { filter } => rows(rooms.ledger.list(&filter).await.map_err(ledger)?),
        Question::Trace { query } => view::trace(rooms, &query).await,
        Question::Explain { query } => Box::pin(explain::explain(rooms, &query)).await,
        Question::Totals => one(&rooms.ledger.totals().await.map_err(ledger)?),
        Question::Preview { filter } => bulk::preview(rooms, &filter).await,
        Question::Begin {
            preview,
            verb,
            reason,
        } => bulk::begin(rooms, by, &preview, verb, &reason),
        Question::Progress { act } => bulk::progress(rooms, &act),
        Question::Ages => rows(rooms.ledger.ages().await.map_err(ledger)?),
        Question::Times => rows(times(rooms)),
        Question::Flows => rows(rooms.ledger.flows().await.map_err(ledger)?),
        Question::Events { filter } => rows(rooms.ledger.events(&filter).await.map_err(ledger)?),
        Question::Audit => view::audit(rooms).await,
        Question::Alarms => watch::alarms(rooms).await,
        Question::Health => watch::health(rooms).await,
        Question::Metrics => watch::metrics(rooms).await,
        Question::Act {
            verb,
            filter,
            reason,
            dry_run,
            name,
        } => {
            let wish = act::Wish {
                verb,
                filter,
                reason,
            };
            match dry_run {
                true => act::shown(rooms, &wish).await,
                false => act::act(rooms, by, &wish, name).await,
            }
        }
        Question::Connectors => {
            let lines = rooms.ledger.queue_lines().await.map_err(ledger)?;
            let settings = rooms.settings.borrow().clone();
            rows(access_admin::connectors(&settings, &lines))
        }
        Question::Route { domain } => {
            let domain = domain.parse().map_err(|_| {
                Answer::asker(format!("{domain:?} is no domain such as example.org"))
            })?;
            one(&access_admin::route(&rooms.settings.borrow(), &domain))
        }
        Question::Body { id } => view::body(rooms, id).await,
        Question::Link { id } => {
            let settings = rooms.settings.borrow().clone();
            let link = senders::link(&rooms.ledger, &settings, id).await;
            link.map_err(ledger)
        }
        Question::Follow { token } => {
            let followed = senders::follow(&rooms.ledger, &token).await;
            followed.map_err(ledger)
        }
        Question::OwnMail {
            owner,
            before,
            query,
        } => {
            let mail = senders::own_mail(&rooms.ledger, &owner, before, query.as_deref()).await;
            mail.map_err(ledger)
        }
        Question::Change { change } => directory::change(rooms, by, change).await,
        Question::Look { at } => directory::look(rooms, at).await,
        Question::OperatorChange { change } => operator::change(rooms, by, change).await,
        Question::OperatorLook { at } => operator::look(rooms, at).await,
        Question::MailList { address } => mail::list(rooms, &address).await,
        Question::MailShow { address, mail } => mail::show(rooms, &address, &mail).await,
        Question::Send {
            sender,
            recipients,
            notify,
            ret,
            envid,
        } => {
            let wish = send::Wish { notify, ret, envid };
            send::send(rooms, by, &sender, &recipients, &wish, request.content).await
        }
        Question::PauseHop { hop, until, reason } => {
            hop::pause(rooms, by, &hop, &until, &reason).await
        }
        Question::ResumeHop { hop, reason } => hop::resume(rooms, by, &hop, &reason).await,
        Question::Nodes => rows(rooms.ledger.nodes().await.map_err(ledger)?),
        Question::Drain {
            name,
            draining,
            reason,
        } => drain(rooms, by, &name, draining, &reason).await,
        Question::Selftest => Err(Answer::asker(
            "no server runs on this configuration; there is nothing to test: start it, or see postrider check",
        )),
        Question::Reload
        | Question::Settings
        | Question::SettingsTry { .. }
        | Question::SettingsSave { .. } => Err(Answer::asker(
            "no server runs on this configuration; there is nothing to reload: see postrider check",
        )),
        Question::ClockAdvance { millis } => {
            let by = Duration::from_millis(millis);
            clock(rooms)?.advance(by).await;
            time(rooms)
        }
        Question::ClockStep { millis } => {
            clock(rooms)?.step(millis);
            time(rooms)
        }
    }
}

/// What this node has counted, as it is shown.
fn times(rooms: &Rooms) -> Vec<TimesLine> {
    let ended = rooms.ledger.counted().ended.into_iter();
    let line = |(state, buckets): (State, Buckets)| TimesLine {
        state,
        bounds: buckets.bounds.iter().map(Duration::as_secs_f64).collect(),
        recipients: buckets.counts,
    };
    ended.map(line).collect()
}

async fn drain(rooms: &Rooms, by: &str, name: &str, draining: bool, reason: &str) -> Answered {
    let done = rooms.ledger.drain(name, draining, by, reason).await;
    if done.map_err(ledger)? {
        return Ok(Answer::One {
            fact: json!({ "name": name, "draining": draining }),
        });
    }
    let state = match draining {
        true => "draining already",
        false => "not draining",
    };
    Err(Answer::asker(format!(
        "no node {name:?}, or it is {state}: see postrider node list"
    )))
}

fn clock(rooms: &Rooms) -> Result<&ClockControl, Answer> {
    rooms.clock.as_ref().ok_or_else(|| {
        Answer::asker(
            "the clock is moved only in a running server with clock_control = true in [test]",
        )
    })
}

fn time(rooms: &Rooms) -> Answered {
    Ok(Answer::One {
        fact: json!({ "now": rooms.ledger.now().to_string() }),
    })
}

/// A list of whatever can be written as JSON.
fn rows<T: Serialize>(list: Vec<T>) -> Answered {
    let rows = list
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>();
    let rows = rows.map_err(unwritable)?;
    Ok(Answer::Rows { rows })
}

/// One object.
fn one<T: Serialize>(thing: &T) -> Answered {
    let fact = serde_json::to_value(thing).map_err(unwritable)?;
    Ok(Answer::One { fact })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unwritable(error: serde_json::Error) -> Answer {
    Answer::Refused {
        whose: Mover::Operator,
        why: format!("this cannot be written as JSON: {error}"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn ledger(error: LedgerError) -> Answer {
    let whose = match &error {
        LedgerError::Store(error) => mover(error),
        LedgerError::NoRecipients | LedgerError::NoSuchParent | LedgerError::Mixed(_) => {
            Mover::Operator
        }
    };
    Answer::Refused {
        whose,
        why: error.to_string(),
    }
}

fn mover(error: &StoreError) -> Mover {
    match error {
        StoreError::Conflict(_) => Mover::Asker,
        StoreError::Unavailable(_) => Mover::Time,
        StoreError::Refused(_)
        | StoreError::Full(_)
        | StoreError::Damaged(_)
        | StoreError::Elsewhere(_)
        | StoreError::Unfit(_) => Mover::Operator,
    }
}
