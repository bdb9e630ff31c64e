//! The configuration file by way of the administration: shown without its secrets, tried, and replaced.
//!
//! ```text
//!   read the file -> is it the one that was edited? -> put its secrets back -> check -> write beside it -> reload -> replace it
//! ```
//!
//! A reload that is refused leaves the file as it was: what holds and what the file says never part by our doing.

use std::path::Path;

use access_admin::{Differing, Rerouted, SettingsView, Trial, Wrong};
use ground_settings::{Difference, Fault, KEPT, Problem, Settings, conceal, reveal};
use path_ledger::{HopKey, LedgerError};
use path_route::plan;
use path_watch::Fit;
use serde::Serialize;

use super::reload::waits_for_restart;
use super::{Desk, identity};
use crate::config::Replacement;
use crate::control::{Answer, Mover};

/// Octets of a configuration file that are taken.
const TEXT_MAX: usize = 512 << 10;

/// Hexadecimal digits that tell one text from another.
const VERSION: usize = 16;

/// Either an answer or a refusal, which is one, too.
type Answered = Result<Answer, Answer>;

impl Desk {
    /// What the file says, and what holds.
    pub(super) fn show_settings(&self) -> Answered {
        let file = self.configuration()?;
        let held = self.settings.borrow().clone();
        let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
        let shown = read.and_then(|text| match conceal(&text) {
            Ok(shown) => Ok((text, shown)),
            Err(fault) => Err(fault.what),
        });
        let settings = match &shown {
            Ok((text, _)) => Settings::parse(text).ok(),
            Err(_) => None,
        };
        let settings = settings.as_ref();
        fact(&SettingsView {
            node: self.rooms.ledger.node_name(),
            file: file.display().to_string(),
            version: shown
                .as_ref()
                .map_or_else(|_| String::new(), |(text, _)| version(text)),
            unread: settings.map_or_else(Vec::new, |now| differing(held.differences(now))),
            waits_for_restart: names(waits_for_restart(&self.started, &held)),
            trouble: shown.as_ref().err().cloned(),
            text: shown.ok().map(|(_, shown)| shown),
        })
    }

    /// What `text`, or the file as it is, would come to.
    pub(super) async fn try_settings(&self, text: Option<String>) -> Answered {
        let file = self.configuration()?;
        let held = self.settings.borrow().clone();
        let trial = match self.read(file, text).await {
            Ok((_, new)) => {
                let rerouted = self.rerouted(&held, &new).await.map_err(unreadable)?;
                Trial {
                    problems: Vec::new(),
                    differences: differing(held.differences(&new)),
                    waits_for_restart: names(waits_for_restart(&self.started, &new)),
                    recipients: rerouted.iter().map(|hop| hop.recipients).sum(),
                    rerouted,
                }
            }
            Err(problems) => Trial {
                problems,
                ..Trial::default()
            },
        };
        fact(&trial)
    }

    /// The file gets another text, and it holds at once; or neither.
    pub(super) async fn save_settings(
        &self,
        by: &str,
        text: String,
        edited: &str,
        reason: &str,
    ) -> Answered {
        let file = self.configuration()?;
        let _one_at_a_time = self.editing.lock().await;
        let now = std::fs::read_to_string(file).map_err(Answer::asker)?;
        if version(&now) != edited {
            return Err(Answer::asker(format!(
                "{} was changed since it was shown; load the page again, nothing was changed by this",
                file.display()
            )));
        }
        let (text, new) = self.read(file, Some(text)).await.map_err(refused)?;
        let held = self.settings.borrow().clone();
        let replacement = Replacement::write(file, &text).map_err(|error| {
            Answer::Refused {
                whose: Mover::Operator,
                why: format!(
                    "{} cannot be written by this server: {error}; change it there, and reload; nothing was changed",
                    file.display()
                ),
            }
        })?;
        let reloaded = self.reload(new.clone()).await;
        let reloaded =
            reloaded.map_err(|error| Answer::asker(format!("{error}\nnothing was changed")))?;
        let replaced = replacement.take();
        self.record(
            by,
            "by a change of the file",
            held.differences(&new),
            reason,
        )
        .await?;
        replaced.map_err(|error| Answer::Refused {
            whose: Mover::Operator,
            why: format!(
                "the new settings hold, but {} could not be replaced, and the next start reads the old ones: {error}",
                file.display()
            ),
        })?;
        Ok(Answer::One {
            fact: reloaded.fact("the settings were changed"),
        })
    }

    fn configuration(&self) -> Result<&Path, Answer> {
        self.file
            .as_deref()
            .ok_or_else(|| Answer::asker("this server was not started from a configuration file"))
    }

    /// The text with its secrets, and what it says; or everything that is wrong with it.
    async fn read(
        &self,
        file: &Path,
        text: Option<String>,
    ) -> Result<(String, Settings), Vec<Wrong>> {
        let wrong = |what: String| vec![Wrong::of(&Fault::new(what, "nothing was changed"))];
        let now = std::fs::read_to_string(file)
            .map_err(|error| wrong(format!("{}: {error}", file.display())))?;
        let text = match text {
            None => now,
            Some(text) if text.len() > TEXT_MAX => {
                return Err(wrong(format!("it is longer than {TEXT_MAX} octets")));
            }
            // Browsers end lines as mail does.
            Some(text) => whole(&text.replace("\r\n", "\n"), &now)?,
        };
        let settings = Settings::parse(&text).map_err(|problems| wrongs(&problems))?;
        let folder = &self.certificates.folder;
        identity::set(&settings, folder)
            .await
            .map_err(|error| wrong(format!("tls: {error}")))?;
        Fit::check(settings.clone().into()).map_err(|error| wrong(error.to_string()))?;
        Ok((text, settings))
    }

    /// Next hops whose mail would go another way.
    async fn rerouted(
        &self,
        held: &Settings,
        new: &Settings,
    ) -> Result<Vec<Rerouted>, LedgerError> {
        let lines = self.rooms.ledger.queue_lines().await?;
        let waiting = lines.into_iter().filter_map(|line| {
            let hop: HopKey = line.next_hop.parse().ok()?;
            Some((hop, line.queued + line.in_flight + line.held))
        });
        let changed = waiting.filter_map(|(hop, recipients)| rerouted(held, new, &hop, recipients));
        Ok(changed.collect())
    }
}

fn rerouted(held: &Settings, new: &Settings, hop: &HopKey, recipients: u64) -> Option<Rerouted> {
    let (before, after) = (plan(held, hop), plan(new, hop));
    let ways = (
        before.as_ref().map(|plan| &plan.way),
        after.as_ref().map(|plan| &plan.way),
    );
    if recipients == 0 || ways.0 == ways.1 {
        return None;
    }
    let words = |plan: &Result<path_route::HopPlan, path_route::NoWay>| match plan {
        Ok(plan) => plan.reason.clone(),
        Err(no_way) => no_way.to_string(),
    };
    Some(Rerouted {
        next_hop: hop.to_string(),
        recipients,
        before: words(&before),
        after: words(&after),
        lost: after.is_err(),
    })
}

/// The text with the secrets of the file where it keeps them.
fn whole(text: &str, now: &str) -> Result<String, Vec<Wrong>> {
    if !text.contains(KEPT) {
        return Ok(text.to_owned());
    }
    // What is no TOML is told by line.
    reveal(text, now).map_err(|fault| match Settings::parse(text) {
        Err(problems) => wrongs(&problems),
        Ok(_) => vec![Wrong::of(&fault)],
    })
}

fn wrongs(problems: &[Problem]) -> Vec<Wrong> {
    let wrong = |problem: &Problem| Wrong {
        line: problem.line,
        column: problem.column,
        setting: problem.name.clone(),
        what: problem.what.clone(),
        remedy: problem.remedy.clone(),
    };
    problems.iter().map(wrong).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn refused(wrong: Vec<Wrong>) -> Answer {
    let lines = wrong.iter().map(ToString::to_string);
    Answer::asker(format!(
        "{}\nnothing was changed",
        lines.collect::<Vec<_>>().join("\n")
    ))
}

pub(super) fn differing(differences: Vec<Difference>) -> Vec<Differing> {
    let one = |difference: Difference| Differing {
        setting: difference.setting,
        before: difference.before,
        after: difference.after,
    };
    differences.into_iter().map(one).collect()
}

fn names(names: Vec<&'static str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// Tells one text from another, and nothing of what is in it.
fn version(text: &str) -> String {
    let hash = blake3::derive_key("postrider 2026 settings version", text.as_bytes());
    let mut hex = blake3::Hash::from(hash).to_hex().to_string();
    hex.truncate(VERSION);
    hex
}

fn fact<T: Serialize>(thing: &T) -> Answered {
    let fact = serde_json::to_value(thing);
    let fact = fact.map_err(|error| Answer::asker(format!("this cannot be written: {error}")))?;
    Ok(Answer::One { fact })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: LedgerError) -> Answer {
    Answer::Refused {
        whose: Mover::Time,
        why: error.to_string(),
    }
}
