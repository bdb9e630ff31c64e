//! The directory: who exists here, and who administers it.
//!
//! **For what.** Domains, accounts with their passwords, aliases and catch-alls, as rows of the store. Everybody who must
//! know whether an address is ours, whose it is, or whether a password is right, asks a [`Directory`]:
//!
//! - [`Directory::resolve`] says what one address is: a mailbox, an alias, caught by its domain, nobody, or not ours;
//! - [`Directory::is_local`] says whether a domain is ours;
//! - [`Directory::verify`] checks a password;
//! - [`Directory::apply`] makes one [`Change`], and may take rows of other floors along in the same unit (the event that
//!   records who did it, the mailbox that goes with its account);
//! - [`Directory::domains`], [`Directory::accounts`], [`Directory::aliases`] and their `show_` twins list what is there.
//!
//! Who may use the administration's pages and API is in the same rows and no account: see [`operator`]. Which accounts are logged
//! in to see their own mail: see [`holder`].
//!
//! **One address is one thing.** An account or an alias, never both; the store's unit refuses the second.
//!
//! **The order of an answer.** The address itself; then, when the settings name a separator, the address without its tag
//! (`jo+lists@` is `jo@`); then the domain's catch-all; then, for `postmaster` only, the domain's first account and after it
//! the server's first account, because RFC 5321 s4.5.1 wants somebody there always.
//!
//! **Case.** Local parts are compared without regard to case. RFC 5321 s2.4 leaves that to the host they belong to: here,
//! `Jo@` and `jo@` are one person.
//!
//! **Freshness.** Answers are cached and carry the version of the directory they were read at, in one snapshot with them.
//! Every change moves the version in the same unit. This node's own changes are seen at once, those of others within
//! [`VERSION_RECHECK`].
//!
//! **Never.** No password is kept, shown or logged, only its argon2id hash. No lookup says "nobody" because the store could
//! not be read: that is an error, and time's move. An unknown user costs as much work as a wrong password.
//!
//! **Limits.** [`CACHE_ENTRIES`], [`ALIAS_TARGETS_MAX`], [`PASSWORD_MAX`], [`Options::verifiers`], [`VERIFY_DEADLINE`].

mod cache;
mod change;
mod error;
pub mod holder;
mod listing;
mod lookup;
pub mod operator;
mod password;
mod version;

pub use cache::CACHE_ENTRIES;
pub use change::{ALIAS_TARGETS_MAX, Change, NewPassword};
pub use error::DirectoryError;
pub use listing::{ListedAccount, ListedAlias, ListedDomain, MayLogIn, Page};
pub use lookup::{Account, AccountId, Found, Via};
pub use password::{Login, PASSWORD_MAX, PasswordCost, VERIFY_DEADLINE};
pub use version::VERSION_RECHECK;

use std::sync::Arc;

use ground_store::Store;
use ground_world::World;

/// How a directory works on this node.
#[derive(Debug, Clone)]
pub struct Options {
    /// Passwords checked at the same time; each takes one processor and [`PasswordCost::memory_kib`] of memory.
    pub verifiers: usize,
    /// What one new password hash costs. Stored hashes carry their own cost.
    pub cost: PasswordCost,
}

impl Default for Options {
    fn default() -> Self {
        let verifiers = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            verifiers,
            cost: PasswordCost::default(),
        }
    }
}

/// A handle on the directory; cheap to clone.
#[derive(Clone)]
pub struct Directory {
    rooms: Arc<Rooms>,
}

struct Rooms {
    store: Store,
    world: World,
    cache: cache::Cache,
    version: version::Version,
    passwords: password::Passwords,
}

impl Directory {
    /// A directory over the rows of `store`. Reads nothing yet.
    #[must_use]
    pub fn open(store: Store, world: World, options: &Options) -> Self {
        let passwords = password::Passwords::new(options);
        Self {
            rooms: Arc::new(Rooms {
                store,
                world,
                cache: cache::Cache::default(),
                version: version::Version::default(),
                passwords,
            }),
        }
    }

    /// The world this directory lives in: whoever asks under a deadline uses its clock.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.rooms.world
    }
}

#[cfg(test)]
mod tests;
