//! Address spaces: which recipient domains a connector serves.

use std::fmt;
use std::str::FromStr;

use crate::form::{Hostname, written_as_text};
use crate::problem::Fault;

/// A pattern of recipient domains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AddressSpace {
    /// `"*"`: every domain.
    Any,
    /// `"*.example.org"`: every name below the domain, not the domain itself.
    Below(Hostname),
    /// `"example.org"`: this domain alone.
    Exact(Hostname),
}

/// How closely a pattern fits: the higher wins, before cost is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Specificity {
    /// By `"*"`.
    Any,
    /// By `"*.domain"`; the longer domain wins.
    Below {
        /// Labels of the pattern's domain.
        labels: usize,
    },
    /// By the name itself.
    Exact,
}

impl AddressSpace {
    /// How closely the pattern fits `domain`, or `None` when it does not. Case does not count.
    pub fn matches(&self, domain: &str) -> Option<Specificity> {
        match self {
            Self::Any => Some(Specificity::Any),
            Self::Exact(name) => name
                .as_str()
                .eq_ignore_ascii_case(domain)
                .then_some(Specificity::Exact),
            Self::Below(name) => is_below(domain, name.as_str()).then(|| Specificity::Below {
                labels: name.as_str().split('.').count(),
            }),
        }
    }
}

fn is_below(domain: &str, parent: &str) -> bool {
    let Some(cut) = domain.len().checked_sub(parent.len()) else {
        return false;
    };
    match (domain.get(..cut), domain.get(cut..)) {
        (Some(front), Some(back)) => {
            front.len() > 1 && front.ends_with('.') && back.eq_ignore_ascii_case(parent)
        }
        (None, _) | (_, None) => false,
    }
}

impl FromStr for AddressSpace {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let remedy = r#"write a domain, "*.domain" for the names below it, or "*" for all"#;
        let name = text.strip_prefix("*.").unwrap_or(text);
        let name: Hostname = name
            .parse()
            .map_err(|fault: Fault| Fault::new(fault.what, remedy))?;
        Ok(if text.starts_with("*.") {
            Self::Below(name)
        } else {
            Self::Exact(name)
        })
    }
}

impl fmt::Display for AddressSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Exact(name) => name.fmt(f),
        }
    }
}

written_as_text!(
    AddressSpace,
    r#"a domain, "*.domain" for the names below it, or "*" for all"#
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_its_domains_only() {
        let below = |labels| Some(Specificity::Below { labels });
        for (pattern, domain, expected) in [
            ("*", "anything.test", Some(Specificity::Any)),
            ("example.org", "EXAMPLE.org", Some(Specificity::Exact)),
            ("Example.Org", "example.org", Some(Specificity::Exact)),
            ("example.org", "a.example.org", None),
            ("*.example.org", "a.Example.org", below(2)),
            ("*.example.org", "a.b.example.org", below(2)),
            ("*.example.org", "example.org", None),
            ("*.example.org", ".example.org", None),
            ("*.example.org", "badexample.org", None),
            ("*.example.org", "org", None),
            ("*.org", "\u{fc}x.org", below(1)),
            ("*.org", "\u{fc}rg", None),
        ] {
            let space: AddressSpace = pattern.parse().expect(pattern);
            assert_eq!(space.matches(domain), expected, "{pattern} {domain}");
        }
    }

    #[test]
    fn the_closer_pattern_is_the_greater() {
        let below = |labels| Specificity::Below { labels };
        assert!(Specificity::Exact > below(9));
        assert!(below(3) > below(2));
        assert!(below(1) > Specificity::Any);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "*.",
            "**",
            "a.*.org",
            "*example.org",
            "a b.org",
            "-a.org",
            "\u{fc}x.org",
        ] {
            assert!(text.parse::<AddressSpace>().is_err(), "{text}");
        }
    }
}
