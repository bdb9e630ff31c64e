//! Closed sets of words, each declared once: the enum, its word in the store, in JSON, on the command line and on pages, and
//! the sentence that says what it means. The manual `docs/words.md` is written from these.

/// A closed set of words, as the manual shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vocabulary {
    /// What the words are about.
    pub doc: &'static str,
    /// Each word with its meaning, in the order of the manual.
    pub words: &'static [(&'static str, &'static str)],
}

/// Declares a closed set of words: `/// Its meaning.` above `Variant = "word",`.
#[macro_export]
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        pub enum $type:ident {
            $( $(#[doc = $meaning:literal])+ $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $type {
            $( $(#[doc = $meaning])+ #[serde(rename = $word)] $variant, )+
        }

        #[allow(dead_code, reason = "no set needs all of it")]
        impl $type {
            /// Every one, in the order of the manual.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Every word with its meaning, for the manual.
            pub const VOCABULARY: $crate::Vocabulary = $crate::Vocabulary {
                doc: concat!($($doc),+).trim_ascii(),
                words: &[$(($word, concat!($($meaning),+).trim_ascii())),+],
            };

            /// The word for it in the store, in JSON, on the command line and on pages.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+).trim_ascii()),+ }
            }

            /// The one of this word, if there is one.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl $crate::schemars::JsonSchema for $type {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut $crate::schemars::SchemaGenerator) -> $crate::schemars::Schema {
                let words: Vec<&str> = Self::ALL.iter().map(|one| one.word()).collect();
                $crate::schemars::json_schema!({
                    "type": "string",
                    "description": Self::VOCABULARY.doc,
                    "enum": words,
                })
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{
        AttemptOutcome, Doer, EventKind, FindingKind, HopState, NodeState, Origin, Stage, State,
        Verb,
    };

    #[test]
    fn every_word_is_one_word_and_its_meaning_a_sentence() {
        for vocabulary in [
            State::VOCABULARY,
            Stage::VOCABULARY,
            EventKind::VOCABULARY,
            Doer::VOCABULARY,
            AttemptOutcome::VOCABULARY,
            HopState::VOCABULARY,
            NodeState::VOCABULARY,
            Origin::VOCABULARY,
            FindingKind::VOCABULARY,
            Verb::VOCABULARY,
        ] {
            let words: BTreeSet<_> = vocabulary.words.iter().map(|(word, _)| word).collect();
            assert_eq!(words.len(), vocabulary.words.len(), "{vocabulary:?}");
            for (word, meaning) in vocabulary.words {
                assert!(
                    !word.contains(|c: char| c != '_' && !c.is_ascii_lowercase()),
                    "{word}"
                );
                assert!(meaning.ends_with('.'), "{word}: {meaning}");
            }
        }
    }

    #[test]
    fn every_word_is_found_again_and_is_the_same_in_json() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.word()), Some(*state));
            let json = serde_json::to_string(state).unwrap();
            assert_eq!(json, format!("\"{}\"", state.word()));
        }
        assert_eq!(State::from_word("lost"), None);
    }
}
