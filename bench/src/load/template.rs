//! Addresses with counters: `user{n%100}@example.test`.

use std::fmt::Write;
use std::str::FromStr;

use anyhow::{Context, bail};

/// Text with counters: `{n}` message, `{s}` session, `{r}` recipient within the message, each with an optional `%M`
/// that keeps it below M.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Counter { which: Which, below: Option<u64> },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    Message,
    Session,
    Recipient,
}

/// The counters' present values.
#[derive(Clone, Copy, Debug)]
pub struct Counters {
    /// Number of the message in this run.
    pub message: u64,
    /// Number of the session.
    pub session: u64,
    /// Number of the recipient in this message.
    pub recipient: u64,
}

impl Template {
    /// Writes the text with the counters filled in.
    pub fn render(&self, counters: Counters) -> String {
        let mut out = String::with_capacity(48);
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Counter { which, below } => {
                    let value = match which {
                        Which::Message => counters.message,
                        Which::Session => counters.session,
                        Which::Recipient => counters.recipient,
                    };
                    let value = below.map_or(value, |below| value % below);
                    write!(out, "{value}").unwrap_or_default();
                }
            }
        }
        out
    }
}

impl FromStr for Template {
    type Err = anyhow::Error;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some((text, after)) = rest.split_once('{') {
            let (inside, after) = after
                .split_once('}')
                .with_context(|| format!("no '}}' after '{{' in {source:?}"))?;
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            parts.push(counter(inside)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }
}

fn counter(inside: &str) -> anyhow::Result<Part> {
    let (name, below) = match inside.split_once('%') {
        Some((name, below)) => (name, Some(below)),
        None => (inside, None),
    };
    let which = match name {
        "n" => Which::Message,
        "s" => Which::Session,
        "r" => Which::Recipient,
        other => bail!("no counter {{{other}}}: there are {{n}}, {{s}} and {{r}}"),
    };
    let below = below
        .map(|text| text.parse::<std::num::NonZeroU64>())
        .transpose()
        .with_context(|| format!("{{{inside}}} needs a number above 0 after '%'"))?;
    Ok(Part::Counter {
        which,
        below: below.map(std::num::NonZeroU64::get),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTERS: Counters = Counters {
        message: 123,
        session: 7,
        recipient: 2,
    };

    fn check(template: &str, expected: Result<&str, &str>) {
        let rendered = template.parse::<Template>().map(|t| t.render(COUNTERS));
        match (rendered, expected) {
            (Ok(rendered), Ok(expected)) => assert_eq!(rendered, expected, "{template}"),
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{template}: {error}");
            }
            (rendered, _) => panic!("{template}: {rendered:?}"),
        }
    }

    #[test]
    fn counters_are_filled_in_and_mistakes_are_named() {
        check("a@b.test", Ok("a@b.test"));
        check("u{n}@b.test", Ok("u123@b.test"));
        check("u{n%100}-{r}@s{s}.test", Ok("u23-2@s7.test"));
        check("{n}{n%10}", Ok("1233"));
        check("u{x}@b.test", Err("no counter {x}"));
        check("u{n@b.test", Err("no '}'"));
        check("u{n%0}@b.test", Err("above 0"));
        check("u{n%}@b.test", Err("above 0"));
    }
}
