//! New settings for a running node, without losing a session.
//!
//! ```text
//!   read the file -> read the certificate -> check -> open the new listeners -> publish -> close the old listeners
//! ```
//!
//! Until the settings are published nothing has changed, and any step may refuse; after that nothing can fail.

use std::sync::Arc;

use ground_settings::{Difference, Endpoint, Settings};
use path_accept::Change;
use path_ledger::{Doer, EventKind, LedgerOptions};
use path_watch::Fit;
use serde_json::json;

use super::settings::differing;
use super::{Desk, NodeError};
use crate::config::Config;
use crate::control::{Answer, Mover};

/// Characters of an event that says what was changed: a book is no place for whole files.
const DETAIL_MAX: usize = 4000;

/// What a reload came to.
#[derive(Debug)]
pub(super) struct Reloaded {
    /// Listeners that listen where they did not before, as `name address`.
    opened: Vec<String>,
    /// Listeners that do not listen any more where they did before, as `name address`.
    closed: Vec<String>,
    /// Settings that differ from those the server was started with, and hold from its next start only.
    waits_for_restart: Vec<&'static str>,
}

impl Desk {
    /// Takes new settings everywhere: sessions from their next transaction on, everything else from its next pass on.
    pub(super) async fn reload(&self, settings: Settings) -> Result<Reloaded, NodeError> {
        let mut server = self.server.lock().await;
        let identity = self.certificates.of(&settings).await?;
        let settings = Arc::new(settings);
        let fit = Fit::check(settings.clone())?;
        let ledger = &self.rooms.ledger;
        let publish = || {
            let options = LedgerOptions::from_settings(ledger.node_name(), &settings);
            ledger.set_options(options);
            self.watch.set_settings(fit);
            self.tls.replace(identity);
            self.settings.send_replace(settings.clone());
        };
        let change = server.reload(&settings, publish).await?;
        let reloaded = Reloaded::new(change, waits_for_restart(&self.started, &settings));
        tracing::info!(
            opened = ?reloaded.opened,
            closed = ?reloaded.closed,
            waits_for_restart = ?reloaded.waits_for_restart,
            "the settings were read again"
        );
        Ok(reloaded)
    }

    /// Reads the configuration file again.
    pub(super) async fn reload_file(&self, by: &str) -> Answer {
        let Some(file) = &self.file else {
            return Answer::asker("this server was not started from a configuration file");
        };
        let config = match Config::read(file) {
            Ok(config) => config,
            Err(error) => return Answer::asker(format!("{error}\nnothing was changed")),
        };
        let differences = self.settings.borrow().differences(&config.settings);
        match self.reload(config.settings).await {
            Ok(reloaded) => match self.record(by, "by a reload", differences, "").await {
                Ok(()) => Answer::One {
                    fact: reloaded.fact("the settings were read again"),
                },
                Err(refused) => refused,
            },
            Err(error) => Answer::asker(format!("{error}\nnothing was changed")),
        }
    }

    /// Writes into the history what was changed.
    pub(super) async fn record(
        &self,
        by: &str,
        how: &str,
        differences: Vec<Difference>,
        reason: &str,
    ) -> Result<(), Answer> {
        let mut detail = how.to_owned();
        if !reason.is_empty() {
            detail += &format!(" ({reason})");
        }
        for difference in differing(differences) {
            detail += &format!("; {difference}");
        }
        if let Some((end, _)) = detail.char_indices().nth(DETAIL_MAX) {
            detail.truncate(end);
            detail += " ...";
        }
        let ledger = &self.rooms.ledger;
        let recorded = ledger.record(EventKind::SettingsLoaded, Doer::Person, by, &detail);
        recorded.await.map_err(|error| Answer::Refused {
            whose: Mover::Operator,
            why: format!("the new settings hold, but the book does not know: {error}"),
        })
    }
}

impl Reloaded {
    fn new(change: Change, waits_for_restart: Vec<&'static str>) -> Self {
        let lines = |places: Vec<(String, Endpoint)>| {
            let line = |(name, address)| format!("{name} {address}");
            places.into_iter().map(line).collect()
        };
        Self {
            opened: lines(change.opened),
            closed: lines(change.closed),
            waits_for_restart,
        }
    }

    pub(super) fn fact(&self, done: &str) -> serde_json::Value {
        json!({
            "done": done,
            "opened": self.opened,
            "closed": self.closed,
            "waits_for_restart": self.waits_for_restart,
        })
    }
}

/// What is set up once, at the start: where the book lies, who we are in it, and the ways to the outside.
pub(super) fn waits_for_restart(started: &Settings, now: &Settings) -> Vec<&'static str> {
    let (before, after) = (&started.storage, &now.storage);
    let differs = [
        ("store", started.server.store != now.server.store),
        (
            "data_directory",
            started.server.data_directory != now.server.data_directory,
        ),
        (
            "node (the hostname, when unset)",
            started.node_name() != now.node_name(),
        ),
        ("[dns]", started.dns != now.dns),
        (
            "timeouts.tls_handshake",
            started.timeouts.tls_handshake != now.timeouts.tls_handshake,
        ),
        (
            "storage.group_commit_bytes",
            before.group_commit_bytes != after.group_commit_bytes,
        ),
        (
            "storage.group_commit_count",
            before.group_commit_count != after.group_commit_count,
        ),
        ("storage.readers", before.readers != after.readers),
        ("[log]", started.log != now.log),
        ("[test]", started.test != now.test),
    ];
    let different = differs.iter().filter(|(_, differs)| *differs);
    different.map(|(name, _)| *name).collect()
}
