//! The door for HTTP: who comes in, what they may do, and the router of API and pages.
//!
//! ```text
//!   path-accept's listener -> door (one connection, its limits) -> headers -> who -> api | pages -> the binary's answer
//! ```

mod door;
mod headers;
mod holder;
mod login;
mod who;

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use ground_directory::holder::Holders;
use ground_directory::operator::Operators;
use ground_settings::{Protocol, Settings};
use ground_world::World;
use ground_world::net::Stream;
use path_accept::{Guard, Host};
use tokio::sync::watch;

pub(crate) use door::Leaving;
pub(crate) use door::Way;
pub(crate) use holder::{Ending, Own, Refused, log_in, log_out};
pub(crate) use login::{enter, form, leave};
pub(crate) use who::{BY, Came, Who};

use crate::live::Pace;
use crate::{Answer, Request, api, pages};

/// Answers what is asked: the binary's.
pub type Desk = Arc<dyn Fn(Request) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// What the door is made of.
pub struct WebParts {
    /// Answers what is asked.
    pub desk: Desk,
    /// Who may ask.
    pub operators: Operators,
    /// Who may see what he sent himself.
    pub holders: Holders,
    /// The outside.
    pub world: World,
    /// The settings of this moment.
    pub settings: watch::Receiver<Arc<Settings>>,
}

/// The door for HTTP. Cheap to clone.
#[derive(Clone)]
pub struct Web {
    parts: Arc<Parts>,
}

struct Parts {
    desk: Desk,
    operators: Operators,
    holders: Holders,
    world: World,
    settings: watch::Receiver<Arc<Settings>>,
    guard: Guard,
    /// Who tries links that we have not made. It is none of the passwords': a link that lost its end in somebody's mail must not
    /// keep operators of the same network from logging in.
    strangers: Guard,
    pace: Pace,
}

impl Web {
    /// A door that nobody comes by yet.
    #[must_use]
    pub fn new(parts: WebParts) -> Self {
        Self {
            parts: Arc::new(Parts {
                desk: parts.desk,
                operators: parts.operators,
                holders: parts.holders,
                world: parts.world,
                settings: parts.settings,
                guard: Guard::default(),
                strangers: Guard::default(),
                pace: Pace::default(),
            }),
        }
    }

    /// Receives who comes by a listener for HTTP.
    #[must_use]
    pub fn host(&self) -> Host {
        let (web, router) = (self.clone(), self.router());
        Arc::new(move |guest| {
            let (web, router) = (web.clone(), router.clone());
            Box::pin(async move { door::receive(&web, router, guest).await })
        })
    }

    /// Talks with whoever has opened the control socket: its owner, who may do everything.
    pub fn owner(&self) -> impl Fn(Stream) -> Pin<Box<dyn Future<Output = ()> + Send>> + use<> {
        let (web, router) = (self.clone(), self.router());
        move |stream| {
            let (web, router) = (web.clone(), router.clone());
            Box::pin(async move { door::receive_owner(&web, router, stream).await })
        }
    }

    pub(crate) fn router(&self) -> Router {
        let router = api::router().merge(pages::router());
        let router = router.layer(axum::middleware::from_fn_with_state(
            self.clone(),
            headers::layer,
        ));
        router.with_state(self.clone())
    }

    /// Whether anybody can come in.
    pub(crate) fn is_open(&self) -> bool {
        let settings = self.parts.settings.borrow();
        let mut listeners = settings.listeners.iter();
        listeners.any(|listener| listener.protocol == Protocol::Http)
    }

    /// Puts a question to the binary.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        (self.parts.desk)(request).await
    }

    pub(crate) fn world(&self) -> &World {
        &self.parts.world
    }

    pub(crate) fn operators(&self) -> &Operators {
        &self.parts.operators
    }

    pub(crate) fn holders(&self) -> &Holders {
        &self.parts.holders
    }

    pub(crate) fn strangers(&self) -> &Guard {
        &self.parts.strangers
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.parts.settings.borrow().clone()
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.parts.pace
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.parts.guard
    }
}
