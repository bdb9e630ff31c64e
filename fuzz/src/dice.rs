//! Decisions, taken from the front of the input.

/// Input that is used up from its front; when none is left, every decision is 0.
#[derive(Clone, Debug)]
pub struct Dice<'a>(pub &'a [u8]);

impl<'a> Dice<'a> {
    /// One decision.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// The next `count` octets, or what is left.
    pub fn octets(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A short piece: an octet that says how long (modulo `most`), then so many octets.
    pub fn piece(&mut self, most: u8) -> &'a [u8] {
        let count = self.byte() % most;
        self.octets(usize::from(count))
    }

    /// A short text: a piece, as far as it is UTF-8.
    pub fn text(&mut self, most: u8) -> &'a str {
        let piece = self.piece(most);
        match std::str::from_utf8(piece) {
            Ok(text) => text,
            Err(error) => {
                let sound = piece.get(..error.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(sound).unwrap_or("")
            }
        }
    }
}
