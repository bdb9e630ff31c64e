//! Rights: a closed set of words, and sets of them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One thing that an operator or a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Looking.
    View,
    /// Acting on mail and next hops.
    Act,
    /// Reading mail.
    Content,
    /// Changing who exists and how the server works.
    Administer,
}

impl Right {
    /// Every one, in the order of lists and of the manual.
    pub const ALL: [Self; 4] = [Self::View, Self::Act, Self::Content, Self::Administer];

    /// The word for it in the store, in JSON, on the command line and on pages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Act => "act",
            Self::Content => "content",
            Self::Administer => "administer",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::View => "May see queues, envelopes of messages, history and alarms.",
            Self::Act => {
                "May retry, hold, release, return, discard and reroute mail, and pause next hops."
            }
            Self::Content => "May read and export the content of messages.",
            Self::Administer => {
                "May change the directory, settings, nodes, operators and tokens: may come by every other right."
            }
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// One right or more. None implies another. Displayed and read as `view,act`, always in one order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rights(u8);

/// The operator's move: a word of the list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no right; name one or more of view, act, content, administer, with commas between"
)]
pub struct RightsError(String);

impl Rights {
    /// Every right.
    pub const ALL: Self = Self::only(Right::View)
        .and(Right::Act)
        .and(Right::Content)
        .and(Right::Administer);

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
        Right::ALL
            .into_iter()
            .filter(move |right| self.contains(*right))
    }
}

impl FromStr for Rights {
    type Err = RightsError;

    fn from_str(text: &str) -> Result<Self, RightsError> {
        let read = |word: &str| {
            let right = Right::ALL.into_iter().find(|right| right.word() == word);
            right.ok_or_else(|| RightsError(word.to_owned()))
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
            let only = Rights::only(right);
            assert_eq!(only.each().collect::<Vec<_>>(), [right]);
            assert!(Rights::ALL.contains(right) && right.meaning().ends_with('.'));
        }
    }
}
