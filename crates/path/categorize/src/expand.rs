//! Following aliases to their ends: a machine that asks questions and takes answers.
//!
//! It is breadth first, so that the shortest way to an address is the one that explains it. Each address is asked about
//! once; what was seen before is neither asked nor counted again, so loops end and doubles are one. Every way out of a
//! limit is named.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use ground_directory::{Account, Found, Via};
use wire_message::{Address, Class, EnhancedStatus};

use crate::{Child, Decision, End, Relay};

/// Aliases on one way from a recipient to an end: as deep as an organisation chart, and no deeper.
pub const DEPTH_MAX: usize = 10;

/// Ends of one recipient: more is a mailing list, and wants a list manager. One unit of the ledger must hold them.
pub const CHILDREN_MAX: usize = 1000;

/// Addresses looked at for one recipient, the ends included: bounds the work of nested aliases that all lead to the same few.
pub const LOOKUPS_MAX: usize = 4 * CHILDREN_MAX;

/// A loop, or a way that is too long (RFC 3463 s3.5, X.4.6).
const LOOP: EnhancedStatus = EnhancedStatus::new(Class::Temporary, 4, 6);
/// Too many (RFC 3463 s3.3, X.2.4: expansion problem).
const TOO_MANY: EnhancedStatus = EnhancedStatus::new(Class::Temporary, 2, 4);

/// The expansion of one recipient.
///
/// While [`Expansion::question`] names an address, give what the directory found to [`Expansion::answer`]; then
/// [`Expansion::decide`].
#[derive(Debug)]
pub struct Expansion {
    recipient: Address,
    relay: Relay,
    waiting: VecDeque<Step>,
    /// Keys of every address that was ever in `waiting`.
    seen: HashSet<String>,
    children: Vec<Child>,
    /// Accounts in `children`: two addresses of one mailbox are one end.
    accounts: HashSet<i64>,
    verdict: Option<Decision>,
}

/// An address on a way, and the way to it.
#[derive(Debug)]
struct Step {
    address: Address,
    way: Way,
}

/// How the recipient led to an address: a list from its end.
#[derive(Debug, Clone)]
enum Way {
    Given,
    Through {
        depth: usize,
        words: Arc<str>,
        from: Arc<Way>,
    },
}

impl Way {
    fn depth(&self) -> usize {
        match self {
            Way::Given => 0,
            Way::Through { depth, .. } => *depth,
        }
    }

    fn through(&self, words: Arc<str>) -> Way {
        Way::Through {
            depth: self.depth() + 1,
            words,
            from: Arc::new(self.clone()),
        }
    }

    /// The way in words, from its start, ending in `last`.
    fn told(&self, last: &str) -> String {
        let mut parts = vec![last];
        let mut at = self;
        while let Way::Through { words, from, .. } = at {
            parts.push(words);
            at = from;
        }
        parts.reverse();
        parts.join("; ")
    }
}

impl Expansion {
    /// Starts with `recipient`; `relay` says whether it may be somewhere else.
    #[must_use]
    pub fn new(recipient: Address, relay: Relay) -> Self {
        let first = Step {
            address: recipient.clone(),
            way: Way::Given,
        };
        Self {
            seen: HashSet::from([recipient.key()]),
            recipient,
            relay,
            waiting: VecDeque::from([first]),
            children: Vec::new(),
            accounts: HashSet::new(),
            verdict: None,
        }
    }

    /// The address to ask the directory about; `None` when all is known.
    #[must_use]
    pub fn question(&self) -> Option<&Address> {
        match self.verdict {
            Some(_) => None,
            None => self.waiting.front().map(|step| &step.address),
        }
    }

    /// Takes what the directory found for the address of [`Expansion::question`].
    pub fn answer(&mut self, found: &Found) {
        if self.verdict.is_some() {
            return;
        }
        let Some(step) = self.waiting.pop_front() else {
            return;
        };
        let address = &step.address;
        match found {
            Found::Mailbox { account, via } => self.mailbox(&step, account, *via),
            Found::Alias { targets, via } => {
                let words = match via {
                    Via::Exact | Via::FirstAccount => format!("{address} is an alias"),
                    Via::Subaddress => format!("{address} is an alias without its tag"),
                };
                self.follow(&step, targets, words);
            }
            Found::CatchAll { target } => {
                let words = format!("{address} is nobody, but its domain has a catch-all");
                self.follow(&step, std::slice::from_ref(target), words);
            }
            Found::NoSuchUser => {
                let why = format!("{address} is in a domain here that has nobody by that name");
                self.nobody(step, &why);
            }
            Found::NoPostmaster => {
                tracing::error!(
                    %address,
                    "mail for the postmaster is refused: there is no account at all; add one, or an alias for postmaster"
                );
                let why =
                    format!("{address} would be the first account, but there is no account at all");
                self.nobody(step, &why);
            }
            Found::NotLocal => self.remote(step),
        }
    }

    /// The decision, once there is no question any more. Asked too early, it is the one that has waited too long.
    #[must_use]
    pub fn decide(mut self) -> Decision {
        if let Some(verdict) = self.verdict.take() {
            return verdict;
        }
        if !self.waiting.is_empty() {
            return Decision::later("the directory has not answered everything".to_owned());
        }
        let alive = self.children.iter().any(|child| child.end != End::Nobody);
        match self.children.pop() {
            None => self.misled(LOOP, "its aliases lead to nothing but each other"),
            Some(child) if !alive => {
                let reason = child.reason;
                Decision::Nobody { reason }
            }
            Some(child) if self.children.is_empty() => Decision::Rewritten {
                reason: child.reason.clone(),
                to: child,
            },
            Some(child) => {
                self.children.push(child);
                Decision::Expanded {
                    reason: format!(
                        "{} stands for {} addresses",
                        self.recipient,
                        self.children.len()
                    ),
                    children: self.children,
                }
            }
        }
    }

    fn mailbox(&mut self, step: &Step, account: &Account, via: Via) {
        let address = &step.address;
        let owner = &account.address;
        let words = match via {
            Via::Exact => format!("{address} is a mailbox here"),
            Via::Subaddress => format!("{address} is the mailbox {owner} with a tag"),
            Via::FirstAccount => {
                format!(
                    "{address} is nobody of that name, so the first account {owner} takes its mail"
                )
            }
        };
        if let Way::Given = step.way {
            self.verdict = Some(Decision::Mailbox {
                account: account.clone(),
                reason: words,
            });
            return;
        }
        if self.accounts.insert(account.id.0) {
            let child = Child {
                address: address.clone(),
                end: End::Mailbox(account.clone()),
                reason: step.way.told(&words),
            };
            self.end(child);
        }
    }

    fn remote(&mut self, step: Step) {
        let address = step.address;
        let words = format!("{address} is in no domain here");
        if let Way::Given = step.way {
            self.verdict = Some(match &self.relay {
                Relay::Allowed { reason } => Decision::Remote {
                    reason: format!("{words}; relayed because {reason}"),
                },
                Relay::Denied { reason } => Decision::NotHere {
                    reason: format!("{words}; not relayed because {reason}"),
                },
            });
            return;
        }
        let reason = step.way.told(&words);
        let end = End::Remote;
        self.end(Child {
            address,
            end,
            reason,
        });
    }

    fn nobody(&mut self, step: Step, why: &str) {
        if let Way::Given = step.way {
            let reason = why.to_owned();
            self.verdict = Some(Decision::Nobody { reason });
            return;
        }
        let reason = step.way.told(why);
        self.end(Child {
            address: step.address,
            end: End::Nobody,
            reason,
        });
    }

    fn follow(&mut self, step: &Step, targets: &[Address], words: String) {
        if step.way.depth() >= DEPTH_MAX {
            let told = step.way.told(&words);
            let what = format!("there are more than {DEPTH_MAX} aliases on the way: {told}");
            self.verdict = Some(self.misled(LOOP, &what));
            return;
        }
        let way = step.way.through(words.into());
        for target in targets {
            if !self.seen.insert(target.key()) {
                continue;
            }
            if self.seen.len() > LOOKUPS_MAX {
                let what = format!("its aliases name more than {LOOKUPS_MAX} addresses");
                self.verdict = Some(self.misled(TOO_MANY, &what));
                return;
            }
            self.waiting.push_back(Step {
                address: target.clone(),
                way: way.clone(),
            });
        }
    }

    fn end(&mut self, child: Child) {
        if self.children.len() >= CHILDREN_MAX {
            let what = format!("it stands for more than {CHILDREN_MAX} addresses");
            self.verdict = Some(self.misled(TOO_MANY, &what));
            return;
        }
        self.children.push(child);
    }

    fn misled(&self, status: EnhancedStatus, what: &str) -> Decision {
        let reason = format!("{}: {what}; change the alias", self.recipient);
        tracing::error!(recipient = %self.recipient, what, "an alias leads nowhere; change it");
        Decision::Misled { reason, status }
    }
}

#[cfg(test)]
mod tests;
