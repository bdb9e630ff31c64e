//! What is kept of a conversation that failed: bounded, the first servers shortest, the last words whole.

/// Octets of a transcript in the history.
pub const TRANSCRIPT_MAX: usize = 8 * 1024;

/// Lines in the order they were said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Story {
    lines: Vec<String>,
    octets: usize,
}

impl Story {
    pub(crate) fn add(&mut self, line: impl Into<String>) {
        let line = line.into();
        self.octets += line.len() + 1;
        self.lines.push(line);
        // The end says why it failed, so the beginning goes first.
        while self.octets > TRANSCRIPT_MAX && self.lines.len() > 1 {
            let first = self.lines.remove(0);
            self.octets -= first.len() + 1;
        }
    }

    pub(crate) fn add_all<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        for line in lines {
            self.add(line);
        }
    }

    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_keeps_its_end_within_its_bound() {
        let mut story = Story::default();
        for number in 0..1000 {
            story.add(format!("S: 450 4.7.1 line {number:04}"));
        }
        let text = story.text();
        assert!(text.len() <= TRANSCRIPT_MAX);
        assert!(text.ends_with("line 0999"));
        assert!(!text.contains("line 0000"));
    }
}
