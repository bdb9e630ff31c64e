//! What the TOML parser found wrong, told like every other problem.

use toml::de::Error;

use crate::catalogue;
use crate::problem::{Fault, Found};

/// Adds what the TOML parser found.
///
/// Where the text stops being TOML the parser guesses on, so of the meaning only what stands before that line is told,
/// and of the guesses only the first of each line.
pub(crate) fn merge(errors: &[Error], text: &str, found: &mut Vec<Found>) {
    let (twice, broken): (Vec<&Error>, Vec<&Error>) = errors
        .iter()
        .partition(|error| error.message() == "duplicate key");
    found.extend(twice.into_iter().map(|error| written_twice(error, text)));
    let Some(first) = broken.iter().map(|error| start(error)).min() else {
        return;
    };
    let reliable = line_start(first, text);
    found.retain(|problem| problem.at < reliable);
    let mut lines: Vec<usize> = Vec::new();
    for error in broken {
        let line = line_start(start(error), text);
        if !lines.contains(&line) {
            lines.push(line);
            found.push(not_toml(error));
        }
    }
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// The byte at which the line of byte `at` starts.
fn line_start(at: usize, text: &str) -> usize {
    let before = text.get(..at).unwrap_or(text);
    before.rfind('\n').map_or(0, |newline| newline + 1)
}

fn written_twice(error: &Error, text: &str) -> Found {
    let name = error.span().and_then(|span| text.get(span)).unwrap_or("");
    let heading = format!("[[{name}]]");
    let repeats = catalogue().iter().any(|page| page.heading == heading);
    let remedy = match repeats {
        true => format!("write two brackets on each side: {heading}"),
        false => "keep one of the two".to_owned(),
    };
    Found {
        at: start(error),
        fault: Fault::new(format!("{name} is written twice"), remedy),
        name: name.to_owned(),
    }
}

fn not_toml(error: &Error) -> Found {
    Found {
        at: start(error),
        name: String::new(),
        fault: Fault::new(
            format!("this is not TOML: {}", error.message()),
            "correct the line: text stands in quotes, lists in brackets, each setting on its own line",
        ),
    }
}
