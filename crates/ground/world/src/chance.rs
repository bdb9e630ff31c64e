//! Randomness: seeded, so that a simulation can be run again; unpredictable where a secret is wanted.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::hold;

/// Rolls dice. Clones share one sequence: in a simulation, the same seed gives the same rolls in the same order.
#[derive(Clone, Debug)]
pub struct Chance {
    dice: Arc<Mutex<fastrand::Rng>>,
    secrets: Secrets,
}

#[derive(Clone, Copy, Debug)]
enum Secrets {
    FromSystem,
    FromSeed,
}

impl Chance {
    pub(crate) fn real() -> Self {
        Self {
            dice: Arc::new(Mutex::new(fastrand::Rng::new())),
            secrets: Secrets::FromSystem,
        }
    }

    pub(crate) fn simulated(seed: u64) -> Self {
        Self {
            dice: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            secrets: Secrets::FromSeed,
        }
    }

    /// Any number.
    pub fn u64(&self) -> u64 {
        hold(&self.dice).u64(..)
    }

    /// A number from 0 up to, not including, `bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        hold(&self.dice).u64(..bound)
    }

    /// `about`, moved by up to `fraction` of itself either way: `jitter(60 s, 0.1)` lies between 54 s and 66 s.
    /// A fraction outside 0 to 1 counts as the nearest of the two.
    pub fn jitter(&self, about: Duration, fraction: f64) -> Duration {
        let fraction = if fraction.is_nan() {
            0.0
        } else {
            fraction.clamp(0.0, 1.0)
        };
        let roll = hold(&self.dice).f64() * 2.0 - 1.0;
        let factor = 1.0 + fraction * roll;
        Duration::try_from_secs_f64(about.as_secs_f64() * factor).unwrap_or(about)
    }

    /// Bytes nobody can guess: salts, tokens. In a simulation they come from the seed and are no secret at all.
    ///
    /// # Errors
    /// When the system's source of randomness fails.
    pub fn secret<const N: usize>(&self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        match self.secrets {
            Secrets::FromSystem => aws_lc_rs::rand::fill(&mut bytes)
                .map_err(|_| io::Error::other("the system's source of randomness failed"))?,
            Secrets::FromSeed => hold(&self.dice).fill(&mut bytes),
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same() {
        let rolls = |seed| {
            let chance = Chance::simulated(seed);
            let secret: [u8; 4] = chance.secret().unwrap();
            (chance.u64(), chance.below(1000), secret)
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
    }

    #[test]
    fn jitter_stays_within_its_fraction_and_varies() {
        let chance = Chance::simulated(1);
        let minute = Duration::from_secs(60);
        let rolls: Vec<_> = (0..200).map(|_| chance.jitter(minute, 0.1)).collect();
        assert!(
            rolls
                .iter()
                .all(|roll| (54.0..=66.0).contains(&roll.as_secs_f64()))
        );
        assert!(rolls.iter().any(|roll| *roll < minute));
        assert!(rolls.iter().any(|roll| *roll > minute));
        assert_eq!(chance.jitter(minute, 0.0), minute);
        assert!(chance.jitter(minute, f64::INFINITY) <= minute * 2);
    }

    #[test]
    fn below_keeps_its_bound() {
        let chance = Chance::simulated(2);
        assert!((0..100).all(|_| chance.below(3) < 3));
        assert_eq!(chance.below(0), 0);
    }

    #[test]
    fn real_secrets_differ() {
        let chance = Chance::real();
        assert_ne!(
            chance.secret::<16>().unwrap(),
            chance.secret::<16>().unwrap()
        );
    }
}
