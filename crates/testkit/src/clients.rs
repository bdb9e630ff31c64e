//! Who connects to us in a story, and whose turn it is.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::client::Client;
use crate::config::HOSTNAME;
use crate::stage::Stage;
use crate::statement::Dialogue;

/// All clients of a story.
#[derive(Default)]
pub(crate) struct Clients {
    by_name: BTreeMap<String, Client>,
    /// Whose turn it is.
    turn: String,
}

impl Clients {
    pub(crate) async fn perform(
        &mut self,
        stage: &mut impl Stage,
        dialogue: &Dialogue,
    ) -> Result<()> {
        match dialogue {
            Dialogue::Connect { client, from, to } => {
                let stream = stage.connect(*from, to).await?;
                let connected = Client::new(stream, stage.world());
                self.by_name.insert(client.clone(), connected);
                self.turn.clone_from(client);
                Ok(())
            }
            Dialogue::Turn(client) => {
                self.turn.clone_from(client);
                self.mine().map(|_| ())
            }
            Dialogue::StartTls => {
                self.mine()?;
                if let Some(client) = self.by_name.remove(&self.turn) {
                    let client = client.start_tls(HOSTNAME).await?;
                    self.by_name.insert(self.turn.clone(), client);
                }
                Ok(())
            }
            Dialogue::Leave => {
                self.mine()?;
                self.by_name.remove(&self.turn);
                Ok(())
            }
            Dialogue::Say { octets } => self.mine()?.say(octets).await,
            Dialogue::Hear { pattern } => self.mine()?.hear(pattern).await,
            Dialogue::HearEnd => self.mine()?.hear_end().await,
            Dialogue::HearNothing => self.mine()?.hear_nothing().await,
        }
    }

    fn mine(&mut self) -> Result<&mut Client> {
        let client = self.by_name.get_mut(&self.turn);
        client.with_context(|| format!("expected a connected client, and {:?} is not", self.turn))
    }
}
