//! Pages that go on: the part that changes is sent again whenever it has changed, as server-sent events (WHATWG HTML s9.2).

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use ground_directory::operator::Right;

use super::frame::Visitor;
use super::{Refusal, act, messages, now, queues};
use crate::web::{Leaving, Web, Who};

/// How often it is looked whether something has changed: what is shown is never older than a second.
const INTERVAL: Duration = Duration::from_millis(800);

/// One look: what the page shows now.
type Look = Pin<Box<dyn Future<Output = Result<String, Refusal>> + Send>>;

pub(super) async fn now(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Extension(leaving): Extension<Leaving>,
) -> Response {
    go_on(web, who, leaving, |web, who| {
        Box::pin(async move { now::live(&web, &who).await })
    })
}

pub(super) async fn queues(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Extension(leaving): Extension<Leaving>,
) -> Response {
    go_on(web, who, leaving, |web, who| {
        Box::pin(async move { queues::live(&web, &who).await })
    })
}

pub(super) async fn list(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Path(shelf): Path<String>,
    RawQuery(query): RawQuery,
    Extension(leaving): Extension<Leaving>,
) -> Response {
    let query = query.unwrap_or_default();
    go_on(web, who, leaving, move |web, who| {
        let (shelf, query) = (shelf.clone(), query.clone());
        Box::pin(async move { messages::live(&web, &who, &shelf, &query).await })
    })
}

pub(super) async fn act(
    State(web): State<Web>,
    Visitor(who): Visitor,
    Path(name): Path<String>,
    Extension(leaving): Extension<Leaving>,
) -> Response {
    go_on(web, who, leaving, move |web, who| {
        let name = name.clone();
        Box::pin(async move { act::live(&web, &who, &name).await })
    })
}

struct Going<F> {
    web: Web,
    who: Who,
    leaving: Leaving,
    look: F,
    shown: String,
}

fn go_on<F>(web: Web, who: Who, leaving: Leaving, look: F) -> Response
where
    F: Fn(Web, Who) -> Look + Send + 'static,
{
    let going = Going {
        web,
        who,
        leaving,
        look,
        shown: String::new(),
    };
    let events = unfold(going, |mut going| async move {
        let event = going.next().await?;
        Some((Ok::<_, Infallible>(event), going))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

impl<F: Fn(Web, Who) -> Look> Going<F> {
    /// The next change; none when the listener closes, or whoever looks may not look any more.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let clock = self.web.world().clock.clone();
            tokio::select! {
                biased;
                () = self.leaving.0.cancelled() => return None,
                () = clock.sleep(INTERVAL) => {}
            }
            self.who = self.who.still(&self.web).await?;
            self.who.may(Right::View).ok()?;
            // What cannot be read now can be read later; the page says of when it is.
            let Ok(page) = (self.look)(self.web.clone(), self.who.clone()).await else {
                continue;
            };
            if page != self.shown {
                self.shown.clone_from(&page);
                return Some(Event::default().event("page").data(page));
            }
        }
    }
}
