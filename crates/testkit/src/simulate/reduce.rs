//! A story that breaks a promise, made as short as it can be.

use super::checks::Broken;
use super::play::{Run, UNTOLD};

/// Characters of what is broken that tell one kind of it from another.
const GIST: usize = 24;

/// Leaves out what is not needed for the same promise to be broken: halves first, then smaller pieces, until each single
/// statement is needed.
#[must_use]
pub fn reduce(text: &str, seed: u64) -> String {
    let Err(violation) = Run::of(text, seed) else {
        return text.to_owned();
    };
    // Numbers differ from run to run; the first words do not.
    let gist = |broken: &Broken| {
        let words: String = broken
            .words
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .collect();
        (broken.promise, words.chars().take(GIST).collect::<String>())
    };
    let wanted = gist(&violation.broken);
    let breaks = |statements: &[String]| {
        let text = statements.concat();
        Run::of(&text, seed).is_err_and(|found| match wanted.0 {
            UNTOLD => gist(&found.broken) == wanted,
            promise => found.broken.promise == promise,
        })
    };
    let mut statements = statements(text);
    let mut piece = statements.len().div_ceil(2);
    while piece > 0 {
        let mut from = 0;
        while from < statements.len() {
            let to = (from + piece).min(statements.len());
            let kept = statements
                .iter()
                .take(from)
                .chain(statements.iter().skip(to));
            let shorter: Vec<String> = kept.cloned().collect();
            match breaks(&shorter) {
                true => statements = shorter,
                false => from = to,
            }
        }
        piece /= 2;
    }
    statements.concat()
}

/// Each statement with the lines that belong to it.
fn statements(text: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    for line in text.lines() {
        match statements.last_mut() {
            Some(last) if line.starts_with([' ', '|']) => {
                last.push_str(line);
                last.push('\n');
            }
            Some(_) | None => statements.push(format!("{line}\n")),
        }
    }
    statements
}
