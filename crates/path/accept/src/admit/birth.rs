//! Birth: each recipient gets its way, and starts claimed when the queue has room for it, else queued.
//!
//! An alias that names somebody who is not here any more leads to the mailboxes all the same: the attempt there finds nobody,
//! and the sender hears of it like of any failed attempt. So there is one place where reports about failures are owed.

use std::collections::HashSet;

use ground_settings::Settings;
use path_categorize::{Child, Decision, End, notify_of_members};
use path_ledger::{Birth, Handoff, HopKey, NewRecipient, Slot};
use path_route::route;
use wire_message::{Address, OriginalRecipient};
use wire_smtp::command::Notify;

use super::recipient::{Recipients, Wanted};

/// The recipients as they are born, and the room that was reserved for them.
pub(crate) struct Births {
    pub(crate) recipients: Vec<NewRecipient>,
    /// Places of those that are lists: their senders may be owed a report.
    pub(crate) lists: Vec<usize>,
    pub(crate) slots: Vec<Slot>,
}

/// Where a recipient goes, before anybody asks whether there is room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// One way, under the address as it was given.
    Itself(Leaf),
    /// Replaced by another; one row more, so that it is found under the name it was asked for by.
    Rewritten {
        /// By which alias or catch-all.
        cause: String,
        /// What stands in its place.
        to: Leaf,
    },
    /// A list: replaced by several others.
    Expanded {
        /// By which alias or group.
        cause: String,
        /// Two or more; each address once.
        children: Vec<Leaf>,
    },
    /// The directory has to be asked again.
    Later {
        /// Why.
        reason: String,
    },
}

/// An address with its way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) address: Address,
    pub(crate) orcpt: Option<OriginalRecipient>,
    pub(crate) notify: Option<Notify>,
    pub(crate) hop: HopKey,
}

/// Where a recipient goes, by the decision about it and the connectors of the moment.
pub(crate) fn place(settings: &Settings, wanted: Wanted) -> Placed {
    let Wanted {
        address,
        orcpt,
        notify,
        decision,
    } = wanted;
    let leaf = |address: Address, hop: HopKey, orcpt: Option<OriginalRecipient>| {
        Placed::Itself(Leaf {
            address,
            orcpt,
            notify,
            hop,
        })
    };
    match decision {
        // Nobody and its like are refused at RCPT; what was accepted before and has gone since fails at the mailboxes.
        Decision::Mailbox { .. } | Decision::Nobody { .. } | Decision::NotHere { .. } => {
            leaf(address, HopKey::mailbox(), orcpt)
        }
        Decision::Remote { .. } => {
            let hop = route(&settings.connectors, address.domain()).hop;
            leaf(address, hop, orcpt)
        }
        // What the sender asked for goes on with a single address (RFC 3461 s5.2.7.2).
        Decision::Rewritten { to, reason } => {
            let orcpt = orcpt.unwrap_or_else(|| OriginalRecipient::from(&address));
            Placed::Rewritten {
                cause: reason,
                to: child(settings, to, orcpt, notify),
            }
        }
        Decision::Expanded { children, reason } => {
            let orcpt = orcpt.unwrap_or_else(|| OriginalRecipient::from(&address));
            let notify = notify_of_members(notify);
            let child = |one: Child| child(settings, one, orcpt.clone(), notify);
            Placed::Expanded {
                cause: reason,
                children: children.into_iter().map(child).collect(),
            }
        }
        Decision::Misled { reason, .. } | Decision::Later { reason } => Placed::Later { reason },
    }
}

fn child(
    settings: &Settings,
    child: Child,
    orcpt: OriginalRecipient,
    notify: Option<Notify>,
) -> Leaf {
    Leaf {
        hop: hop_of(settings, &child),
        address: child.address,
        orcpt: Some(orcpt),
        notify,
    }
}

fn hop_of(settings: &Settings, child: &Child) -> HopKey {
    match &child.end {
        End::Mailbox(_) | End::Nobody => HopKey::mailbox(),
        End::Remote => route(&settings.connectors, child.address.domain()).hop,
    }
}

impl Births {
    /// Places all recipients and reserves the queue's room.
    pub(crate) fn of(
        settings: &Settings,
        handoff: Option<&Handoff>,
        recipients: Recipients,
    ) -> Births {
        let wanted = recipients.into_wanted();
        let mut nursery = Nursery {
            handoff,
            births: Births {
                recipients: Vec::with_capacity(wanted.len()),
                lists: Vec::new(),
                slots: Vec::new(),
            },
            full: Vec::new(),
            seen: HashSet::new(),
        };
        let alone = wanted.len() == 1;
        for one in wanted {
            let given = Given {
                address: one.address.clone(),
                orcpt: one.orcpt.clone(),
                notify: one.notify,
            };
            match place(settings, one) {
                Placed::Itself(leaf) if alone => nursery.leaf(leaf, None),
                Placed::Itself(leaf) => nursery.leaf_once(leaf, None),
                Placed::Rewritten { cause, to } => nursery.family(given, cause, vec![to]),
                Placed::Expanded { cause, children } => nursery.list(given, cause, children),
                Placed::Later { reason } => nursery.waiting(given, reason),
            }
        }
        nursery.births
    }
}

/// A recipient as the client gave it.
struct Given {
    address: Address,
    orcpt: Option<OriginalRecipient>,
    notify: Option<Notify>,
}

impl Given {
    fn born(self, birth: Birth) -> NewRecipient {
        NewRecipient {
            address: self.address,
            orcpt: self.orcpt,
            notify: self.notify,
            parent: None,
            birth,
        }
    }
}

/// Births under way.
struct Nursery<'a> {
    handoff: Option<&'a Handoff>,
    births: Births,
    /// Hops without room.
    full: Vec<HopKey>,
    /// Addresses that are on their way already: two aliases of one person make one copy.
    seen: HashSet<String>,
}

impl Nursery<'_> {
    fn leaf_once(&mut self, leaf: Leaf, parent: Option<usize>) {
        if self.seen.insert(leaf.address.key()) {
            self.leaf(leaf, parent);
        }
    }

    fn leaf(&mut self, leaf: Leaf, parent: Option<usize>) {
        let birth = self.birth(leaf.hop);
        self.births.recipients.push(NewRecipient {
            address: leaf.address,
            orcpt: leaf.orcpt,
            notify: leaf.notify,
            parent,
            birth,
        });
    }

    fn list(&mut self, given: Given, cause: String, children: Vec<Leaf>) {
        self.births.lists.push(self.births.recipients.len());
        self.family(given, cause, children);
    }

    fn family(&mut self, given: Given, cause: String, children: Vec<Leaf>) {
        let parent = self.births.recipients.len();
        let born = given.born(Birth::Expanded { cause });
        self.births.recipients.push(born);
        for child in children {
            self.leaf_once(child, Some(parent));
        }
    }

    fn waiting(&mut self, given: Given, reason: String) {
        let born = given.born(Birth::Categorizing { reason });
        self.births.recipients.push(born);
    }

    /// One slot holds all recipients of a hop: they are one job.
    fn birth(&mut self, next_hop: HopKey) -> Birth {
        if self.births.slots.iter().any(|slot| *slot.hop() == next_hop) {
            return Birth::Claimed { next_hop };
        }
        if self.full.contains(&next_hop) {
            return Birth::Queued { next_hop };
        }
        match self.handoff.and_then(|queue| queue.reserve(&next_hop)) {
            Some(slot) => {
                self.births.slots.push(slot);
                Birth::Claimed { next_hop }
            }
            None => {
                self.full.push(next_hop.clone());
                Birth::Queued { next_hop }
            }
        }
    }
}
