//! The closed set of states a recipient can be in.

crate::words! {
    /// Where a recipient is. Everything that was ever accepted is in exactly one of these.
    pub enum State {
        /// Waits for the directory to say who it is.
        Categorizing = "categorizing",
        /// Waits for its next hop, or for its own time.
        Queued = "queued",
        /// Claimed by a node until its lease ends.
        InFlight = "in_flight",
        /// Kept back by a person, a rule or a failed check, which is named; an alarm is set.
        Held = "held",
        /// In a mailbox here. Final.
        Delivered = "delivered",
        /// In the care of another server. Final.
        Relayed = "relayed",
        /// Replaced by its children. Final.
        Expanded = "expanded",
        /// A report went to the sender, unless the sender asked for none. Final.
        Returned = "returned",
        /// Dropped by a named person or rule. Final.
        Discarded = "discarded",
        /// Failed, and nobody can be told. Final; listed, its body kept until history is pruned.
        DeadLetter = "dead_letter",
    }
}

impl State {
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

impl From<State> for ground_store::Value {
    fn from(state: State) -> Self {
        state.word().into()
    }
}
