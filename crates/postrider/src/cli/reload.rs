//! `postrider reload`: the running server reads its settings again, as at SIGHUP; or only says what that would change.

use access_admin::Trial;

use super::{Context, Exit, print};
use crate::control::{Answer, Question};

#[derive(Debug, clap::Args)]
pub(super) struct Reload {
    /// Only say what it would change, and whose mail would go another way. Exit 1 when the file cannot be taken.
    #[arg(long)]
    dry_run: bool,
}

impl Reload {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Exit> {
        if !self.dry_run {
            let answer = context.ask(Question::Reload).await?;
            return print::answer(&answer, context.json, &[]);
        }
        let answer = context.ask(Question::SettingsTry { text: None }).await?;
        let trial = match &answer {
            Answer::One { fact } => serde_json::from_value::<Trial>(fact.clone()).ok(),
            Answer::Rows { .. } | Answer::Octets { .. } | Answer::Refused { .. } => None,
        };
        let Some(trial) = trial else {
            return print::answer(&answer, context.json, &[]);
        };
        match context.json {
            true => drop(print::answer(&answer, true, &[])?),
            false => tell(&trial)?,
        }
        Ok(match trial.problems.is_empty() {
            true => Exit::Done,
            false => Exit::Refused,
        })
    }
}

fn tell(trial: &Trial) -> Result<(), Exit> {
    for wrong in &trial.problems {
        print::error(&wrong.to_string());
    }
    if trial.problems.is_empty() && trial.differences.is_empty() {
        print::out("nothing would change")?;
    }
    for difference in &trial.differences {
        print::out(&difference.to_string())?;
    }
    for name in &trial.waits_for_restart {
        print::out(&format!("{name} holds from the next start"))?;
    }
    for hop in &trial.rerouted {
        let after = match hop.lost {
            true => format!("no way: {}", hop.after),
            false => hop.after.clone(),
        };
        print::out(&format!(
            "{} recipients for {}: {} -> {after}",
            hop.recipients, hop.next_hop, hop.before
        ))?;
    }
    if trial.recipients > 0 {
        print::out(&format!(
            "{} recipients would go another way",
            trial.recipients
        ))?;
    }
    Ok(())
}
