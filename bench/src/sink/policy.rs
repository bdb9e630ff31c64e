//! Which recipients the sink refuses.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::dialogue::server::Verdict;

/// What to refuse; everything else is taken.
#[derive(Default, clap::Args)]
pub struct Policy {
    /// Refuse recipients that match with 550; `*` stands for anything (may be repeated)
    #[arg(long, value_name = "PATTERN")]
    refuse_recipient: Vec<String>,
    /// Answer recipients that match with 451 (may be repeated)
    #[arg(long, value_name = "PATTERN")]
    tempfail_recipient: Vec<String>,
    /// Refuse this share of all recipients with 550, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    refuse: f64,
    /// Answer this share of all recipients with 451, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    tempfail: f64,
    /// Answer a pair of sender and recipient with 450 until so many seconds after its first attempt
    #[arg(long, value_name = "SECONDS")]
    greylist: Option<u64>,
    #[arg(skip)]
    first_seen: HashMap<(Vec<u8>, Vec<u8>), Instant>,
    #[arg(skip)]
    judged: u64,
}

impl Policy {
    /// Judges one recipient.
    pub fn judge(&mut self, sender: &[u8], recipient: &[u8]) -> Verdict {
        self.judged += 1;
        let refuse = |line: &str| Verdict::Refuse(line.to_owned());
        let any = |patterns: &[String]| {
            patterns
                .iter()
                .any(|pattern| matches(pattern.as_bytes(), recipient))
        };
        if any(&self.refuse_recipient) {
            return refuse("550 5.1.1 refused by pattern");
        }
        if any(&self.tempfail_recipient) {
            return refuse("451 4.2.1 put off by pattern");
        }
        let draw = draw(self.judged);
        if draw < self.refuse {
            return refuse("550 5.7.1 refused by chance");
        }
        if draw < self.refuse + self.tempfail {
            return refuse("451 4.7.1 put off by chance");
        }
        if self.is_greylisted(sender, recipient) {
            return refuse("450 4.7.1 greylisted, come again");
        }
        Verdict::Accept
    }

    fn is_greylisted(&mut self, sender: &[u8], recipient: &[u8]) -> bool {
        let Some(seconds) = self.greylist else {
            return false;
        };
        let pair = (sender.to_vec(), recipient.to_vec());
        match self.first_seen.get(&pair) {
            Some(first) => first.elapsed() < Duration::from_secs(seconds),
            None => {
                self.first_seen.insert(pair, Instant::now());
                true
            }
        }
    }
}

/// A number from 0 to 1 that looks like chance and is the same in each run (splitmix64).
fn draw(number: u64) -> f64 {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64
}

/// Whether `text` matches `pattern`, in which `*` stands for any run of bytes.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if matches(rest, text) => true,
        (Some((b'*', _)), Some((_, after))) => matches(pattern, after),
        (Some((wanted, rest)), Some((found, after))) => wanted == found && matches(rest, after),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(policy: &mut Policy, recipient: &str) -> String {
        match policy.judge(b"s@x.test", recipient.as_bytes()) {
            Verdict::Accept => "250".to_owned(),
            Verdict::Refuse(line) => line[..3].to_owned(),
        }
    }

    #[test]
    fn patterns_match_from_end_to_end() {
        for (pattern, text, expected) in [
            ("a@b", "a@b", true),
            ("a@b", "a@bc", false),
            ("*@b", "x@b", true),
            ("*@b", "x@bb", false),
            ("a*", "a", true),
            ("*x*", "aaxbb", true),
            ("*x*", "aabb", false),
            ("", "a", false),
        ] {
            let matched = matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(matched, expected, "{pattern} {text}");
        }
    }

    #[test]
    fn shares_are_kept_within_a_percent() {
        let mut policy = Policy {
            refuse: 0.1,
            tempfail: 0.3,
            ..Policy::default()
        };
        let mut counts = HashMap::<String, i32>::new();
        for _ in 0..100_000 {
            *counts.entry(code(&mut policy, "a@b")).or_default() += 1;
        }
        assert!((counts["550"] - 10_000).abs() < 1000, "{counts:?}");
        assert!((counts["451"] - 30_000).abs() < 1000, "{counts:?}");
    }

    #[test]
    fn greylisting_puts_off_each_pair_until_its_time() {
        let mut policy = Policy {
            greylist: Some(0),
            ..Policy::default()
        };
        assert_eq!(code(&mut policy, "a@b"), "450");
        assert_eq!(code(&mut policy, "a@b"), "250");
        assert_eq!(code(&mut policy, "c@b"), "450");
        policy.greylist = Some(1000);
        assert_eq!(code(&mut policy, "a@b"), "450");
    }
}
