//! The guard: wrong passwords are counted by client address and by account, and those who guess have to wait.
//!
//! ```text
//!   may_try? --no--> 454, no password is looked at
//!      | yes
//!   the directory checks --wrong--> failed: both counts go up, and with them the waits
//!      | right
//!   succeeded: the counts that this login explains are cleared
//! ```
//!
//! A count that names several others is not cleared by one right password: who has an account here could otherwise clear his
//! address between two guesses at somebody else's.
//!
//! Sessions that try at the same moment all pass before the first is counted; all are counted then, and the wait is the
//! longer for it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ground_settings::Logins;
use tokio::time::Instant;

/// Clients, and as many accounts, whose wrong passwords are remembered: a few megabytes. When there are more, those with
/// the fewest are forgotten first, so that a flood of addresses does not cover a guesser.
pub(crate) const REMEMBERED_MAX: usize = 65_536;

/// Bits of an IPv6 address that say whose it is: a network of this size is one customer (RFC 6177 s2).
const IPV6_PREFIX: u32 = 64;

/// Remembers who gave wrong passwords.
#[derive(Debug, Default)]
pub struct Guard {
    /// Names and addresses are remembered by their hash under a key of this process: short, and nobody can aim at another's.
    keys: RandomState,
    book: Mutex<Book>,
}

/// Who tries to log in as whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    client: u64,
    account: u64,
}

/// Who has to wait, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The client gave too many wrong passwords.
    Client(Duration),
    /// The account is being guessed at, and the client has had a part in it.
    Account(Duration),
}

#[derive(Debug, Default)]
struct Book {
    clients: HashMap<u64, Count>,
    accounts: HashMap<u64, Count>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    last: Instant,
    with: With,
}

/// The accounts that a client tried, or the clients that tried an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    Only(u64),
    Several,
}

impl Wait {
    /// Until the next try.
    #[must_use]
    pub fn how_long(self) -> Duration {
        match self {
            Wait::Client(wait) | Wait::Account(wait) => wait,
        }
    }
}

impl Guard {
    /// An attempt by `client` (none: it has no address) to log in as `user`.
    #[must_use]
    pub fn attempt(&self, client: Option<IpAddr>, user: &str) -> Attempt {
        Attempt {
            client: self.keys.hash_one(client.map(network)),
            account: self.keys.hash_one(user.trim().to_ascii_lowercase()),
        }
    }

    /// Whether the password may be looked at now.
    ///
    /// # Errors
    /// Who has to wait, and how long.
    pub fn may_try(&self, attempt: Attempt, rules: &Logins, now: Instant) -> Result<(), Wait> {
        let book = self.book();
        let remembered = |count: &&Count| !count.forgotten(rules, now);
        let client = book.clients.get(&attempt.client).filter(remembered);
        let Some(client) = client else {
            // A clean client is let try even when everybody else guesses at the account.
            return Ok(());
        };
        let wait = client.wait(rules.client_failures, rules, now);
        if !wait.is_zero() {
            return Err(Wait::Client(wait));
        }
        let account = book.accounts.get(&attempt.account).filter(remembered);
        let wait = account.map(|account| account.wait(rules.account_failures, rules, now));
        match wait.filter(|wait| !wait.is_zero()) {
            Some(wait) => Err(Wait::Account(wait)),
            None => Ok(()),
        }
    }

    /// The password was wrong. How many the client has given by now.
    pub fn failed(&self, attempt: Attempt, rules: &Logins, now: Instant) -> u32 {
        let Attempt { client, account } = attempt;
        let mut book = self.book();
        count(&mut book.accounts, account, client, rules, now);
        count(&mut book.clients, client, account, rules, now)
    }

    /// The password was right.
    pub fn succeeded(&self, attempt: Attempt) {
        let Attempt { client, account } = attempt;
        let mut book = self.book();
        clear(&mut book.clients, client, account);
        clear(&mut book.accounts, account, client);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing in here panics half way, so a poisoned lock guards whole data.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn forgotten(&self, rules: &Logins, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= rules.forget_after
    }

    /// What is left of the wait after the last failure, of which `free` cost none.
    fn wait(&self, free: u32, rules: &Logins, now: Instant) -> Duration {
        let Some(beyond) = self.failures.checked_sub(free) else {
            return Duration::ZERO;
        };
        let doubled = rules.first_wait.saturating_mul(2u32.saturating_pow(beyond));
        let end = self.last + doubled.min(rules.longest_wait);
        end.saturating_duration_since(now)
    }
}

/// One failure more of `key`, together with `other`; how many there are by now.
fn count(
    counts: &mut HashMap<u64, Count>,
    key: u64,
    other: u64,
    rules: &Logins,
    now: Instant,
) -> u32 {
    let known = counts
        .get(&key)
        .filter(|known| !known.forgotten(rules, now));
    let (failures, with) = match known {
        Some(known) if known.with == With::Only(other) => (known.failures, known.with),
        Some(known) => (known.failures, With::Several),
        None => (0, With::Only(other)),
    };
    if counts.len() >= REMEMBERED_MAX && !counts.contains_key(&key) {
        forget_one(counts, rules, now);
    }
    let failures = failures.saturating_add(1);
    let last = now;
    counts.insert(
        key,
        Count {
            failures,
            last,
            with,
        },
    );
    failures
}

/// Makes room: what is forgotten anyway goes, or else the one with the fewest failures, the oldest of them.
fn forget_one(counts: &mut HashMap<u64, Count>, rules: &Logins, now: Instant) {
    counts.retain(|_, count| !count.forgotten(rules, now));
    if counts.len() < REMEMBERED_MAX {
        return;
    }
    let least = counts
        .iter()
        .min_by_key(|(_, count)| (count.failures, count.last));
    if let Some(key) = least.map(|(key, _)| *key) {
        counts.remove(&key);
    }
}

fn clear(counts: &mut HashMap<u64, Count>, key: u64, other: u64) {
    let explained = |count: &Count| count.with == With::Only(other);
    if counts.get(&key).is_some_and(explained) {
        counts.remove(&key);
    }
}

/// The network that counts as one client.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let host = 128 - IPV6_PREFIX;
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> host << host))
        }
    }
}

#[cfg(test)]
mod tests;
