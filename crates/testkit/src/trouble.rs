//! Trouble inside a node, on purpose: tasks that panic or hang, hints that are lost, a store that does not answer.

use anyhow::{Context, Result, bail};
use ground_store::{Store, StoreError};
use ground_world::mishap::{Blow, SimulatedMishap, Spot};

use crate::words::Words;

/// What is wrong with a node from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// After so many tasks came by a place where tasks wait, the next one meets this.
    Strike { after: u64, blow: Blow },
    /// Every task that comes by there does.
    Everywhere { spot: Spot, blow: Blow },
    /// Nobody hears that something can be done now.
    NoHints,
    /// Writes wait.
    StoreHangs,
    /// So many writes are refused.
    StoreRefuses(u64),
    /// So many writes happen, and are not answered.
    StoreIsSilent(u64),
    /// Nothing more happens. Who hangs already, hangs.
    Over,
}

/// `mishap node1 panic after 120`, `mishap node1 hang at attempt`, `mishap node1 over` and the others.
pub(crate) fn parse(words: &mut Words<'_>) -> Result<Trouble> {
    const KINDS: &str = "panic, hang, no-hints, store or over";
    Ok(match words.word(KINDS)? {
        "panic" => blow(words, Blow::Panic)?,
        "hang" => blow(words, Blow::Hang)?,
        "no-hints" => Trouble::NoHints,
        "over" => Trouble::Over,
        "store" => store(words)?,
        other => bail!("expected {KINDS}, got {other:?}"),
    })
}

fn blow(words: &mut Words<'_>, blow: Blow) -> Result<Trouble> {
    if words.takes("after") {
        let after = number(words)?;
        return Ok(Trouble::Strike { after, blow });
    }
    words.expect("at")?;
    let word = words.word("a spot")?;
    let spots = || {
        let spots: Vec<_> = Spot::ALL.iter().map(|spot| spot.word()).collect();
        format!("expected one of {}, got {word:?}", spots.join(", "))
    };
    let spot = Spot::from_word(word).with_context(spots)?;
    Ok(Trouble::Everywhere { spot, blow })
}

fn store(words: &mut Words<'_>) -> Result<Trouble> {
    Ok(match words.word("hangs, refuses N or loses N")? {
        "hangs" => Trouble::StoreHangs,
        "refuses" => Trouble::StoreRefuses(number(words)?),
        "loses" => Trouble::StoreIsSilent(number(words)?),
        other => bail!("expected hangs, refuses N or loses N, got {other:?}"),
    })
}

fn number(words: &mut Words<'_>) -> Result<u64> {
    let word = words.word("a number")?;
    let number = word.parse().ok();
    number.with_context(|| format!("expected a number, got {word:?}"))
}

impl Trouble {
    /// Begins, or ends, in a node.
    pub(crate) fn come(self, mishap: &SimulatedMishap, store: &Store) {
        let faults = store.faults();
        match self {
            Trouble::Strike { after, blow } => mishap.strike_after(after, blow),
            Trouble::Everywhere { spot, blow } => mishap.strike_always(spot, blow),
            Trouble::NoHints => mishap.lose_hints(),
            Trouble::StoreHangs => faults.hold_writes(),
            Trouble::StoreRefuses(times) => {
                for _ in 0..times {
                    faults.fail_next_write(StoreError::Unavailable("busy".into()));
                }
            }
            Trouble::StoreIsSilent(times) => {
                for _ in 0..times {
                    faults.lose_next_answer();
                }
            }
            Trouble::Over => {
                mishap.stop();
                faults.stop();
            }
        }
    }
}
