//! A short record of the dialogue, for the history of an attempt.

use crate::reply::Reply;
use std::collections::VecDeque;

/// Lines kept: the last ones, for they say why.
pub const TRANSCRIPT_LINES: usize = 64;
/// Octets of a line kept.
pub const TRANSCRIPT_LINE: usize = 200;

#[derive(Debug, Default)]
pub(super) struct Transcript {
    lines: VecDeque<String>,
}

impl Transcript {
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
    }

    pub(super) fn sent(&mut self, line: &str) {
        self.add("C: ", line);
    }

    pub(super) fn received(&mut self, reply: &Reply) {
        self.add("S: ", &reply.to_string());
    }

    fn add(&mut self, who: &str, line: &str) {
        if self.lines.len() >= TRANSCRIPT_LINES {
            self.lines.pop_front();
        }
        let end = line.floor_char_boundary(TRANSCRIPT_LINE);
        let kept = line.get(..end).unwrap_or(line);
        self.lines.push_back(format!("{who}{kept}"));
    }
}
