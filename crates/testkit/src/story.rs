//! A file becomes a story: its statements, each with its line.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::pattern::RowPattern;
use crate::statement::{NodeChange, Statement};

/// What a file tells.
#[derive(Debug)]
pub struct Story {
    /// The file's name, for messages.
    pub(crate) name: String,
    pub(crate) lines: Vec<Line>,
}

/// One statement and where it stands.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
    pub(crate) statement: Statement,
}

/// A story that did not come true, or could not be read: file, line, and what was expected.
#[derive(Debug)]
pub struct Failure {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) error: anyhow::Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}\n  {:#}",
            self.name, self.line, self.text, self.error
        )
    }
}

impl std::error::Error for Failure {}

/// A statement's own lines below it.
#[derive(Debug, Default)]
pub(crate) struct Below {
    /// Lines that are indented.
    pub(crate) indented: Vec<String>,
    /// Lines that start with `|`.
    pub(crate) rows: Vec<RowPattern>,
}

impl Story {
    /// Reads a story.
    ///
    /// # Errors
    /// [`Failure`] with the first line that makes no sense, and what was expected there.
    pub fn read(path: &Path, name: &str) -> Result<Story, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure {
            name: name.to_owned(),
            line: 0,
            text: path.display().to_string(),
            error: error.into(),
        })?;
        Story::parse(&text, name)
    }

    /// Why the story cannot be told to the built binary, when it cannot.
    #[must_use]
    pub fn simulated_only(&self) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let Statement::SimulatedOnly(why) = &line.statement else {
                return None;
            };
            Some(why.as_str())
        })
    }

    /// Why the story cannot be told to a simulated world, when it cannot.
    #[must_use]
    pub fn not_simulated(&self) -> Option<&'static str> {
        let pause = |line: &Line| {
            let Statement::Node { what, .. } = &line.statement else {
                return false;
            };
            *what == NodeChange::Pause
        };
        let pauses = self.lines.iter().any(pause);
        pauses.then_some("only a process can be paused")
    }

    /// Why the story can be told to the built binary on PostgreSQL alone, when it is so.
    #[must_use]
    pub fn real_on_postgres_only(&self) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let Statement::RealOnPostgresOnly(why) = &line.statement else {
                return None;
            };
            Some(why.as_str())
        })
    }

    /// The story did not come true at this line.
    pub(crate) fn failure(&self, line: &Line, error: anyhow::Error) -> Failure {
        Failure {
            name: self.name.clone(),
            line: line.number,
            text: line.text.clone(),
            error,
        }
    }

    /// The stage cannot be built, or not be taken down.
    pub(crate) fn without_a_stage(&self, error: anyhow::Error) -> Failure {
        Failure {
            name: self.name.clone(),
            line: 0,
            text: String::new(),
            error,
        }
    }

    /// The same from a text.
    pub(crate) fn parse(text: &str, name: &str) -> Result<Story, Failure> {
        let mut lines = Vec::new();
        let mut waiting = text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line.trim_end()))
            .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
            .peekable();
        while let Some((number, line)) = waiting.next() {
            let mut block = Vec::new();
            while let Some((_, below)) = waiting.next_if(|(_, line)| belongs_above(line)) {
                block.push(below);
            }
            let statement = below(line, &block).and_then(|below| Statement::parse(line, below));
            let statement = statement.map_err(|error| Failure {
                name: name.to_owned(),
                line: number,
                text: line.to_owned(),
                error,
            })?;
            let text = line.to_owned();
            lines.push(Line {
                number,
                text,
                statement,
            });
        }
        let name = name.to_owned();
        Ok(Story { name, lines })
    }
}

fn belongs_above(line: &str) -> bool {
    line.starts_with([' ', '\t', '|'])
}

fn below(line: &str, block: &[&str]) -> Result<Below> {
    if belongs_above(line) {
        bail!("expected a statement at the beginning of the line");
    }
    let mut below = Below::default();
    for line in block {
        match line.trim_start().strip_prefix('|') {
            Some(row) => below
                .rows
                .push(RowPattern::parse(row).with_context(|| format!("in {line:?}"))?),
            None => below.indented.push(line.trim_start().to_owned()),
        }
    }
    Ok(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        Story::parse(text, "story.txt").unwrap_err().to_string()
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named_with_what_was_expected() {
        for (text, expected) in [
            (
                "# a\n\nfly to the moon",
                "story.txt:3: fly to the moon\n  expected a statement",
            ),
            ("wait\n", "story.txt:1: wait\n  expected a time"),
            ("wait soon", "expected a time such as"),
            ("wait 4h now", "expected the end of the line"),
            ("  wait 4h", "expected a statement at the beginning"),
            ("queue list", "expected rows below"),
            ("wait 4h\n| a=b", "takes no rows"),
            ("wait 4h\n  a", "takes no indented lines"),
            ("queue list\n| nonsense", "expected column=value"),
            (
                "peer x at 192.0.2.1:25\n  BLA -> 250 ok",
                "expected CONNECT",
            ),
            ("dns a x y", "expected an IP address"),
            ("simulated", "expected \"only\""),
            ("real on sqlite", "expected \"postgres\""),
            ("on", "expected a node's name"),
            ("peer x had 2", "expected \"connections\""),
            (
                "operator holds 1 to via:x --reason y",
                "expected \"to\" behind reroutes alone",
            ),
            ("C: \\q", "expected \\r"),
        ] {
            let got = complaint(text);
            assert!(got.contains(expected), "{text:?}: {got}");
        }
    }
}
