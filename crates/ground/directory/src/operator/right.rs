//! Rights: a closed set of words, and sets of them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Declares the words, each once: `/// Its meaning.` above `Variant = "word",`.
macro_rules! rights {
    ($(#[doc = $meaning:literal] $right:ident = $word:literal,)+) => {
        /// One thing that an operator or a token may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Right {
            $(#[doc = $meaning] $right,)+
        }

        impl Right {
            /// Every one, in the order of lists and of the manual.
            pub const ALL: &'static [Self] = &[$(Self::$right),+];

            /// Every word with its meaning, for the manual.
            pub const WORDS: &'static [(&'static str, &'static str)] = &[$(($word, $meaning.trim_ascii())),+];

            /// The word for it in the store, in JSON, on the command line and on pages.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$right => $word),+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$right => $meaning.trim_ascii()),+ }
            }
        }

        impl Rights {
            /// Every right.
            pub const ALL: Self = Self(0 $(| Right::$right.bit())+);
        }
    };
}

rights! {
    /// May see queues, envelopes of messages, history and alarms.
    View = "view",
    /// May retry, hold, release, return, discard and reroute mail, and pause next hops.
    Act = "act",
    /// May read and export the content of messages.
    Content = "content",
    /// May change the directory, settings, nodes, operators and tokens, and so come by every other right.
    Administer = "administer",
}

impl Right {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// One right or more. None implies another. Displayed and read as `view,act`, always in one order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rights(u8);

/// The operator's move: a word of the list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no right; name one or more of {all}, with commas between", all = Rights::ALL)]
pub struct RightsError(String);

impl Rights {
    /// This right.
    #[must_use]
    pub const fn only(right: Right) -> Self {
        Self(right.bit())
    }

    /// This right, too.
    #[must_use]
    pub const fn and(self, right: Right) -> Self {
        Self(self.0 | right.bit())
    }

    /// Whether `right` is among them.
    #[must_use]
    pub const fn contains(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// Each of them.
    pub fn each(self) -> impl Iterator<Item = Right> {
        let all = Right::ALL.iter().copied();
        all.filter(move |right| self.contains(*right))
    }
}

impl FromStr for Rights {
    type Err = RightsError;

    fn from_str(text: &str) -> Result<Self, RightsError> {
        let read = |word: &str| {
            let right = Right::ALL.iter().find(|right| right.word() == word);
            right.copied().ok_or_else(|| RightsError(word.to_owned()))
        };
        let mut words = text.split(',').map(str::trim);
        let first = Self::only(read(words.next().unwrap_or_default())?);
        words.try_fold(first, |rights, word| Ok(rights.and(read(word)?)))
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.each().map(Right::word).collect();
        f.pad(&words.join(","))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_in_any_order_and_told_in_one() {
        for (text, told) in [
            ("view", Some("view")),
            ("act,view", Some("view,act")),
            ("view, act,view", Some("view,act")),
            (
                "administer,content,act,view",
                Some("view,act,content,administer"),
            ),
            ("", None),
            ("view,", None),
            ("View", None),
            ("all", None),
        ] {
            let read = text.parse::<Rights>().ok();
            let read = read.map(|rights| rights.to_string());
            assert_eq!(read.as_deref(), told, "{text:?}");
        }
        let refused = "view,root".parse::<Rights>().unwrap_err().to_string();
        for right in Right::ALL {
            assert!(refused.contains(right.word()), "{refused}");
        }
    }

    #[test]
    fn no_right_implies_another() {
        for right in Right::ALL {
            let only = Rights::only(*right);
            assert_eq!(only.each().collect::<Vec<_>>(), [*right]);
            assert!(Rights::ALL.contains(*right) && right.meaning().ends_with('.'));
        }
    }
}
