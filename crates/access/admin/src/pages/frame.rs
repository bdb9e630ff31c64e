//! What is around every page: who looks, where they are, and whether something is wrong.

use axum::extract::{FromRequestParts, OptionalFromRequestParts, OriginalUri};
use axum::http::request::Parts;
use ground_directory::operator::Right;
use wire_message::Time;

use super::Refusal;
use crate::web::{Web, Who};
use crate::{Answer, Question};

/// Somebody who looks at pages; others are asked to log in first.
pub(crate) struct Visitor(pub(crate) Who);

impl FromRequestParts<Web> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Refusal> {
        let found = <Who as OptionalFromRequestParts<Web>>::from_request_parts(parts, web).await?;
        let Some(who) = found else {
            let asked = parts.extensions.get::<OriginalUri>();
            let next = asked.and_then(|uri| uri.path_and_query());
            return Err(Refusal::LogIn {
                next: next.map_or_else(|| "/".to_owned(), ToString::to_string),
            });
        };
        who.may(Right::View)?;
        Ok(Self(who))
    }
}

/// A page's place in the head of all pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Now,
    Queues,
    Messages,
    Tracking,
    Alarms,
    Audit,
    Nodes,
    Events,
    Directory,
    Connectors,
    Settings,
    Operators,
}

impl Tab {
    const ALL: [Self; 12] = [
        Self::Now,
        Self::Queues,
        Self::Messages,
        Self::Tracking,
        Self::Alarms,
        Self::Audit,
        Self::Nodes,
        Self::Events,
        Self::Directory,
        Self::Connectors,
        Self::Settings,
        Self::Operators,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::Queues => "Queues",
            Self::Messages => "Messages",
            Self::Tracking => "Tracking",
            Self::Alarms => "Alarms",
            Self::Audit => "Audit",
            Self::Nodes => "Nodes",
            Self::Events => "Events",
            Self::Directory => "Directory",
            Self::Connectors => "Connectors",
            Self::Settings => "Settings",
            Self::Operators => "Operators",
        }
    }

    /// What whoever looks at it must have the right to.
    const fn right(self) -> Right {
        match self {
            Self::Settings | Self::Operators => Right::Administer,
            Self::Now
            | Self::Queues
            | Self::Messages
            | Self::Tracking
            | Self::Alarms
            | Self::Audit
            | Self::Nodes
            | Self::Events
            | Self::Directory
            | Self::Connectors => Right::View,
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Now => "/",
            Self::Queues => "/queues",
            Self::Messages => "/messages",
            Self::Tracking => "/tracking",
            Self::Alarms => "/alarms",
            Self::Audit => "/audit",
            Self::Nodes => "/nodes",
            Self::Events => "/events",
            Self::Directory => "/directory",
            Self::Connectors => "/connectors",
            Self::Settings => "/settings",
            Self::Operators => "/operators",
        }
    }
}

/// A link in the head.
pub(crate) struct Link {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    /// `aria-current`.
    pub(crate) current: &'static str,
}

/// What is around a page.
pub(crate) struct Frame {
    pub(crate) name: String,
    pub(crate) rights: String,
    /// What forms carry, so that a change was meant.
    pub(crate) word: String,
    pub(crate) links: Vec<Link>,
    /// Alarms that stand.
    pub(crate) alarms: usize,
    pub(crate) now: Time,
    who: Who,
}

impl Frame {
    pub(crate) async fn around(web: &Web, who: Who, tab: Tab) -> Self {
        let alarms = match who.ask(web, Question::Alarms).await {
            Answer::Rows { rows } => rows.len(),
            Answer::One { .. } | Answer::Octets { .. } | Answer::Refused { .. } => 0,
        };
        let link = |one: Tab| Link {
            name: one.name(),
            path: one.path(),
            current: if one == tab { "page" } else { "false" },
        };
        Self {
            name: who.name.clone(),
            rights: who.rights.to_string(),
            word: who.word().to_owned(),
            links: Tab::ALL
                .into_iter()
                .filter(|tab| who.rights.contains(tab.right()))
                .map(link)
                .collect(),
            alarms,
            now: web.world().clock.now(),
            who,
        }
    }

    /// Whether whoever looks may act on mail.
    pub(crate) fn may_act(&self) -> bool {
        self.who.rights.contains(Right::Act)
    }

    /// Whether whoever looks may read mail.
    pub(crate) fn may_read(&self) -> bool {
        self.who.rights.contains(Right::Content)
    }

    /// Whether whoever looks may change the server.
    pub(crate) fn may_administer(&self) -> bool {
        self.who.rights.contains(Right::Administer)
    }
}
