//! The manual of words, `docs/words.md`: every closed set with the sentence of each word, from where they are declared.

use std::fmt::Write;

use ground_directory::operator::Right;
use path_ledger::{
    AttemptOutcome, Doer, EventKind, FindingKind, HopState, NodeState, Origin, Stage, State, Verb,
    Vocabulary,
};

use super::words::{Decided, Fact, Next, Probe, Reason, Rule, Verdict};
use crate::senders::Told;

const INTRODUCTION: &str = "# Words

Everything that a listing, a trace, an explanation or the audit can say with one word, and what it means. Each word is declared once, in the code, with
its sentence: the command line, JSON, the log and the web show that declaration, and this page is written from it
(`cargo run -p access-admin --example words > docs/words.md`; a test compares them). What can happen to a recipient in each state is in
[states.md](states.md), and alarms with their remedies are in [alarms.md](alarms.md).
";

const RIGHTS: Vocabulary = Vocabulary {
    doc: "What an operator, or a program with a token, may do by the web pages and the HTTP API. None implies another.",
    words: Right::WORDS,
};

/// Every closed set, by the heading it has in the manual.
pub(super) const VOCABULARIES: &[(&str, Vocabulary)] = &[
    ("States", State::VOCABULARY),
    ("Stages", Stage::VOCABULARY),
    ("Events", EventKind::VOCABULARY),
    ("Whose doing an event is", Doer::VOCABULARY),
    ("Outcomes of attempts", AttemptOutcome::VOCABULARY),
    ("Next hops", HopState::VOCABULARY),
    ("Nodes", NodeState::VOCABULARY),
    ("Ways in", Origin::VOCABULARY),
    ("Operators' verbs", Verb::VOCABULARY),
    ("Rights", RIGHTS),
    ("Findings of the audit", FindingKind::VOCABULARY),
    ("Explanations: reasons", Reason::VOCABULARY),
    ("Explanations: facts", Fact::VOCABULARY),
    ("Explanations: what comes next", Next::VOCABULARY),
    ("Explanations: rules", Rule::VOCABULARY),
    ("Explanations: steps", Decided::VOCABULARY),
    ("What senders are told", Told::VOCABULARY),
    ("Selftest: stages", Probe::VOCABULARY),
    ("Selftest: verdicts", Verdict::VOCABULARY),
];

/// The text of `docs/words.md`.
#[must_use]
pub fn manual() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (heading, vocabulary) in VOCABULARIES {
        write!(text, "\n## {heading}\n\n{}\n\n", vocabulary.doc)
            .expect("a String takes everything");
        for (word, meaning) in vocabulary.words {
            writeln!(text, "- `{word}`: {meaning}").expect("a String takes everything");
        }
    }
    text
}
