//! How many connections one hop takes: grows with success, halves with trouble.

/// Connections at one time to one hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    limit: u32,
    max: u32,
    /// Successes since the limit last moved.
    good: u32,
}

impl Pace {
    pub(crate) fn new(initial: u32, max: u32) -> Self {
        let max = max.max(1);
        Self {
            limit: initial.clamp(1, max),
            max,
            good: 0,
        }
    }

    pub(crate) fn limit(self) -> u32 {
        self.limit
    }

    /// The settings changed.
    pub(crate) fn bound(&mut self, max: u32) {
        self.max = max.max(1);
        self.limit = self.limit.min(self.max);
    }

    /// One more connection once each of them has carried a message.
    pub(crate) fn success(&mut self) {
        self.good += 1;
        if self.good >= self.limit {
            self.good = 0;
            self.limit = self.max.min(self.limit + 1);
        }
    }

    pub(crate) fn trouble(&mut self) {
        self.good = 0;
        self.limit = (self.limit / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_grows_by_one_a_round_and_halves_on_trouble_within_its_bounds() {
        let mut pace = Pace::new(5, 8);
        let mut seen = Vec::new();
        for _ in 0..40 {
            pace.success();
            seen.push(pace.limit());
        }
        assert_eq!((seen[3], seen[4], seen[10], seen[39]), (5, 6, 7, 8));
        for expected in [4, 2, 1, 1] {
            pace.trouble();
            assert_eq!(pace.limit(), expected);
        }
        assert_eq!(Pace::new(50, 3).limit(), 3);
        assert_eq!(Pace::new(0, 0).limit(), 1);
    }
}
