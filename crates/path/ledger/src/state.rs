//! The closed set of states a recipient can be in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a recipient is. Everything that was ever accepted is in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for the directory to say who it is.
    Categorizing,
    /// Waits for its next hop, or for its own time.
    Queued,
    /// Claimed by a node until its lease ends.
    InFlight,
    /// Kept back by a person, a rule or a failed check, which is named; an alarm is set.
    Held,
    /// In a mailbox here. Final.
    Delivered,
    /// In the care of another server. Final.
    Relayed,
    /// Replaced by its children. Final.
    Expanded,
    /// A report went to the sender. Final.
    Returned,
    /// Dropped by a named person or rule. Final.
    Discarded,
    /// Failed, and nobody can be told. Final; listed, its body kept until history is pruned.
    DeadLetter,
}

impl State {
    /// Every state, in the order of a message's way.
    pub const ALL: [State; 10] = [
        State::Categorizing,
        State::Queued,
        State::InFlight,
        State::Held,
        State::Delivered,
        State::Relayed,
        State::Expanded,
        State::Returned,
        State::Discarded,
        State::DeadLetter,
    ];

    /// The word for it in the store, in JSON, on the command line and on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            State::Categorizing => "categorizing",
            State::Queued => "queued",
            State::InFlight => "in_flight",
            State::Held => "held",
            State::Delivered => "delivered",
            State::Relayed => "relayed",
            State::Expanded => "expanded",
            State::Returned => "returned",
            State::Discarded => "discarded",
            State::DeadLetter => "dead_letter",
        }
    }

    /// The state of this word, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            State::Categorizing | State::Queued | State::InFlight | State::Held => false,
            State::Delivered
            | State::Relayed
            | State::Expanded
            | State::Returned
            | State::Discarded
            | State::DeadLetter => true,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl From<State> for ground_store::Value {
    fn from(state: State) -> Self {
        state.word().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_found_again_by_its_word_and_in_json() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.word()), Some(state));
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{}\"", state.word()));
        }
        assert_eq!(State::from_word("lost"), None);
    }
}
