//! Shelves: messages that are looked for by what is wrong with them, each with a page of its own.

/// Messages that are looked for by what is wrong with them.
pub(super) struct Shelf {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What they are, and what becomes of them.
    pub(super) lead: &'static str,
    pub(super) conditions: &'static [(&'static str, &'static str)],
}

pub(super) const MESSAGES: Shelf = Shelf {
    path: "/messages",
    name: "All",
    title: "Messages",
    lead: "",
    conditions: &[],
};

pub(super) const HELD: Shelf = Shelf {
    path: "/held",
    name: "Held",
    title: "Held messages",
    lead: "Kept back by a person, a rule or a failed check. Somebody is rung for when a hold reaches its alarm time, and its lifetime goes on: release it, return it, or discard it.",
    conditions: &[("state", "held")],
};

pub(super) const DAMAGED: Shelf = Shelf {
    path: "/damaged",
    name: "Damaged",
    title: "Damaged messages",
    lead: "Rows or bodies that cannot be read. They are held, and end as dead letters when their lifetime does. The page of each says what can still be read of it; mend the disk or bring the body back, then release.",
    conditions: &[("state", "held"), ("reason_contains", path_ledger::DAMAGED)],
};

pub(super) const DEAD_LETTERS: Shelf = Shelf {
    path: "/dead-letters",
    name: "Dead letters",
    title: "Dead letters",
    lead: "They could not be delivered, and nobody could be told: mostly reports to senders that do not exist. Final; kept, and bounded, like all history.",
    conditions: &[("state", "dead_letter")],
};

pub(super) const SHELVES: [&Shelf; 4] = [&MESSAGES, &HELD, &DAMAGED, &DEAD_LETTERS];
