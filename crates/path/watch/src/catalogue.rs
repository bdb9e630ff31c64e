//! The closed catalogue of alarms: each kind with its word, its meaning, and what to do.

use serde::{Deserialize, Serialize};

macro_rules! alarms {
    ($($name:ident = $word:literal, $meaning:literal, $remedy:literal;)*) => {
        /// What should not be.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum AlarmKind {
            $(#[doc = $meaning] #[serde(rename = $word)] $name,)*
        }

        impl schemars::JsonSchema for AlarmKind {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                "AlarmKind".into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let words = Self::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>();
                schemars::json_schema!({ "type": "string", "enum": words })
            }
        }

        impl AlarmKind {
            /// Every kind.
            pub const ALL: &'static [AlarmKind] = &[$(AlarmKind::$name,)*];

            /// The word for it in JSON, in the log, on the command line and on pages.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(AlarmKind::$name => $word,)* }
            }

            /// What it means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(AlarmKind::$name => $meaning,)* }
            }

            /// What to do.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(AlarmKind::$name => $remedy,)* }
            }
        }
    };
}

alarms! {
    Overdue = "overdue",
        "The deadline of these recipients passed longer ago than `watch.slack`, and nothing happened.",
        "See what is late with `postrider queue list --due-before` and why with `postrider explain ID`; the log says what the sweep could not do.";
    Stalled = "stalled",
        "Mail is due, its next hop is open, and nobody has claimed it for longer than `watch.slack`: the delivery side stands still.",
        "See `postrider node list`: a drained node takes none (`postrider node resume NAME`). Otherwise the alarms task_failed and store_failing say what stops it.";
    Stuck = "stuck",
        "A worker or a task was at one stage for longer than it may; it was ended and replaced, and its messages are tried again or held.",
        "Nothing is to be restarted. Report the stage and the messages; `postrider trace ID` shows what became of each.";
    TaskFailed = "task_failed",
        "A task of this node panicked or ended within the last hour, and was replaced.",
        "Nothing is to be restarted. Report the defect with the lines of the log around it.";
    NoSuchConnector = "no_such_connector",
        "Mail waits for a connector that the settings no longer name.",
        "Bring the connector back, or send the mail another way: `postrider reroute --next-hop HOP`.";
    OurFault = "our_fault",
        "A next hop cannot be used by our own fault: credentials, the set-up of TLS, no route, something on this machine.",
        "Mend what the detail names and `postrider reload`; then `postrider retry --next-hop HOP`. No mail is returned for it before its lifetime ends.";
    HeldForgotten = "held_forgotten",
        "Mail was held for longer than `queue.hold_alarm`, and nobody ended the hold.",
        "Look at it with `postrider queue list --state held`, then `postrider release`, `postrider return` or `postrider discard` it.";
    Damaged = "damaged",
        "Rows or bodies cannot be read; their recipients are held.",
        "Look with `postrider inspect`; bring the body back from a backup and `postrider release` it, or `postrider discard` it. Check the disk.";
    Poison = "poison",
        "Mail is held because attempts at it began and never ended, again and again.",
        "Report the stage in its reason. `postrider release` it when the defect is mended, or `postrider return` it.";
    DeadLetters = "dead_letters",
        "Within the last day mail has failed and nobody could be told.",
        "Look with `postrider queue list --state dead_letter`; what matters can be taken out with `postrider export`.";
    Difference = "difference",
        "The book does not add up: accepted, less all that is accounted for, is not 0.",
        "See `postrider audit`. Keep a copy of the store and report it.";
    Finding = "finding",
        "An audit found rows or files that are not as they should be.",
        "See `postrider audit` and `postrider inspect`. What can be put right without doubt already was.";
    StoreFailing = "store_failing",
        "The store refuses writes or does not answer: its disk is full, or it is out of reach. No new mail is taken.",
        "Make room on the disk, or bring the database back. The server goes on by itself.";
    NoSignOfLife = "no_sign_of_life",
        "A node's sign of life was not taken, or it was silent for so long that others took over its work.",
        "Look at that machine and its way to the store; it starts anew by itself. See `postrider node list`.";
    ClockStepped = "clock_stepped",
        "The wall clock of this machine was moved against its steady clock within the last hour.",
        "Let a time server keep it (slewing, not stepping). No mail was lost or hurried: leases and waits use the steady clock.";
}

/// The reference manual of the alarms, in Markdown: the text of `docs/alarms.md`.
#[must_use]
pub fn manual() -> String {
    let mut text = INTRODUCTION.to_owned();
    for kind in AlarmKind::ALL {
        let (word, meaning, remedy) = (kind.word(), kind.meaning(), kind.remedy());
        text.push_str(&format!("\n## {word}\n\n{meaning}\n\n{remedy}\n"));
    }
    text
}

const INTRODUCTION: &str = "# Alarms

What should not be, as `postrider alarms` lists it. This page is written by
`cargo run -p path-watch --example manual > docs/alarms.md`.

An alarm says what kind it is, since when, of what (its subject: a next hop, a node, a task), which messages (some of them, and how
many in all), the detail, what its kind means, and what to do. It begins and ends by itself. Alarms stand on ages, not on counts: a
full queue that flows raises none. Each kind is declared once, in the code, with its word and both sentences: the log, the command line,
JSON, the webhook and this page show that declaration. The other words that are printed are in [words.md](words.md).

They go to the log (once when one begins, once when it ends), to `postrider alarms [--json]`, to `postrider metrics`, and to
`[alarms] webhook`: a POST of the same JSON with `\"state\": \"begun\"`, `\"stands\"` (again after `repeat`) or `\"ended\"`. `[alarms] mail` sends them by
mail too, never alone: a mail server that stands still cannot mail that it does.

`postrider health` is for load balancers: exit 0 when this node takes mail and nothing is stalled or overdue; 1 with the reasons when
not; 3 when it does not answer.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_on_disk_is_the_one_of_the_catalogue() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/alarms.md");
        let printed = std::fs::read_to_string(path).unwrap();
        assert!(
            printed == manual(),
            "run: cargo run -p path-watch --example manual > docs/alarms.md"
        );
    }

    #[test]
    fn each_kind_has_a_word_of_its_own_a_meaning_and_a_remedy() {
        let words: std::collections::BTreeSet<_> =
            AlarmKind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), AlarmKind::ALL.len());
        for kind in AlarmKind::ALL {
            assert!(
                kind.meaning().ends_with('.') && kind.remedy().ends_with('.'),
                "{kind:?}"
            );
        }
    }
}
