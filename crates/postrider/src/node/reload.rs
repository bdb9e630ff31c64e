//! New settings for a running node, without losing a session.

use std::sync::Arc;

use ground_settings::Settings;
use path_ledger::{EventKind, LedgerOptions};
use serde_json::json;

use super::{Desk, NodeError, identity};
use crate::config::Config;
use crate::control::Answer;

impl Desk {
    /// Takes new settings everywhere: sessions from their next transaction on, everything else from its next pass on.
    pub(super) async fn reload(&self, settings: Settings) -> Result<(), NodeError> {
        let identity = identity::of(&settings, &self.folder).await?;
        let settings = Arc::new(settings);
        self.watch.set_settings(settings.clone())?;
        let ledger = &self.rooms.ledger;
        ledger.set_options(LedgerOptions::from_settings(ledger.node_name(), &settings));
        self.tls.replace(identity);
        self.settings.send_replace(settings);
        ledger
            .record(
                EventKind::SettingsLoaded,
                &ledger.node_name(),
                "by a reload",
            )
            .await?;
        Ok(())
    }

    /// Reads the configuration file again.
    pub(super) async fn reload_file(&self) -> Answer {
        let Some(file) = &self.file else {
            return Answer::asker("this server was not started from a configuration file");
        };
        let config = match Config::read(file) {
            Ok(config) => config,
            Err(error) => return Answer::asker(format!("{error}\nthe old settings stay")),
        };
        match self.reload(config.settings).await {
            Ok(()) => Answer::One {
                fact: json!({ "done": "the settings were read again" }),
            },
            Err(error) => Answer::asker(format!("{error}; the old settings stay")),
        }
    }
}
